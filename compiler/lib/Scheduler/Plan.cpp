// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Scheduler/Plan.h"

#include "loom/Target/Program/Stream.h"

#include "loom_timing.h"

#include <algorithm>
#include <array>
#include <deque>
#include <map>

using namespace mlir::loom::program;

static uint64_t total(const loom_cost &cost) {
  return cost.busy + cost.edge + cost.fill;
}

static loom_cost vpuCost(const Record &record, const loom_target &target) {
  const auto &r = record.as<loom_vpu>();
  uint64_t elements = 1, passes = 0;
  for (unsigned d = 0; d < 6; ++d)
    elements *= r.n[d];
  const size_t ops =
      sizeof(loom_vpu) + r.nviews * sizeof(loom_view) + 4 * r.nimms;
  for (unsigned i = 0; i < r.nops; ++i)
    passes += loom_uop_passes(LOOM_UOP_OP(record.as<uint32_t>(ops + 4 * i)));
  return loom_cost_vpu(&target, elements, passes);
}

static loom_cost dmaCost(const Record &record, const loom_target &target,
                         uint64_t &bus) {
  const auto &r = record.as<loom_dma>();
  uint64_t bytes = r.inner_bytes, useful = 0;
  for (unsigned d = 0; d < 4; ++d)
    bytes *= r.n[d];
  const bool fill = r.h.op == LOOM_OP_LD_FILL || r.h.op == LOOM_OP_ST_FILL;
  auto side = [&](uint64_t addr, const __s32 *strides) {
    if (LOOM_ADDR_SLOT(addr) == LOOM_SLOT_SRAM)
      return;
    useful += bytes;
    bus += loom_dma_bus_bytes(LOOM_ADDR_OFFSET(addr) % 64, r.n, strides,
                              r.inner_bytes);
  };
  if (!fill)
    side(r.src, r.sstride);
  side(r.dst, r.dstride);
  if (!useful)
    return loom_cost_dma(nullptr, bytes, bytes);
  return loom_cost_dma(&target.mem[0], useful, bus);
}

loom_cost mlir::loom::program::recordCost(const Record &record,
                                          const loom_target &target,
                                          uint64_t &bus) {
  bus = 0;
  switch (queueOf(record.header().op)) {
  case LOOM_Q_LD:
  case LOOM_Q_ST:
    return dmaCost(record, target, bus);
  case LOOM_Q_MXU:
    return loom_cost_mxu(&target, &record.as<loom_mxu>());
  case LOOM_Q_VPU:
    return vpuCost(record, target);
  default:
    return {0, 0, LOOM_T_SEQ};
  }
}

uint64_t mlir::loom::program::recordCycles(const Record &record,
                                           const loom_target &target,
                                           uint64_t &bus) {
  return total(recordCost(record, target, bus));
}

namespace {
/// Five queues in time. A DMA first waits for memory, then moves bytes; two
/// that move at once get half the bandwidth each. Time is in half cycles, so
/// that the halves are whole numbers.
class Simulator {
public:
  Simulator(const std::vector<Record> &records, const loom_target &target)
      : records(records), target(target) {
    plan.records.resize(records.size());
    std::string problem;
    size_t at = 0;
    for (const LoopSpan &loop : loopsOf(records, problem, at))
      loops[loop.first - 1] = loop;
  }
  Plan run();

private:
  struct Queue {
    std::deque<size_t> waiting; // dispatched, not begun
    size_t current = ~size_t(0);
    uint64_t fixed = 0; // half cycles until the moving part begins
    uint64_t move = 0;  // quarter cycles of moving left, alone: half rate is 1
    uint64_t free = 0;  // time it last became idle
    bool busy() const { return current != ~size_t(0); }
  };
  bool dispatch();
  bool begin(unsigned q);
  void finish(unsigned q);
  bool advance();
  bool idle() const {
    for (const Queue &queue : queues)
      if (queue.busy() || !queue.waiting.empty())
        return false;
    return true;
  }

  const std::vector<Record> &records;
  const loom_target &target;
  Plan plan;
  std::array<Queue, LOOM_NUM_QUEUES> queues;
  std::array<std::deque<uint64_t>, LOOM_NUM_SEMS> tokens; // time of each
  size_t next = 0;
  std::map<size_t, LoopSpan> loops; // by their record
  std::vector<LoopSpan> running;    // `count`: iterations left
  // The first record has been dispatched.
  uint64_t now = 2 * (LOOM_T_JOB_START + LOOM_T_SEQ), seqFree = now;
};
} // namespace

/// SEQ hands over one record if it may.
bool Simulator::dispatch() {
  if (next == records.size() || seqFree > now)
    return false;
  const unsigned q = queueOf(records[next].header().op);
  if (q == LOOM_Q_SEQ) {
    const uint8_t op = records[next].header().op;
    if ((op == LOOM_OP_FENCE || op == LOOM_OP_HALT) && !idle())
      return false;
    plan.records[next] = {now / 2, now / 2 + LOOM_T_SEQ};
  } else if (queues[q].waiting.size() < LOOM_QUEUE_DEPTH) {
    queues[q].waiting.push_back(next);
  } else {
    return false;
  }
  ++plan.insns;
  if (auto loop = loops.find(next); loop != loops.end())
    running.push_back(loop->second);
  ++next;
  while (!running.empty() && running.back().end == next) {
    if (--running.back().count > 0) {
      next = running.back().first;
      break;
    }
    running.pop_back();
  }
  seqFree = now + 2 * LOOM_T_SEQ;
  return true;
}

bool Simulator::begin(unsigned q) {
  Queue &queue = queues[q];
  if (queue.busy() || queue.waiting.empty())
    return false;
  const size_t r = queue.waiting.front();
  const loom_hdr &header = records[r].header();
  for (const loom_semref &wait : header.wait)
    if (wait.n && (tokens[wait.sem].size() < wait.n ||
                   tokens[wait.sem][wait.n - 1] + 2 * LOOM_T_SEM > now))
      return false;
  for (const loom_semref &wait : header.wait)
    for (unsigned n = 0; n < wait.n; ++n)
      tokens[wait.sem].pop_front();
  queue.waiting.pop_front();
  queue.current = r;
  uint64_t bus = 0;
  const uint64_t cycles = recordCycles(records[r], target, bus);
  const uint64_t move =
      bus ? loom_ceil_div(bus * 64, loom_mem_bandwidth64(&target.mem[0])) : 0;
  queue.fixed = 2 * (cycles - std::min(cycles, move));
  queue.move = 4 * std::min(cycles, move);
  plan.records[r].start = now / 2;
  if (q == LOOM_Q_MXU)
    plan.mxuBusy += loom_cost_mxu(&target, &records[r].as<loom_mxu>()).busy;
  return true;
}

void Simulator::finish(unsigned q) {
  Queue &queue = queues[q];
  plan.records[queue.current].end = (now + 1) / 2;
  for (const loom_semref &signal : records[queue.current].header().signal)
    for (unsigned n = 0; n < signal.n; ++n)
      tokens[signal.sem].push_back(now);
  queue.current = ~size_t(0);
}

/// To the next moment at which something changes. False if nothing can.
bool Simulator::advance() {
  unsigned moving = 0;
  for (const Queue &queue : queues)
    moving += queue.busy() && !queue.fixed && queue.move;
  const uint64_t rate = moving > 1 ? 1 : 2; // quarter cycles a half cycle
  uint64_t step = ~uint64_t(0);
  for (const Queue &queue : queues) {
    if (queue.busy())
      step = std::min<uint64_t>(
          step, queue.fixed ? queue.fixed : loom_ceil_div(queue.move, rate));
    else if (!queue.waiting.empty())
      for (const loom_semref &wait :
           records[queue.waiting.front()].header().wait)
        if (wait.n && tokens[wait.sem].size() >= wait.n &&
            tokens[wait.sem][wait.n - 1] + 2 * LOOM_T_SEM > now)
          step = std::min(step,
                          tokens[wait.sem][wait.n - 1] + 2 * LOOM_T_SEM - now);
  }
  if (seqFree > now)
    step = std::min(step, seqFree - now);
  if (step == ~uint64_t(0))
    return false;
  now += step;
  for (unsigned q = LOOM_Q_LD; q < LOOM_NUM_QUEUES; ++q) {
    Queue &queue = queues[q];
    if (!queue.busy())
      continue;
    if (queue.fixed)
      queue.fixed -= step;
    else
      queue.move -= std::min(queue.move, step * rate);
    if (!queue.fixed && !queue.move)
      finish(q);
  }
  return true;
}

Plan Simulator::run() {
  while (true) {
    bool progress = true;
    while (progress) {
      progress = dispatch();
      for (unsigned q = LOOM_Q_LD; q < LOOM_NUM_QUEUES; ++q)
        progress |= begin(q);
    }
    if (next == records.size() && idle())
      break;
    if (!advance())
      break; // a deadlock: the verifier says where
  }
  plan.cycles = now / 2 + LOOM_T_SEQ + LOOM_T_JOB_END; // HALT's own cycle
  return std::move(plan);
}

Plan mlir::loom::program::planRecords(const std::vector<Record> &records,
                                      const loom_target &target) {
  return Simulator(records, target).run();
}
