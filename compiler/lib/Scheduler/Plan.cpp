// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Scheduler/Plan.h"

#include "loom_timing.h"

#include <algorithm>
#include <deque>

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

uint64_t mlir::loom::program::recordCycles(const Record &record,
                                           const loom_target &target,
                                           uint64_t &bus) {
  bus = 0;
  switch (queueOf(record.header().op)) {
  case LOOM_Q_LD:
  case LOOM_Q_ST:
    return total(dmaCost(record, target, bus));
  case LOOM_Q_MXU: {
    const loom_cost cost = loom_cost_mxu(&target, &record.as<loom_mxu>());
    return total(cost);
  }
  case LOOM_Q_VPU:
    return total(vpuCost(record, target));
  default:
    return LOOM_T_SEQ;
  }
}

Plan mlir::loom::program::planRecords(const std::vector<Record> &records,
                                      const loom_target &target) {
  Plan plan;
  plan.records.resize(records.size());
  std::array<std::deque<uint64_t>, LOOM_NUM_SEMS> tokens;
  std::array<uint64_t, LOOM_NUM_QUEUES> free{};
  std::array<std::deque<uint64_t>, LOOM_NUM_QUEUES> starts; // for queue depth
  uint64_t seq = LOOM_T_JOB_START, memory = 0;
  for (size_t i = 0; i < records.size(); ++i) {
    const Record &record = records[i];
    const unsigned queue = queueOf(record.header().op);
    seq += LOOM_T_SEQ;
    if (queue == LOOM_Q_SEQ) {
      for (uint64_t end : free)
        seq = std::max(seq, end);
      plan.records[i] = {seq, seq + 1};
      continue;
    }
    // SEQ stands still while the queue is full.
    auto &pending = starts[queue];
    if (pending.size() == LOOM_QUEUE_DEPTH + 1) {
      seq = std::max(seq, pending.front());
      pending.pop_front();
    }
    uint64_t start = std::max(seq, free[queue]);
    for (const loom_semref &wait : record.header().wait)
      for (unsigned n = 0; n < wait.n && !tokens[wait.sem].empty(); ++n) {
        start = std::max(start, tokens[wait.sem].front() + LOOM_T_SEM);
        tokens[wait.sem].pop_front();
      }
    uint64_t bus = 0;
    uint64_t end = start + recordCycles(record, target, bus);
    if (bus) {
      const uint64_t bw = loom_mem_bandwidth64(&target.mem[0]);
      const uint64_t move = loom_ceil_div(bus * 64, bw);
      const uint64_t ready = end - move;
      memory = std::max(memory, ready) + move;
      end = memory;
    }
    if (queue == LOOM_Q_MXU)
      plan.mxuBusy += loom_cost_mxu(&target, &record.as<loom_mxu>()).busy;
    plan.records[i] = {start, end};
    pending.push_back(start);
    free[queue] = end;
    for (const loom_semref &signal : record.header().signal)
      for (unsigned n = 0; n < signal.n; ++n)
        tokens[signal.sem].push_back(end);
  }
  for (uint64_t end : free)
    seq = std::max(seq, end);
  plan.cycles = seq + LOOM_T_JOB_END;
  return plan;
}
