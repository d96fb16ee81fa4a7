// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Scheduler/Plan.h"

#include "loom/Target/Program/Stream.h"

#include "plan.h"

#include <algorithm>

using namespace mlir::loom::program;

/// A loop whose end depends on data may never end in a plan.
static constexpr uint64_t kMaxRuns = 1 << 24;

namespace {
struct Spans {
  std::vector<uint32_t> recordOf; // by unit
  Plan &plan;
};
} // namespace

static void note(void *opaque, const loom_plan_record *run) {
  Spans &spans = *static_cast<Spans *>(opaque);
  Plan::Span &span = spans.plan.records[spans.recordOf[run->at.unit]];
  if (!span.runs++)
    span.start = run->at.start;
  span.end = std::max<uint64_t>(span.end, run->at.end);
  span.spent.busy += run->spent.busy;
  span.spent.edge += run->spent.edge;
  span.spent.fill += run->spent.fill;
  span.spent.wait_mem += run->spent.wait_mem;
  span.spent.wait_dep += run->spent.wait_dep;
  span.bus += run->bus_bytes;
  span.moved += run->useful_bytes;
}

Plan mlir::loom::program::planRecords(const std::vector<Record> &records,
                                      const std::vector<loom_prog_slot> &slots,
                                      const loom_target &target) {
  Plan plan;
  plan.records.resize(records.size());
  std::vector<uint8_t> code;
  Spans spans = {{}, plan};
  for (size_t r = 0; r < records.size(); ++r) {
    const std::vector<uint8_t> &bytes = records[r].bytes;
    code.insert(code.end(), bytes.begin(), bytes.end());
    spans.recordOf.resize(code.size() / LOOM_UNIT_BYTES, r);
    plan.exact &= records[r].header().op != LOOM_OP_LD;
  }
  std::vector<loom_npu_slot> bound;
  for (const loom_prog_slot &slot : slots)
    bound.push_back({slot.bytes, slot.rights, slot.mem_class, 0});
  loom_plan request = {};
  request.code = code.data();
  request.n_units = spans.recordOf.size();
  request.insn_budget = kMaxRuns;
  request.slots = bound.data();
  request.n_slots = bound.size();
  request.retired = note;
  request.opaque = &spans;
  loom_report report = {};
  if (!loom_plan_run(&target, &request, &report))
    report.end.fault = LOOM_FAULT_JOB;
  plan.end = report.end;
  plan.cycles = report.end.cycles;
  plan.mxuBusy = report.queue[LOOM_Q_MXU].busy;
  return plan;
}

namespace {
/// A loop around the layer at hand; `own` is the layer that begins it.
struct OpenLoop {
  const LoopSpan *loop;
  size_t own;
  uint64_t began; // when that layer did, in its last run
  uint64_t times; // that the loop is begun
};
} // namespace

/// What a loop's layer takes is what the layers in it leave.
static void closeLoop(const OpenLoop &open, uint64_t end,
                      std::vector<uint64_t> &cycles) {
  uint64_t body = 0;
  for (size_t i = open.own + 1; i < cycles.size(); ++i)
    body += cycles[i];
  const uint64_t all = end > open.began ? (end - open.began) * open.times : 0;
  if (open.own < cycles.size())
    cycles[open.own] = all - std::min(all, body);
}

std::vector<uint64_t> mlir::loom::program::layerCycles(
    const std::vector<Record> &records, const Plan &plan,
    const std::vector<std::pair<size_t, size_t>> &layers) {
  std::string problem;
  size_t at = 0;
  const std::vector<LoopSpan> loops = loopsOf(records, problem, at);
  std::vector<uint64_t> cycles;
  std::vector<OpenLoop> open;
  uint64_t before = 0, began = 0; // of the layer, of the one before
  for (auto [first, last] : layers) {
    while (!open.empty() && open.back().loop->end <= first) {
      closeLoop(open.back(), before, cycles);
      before = std::max(before, plan.records[open.back().loop->end].end);
      open.pop_back();
    }
    uint64_t times = 1;
    for (const LoopSpan &loop : loops) {
      if (first < loop.first || first >= loop.end)
        continue;
      const bool isOpen =
          std::any_of(open.begin(), open.end(), [&](const OpenLoop &other) {
            return other.loop == &loop;
          });
      if (!isOpen) {
        open.push_back(
            {&loop, cycles.empty() ? 0 : cycles.size() - 1, began, times});
        before = plan.records[loop.first].end; // the fence, in its last run
      }
      times *= loop.count;
    }
    began = before;
    uint64_t end = before;
    for (size_t r = first; r < last; ++r)
      end = std::max(end, plan.records[r].end);
    cycles.push_back((end - before) * times);
    before = end;
  }
  for (; !open.empty(); open.pop_back())
    closeLoop(open.back(), before, cycles);
  return cycles;
}
