// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Registers are followed as sums over the counters of the loops around and over
// numbers that the program has clamped; a box gets one dimension more for each.

#include "loom/Target/Program/Stream.h"

#include <algorithm>
#include <map>
#include <optional>

using namespace mlir::loom::program;

static std::map<uint64_t, size_t>
recordsByUnit(const std::vector<Record> &records) {
  std::map<uint64_t, size_t> recordAt;
  uint64_t unit = 0;
  for (size_t r = 0; r < records.size(); ++r) {
    recordAt[unit] = r;
    unit += records[r].bytes.size() / LOOM_UNIT_BYTES;
  }
  return recordAt;
}

std::vector<bool>
mlir::loom::program::branchTargets(const std::vector<Record> &records,
                                   std::string &problem, size_t &at) {
  std::vector<bool> targets(records.size());
  std::map<uint64_t, size_t> recordAt;
  for (size_t r = 0; r < records.size() && problem.empty(); ++r) {
    if (records[r].header().op != LOOM_OP_BR)
      continue;
    if (recordAt.empty())
      recordAt = recordsByUnit(records);
    const auto &branch = records[r].as<loom_seq>();
    const auto found = recordAt.find(branch.target);
    at = r;
    if (found == recordAt.end())
      problem = "branches to unit " + std::to_string(branch.target) +
                ", where no record begins";
    else
      targets[found->second] = true;
  }
  return targets;
}

std::vector<LoopSpan>
mlir::loom::program::loopsOf(const std::vector<Record> &records,
                             std::string &problem, size_t &at) {
  const std::map<uint64_t, size_t> recordAt = recordsByUnit(records);
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
/// A number from 0 below `count`, times `scale`.
struct Term {
  int64_t count, scale;
};

/// offset + sum of terms: counters, by loop, and clamped numbers, by the record
/// that clamped them.
struct Sum {
  int64_t offset = 0;
  std::map<size_t, Term> counters, numbers;

  void add(const Sum &other) {
    offset += other.offset;
    for (auto [loop, term] : other.counters)
      counters.try_emplace(loop, Term{term.count, 0}).first->second.scale +=
          term.scale;
    for (auto [record, term] : other.numbers)
      numbers.try_emplace(record, Term{term.count, 0}).first->second.scale +=
          term.scale;
  }
  void scale(int64_t by) {
    offset *= by;
    for (auto *terms : {&counters, &numbers})
      for (auto &[key, term] : *terms)
        term.scale *= by;
  }
};

class Follower {
public:
  explicit Follower(const std::vector<Record> &records) : records(records) {
    std::string problem;
    size_t at = 0;
    loops = loopsOf(records, problem, at);
    targets = branchTargets(records, problem, at);
    registers.fill(Sum());
  }
  std::vector<Touched> run();

private:
  bool isWritten(uint8_t reg, size_t loop) const;
  void setCounter(size_t loop);
  void enter(size_t loop);
  void leave(size_t loop);
  void meet();
  void scalar(size_t r);
  std::optional<Sum> result(size_t r) const;
  Touched touched(size_t r);

  const std::vector<Record> &records;
  std::vector<LoopSpan> loops;
  std::vector<bool> targets;
  std::vector<size_t> open;
  size_t next = 0; // loop
  std::array<std::optional<Sum>, LOOM_NUM_REGS> registers;
};
} // namespace

/// Whether a record of the body, not the loop itself, sets the register.
bool Follower::isWritten(uint8_t reg, size_t loop) const {
  for (size_t r = loops[loop].first; r < loops[loop].end; ++r)
    if (queueOf(records[r].header().op) == LOOM_Q_SEQ &&
        records[r].as<loom_seq>().rd == reg)
      return true;
  return false;
}

void Follower::setCounter(size_t loop) {
  const uint8_t counter = records[loops[loop].first - 1].as<loom_seq>().rd;
  if (counter && !isWritten(counter, loop))
    registers[counter % LOOM_NUM_REGS] =
        Sum{0, {{loop, {loops[loop].count, 1}}}, {}};
}

/// What the body writes depends on the iteration before, until it has written
/// it.
void Follower::enter(size_t loop) {
  for (size_t r = loops[loop].first; r < loops[loop].end; ++r)
    if (queueOf(records[r].header().op) == LOOM_Q_SEQ)
      registers[records[r].as<loom_seq>().rd % LOOM_NUM_REGS].reset();
  registers[0] = Sum();
  setCounter(loop);
  open.push_back(loop);
}

void Follower::leave(size_t loop) {
  for (std::optional<Sum> &value : registers)
    if (value && value->counters.count(loop))
      value.reset();
  open.pop_back();
}

/// Control may come from elsewhere: only counters are known.
void Follower::meet() {
  registers.fill(std::nullopt);
  registers[0] = Sum();
  for (size_t loop : open)
    setCounter(loop);
}

/// What the compiler computes places with; nothing of all else.
std::optional<Sum> Follower::result(size_t r) const {
  const auto &s = records[r].as<loom_seq>();
  std::optional<Sum> a = registers[s.ra % LOOM_NUM_REGS];
  switch (s.h.op) {
  case LOOM_OP_ADD: {
    const std::optional<Sum> &b = registers[s.rb % LOOM_NUM_REGS];
    if (!a || !b)
      return std::nullopt;
    a->add(*b);
    a->offset += s.imm;
    return a;
  }
  case LOOM_OP_MUL:
    if (!a || s.rb)
      return std::nullopt;
    a->scale(s.imm);
    return a;
  case LOOM_OP_CLAMP:
    if (s.rb || s.imm < 0 || s.imm >= INT64_MAX)
      return std::nullopt;
    return Sum{0, {}, {{r, {s.imm + 1, 1}}}};
  default:
    return std::nullopt;
  }
}

void Follower::scalar(size_t r) {
  const auto &s = records[r].as<loom_seq>();
  if (s.rd && s.h.op != LOOM_OP_LOOP)
    registers[s.rd % LOOM_NUM_REGS] = result(r);
}

/// The box at every place that the terms move it to.
static Access moved(const Access &access, const Sum &by) {
  Access result = access;
  result.lo += by.offset;
  result.hi += by.offset;
  for (const auto *terms : {&by.counters, &by.numbers})
    for (const auto &[key, term] : *terms) {
      if (result.rank == LOOM_BOX_DIMS) { // all bytes between
        result.rank = 0;
        result.inner = result.hi - result.lo;
      }
      loom_box_extend(&result, term.count, term.scale);
    }
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
      access = moved(access, *registers[number]);
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
    if (targets[r])
      meet();
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
