// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Target/Encoder.h"

#include "SlotTable.h"
#include "Steps.h"

#include "loom/Conversion/LoomTToLoom.h"
#include "loom/Dialect/Loom/Loom.h"
#include "loom/Dialect/LoomT/LoomT.h"
#include "loom/Frontend/SourceNames.h"
#include "loom/Scheduler/Plan.h"
#include "loom/Target/Program/Container.h"

#include "loom_cpu_ops.h"
#include "loom_regs.h"
#include "loom_timing.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace mlir::loom;
using program::Container;

namespace {
/// A budget is a guard against a wrong estimate, not a limit on a right one.
constexpr uint64_t kBudgetFactor = 4, kBudgetSlack = 1000000;

/// One entry point into the tables that it shares with the others.
class Encoder {
public:
  Encoder(func::FuncOp func, const loom_target &target, Container &container,
          SlotTable &slots, CompiledProgram &out)
      : func(func), target(target), out(out), container(container),
        slots(slots), firstUnit(container.code.size() / LOOM_UNIT_BYTES) {}
  LogicalResult run(const std::string &entry);

private:
  LogicalResult addTensors(loom_prog_entry &entry);
  void addRecord(Operation *op);
  void addCpu(npu::CpuOp op);
  LogicalResult beginRound(npu::RoundOp op);
  LogicalResult endRound(npu::EndRoundOp op);
  LogicalResult addCode();
  LogicalResult planStreams();
  program::Plan wholePlan() const;
  LogicalResult addLayers();
  void addSegments(loom_prog_entry &entry);
  void measureSram();
  uint32_t locationOf(Location loc);
  uint32_t locationOf(Location loc, const std::string &operation);

  func::FuncOp func;
  const loom_target &target;
  CompiledProgram &out;
  Container &container;
  SlotTable &slots;
  const uint32_t firstUnit; // of this entry point in the program's code
  DenseMap<Location, uint32_t> locations;
  std::vector<program::Record> records;
  std::vector<uint32_t> units;
  /// A run of records, or of CPU operations.
  struct Segment {
    unsigned engine;
    size_t first, count; // records, or rows of CPU code
    uint64_t rounds;     // how often the schedule runs it, at least
    uint64_t cost = 0;   // of CPU operations
    program::Plan plan;  // of records
  };
  void addSegment(unsigned engine, size_t first);
  bool hasBranches(const Segment &segment) const;
  std::vector<Segment> segments;
  bool closed = false; // the schedule divides what comes from the last segment
  Steps steps;
  struct Layer {
    npu::LayerOp op;
    size_t first, last; // records
    uint32_t segment = 0;
  };
  std::vector<Layer> layers;
};
} // namespace

/// "dot_general" of "jit(f)/MLP/Dense_0/dot_general".
static std::string primitiveOf(Location loc) {
  std::string name;
  loc->walk([&](Location part) {
    auto named = dyn_cast<NameLoc>(part);
    if (!named || !named.getName().getValue().contains('/'))
      return WalkResult::advance();
    name = named.getName().getValue().rsplit('/').second.str();
    return WalkResult::interrupt();
  });
  return name;
}

/// A row of the placement report.
static PlacedOp placementOf(npu::CpuOp op, uint64_t cost) {
  PlacedOp row;
  row.operation = op.getSource().str();
  row.why = op.getWhy().str();
  row.module = modulePath(op.getLoc());
  row.source = sourceLine(op.getLoc());
  row.cycles = loom_ceil_div(cost, LOOM_CPU_COST_PER_CYCLE);
  for (Attribute attr : op.getOperandBoxes()) {
    ArrayRef<int64_t> box = cast<DenseI64ArrayAttr>(attr);
    uint64_t bytes = loom_dtype_bytes(box[0]);
    const size_t rank = (box.size() - 2) / 2;
    for (size_t d = 0; d < rank; ++d)
      if (box[2 + rank + d])
        bytes *= box[2 + d];
    row.bytes += bytes;
  }
  return row;
}

uint32_t Encoder::locationOf(Location loc) {
  auto [it, fresh] = locations.try_emplace(loc, 0);
  if (fresh)
    it->second = locationOf(loc, primitiveOf(loc));
  return it->second;
}

uint32_t Encoder::locationOf(Location loc, const std::string &operation) {
  std::string source = sourceLine(loc), module = modulePath(loc);
  uint32_t line = 0, column = 0;
  StringRef file = source;
  auto [beforeColumn, columnText] = file.rsplit(':');
  auto [path, lineText] = beforeColumn.rsplit(':');
  if (!columnText.getAsInteger(10, column) && !lineText.getAsInteger(10, line))
    file = path;
  else
    line = column = 0;
  return container.location(module, file.str(), line, column, operation);
}

LogicalResult Encoder::addTensors(loom_prog_entry &entry) {
  auto table = func->getAttrOfType<ArrayAttr>(kTensorsAttr);
  if (!table)
    return func.emitError() << "has no table of tensors";
  entry.first_tensor = container.tensors.size();
  for (Attribute attribute : table) {
    auto row = cast<DictionaryAttr>(attribute);
    auto dims = cast<DenseI64ArrayAttr>(row.get("dims")).asArrayRef();
    StringRef name = cast<StringAttr>(row.get("name")).getValue();
    if (dims.size() > LOOM_PROG_MAX_RANK)
      return func.emitError() << "tensor '" << name << "' has rank "
                              << dims.size() << "; 8 is the limit";
    const unsigned role = llvm::StringSwitch<unsigned>(
                              cast<StringAttr>(row.get("role")).getValue())
                              .Case("output", LOOM_ROLE_OUTPUT)
                              .Case("param", LOOM_ROLE_PARAM)
                              .Case("state", LOOM_ROLE_STATE)
                              .Case("rng", LOOM_ROLE_RNG)
                              .Default(LOOM_ROLE_INPUT);
    const unsigned dtype = cast<IntegerAttr>(row.get("dtype")).getInt();
    const uint32_t slot =
        slots.indexOf(cast<IntegerAttr>(row.get("slot")).getInt());
    if (role == LOOM_ROLE_STATE &&
        failed(slots.agree(func, slot, name, dtype, dims)))
      return failure();
    addTensor(container, name, slot, dtype, role, dims);
  }
  entry.n_tensors = container.tensors.size() - entry.first_tensor;
  return success();
}

void Encoder::addSegment(unsigned engine, size_t first) {
  segments.push_back({engine, first, 0, steps.rounds(), 0, {}});
  closed = false;
}

void Encoder::addRecord(Operation *op) {
  if (closed || segments.empty() || segments.back().engine != LOOM_ENGINE_NPU ||
      records.back().header().op == LOOM_OP_HALT)
    addSegment(LOOM_ENGINE_NPU, records.size());
  ++segments.back().count;
  records.push_back(npu::encodeRecord(op, locationOf(op->getLoc())));
  units.push_back(out.units);
  program::Record placed = records.back();
  program::rebase(placed, 0u - firstUnit);
  const std::vector<uint8_t> &bytes = placed.bytes;
  out.units += bytes.size() / LOOM_UNIT_BYTES;
  container.code.insert(container.code.end(), bytes.begin(), bytes.end());
  if (layers.empty() || isa<npu::HaltOp>(op))
    return;
  layers.back().last = records.size();
  layers.back().segment = segments.size() - 1;
}

void Encoder::addCpu(npu::CpuOp op) {
  const size_t row = container.cpuCode.size() / 8;
  if (closed || segments.empty() || segments.back().engine != LOOM_ENGINE_CPU)
    addSegment(LOOM_ENGINE_CPU, row);
  const std::vector<uint8_t> bytes =
      npu::encodeCpu(op, locationOf(op.getLoc()));
  loom_cpu_op header;
  memcpy(&header, bytes.data(), sizeof(header));
  segments.back().count += bytes.size() / 8;
  segments.back().cost += header.cost;
  container.cpuCode.insert(container.cpuCode.end(), bytes.begin(), bytes.end());
  out.placement.push_back(placementOf(op, header.cost));
  out.placement.back().bytes *= steps.rounds();
  out.placement.back().cycles *= steps.rounds();
  out.placement.back().segment = segments.size() - 1;
}

LogicalResult Encoder::beginRound(npu::RoundOp op) {
  if (steps.depth() == LOOM_PROG_MAX_DEPTH)
    return op.emitError() << "loops that go round operations of the CPU engine "
                             "lie more than "
                          << LOOM_PROG_MAX_DEPTH
                          << " deep in each other, which is the limit: write "
                             "the inner ones out (--unroll), or replace what "
                             "the NPU cannot run (see --placement)";
  closed = true;
  if (op.getCount()) {
    steps.begin(*op.getCount(), segments.size());
    return success();
  }
  out.bounded = false;
  auto slot = op.getCond().getDefiningOp<npu::SlotOp>();
  steps.beginWhile(container.tensors.size(), segments.size());
  addTensor(container, slot.getLabel(), slot.getIndex(), LOOM_I1,
            LOOM_ROLE_INPUT, {});
  return success();
}

LogicalResult Encoder::endRound(npu::EndRoundOp op) {
  closed = true;
  if (steps.end(segments.size()))
    return success();
  return op.emitError("nothing in this loop runs, and nothing ends it: remove "
                      "it");
}

LogicalResult Encoder::addCode() {
  for (Operation &op : func.getBody().front()) {
    if (auto round = dyn_cast<npu::RoundOp>(op);
        round && failed(beginRound(round)))
      return failure();
    if (auto end = dyn_cast<npu::EndRoundOp>(op); end && failed(endRound(end)))
      return failure();
    if (auto layer = dyn_cast<npu::LayerOp>(op))
      layers.push_back({layer, records.size(), records.size(), 0});
    else if (auto cpu = dyn_cast<npu::CpuOp>(op))
      addCpu(cpu);
    else if (npu::isRecord(&op))
      addRecord(&op);
  }
  units.push_back(out.units);
  out.records = records.size();
  return success();
}

LogicalResult Encoder::planStreams() {
  for (Segment &segment : segments) {
    if (segment.engine == LOOM_ENGINE_CPU) {
      out.cycles +=
          segment.rounds * loom_ceil_div(segment.cost, LOOM_CPU_COST_PER_CYCLE);
      continue;
    }
    std::vector<program::Record> own(records.begin() + segment.first,
                                     records.begin() + segment.first +
                                         segment.count);
    for (program::Record &record : own)
      program::rebase(record, units[segment.first]);
    segment.plan = program::planRecords(own, container.slots, target);
    const loom_completion &end = segment.plan.end;
    if (end.fault != LOOM_FAULT_NONE)
      return func.emitError()
             << "the machine refuses the program: fault " << end.fault
             << " at unit " << units[segment.first] + end.unit
             << " of its code";
    out.cycles += segment.rounds * segment.plan.cycles;
    out.mxuBusy += segment.rounds * segment.plan.mxuBusy;
  }
  return success();
}

/// The plans of all streams, one after the other.
program::Plan Encoder::wholePlan() const {
  program::Plan whole;
  uint64_t before = 0;
  for (const Segment &segment : segments) {
    for (program::Plan::Span span : segment.plan.records) {
      span.start += before;
      span.end += before;
      whole.records.push_back(span);
    }
    before += segment.plan.cycles;
  }
  return whole;
}

LogicalResult Encoder::addLayers() {
  if (failed(planStreams()))
    return failure();
  const program::Plan plan = wholePlan();
  std::vector<std::pair<size_t, size_t>> spans;
  for (const Layer &layer : layers)
    spans.push_back({layer.first, layer.last});
  const std::vector<uint64_t> cycles =
      program::layerCycles(records, plan, spans);
  for (auto [i, layer] : llvm::enumerate(layers)) {
    npu::LayerOp op = layer.op;
    loom_prog_layer row;
    memset(&row, 0, sizeof(row));
    // A row of its own, whose operation says what the layer computes.
    row.loc =
        locationOf(op.getLoc(), (op.getKind() + " " + op.getShape()).str());
    row.first_unit = firstUnit + units[layer.first];
    row.n_units = units[layer.last] - units[layer.first];
    row.macs = op.getMacs();
    row.bytes = op.getBytes();
    row.ideal = op.getIdeal();
    row.cycles = cycles[i];
    if (layer.first != layer.last)
      row.cycles *= segments[layer.segment].rounds;
    container.layers.push_back(row);
    out.layers.push_back({op.getKind().str(), op.getShape().str(),
                          modulePath(op.getLoc()), sourceLine(op.getLoc()),
                          op.getTiling().str(), op.getBound().str(), row.macs,
                          row.bytes, row.ideal, row.cycles, op.getRoofline(),
                          uint32_t(layer.last - layer.first), layer.segment});
    out.roofline += op.getRoofline();
    out.macs += row.macs;
  }
  out.utilisation = out.cycles ? double(out.mxuBusy) / double(out.cycles) : 0;
  return success();
}

/// Live ranges in program order. Buffers that come in turn are alive together
/// in their layer: the next is loaded while the last is used.
void Encoder::measureSram() {
  struct Range {
    npu::BufOp op;
    size_t first = SIZE_MAX, last = 0; // layers
  };
  DenseMap<Value, Range> ranges;
  size_t layer = 0;
  for (Operation &op : func.getBody().front()) {
    layer += isa<npu::LayerOp>(op);
    if (auto buf = dyn_cast<npu::BufOp>(op)) {
      ranges[buf.getBuf()] = {buf, SIZE_MAX, 0};
      out.sramPeak = std::max<uint64_t>(
          out.sramPeak,
          buf.getOffset().value_or(0) + npu::bytesOf(buf.getBuf().getType()));
      if (buf.getAfter()) // in the place of the one before
        ranges.erase(buf.getBuf());
      continue;
    }
    if (!npu::isRecord(&op))
      continue;
    for (Value operand : op.getOperands()) {
      auto it = ranges.find(operand);
      if (it == ranges.end())
        continue;
      it->second.first = std::min(it->second.first, layer);
      it->second.last = layer;
    }
  }
  // A tensor that is written over one that stayed needs no place of its own.
  DenseMap<std::pair<uint64_t, size_t>, int64_t> leaving; // offset, layer
  for (auto &[value, range] : ranges)
    if (range.first < range.last && range.last)
      leaving[{range.op.getOffset().value_or(0), range.last}] =
          npu::bytesOf(value.getType());
  std::vector<int64_t> change(layer + 2);
  for (auto &[value, range] : ranges) {
    if (range.first == SIZE_MAX)
      continue;
    const int64_t bytes = npu::bytesOf(value.getType());
    auto over = leaving.find({range.op.getOffset().value_or(0), range.first});
    change[range.first] += over == leaving.end()
                               ? bytes
                               : std::max<int64_t>(0, bytes - over->second);
    if (over != leaving.end())
      change[range.first + 1] += std::min(bytes, over->second);
    change[range.last + 1] -= bytes;
  }
  int64_t live = 0;
  for (int64_t c : change) {
    live += c;
    out.sramLiveBound = std::max<uint64_t>(out.sramLiveBound, live);
  }
}

/// Whether data decide how often its records run.
bool Encoder::hasBranches(const Segment &segment) const {
  const auto first = records.begin() + segment.first;
  return std::any_of(first, first + segment.count,
                     [](const program::Record &record) {
                       return record.header().op == LOOM_OP_BR;
                     });
}

void Encoder::addSegments(loom_prog_entry &entry) {
  const std::vector<loom_prog_step> schedule = steps.take(segments.size());
  entry.first_step = container.steps.size();
  entry.n_steps = schedule.size();
  llvm::append_range(container.steps, schedule);
  entry.first_segment = container.segments.size();
  out.segments = entry.n_segments = segments.size();
  for (const Segment &from : segments) {
    loom_prog_segment row;
    memset(&row, 0, sizeof(row));
    row.engine = from.engine;
    if (from.engine == LOOM_ENGINE_CPU) {
      row.first = from.first;
      row.count = from.count;
      row.insn_budget = from.cost;
    } else {
      row.first = firstUnit + units[from.first];
      row.count = units[from.first + from.count] - units[from.first];
      row.insn_budget = from.plan.end.insns;
      if (!from.plan.exact)
        row.insn_budget = kBudgetFactor * row.insn_budget + kBudgetSlack;
      row.cycle_budget = kBudgetFactor * from.plan.cycles + kBudgetSlack;
      if (hasBranches(from)) {
        out.bounded = false;
        row.insn_budget = LOOM_MAX_INSN_BUDGET;
        row.cycle_budget = LOOM_MAX_CYCLE_BUDGET;
      }
    }
    container.segments.push_back(row);
  }
}

LogicalResult Encoder::run(const std::string &name) {
  out.entry = name;
  loom_prog_entry entry;
  memset(&entry, 0, sizeof(entry));
  entry.name = container.string(name);
  if (failed(slots.add(func, name, out)) || failed(addTensors(entry)))
    return failure();
  if (failed(addCode()) || failed(addLayers()))
    return failure();
  measureSram();
  entry.macs = out.macs;
  entry.cycles = out.cycles;
  addSegments(entry);
  container.entries.push_back(entry);
  return success();
}

LogicalResult mlir::loom::encodeEntries(ArrayRef<EntryFunction> entries,
                                        const loom_target &target,
                                        MutableArrayRef<CompiledProgram> out,
                                        program::Image &file) {
  Container container(target);
  container.producer = kProducer;
  SlotTable slots(container);
  for (auto [entry, report] : llvm::zip_equal(entries, out))
    if (failed(Encoder(entry.func, target, container, slots, report)
                   .run(entry.name)))
      return failure();
  slots.addConstantTensors();
  file = container.finish();
  return success();
}
