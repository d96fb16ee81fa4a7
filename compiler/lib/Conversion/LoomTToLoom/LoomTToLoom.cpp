// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Memory first (a slot for each input, output and constant, SRAM or one slot
// for everything between), then each operation in order.

#include "loom/Conversion/LoomTToLoom.h"

#include "Places.h"
#include "Residency.h"
#include "Results.h"
#include "SplitReductions.h"
#include "SplitWindows.h"

#include "loom/Dialect/StableHLO/StableHLO.h"

#include "loom_program.h"
#include "loom_regs.h"

using namespace mlir;
using namespace mlir::loom;

namespace {
constexpr int64_t kAlign = 64;

class Lowering {
public:
  Lowering(func::FuncOp func, const loom_target &target, TilingCache &tilings)
      : func(func), builder(func.getContext()),
        emitter(builder, target, tilings) {
    builder.setListener(&emitter.code);
  }
  LogicalResult run();

private:
  struct Tensor {
    int64_t slot;
    RankedTensorType type;
    std::string role, name;
    bool complex; // pairs: the last dimension is of two
    /// As the caller sees it.
    unsigned dtype() const {
      return complex ? unsigned(LOOM_C64)
                     : *loomt::memoryType(type.getElementType());
    }
    ArrayRef<int64_t> dims() const {
      return type.getShape().drop_back(complex ? 1 : 0);
    }
  };
  Value slot(Location loc, int64_t bytes, unsigned kind, unsigned rights,
             const std::string &label, ElementsAttr value = {},
             bool hidden = false);
  void placeArguments();
  void placeResults(const Places &places);
  void placeConditions(const Places &places);
  LogicalResult placeConstants();
  DenseSet<Value> fixedRoots(const Places &places);
  void placeScratch(const Places &places);
  int64_t neededBytes(Operation &op);
  LogicalResult lower(Operation &op);

  func::FuncOp func;
  OpBuilder builder;
  Emitter emitter;
  Memory memory;
  DenseSet<Value> placed;  // places that are results
  DenseSet<Value> results; // roots
  Residents residents;
  DenseSet<Value> counted; // roots that some layer has read
  int64_t slots = 0;
  SmallVector<Tensor> tensors;
};
} // namespace

static bool isComplex(DictionaryAttr attributes) {
  return attributes && attributes.contains(stablehlo::kComplexAttr);
}

Value Lowering::slot(Location loc, int64_t bytes, unsigned kind,
                     unsigned rights, const std::string &label,
                     ElementsAttr value, bool hidden) {
  return npu::SlotOp::create(
      builder, loc, npu::MemType::get(builder.getContext(), bytes),
      builder.getI64IntegerAttr(slots++), builder.getI64IntegerAttr(kind),
      builder.getI64IntegerAttr(rights), builder.getStringAttr(label), value,
      hidden ? builder.getUnitAttr() : UnitAttr());
}

static int64_t bytesOfTensor(Type type) {
  return cast<RankedTensorType>(type).getNumElements() * elementBytesOf(type);
}

/// Of what the caller binds: a slot has a byte, also for a tensor of none.
static int64_t boundBytes(Type type) {
  return std::max<int64_t>(1, bytesOfTensor(type));
}

/// What state begins with; null for zeros.
static ElementsAttr initOf(DictionaryAttr attributes) {
  return attributes ? attributes.getAs<ElementsAttr>("loom.init")
                    : ElementsAttr();
}

void Lowering::placeArguments() {
  DenseSet<Value> replaced;
  for (unsigned i = 0; i < func.getNumResults(); ++i)
    if (BlockArgument old = replacedBy(func, i))
      replaced.insert(old);
  for (BlockArgument argument : func.getArguments()) {
    DictionaryAttr attributes = func.getArgAttrDict(argument.getArgNumber());
    std::string name = nameOf(attributes, "arg", argument.getArgNumber());
    const std::string role = roleOf(attributes, "input");
    tensors.push_back({slots, cast<RankedTensorType>(argument.getType()), role,
                       name, isComplex(attributes)});
    const bool state = role == "state";
    const bool written = state || replaced.contains(argument);
    Value mem = slot(argument.getLoc(), boundBytes(argument.getType()),
                     state ? LOOM_SLOT_STATE : LOOM_SLOT_ARG,
                     LOOM_RIGHT_READ | (written ? LOOM_RIGHT_WRITE : 0), name,
                     state ? initOf(attributes) : ElementsAttr());
    memory.set(argument, {mem, 0});
  }
}

void Lowering::placeResults(const Places &places) {
  Operation *ret = func.getBody().front().getTerminator();
  for (OpOperand &operand : ret->getOpOperands()) {
    const unsigned i = operand.getOperandNumber();
    Value root = loomt::Ref::of(operand.get()).root;
    auto type = cast<RankedTensorType>(operand.get().getType());
    DictionaryAttr attributes = func.getResultAttrDict(i);
    std::string name = nameOf(attributes, "result", i);
    if (BlockArgument old = replacedBy(func, i)) {
      memory.set(places.placeOf(root), {memory.box(old).mem, 0});
      placed.insert(places.placeOf(root));
      results.insert(root);
      if (roleOf(attributes, "output") == "output")
        tensors.push_back(
            {old.getArgNumber(), type, "output", name, isComplex(attributes)});
      continue;
    }
    const std::string role = roleOf(attributes, "output");
    const bool state = role == "state"; // that the function only writes
    tensors.push_back({slots, type, role, name, isComplex(attributes)});
    // What a loop carries is read from where it is written; so are rows that
    // updates are combined with.
    unsigned uses = 0; // this one, and others through the same view, too
    loomt::forEachUse(root, [&](Operation *, Value) { ++uses; });
    const bool read =
        state || uses > 1 || places.isShared(root) ||
        isa<loomt::CpuOp, loomt::ScatterRowsOp>(root.getDefiningOp());
    Value mem = slot(root.getLoc(), boundBytes(type),
                     state ? LOOM_SLOT_STATE : LOOM_SLOT_ARG,
                     LOOM_RIGHT_WRITE | (read ? LOOM_RIGHT_READ : 0), name,
                     state ? initOf(attributes) : ElementsAttr());
    memory.set(places.placeOf(root), {mem, 0});
    placed.insert(places.placeOf(root));
    results.insert(root);
  }
}

/// What a schedule asks for is where who submits can read it.
void Lowering::placeConditions(const Places &places) {
  for (auto begin : func.getOps<loomt::LoopBeginOp>()) {
    Value asked = loomt::askedState(begin);
    if (!asked || !placed.insert(places.placeOf(asked)).second)
      continue;
    Value mem = slot(begin.getLoc(), bytesOfTensor(asked.getType()),
                     LOOM_SLOT_ARG, LOOM_RIGHT_READ | LOOM_RIGHT_WRITE,
                     "condition", {}, /*hidden=*/true);
    memory.set(places.placeOf(asked), {mem, 0});
  }
}

LogicalResult Lowering::placeConstants() {
  unsigned index = 0;
  for (auto op : func.getOps<loomt::ConstantOp>()) {
    if (!op.getType().getNumElements())
      continue;
    if (slots >= LOOM_MAX_SLOTS)
      return op.emitError() << "the program has more than " << LOOM_MAX_SLOTS
                            << " tensors in memory; merge constants";
    std::string name;
    if (auto attr = op->getAttrOfType<StringAttr>("loom.name"))
      name = attr.getValue().str();
    else if (auto loc = dyn_cast<NameLoc>(op.getLoc()))
      name = loc.getName().str();
    else
      name = "const" + std::to_string(index);
    ++index;
    Value mem = slot(op.getLoc(), bytesOfTensor(op.getType()), LOOM_SLOT_CONST,
                     LOOM_RIGHT_READ, name, op.getValue());
    memory.set(op.getResult(), {mem, 0});
  }
  return success();
}

/// Roots that stay in memory: results, and what shares a place.
DenseSet<Value> Lowering::fixedRoots(const Places &places) {
  DenseSet<Value> fixed;
  for (Operation &op : func.getBody().front())
    for (Value root : op.getResults())
      if (places.isShared(root) || placed.contains(places.placeOf(root)))
        fixed.insert(root);
  return fixed;
}

/// Live ranges in order of definition, each at the lowest free place.
void Lowering::placeScratch(const Places &places) {
  struct Live {
    int64_t offset, bytes, last;
    Value root;
  };
  SmallVector<Live> live, all;
  int64_t total = 0;
  for (const auto &[root, range] : places.ranges()) {
    if (placed.contains(root) || residents.offsets.contains(root))
      continue;
    llvm::erase_if(live, [&](const Live &l) { return l.last < range.first; });
    const int64_t bytes = llvm::alignTo(bytesOfTensor(root.getType()), kAlign);
    int64_t at = 0;
    auto *next = live.begin(); // by offset
    for (; next != live.end() && at + bytes > next->offset; ++next)
      at = next->offset + next->bytes;
    all.push_back({at, bytes, range.last, root});
    live.insert(next, all.back());
    total = std::max(total, at + bytes);
  }
  if (total) {
    Value mem = slot(func.getLoc(), total, LOOM_SLOT_SCRATCH,
                     LOOM_RIGHT_READ | LOOM_RIGHT_WRITE, "scratch");
    for (const Live &l : all)
      memory.set(l.root, {mem, l.offset});
  }
  for (Operation &op : func.getBody().front())
    for (Value root : op.getResults())
      if (places.isShared(root))
        memory.share(root, places.placeOf(root));
}

/// What even an endless SRAM cannot save: constants, arguments and results
/// once, one write and one read of what is larger than half of SRAM. Copies are
/// not counted: they are the compiler's own.
int64_t Lowering::neededBytes(Operation &op) {
  int64_t bytes = 0;
  auto large = [&](Value root) {
    return bytesOfTensor(root.getType()) >
           int64_t(emitter.target.sram_bytes) / 2;
  };
  for (Value operand : op.getOperands()) {
    Value root = loomt::Ref::of(operand).root;
    Operation *maker = root.getDefiningOp();
    const bool rows = isa<loomt::RowsOp>(op) && operand == op.getOperand(0);
    if (isProducer(maker) && (!large(root) || isa<loomt::CopyOp>(maker)))
      continue;
    if (rows)
      bytes += bytesOfTensor(op.getResult(0).getType());
    else if (counted.insert(root).second)
      bytes += bytesOfTensor(root.getType());
  }
  Value result = op.getResult(0);
  if (results.contains(result) || (large(result) && !isa<loomt::CopyOp>(op)))
    bytes += bytesOfTensor(result.getType());
  return bytes;
}

/// A copy to where its input is: state that is updated in place.
static bool isThere(const Memory &memory, loomt::CopyOp op) {
  if (op.getInputs().size() != 1 || op.getFill())
    return false;
  const loomt::Ref ref = loomt::Ref::of(op.getInputs()[0]);
  const Box from = memory.box(op.getInputs()[0]),
            to = memory.box(op.getResult());
  return ref.isWhole() && from.mem == to.mem && from.offset == to.offset &&
         ref.shape == op.getType().getShape();
}

LogicalResult Lowering::lower(Operation &op) {
  if (isProducer(&op)) {
    emitter.neededBytes = neededBytes(op);
    auto room = residents.rooms.find(&op);
    emitter.room = room == residents.rooms.end()
                       ? Room::all(emitter.target.sram_bytes)
                       : room->second;
    auto offset = residents.offsets.find(op.getResult(0));
    if (offset != residents.offsets.end()) {
      auto type = npu::BufType::get(builder.getContext(),
                                    bytesOfTensor(op.getResult(0).getType()));
      Value buf = npu::BufOp::create(builder, op.getLoc(), type, Value(),
                                     builder.getI64IntegerAttr(offset->second));
      memory.set(op.getResult(0), {buf, 0});
    }
  }
  if (isa<loomt::MapOp, loomt::ReduceOp>(op))
    return lowerScalar(emitter, memory, &op);
  if (isa<loomt::ContractOp, loomt::ConvOp>(op))
    return lowerProduct(emitter, memory, &op);
  if (auto rows = dyn_cast<loomt::RowsOp>(op))
    return lowerRows(emitter, memory, rows);
  if (auto scatter = dyn_cast<loomt::ScatterRowsOp>(op))
    return lowerScatter(emitter, memory, scatter);
  if (auto copy = dyn_cast<loomt::CopyOp>(op)) {
    if (isThere(memory, copy))
      return success();
    return lowerCopy(emitter, memory, copy);
  }
  if (auto cpu = dyn_cast<loomt::CpuOp>(op))
    return lowerCpu(emitter, memory, cpu);
  if (isa<loomt::AtOp, loomt::TakeOp, loomt::PutOp>(op))
    return lowerIndexed(emitter, memory, &op);
  if (isa<loomt::LoopBeginOp, loomt::LoopTestOp, loomt::LoopEndOp,
          loomt::CaseBeginOp, loomt::CaseNextOp, loomt::CaseEndOp>(op))
    return lowerControl(emitter, memory, &op);
  if (isa<loomt::ViewOp, loomt::ConstantOp, func::ReturnOp>(op))
    return success();
  return op.emitError() << "'" << op.getName().getStringRef()
                        << "' is not an operation of loomt";
}

LogicalResult Lowering::run() {
  materialiseResults(func);
  prepareUpdates(func);
  settleState(func);
  const Places places(func);
  builder.setInsertionPointAfter(func);
  auto lowered = func::FuncOp::create(builder, func.getLoc(), func.getName(),
                                      builder.getFunctionType({}, {}));
  builder.setInsertionPointToStart(lowered.addEntryBlock());
  placeArguments();
  placeResults(places);
  placeConditions(places);
  if (failed(placeConstants())) {
    lowered.erase();
    return failure();
  }
  residents = chooseResidents(func, emitter.target, emitter.tilings,
                              fixedRoots(places));
  placeScratch(places);
  bool ok = true;
  for (Operation &op : func.getBody().front())
    ok &= !emitter.full() && succeeded(lower(op));
  if (emitter.hasCpu() || emitter.hasRounds())
    emitter.endStream(func.getLoc());
  else
    npu::HaltOp::create(builder, func.getLoc());
  func::ReturnOp::create(builder, func.getLoc());
  if (emitter.full())
    (void)checkCodeSize(lowered);
  if (!ok) {
    lowered.erase();
    return failure();
  }
  SmallVector<Attribute> table;
  for (const Tensor &tensor : tensors)
    table.push_back(builder.getDictionaryAttr(
        {builder.getNamedAttr("slot", builder.getI64IntegerAttr(tensor.slot)),
         builder.getNamedAttr("role", builder.getStringAttr(tensor.role)),
         builder.getNamedAttr("name", builder.getStringAttr(tensor.name)),
         builder.getNamedAttr("dtype",
                              builder.getI64IntegerAttr(tensor.dtype())),
         builder.getNamedAttr("dims",
                              builder.getDenseI64ArrayAttr(tensor.dims()))}));
  lowered->setAttr(kTensorsAttr, builder.getArrayAttr(table));
  for (NamedAttribute attribute : func->getDiscardableAttrs())
    lowered->setAttr(attribute.getName(), attribute.getValue());
  func.erase();
  return success();
}

LogicalResult mlir::loom::convertLoomTToLoom(func::FuncOp func,
                                             const loom_target &target) {
  splitWindows(func, target);
  TilingCache tilings(target);
  splitReductions(func, target, tilings);
  return Lowering(func, target, tilings).run();
}
