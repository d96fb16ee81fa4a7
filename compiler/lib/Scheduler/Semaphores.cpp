// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One semaphore for each ordered pair of queues. Queues complete in order, so a
// token on (P, C) means "P has come this far"; a dependence that C already
// knows of, directly or through a third queue, costs nothing.

#include "loom/Scheduler/Semaphores.h"

#include "loom/Target/Program/Stream.h"

#include <algorithm>
#include <set>

using namespace mlir::loom::program;

namespace {
constexpr unsigned kQueues = LOOM_NUM_QUEUES;
/// Tokens that may be outstanding on one semaphore; the hardware counts to 255.
constexpr size_t kMaxTokens = 250;

/// clock[q]: number of records of queue q known to be complete.
using Clock = std::array<uint32_t, kQueues>;

void join(Clock &into, const Clock &other) {
  for (unsigned q = 0; q < kQueues; ++q)
    into[q] = std::max(into[q], other[q]);
}

struct Touch {
  uint32_t record;
  Access access;
};

class Assigner {
public:
  Assigner(const std::vector<Record> &records,
           const std::vector<Touched> &touched,
           const std::set<uint32_t> &forced)
      : records(records), touched(touched), forced(forced),
        syncs(records.size()), clocks(records.size()),
        indexInQueue(records.size()) {
    queues.reserve(records.size());
    for (const Record &record : records) {
      queues.push_back(queueOf(record.header().op));
      if (queues.back() < kQueues)
        ends[queues.back()] = queues.size();
    }
    for (const Touched &each : touched)
      for (const Access &access : each.accesses)
        if (access.write)
          written.insert(access.space);
  }

  /// Returns the record before which a fence is missing, or records.size().
  uint32_t run();
  std::vector<Sync> take() { return std::move(syncs); }

private:
  Clock needs(uint32_t r, const std::vector<Access> &accesses);
  bool connect(uint32_t r, const Clock &need);
  bool addToken(unsigned from, uint32_t target, uint32_t r);
  void forget();
  void remember(uint32_t r, const std::vector<Access> &accesses);

  const std::vector<Record> &records;
  const std::vector<Touched> &touched;
  const std::set<uint32_t> &forced;
  std::vector<uint8_t> queues;          // of each record
  std::array<uint32_t, kQueues> ends{}; // behind the last record of each queue
  std::set<uint32_t> written;           // spaces; others cannot conflict
  std::vector<Sync> syncs;
  std::vector<Clock> clocks;          // at the start of each record
  std::vector<uint32_t> indexInQueue; // position of a record in its queue
  std::array<std::vector<uint32_t>, kQueues> order; // records of each queue
  std::array<Clock, kQueues> known{}; // what each queue knows by now
  std::vector<std::vector<Touch>> touches;
  std::vector<uint32_t> spaces; // space number of each entry of touches
  // Consumers of each pair's tokens, in order; and the newest producer index.
  std::array<std::array<std::vector<uint32_t>, kQueues>, kQueues> consumers;
  std::array<std::array<uint32_t, kQueues>, kQueues> newestProducer{};
  uint32_t overflowAt = ~0u;
};
} // namespace

unsigned mlir::loom::program::semaphoreOf(unsigned from, unsigned to) {
  return (from - 1) * 4 + (to - 1);
}

/// For each other queue: how many of its records must be complete before r.
Clock Assigner::needs(uint32_t r, const std::vector<Access> &accesses) {
  const unsigned self = queues[r];
  Clock need{};
  for (const Access &access : accesses) {
    auto it = std::find(spaces.begin(), spaces.end(), access.space);
    if (it == spaces.end())
      continue;
    for (const Touch &touch : touches[it - spaces.begin()]) {
      const unsigned q = queues[touch.record];
      const uint32_t done = indexInQueue[touch.record] + 1;
      if (q == self || done <= known[self][q] || done <= need[q])
        continue;
      if ((access.write || touch.access.write) &&
          mayOverlap(access, touch.access))
        need[q] = done;
    }
  }
  return need;
}

/// A signal on the record of `from` that completes `target` records, or on a
/// later one that still precedes r. False if all of them are full.
bool Assigner::addToken(unsigned from, uint32_t target, uint32_t r) {
  const unsigned to = queues[r];
  for (uint32_t i = target - 1; i < order[from].size(); ++i) {
    const uint32_t producer = order[from][i];
    if (syncs[producer].signals.size() == 2)
      continue;
    if (i + 1 <= newestProducer[from][to])
      return false;
    syncs[producer].signals.push_back({uint8_t(semaphoreOf(from, to)), 1});
    syncs[r].waits.push_back({uint8_t(semaphoreOf(from, to)), 1});
    newestProducer[from][to] = i + 1;
    auto &tokens = consumers[from][to];
    if (tokens.size() >= kMaxTokens &&
        clocks[producer][to] <=
            indexInQueue[tokens[tokens.size() - kMaxTokens]])
      overflowAt = std::min(overflowAt, producer);
    tokens.push_back(r);
    Clock after = clocks[producer];
    after[from] = i + 1;
    join(known[to], after);
    return true;
  }
  return false;
}

bool Assigner::connect(uint32_t r, const Clock &need) {
  const unsigned self = queues[r];
  while (true) {
    // The dependence issued last tends to imply the others.
    unsigned best = kQueues;
    uint32_t latest = 0;
    for (unsigned q = 0; q < kQueues; ++q) {
      if (need[q] <= known[self][q])
        continue;
      const uint32_t record = order[q][need[q] - 1];
      if (best == kQueues || record > latest) {
        best = q;
        latest = record;
      }
    }
    if (best == kQueues)
      return true;
    if (syncs[r].waits.size() == 2 || !addToken(best, need[best], r))
      return false;
  }
}

/// At a fence everything before is complete.
void Assigner::forget() {
  for (Clock &clock : known)
    for (unsigned q = 0; q < kQueues; ++q)
      clock[q] = order[q].size();
  for (auto &list : touches)
    list.clear();
  for (auto &row : consumers)
    for (auto &tokens : row)
      tokens.clear();
}

void Assigner::remember(uint32_t r, const std::vector<Access> &accesses) {
  // What every queue knows that has records to come.
  Clock everyone;
  everyone.fill(~0u);
  for (unsigned q = LOOM_Q_LD; q < kQueues; ++q)
    for (unsigned p = LOOM_Q_LD; p < kQueues; ++p)
      if (q != p && ends[q] > r)
        everyone[p] = std::min(everyone[p], known[q][p]);
  for (const Access &access : accesses) {
    if (access.space == kAccSpace || !written.count(access.space))
      continue;
    auto it = std::find(spaces.begin(), spaces.end(), access.space);
    if (it == spaces.end()) {
      spaces.push_back(access.space);
      touches.emplace_back();
      it = spaces.end() - 1;
    }
    auto &list = touches[it - spaces.begin()];
    // What this write covers is ordered before it: later records need only see
    // the write.
    if (access.write)
      std::erase_if(list, [&](const Touch &touch) {
        return touch.record != r && covers(access, touch.access);
      });
    if (list.size() % 64 == 63)
      std::erase_if(list, [&](const Touch &touch) {
        const unsigned q = queues[touch.record];
        return indexInQueue[touch.record] + 1 <= everyone[q];
      });
    list.push_back({r, access});
  }
}

uint32_t Assigner::run() {
  for (uint32_t r = 0; r < records.size(); ++r) {
    const unsigned self = queues[r];
    if (records[r].header().op == LOOM_OP_FENCE)
      forget();
    if (self == LOOM_Q_SEQ || self >= kQueues)
      continue;
    const std::vector<Access> &accesses = touched[r].accesses;
    if (forced.count(r))
      forget();
    syncs[r].fenceBefore = forced.count(r);
    if (!connect(r, needs(r, accesses))) {
      // The tokens given so far stay: each has its wait.
      forget();
      syncs[r].fenceBefore = true;
    }
    clocks[r] = known[self];
    indexInQueue[r] = order[self].size();
    order[self].push_back(r);
    known[self][self] = order[self].size();
    remember(r, accesses);
    if (overflowAt != ~0u)
      return overflowAt;
  }
  return records.size();
}

std::vector<Sync>
mlir::loom::program::assignSemaphores(const std::vector<Record> &records) {
  std::set<uint32_t> forced;
  const std::vector<Touched> touched = touchedBy(records);
  while (true) {
    Assigner assigner(records, touched, forced);
    const uint32_t missing = assigner.run();
    if (missing == records.size())
      return assigner.take();
    forced.insert(missing);
  }
}
