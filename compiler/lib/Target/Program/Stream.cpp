// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Registers are followed as sums over the counters of the loops around; a box
// gets one dimension more for each.

#include "loom/Target/Program/Stream.h"

#include <algorithm>
#include <map>
#include <optional>

using namespace mlir::loom::program;

std::vector<LoopSpan>
mlir::loom::program::loopsOf(const std::vector<Record> &records,
                             std::string &problem, size_t &at) {
  std::map<uint64_t, size_t> recordAt; // by unit
  uint64_t unit = 0;
  for (size_t r = 0; r < records.size(); ++r) {
    recordAt[unit] = r;
    unit += records[r].bytes.size() / LOOM_UNIT_BYTES;
  }
  std::vector<LoopSpan> loops;
  std::vector<size_t> open; // ends of those around
  for (size_t r = 0; r < records.size(); ++r) {
    while (!open.empty() && open.back() <= r)
      open.pop_back();
    if (records[r].header().op != LOOM_OP_LOOP)
      continue;
    const auto &loop = records[r].as<loom_seq>();
    const auto end = recordAt.find(loop.target);
    at = r;
    if (end == recordAt.end() || end->second <= r + 1)
      problem = "loops to unit " + std::to_string(loop.target) +
                ", where no record after it begins";
    else if (!open.empty() && end->second > open.back())
      problem = "loops beyond the end of the loop around it";
    else if (open.size() == LOOM_MAX_LOOP_NEST)
      problem = "is the fifth loop in each other";
    if (!problem.empty())
      return loops;
    loops.push_back({r + 1, end->second, loop.imm});
    open.push_back(end->second);
  }
  return loops;
}

namespace {
/// offset + sum over loops of scale * its counter.
struct Sum {
  int64_t offset = 0;
  std::map<size_t, int64_t> scales; // by loop
};

class Follower {
public:
  explicit Follower(const std::vector<Record> &records) : records(records) {
    std::string problem;
    size_t at = 0;
    loops = loopsOf(records, problem, at);
    registers.fill(Sum());
  }
  std::vector<Touched> run();

private:
  void enter(size_t loop);
  void leave(size_t loop);
  void scalar(size_t r);
  Touched touched(size_t r);

  const std::vector<Record> &records;
  std::vector<LoopSpan> loops;
  std::vector<size_t> open;
  size_t next = 0; // loop
  std::array<std::optional<Sum>, LOOM_NUM_REGS> registers;
};
} // namespace

/// What the body writes depends on the iteration before, until it has written
/// it.
void Follower::enter(size_t loop) {
  const uint8_t counter = records[loops[loop].first - 1].as<loom_seq>().rd;
  for (size_t r = loops[loop].first; r < loops[loop].end; ++r)
    if (queueOf(records[r].header().op) == LOOM_Q_SEQ)
      registers[records[r].as<loom_seq>().rd % LOOM_NUM_REGS].reset();
  registers[counter] = Sum{0, {{loop, 1}}};
  registers[0] = Sum();
  open.push_back(loop);
}

void Follower::leave(size_t loop) {
  for (std::optional<Sum> &value : registers)
    if (value && value->scales.count(loop))
      value.reset();
  open.pop_back();
}

void Follower::scalar(size_t r) {
  const auto &s = records[r].as<loom_seq>();
  const uint8_t op = s.h.op;
  if (!s.rd || op == LOOM_OP_LOOP)
    return;
  std::optional<Sum> result = registers[s.ra % LOOM_NUM_REGS];
  if (op != LOOM_OP_MUL || s.rb) // all that the compiler computes places with
    result.reset();
  if (result) {
    result->offset *= s.imm;
    for (auto &[loop, scale] : result->scales)
      scale *= s.imm;
  }
  registers[s.rd % LOOM_NUM_REGS] = result;
}

/// The box at every place that the counters move it to.
static Access moved(const Access &access, const Sum &by,
                    const std::vector<LoopSpan> &loops) {
  Access result = access;
  result.lo += by.offset;
  result.hi += by.offset;
  for (auto [loop, scale] : by.scales)
    loom_box_extend(&result, loops[loop].count, scale);
  loom_box_join(&result);
  return result;
}

Touched Follower::touched(size_t r) {
  Touched result;
  result.accesses = accessesOf(records[r]);
  result.open.resize(result.accesses.size());
  const uint16_t select = records[r].header().regsel;
  if (!select)
    return result;
  // Copies alone have base registers: source, destination.
  for (size_t i = 0; i < result.accesses.size(); ++i) {
    Access &access = result.accesses[i];
    const unsigned number = access.write ? select >> 4 & 15 : select & 15;
    if (!number)
      continue;
    if (registers[number])
      access = moved(access, *registers[number], loops);
    else
      result.open[i] = true;
  }
  return result;
}

std::vector<Touched> Follower::run() {
  std::vector<Touched> all;
  all.reserve(records.size());
  for (size_t r = 0; r < records.size(); ++r) {
    while (!open.empty() && loops[open.back()].end <= r)
      leave(open.back());
    if (next < loops.size() && loops[next].first == r)
      enter(next++);
    if (queueOf(records[r].header().op) == LOOM_Q_SEQ)
      scalar(r);
    all.push_back(touched(r));
  }
  return all;
}

std::vector<Touched>
mlir::loom::program::touchedBy(const std::vector<Record> &records) {
  return Follower(records).run();
}
