// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Order is derived again, from nothing but the semaphores in the bytes: tokens
// are matched first come, first served, and vector clocks follow them.

#include "loom/Target/Program/Verifier.h"

#include "loom/Target/Program/Stream.h"

#include "loom_regs.h"

#include <algorithm>
#include <deque>

using namespace mlir::loom::program;

namespace {
using Clock = std::array<uint32_t, LOOM_NUM_QUEUES>;
/// Numbers of records.
using ByQueue = std::array<std::vector<uint32_t>, LOOM_NUM_QUEUES>;

void join(Clock &into, const Clock &other) {
  for (unsigned q = 0; q < into.size(); ++q)
    into[q] = std::max(into[q], other[q]);
}

class Checker {
public:
  Checker(const std::vector<Record> &records,
          const std::vector<SlotLimits> &slots, const loom_target &target,
          size_t limit)
      : records(records), slots(slots), target(target), limit(limit) {}

  std::vector<Problem> run();

private:
  void add(size_t record, std::string text, size_t other = 0) {
    if (problems.size() < limit)
      problems.push_back({units[record], units[other], std::move(text)});
  }
  void checkShapes();
  void checkFeatures(size_t r);
  void checkAccess(size_t r, const Access &access, bool open);
  void checkLoops();
  bool order();
  bool step(unsigned queue);
  void checkConflicts();
  Clock settled(uint32_t r, const ByQueue &users,
                std::array<size_t, LOOM_NUM_QUEUES> &at) const;
  void checkTokens();

  const std::vector<Record> &records;
  const std::vector<SlotLimits> &slots;
  const loom_target &target;
  const size_t limit;
  std::vector<Problem> problems;
  std::vector<uint32_t> units;
  std::vector<std::vector<Access>> accesses;
  std::vector<LoopSpan> loops;
  std::vector<bool> targets; // of branches

  struct Token {
    Clock clock;
    uint32_t producer;
  };
  std::array<std::deque<Token>, LOOM_NUM_SEMS> tokens;
  /// By semaphore: every token's producer and consumer record.
  std::array<std::vector<std::pair<uint32_t, uint32_t>>, LOOM_NUM_SEMS> history;
  std::array<int, LOOM_NUM_SEMS> producerQueue, consumerQueue;
  std::array<std::vector<uint32_t>, LOOM_NUM_QUEUES> queues;
  std::array<size_t, LOOM_NUM_QUEUES> next{};
  std::array<Clock, LOOM_NUM_QUEUES> known{};
  std::vector<Clock> clocks;      // at the start of each record
  std::vector<uint32_t> position; // in its queue
  std::vector<Clock> fences;      // what each FENCE waits for
  std::vector<uint32_t> fencesBefore;
};
} // namespace

bool mlir::loom::program::splitRecords(const uint8_t *code, size_t bytes,
                                       std::vector<Record> &records) {
  for (size_t at = 0; at < bytes;) {
    const size_t left = bytes - at;
    if (left < LOOM_UNIT_BYTES)
      return false;
    const size_t size = size_t(code[at + 1]) * LOOM_UNIT_BYTES;
    if (!size || size > left || size > LOOM_MAX_RECORD_BYTES)
      return false;
    records.push_back({std::vector<uint8_t>(code + at, code + at + size)});
    at += size;
  }
  return true;
}

/// Bits of enum loom_feature that a record needs.
static uint64_t vpuFeatures(const Record &record) {
  const auto &r = record.as<loom_vpu>();
  uint64_t bits = 1ull << LOOM_FEAT_VPU;
  if (r.mask & LOOM_VPU_SCAN)
    bits |= 1ull << LOOM_FEAT_SCAN;
  const size_t ops =
      sizeof(loom_vpu) + r.nviews * sizeof(loom_view) + 4 * r.nimms;
  for (unsigned i = 0; i < r.nops; ++i)
    switch (LOOM_UOP_OP(record.as<uint32_t>(ops + 4 * i))) {
#define LOOM_CASE(num, name, count, cls, text)                                 \
  case num:                                                                    \
    bits |= #cls[0] == 'T' ? 1ull << LOOM_FEAT_TRANS : 0;                      \
    break;
      LOOM_UOPS(LOOM_CASE)
#undef LOOM_CASE
    }
  return bits;
}

static uint64_t mxuFeatures(const Record &record) {
  const auto &m = record.as<loom_mxu>();
  const unsigned type = m.type == LOOM_MXU_F32    ? LOOM_FEAT_F32
                        : m.type == LOOM_MXU_BF16 ? LOOM_FEAT_BF16
                                                  : LOOM_FEAT_INT8;
  const bool conv = m.kh > 1 || m.kw > 1 || m.dy > 1 || m.dx > 1 || m.py ||
                    m.px || m.sy > 1 || m.sx > 1;
  uint64_t bits = 1ull << type;
  if (conv)
    bits |= 1ull << LOOM_FEAT_CONV;
  if (m.mode == LOOM_MXU_DW)
    bits |= 1ull << LOOM_FEAT_DW;
  if (m.flags & LOOM_MXU_TRANSPOSE)
    bits |= 1ull << LOOM_FEAT_TRANSPOSE;
  if (m.flags & LOOM_MXU_EPI)
    bits |= 1ull << LOOM_FEAT_EPI;
  return bits;
}

static uint64_t featuresOf(const Record &record) {
  uint64_t bits = record.header().regsel ? 1ull << LOOM_FEAT_REG : 0;
  switch (record.header().op) {
  case LOOM_OP_LD:
  case LOOM_OP_ST:
    return bits | 1ull << LOOM_FEAT_REG;
  case LOOM_OP_LOOP:
  case LOOM_OP_BR:
    return bits | 1ull << LOOM_FEAT_LOOP;
  case LOOM_OP_LD_GATHER:
  case LOOM_OP_ST_GATHER:
    return bits | 1ull << LOOM_FEAT_GATHER;
  case LOOM_OP_LD_SCATTER:
  case LOOM_OP_ST_SCATTER:
    return bits | 1ull << LOOM_FEAT_SCATTER;
  case LOOM_OP_MXU:
    return bits | mxuFeatures(record);
  case LOOM_OP_VPU:
    return bits | vpuFeatures(record);
  default:
    return bits;
  }
}

void Checker::checkFeatures(size_t r) {
  static const char *const names[LOOM_NUM_FEATURES] = {
      "CONV",  "DW",   "TRANSPOSE", "GATHER", "SCATTER", "SCAN", "REG", "LOOP",
      "TRANS", "BF16", "INT8",      "CODEC",  "VPU",     "F32",  "EPI"};
  const uint64_t missing = featuresOf(records[r]) & ~target.features;
  for (unsigned i = 0; i < LOOM_NUM_FEATURES; ++i)
    if (missing >> i & 1)
      add(r, std::string("needs feature ") + names[i] +
                 ", which the target lacks");
}

void Checker::checkAccess(size_t r, const Access &access, bool open) {
  std::string name = "SRAM";
  uint64_t bytes = target.sram_bytes;
  if (access.space == kAccSpace) {
    name = "accumulators";
    bytes = target.acc_bytes;
  } else if (access.space != kSramSpace) {
    if (access.space >= slots.size())
      return add(r, "names slot " + std::to_string(access.space) +
                        ", which is not declared");
    const SlotLimits &slot = slots[access.space];
    name = "slot " + std::to_string(access.space) + " (" + slot.name + ")";
    bytes = slot.bytes;
    const uint32_t right = access.write ? LOOM_RIGHT_WRITE : LOOM_RIGHT_READ;
    if (!(slot.rights & right))
      add(r, std::string(access.write ? "writes " : "reads ") + name +
                 " without the right to");
  }
  // Its lowest place is judged; the program clamps the others.
  if (open && (access.space >= slots.size() ||
               slots[access.space].rights & LOOM_RIGHT_WRITE))
    add(r, "names a place known only at run time in " + name +
               ", which may be written: nothing clamps it");
  if (access.lo < 0 || access.hi > int64_t(bytes))
    add(r, "touches bytes " + std::to_string(access.lo) + " to " +
               std::to_string(access.hi) + " of " + name + ", which has " +
               std::to_string(bytes));
}

void Checker::checkShapes() {
  uint32_t unit = 0;
  for (const Record &record : records) {
    units.push_back(unit);
    unit += record.bytes.size() / LOOM_UNIT_BYTES;
  }
  if (unit > LOOM_MAX_CODE_UNITS)
    add(0, "the program has " + std::to_string(unit) + " units; " +
               std::to_string(LOOM_MAX_CODE_UNITS) + " is the limit");
  accesses.resize(records.size());
  for (size_t r = 0; r < records.size(); ++r) {
    if (std::string why = checkRecord(records[r]); !why.empty()) {
      add(r, why);
      continue;
    }
    checkFeatures(r);
  }
  size_t at = 0;
  std::string why;
  if (problems.empty())
    loops = loopsOf(records, why, at);
  if (problems.empty() && why.empty())
    targets = branchTargets(records, why, at);
  if (!why.empty())
    add(at, why);
  if (!problems.empty())
    return;
  std::vector<Touched> touched = touchedBy(records);
  for (size_t r = 0; r < records.size(); ++r) {
    accesses[r] = std::move(touched[r].accesses);
    for (size_t i = 0; i < accesses[r].size(); ++i)
      checkAccess(r, accesses[r][i], touched[r].open[i]);
  }
  if (records.empty() || records.back().header().op != LOOM_OP_HALT)
    add(records.empty() ? 0 : records.size() - 1,
        "the stream must end in HALT");
}

/// Runs the head of one queue if its waits can be satisfied.
bool Checker::step(unsigned queue) {
  if (next[queue] == queues[queue].size())
    return false;
  const uint32_t r = queues[queue][next[queue]];
  // A fence: everything dispatched before it is complete.
  const uint32_t fence = fencesBefore[r];
  if (fence) {
    const Clock &need = fences[fence - 1];
    for (unsigned q = LOOM_Q_LD; q < LOOM_NUM_QUEUES; ++q)
      if (next[q] < need[q])
        return false;
    join(known[queue], need);
  }
  const loom_hdr &header = records[r].header();
  for (const loom_semref &wait : header.wait)
    if (wait.n && tokens[wait.sem].size() < wait.n)
      return false;
  for (const loom_semref &wait : header.wait)
    for (unsigned i = 0; i < wait.n; ++i) {
      const Token token = tokens[wait.sem].front();
      tokens[wait.sem].pop_front();
      join(known[queue], token.clock);
      history[wait.sem].push_back({token.producer, r});
    }
  clocks[r] = known[queue];
  known[queue][queue] = ++next[queue];
  for (const loom_semref &signal : header.signal)
    for (unsigned i = 0; i < signal.n; ++i)
      tokens[signal.sem].push_back({known[queue], r});
  return true;
}

bool Checker::order() {
  producerQueue.fill(-1);
  consumerQueue.fill(-1);
  clocks.resize(records.size());
  position.resize(records.size());
  fencesBefore.resize(records.size());
  for (size_t r = 0; r < records.size(); ++r) {
    const loom_hdr &header = records[r].header();
    const unsigned queue = queueOf(header.op);
    if (queue == LOOM_Q_SEQ && header.op != LOOM_OP_FENCE &&
        header.op != LOOM_OP_HALT) {
      // It runs when it is reached: after what the last fence waited for.
      if (!fences.empty())
        clocks[r] = fences.back();
      continue;
    }
    if (queue == LOOM_Q_SEQ) {
      Clock sizes{};
      for (unsigned q = 1; q < LOOM_NUM_QUEUES; ++q)
        sizes[q] = queues[q].size();
      fences.push_back(sizes);
      continue;
    }
    for (const loom_semref &wait : header.wait) {
      if (wait.sem >= LOOM_NUM_SEMS ||
          (wait.n && consumerQueue[wait.sem] >= 0 &&
           consumerQueue[wait.sem] != int(queue)))
        return add(r, "two queues wait on one semaphore"), false;
      if (wait.n)
        consumerQueue[wait.sem] = queue;
    }
    for (const loom_semref &signal : header.signal) {
      if (signal.sem >= LOOM_NUM_SEMS ||
          (signal.n && producerQueue[signal.sem] >= 0 &&
           producerQueue[signal.sem] != int(queue)))
        return add(r, "two queues signal one semaphore"), false;
      if (signal.n)
        producerQueue[signal.sem] = queue;
    }
    position[r] = queues[queue].size();
    queues[queue].push_back(r);
    fencesBefore[r] = fences.size();
  }
  bool progress = true;
  while (progress) {
    progress = false;
    for (unsigned q = LOOM_Q_LD; q < LOOM_NUM_QUEUES; ++q)
      while (step(q))
        progress = true;
  }
  bool done = true;
  for (unsigned q = LOOM_Q_LD; q < LOOM_NUM_QUEUES; ++q)
    if (next[q] != queues[q].size()) {
      add(queues[q][next[q]], "waits for a semaphore that nothing signals: "
                              "the queues deadlock here");
      done = false;
    }
  return done;
}

/// Balance, and how far a count can rise: token i may be given before token
/// j < i is taken unless i's producer knows that j's consumer has begun.
void Checker::checkTokens() {
  for (unsigned s = 0; s < LOOM_NUM_SEMS; ++s) {
    if (!tokens[s].empty())
      add(tokens[s].front().producer, "semaphore " + std::to_string(s) +
                                          " is left at " +
                                          std::to_string(tokens[s].size()));
    const auto &list = history[s];
    for (size_t i = LOOM_SEM_MAX; i < list.size(); ++i) {
      const uint32_t consumer = list[i - LOOM_SEM_MAX].second;
      const unsigned q = queueOf(records[consumer].header().op);
      if (clocks[list[i].first][q] <= position[consumer])
        return add(list[i].first,
                   "semaphore " + std::to_string(s) + " can exceed 255");
    }
  }
}

/// Iterations and branches are apart from each other and from what is around: a
/// fence begins each, and where control comes together, and no token crosses.
/// Then what holds for the records in their order holds for every way through
/// them.
void Checker::checkLoops() {
  std::vector<uint32_t> stretch(records.size() + 1);
  for (const LoopSpan &loop : loops) {
    stretch[loop.first] = stretch[loop.end] = 1;
    if (records[loop.first].header().op != LOOM_OP_FENCE)
      add(loop.first - 1, "is a loop whose body does not begin with a fence");
    const uint8_t after = records[loop.end].header().op;
    if (after != LOOM_OP_FENCE && after != LOOM_OP_HALT)
      add(loop.first - 1, "is a loop that no fence follows");
  }
  for (size_t r = 0; r < records.size(); ++r) {
    const uint8_t op = records[r].header().op;
    if (op == LOOM_OP_BR)
      stretch[r + 1] = 1;
    if (!targets[r])
      continue;
    stretch[r] = 1;
    if (op != LOOM_OP_FENCE && op != LOOM_OP_HALT)
      add(r, "is where a branch goes, and no fence");
  }
  for (size_t r = 1; r < stretch.size(); ++r)
    stretch[r] += stretch[r - 1];
  for (const auto &list : history)
    for (auto [producer, consumer] : list)
      if (stretch[producer] != stretch[consumer])
        return add(consumer,
                   "waits across the edge of a loop for unit " +
                       std::to_string(units[producer]),
                   producer);
}

/// How many records of each queue are known to be complete by all records
/// behind `r` that touch memory in other queues. `users` are those, by queue;
/// `at` goes along as r does.
Clock Checker::settled(uint32_t r, const ByQueue &users,
                       std::array<size_t, LOOM_NUM_QUEUES> &at) const {
  Clock least;
  least.fill(~0u);
  for (unsigned q = 0; q < LOOM_NUM_QUEUES; ++q) {
    while (at[q] < users[q].size() && users[q][at[q]] <= r)
      ++at[q];
    if (at[q] == users[q].size())
      continue;
    const Clock &clock = clocks[users[q][at[q]]];
    for (unsigned p = 0; p < LOOM_NUM_QUEUES; ++p)
      if (p != q)
        least[p] = std::min(least[p], clock[p]);
  }
  return least;
}

void Checker::checkConflicts() {
  struct Touch {
    uint32_t record;
    Access access;
  };
  std::vector<std::vector<Touch>> lists(slots.size() + 1);
  std::vector<bool> written(slots.size() + 1); // others cannot conflict
  auto indexOf = [&](uint32_t space) -> size_t {
    return space == kSramSpace ? slots.size() : space;
  };
  for (const auto &list : accesses)
    for (const Access &access : list)
      if (access.write && access.space != kAccSpace)
        written[indexOf(access.space)] = true;
  std::vector<uint8_t> queueNumber;
  queueNumber.reserve(records.size());
  ByQueue users;
  std::array<size_t, LOOM_NUM_QUEUES> at{};
  for (const Record &record : records) {
    const unsigned queue = queueOf(record.header().op);
    if (!accesses[queueNumber.size()].empty())
      users[queue].push_back(queueNumber.size());
    queueNumber.push_back(queue);
  }
  for (uint32_t r = 0; r < records.size(); ++r) {
    const unsigned self = queueNumber[r];
    // What no later record can conflict with need not be looked at again.
    if (r % 64 == 63) {
      const Clock least = settled(r - 1, users, at);
      for (auto &list : lists)
        std::erase_if(list, [&](const Touch &touch) {
          return position[touch.record] < least[queueNumber[touch.record]];
        });
    }
    for (const Access &access : accesses[r]) {
      if (access.space == kAccSpace || !written[indexOf(access.space)])
        continue;
      auto &list = lists[indexOf(access.space)];
      for (const Touch &touch : list) {
        const unsigned q = queueNumber[touch.record];
        if (q == self || q == LOOM_Q_SEQ ||
            clocks[r][q] > position[touch.record] ||
            clocks[touch.record][self] > position[r] ||
            !(access.write || touch.access.write) ||
            !mayOverlap(access, touch.access))
          continue;
        add(r,
            "is not ordered against unit " +
                std::to_string(units[touch.record]) +
                ", which touches the same bytes",
            touch.record);
        if (problems.size() >= limit)
          return;
      }
      // Sound because all conflicts with what is dropped were just checked.
      if (access.write)
        std::erase_if(list, [&](const Touch &touch) {
          return covers(access, touch.access);
        });
      list.push_back({r, access});
    }
  }
}

std::vector<Problem> Checker::run() {
  checkShapes();
  if (!problems.empty())
    return std::move(problems);
  if (order()) {
    checkTokens();
    checkLoops();
    checkConflicts();
  }
  return std::move(problems);
}

std::vector<Problem>
mlir::loom::program::verifyRecords(const std::vector<Record> &records,
                                   const std::vector<SlotLimits> &slots,
                                   const loom_target &target, size_t limit) {
  return Checker(records, slots, target, limit).run();
}
