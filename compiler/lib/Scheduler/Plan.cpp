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

std::vector<uint64_t> mlir::loom::program::layerCycles(
    const std::vector<Record> &records, const Plan &plan,
    const std::vector<std::pair<size_t, size_t>> &layers) {
  std::string problem;
  size_t at = 0;
  const std::vector<LoopSpan> loops = loopsOf(records, problem, at);
  auto innermost = [&](size_t record) {
    const LoopSpan *found = nullptr;
    for (const LoopSpan &loop : loops)
      if (loop.first <= record && record < loop.end)
        found = &loop;
    return found;
  };
  auto outermost = [&](size_t record) -> const LoopSpan * {
    for (const LoopSpan &loop : loops)
      if (loop.first <= record && record < loop.end)
        return &loop;
    return nullptr;
  };
  auto times = [&](size_t record) {
    uint64_t product = 1;
    for (const LoopSpan &loop : loops)
      if (loop.first <= record && record < loop.end)
        product *= loop.count;
    return product;
  };
  std::vector<uint64_t> cycles;
  uint64_t before = 0, began = 0, body = 0, reached = 0;
  size_t own = 0; // the layer that begins the outermost loop
  const LoopSpan *current = nullptr, *around = nullptr;
  for (auto [first, last] : layers) {
    const LoopSpan *loop = innermost(first), *outer = outermost(first);
    if (outer && outer != around) {
      own = cycles.empty() ? 0 : cycles.size() - 1;
      began = cycles.empty() ? 0 : before - cycles[own];
      body = 0;
    }
    if (!loop)
      before = reached;
    else if (loop != current) // from the fence, in its last run
      before = current && loop->first < current->first &&
                       current->end < loop->end
                   ? plan.records[current->end].end
                   : plan.records[loop->first].end;
    current = loop;
    around = outer;
    uint64_t end = before;
    for (size_t r = first; r < last; ++r)
      end = std::max(end, plan.records[r].end);
    cycles.push_back((end - before) * times(first));
    before = end;
    reached = std::max(reached, end);
    if (!loop || own + 1 == cycles.size())
      continue;
    body += cycles.back();
    if (end > began)
      cycles[own] = end - began - std::min(end - began, body);
  }
  return cycles;
}
