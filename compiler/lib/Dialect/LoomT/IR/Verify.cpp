// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers of `loomt`: shapes, element types, bounds of views, programs.

#include "loom/Dialect/LoomT/LoomT.h"

#include "loom_isa.h"

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::loomt;

static RankedTensorType tensor(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// Static shapes of element types that `known` has; `engine`: whose these are.
static LogicalResult verifyTypes(Operation *op, StringRef engine,
                                 std::optional<unsigned> (*known)(Type)) {
  auto check = [&](Type type) -> LogicalResult {
    auto ranked = cast<RankedTensorType>(type);
    if (!ranked.hasStaticShape())
      return op->emitOpError("needs static shapes, got ") << type;
    if (!known(ranked.getElementType()))
      return op->emitOpError("has no ") << engine << " element type: " << type;
    return success();
  };
  for (Type type : op->getOperandTypes())
    if (failed(check(type)))
      return failure();
  for (Type type : op->getResultTypes())
    if (failed(check(type)))
      return failure();
  return success();
}

static LogicalResult verifyNpuTypes(Operation *op) {
  return verifyTypes(op, "NPU", npuType);
}

LogicalResult ConstantOp::verify() {
  if (getValue().getShapedType() != getType())
    return emitOpError("value and result differ in type");
  return verifyTypes(*this, "known", memoryType);
}

LogicalResult ViewOp::verify() {
  if (failed(verifyTypes(*this, "known", memoryType)))
    return failure();
  if (getRoot().getDefiningOp<ViewOp>())
    return emitOpError("is a view of a view");
  RankedTensorType root = tensor(getRoot()), type = getType();
  if (root.getElementType() != type.getElementType())
    return emitOpError("changes the element type");
  if (int64_t(getStrides().size()) != type.getRank())
    return emitOpError("needs one stride a dimension");
  int64_t lo = getOffset(), hi = getOffset();
  for (auto [n, stride] : llvm::zip(type.getShape(), getStrides()))
    (stride < 0 ? lo : hi) += (n - 1) * stride;
  if (type.getNumElements() && (lo < 0 || hi >= root.getNumElements()))
    return emitOpError("names elements ")
           << lo << " to " << hi << " of " << root.getNumElements();
  return success();
}

static LogicalResult verifyProgram(Operation *op, ArrayRef<int32_t> words,
                                   ArrayRef<int32_t> imms, size_t inputs) {
  if (words.empty() || words.size() % 4)
    return op->emitOpError("program: groups of four numbers, at least one");
  Program program(words, imms);
  for (auto [i, group] : llvm::enumerate(program.ops)) {
    const int count = Program::operands(group.op);
    if (count < 0 || group.op == LOOM_UOP_STORE)
      return op->emitOpError("program: group ") << i << " has no meaning";
    if (group.op == LOOM_UOP_LOAD) {
      if (group.a < 0 || size_t(group.a) >= inputs)
        return op->emitOpError("program: group ")
               << i << " loads input " << group.a << " of " << inputs;
      continue;
    }
    const int32_t args[3] = {group.a, group.b, group.c};
    for (int k = 0; k < count; ++k)
      if (args[k] >= int32_t(i) || args[k] < -int32_t(imms.size()))
        return op->emitOpError("program: group ")
               << i << " uses a value that is not there";
  }
  if (!program.fits(inputs))
    return op->emitOpError("program: exceeds one VPU record");
  return success();
}

LogicalResult MapOp::verify() {
  if (failed(verifyNpuTypes(*this)))
    return failure();
  for (Value input : getInputs())
    if (tensor(input).getShape() != getType().getShape())
      return emitOpError("input and result differ in shape: ")
             << input.getType() << ", " << getType();
  return verifyProgram(*this, getProgram(), getImms(), getInputs().size());
}

LogicalResult loomt::ReduceOp::verify() {
  if (failed(verifyNpuTypes(*this)))
    return failure();
  if (getInputs().empty())
    return emitOpError("needs an input");
  ArrayRef<int64_t> domain = tensor(getInputs()[0]).getShape();
  for (Value input : getInputs())
    if (tensor(input).getShape() != domain)
      return emitOpError("inputs differ in shape");
  if (getReduced() < 1 || getReduced() > domain.size() ||
      getType().getShape() != domain.drop_back(getReduced()))
    return emitOpError("result must be the inputs' shape without the ")
           << getReduced() << " trailing dimensions";
  const int32_t reducer = getReducer();
  if (reducer < LOOM_UOP_RADD_F || reducer > LOOM_UOP_RARGMAX_F)
    return emitOpError("reducer ") << reducer << " is none";
  return verifyProgram(*this, getProgram(), getImms(), getInputs().size());
}

/// Operand and result types that the array can do.
static LogicalResult verifyProduct(Operation *op, Type lhs, Type rhs,
                                   RankedTensorType resultType, Value bias,
                                   Value scale, Value residual, int64_t n) {
  Type result = resultType.getElementType();
  if (residual && (tensor(residual).getShape() != resultType.getShape() ||
                   !isa<FloatType>(lhs) ||
                   !isa<FloatType>(tensor(residual).getElementType())))
    return op->emitOpError("residual must be floats of the result's shape, ")
           << "got " << residual.getType();
  if (lhs != rhs || !(lhs.isF32() || lhs.isBF16() || lhs.isInteger(8)) ||
      lhs.isUnsignedInteger())
    return op->emitOpError("the array multiplies f32, bf16 or i8, not ")
           << lhs << " x " << rhs;
  const bool floats = isa<FloatType>(lhs);
  if (floats ? !isa<FloatType>(result) : !result.isSignlessInteger(32))
    return op->emitOpError("products of ")
           << lhs << " do not leave as " << result;
  if (scale && (tensor(scale).getShape() != ArrayRef<int64_t>{n} ||
                !tensor(scale).getElementType().isF32() || !floats))
    return op->emitOpError("scale must be ")
           << n << " f32, got " << scale.getType();
  if (!bias)
    return success();
  RankedTensorType type = tensor(bias);
  if (type.getRank() != 1 || type.getDimSize(0) != n ||
      !(floats ? type.getElementType().isF32()
               : type.getElementType().isSignlessInteger(32)))
    return op->emitOpError("bias must be ")
           << n << (floats ? " f32" : " i32") << ", got " << type;
  return success();
}

LogicalResult ContractOp::verify() {
  if (failed(verifyNpuTypes(*this)))
    return failure();
  RankedTensorType lhs = tensor(getLhs()), rhs = tensor(getRhs());
  if (lhs.getRank() != 3 || rhs.getRank() != 3 || getType().getRank() != 3)
    return emitOpError("operands and result have rank 3");
  ArrayRef<int64_t> a = lhs.getShape(), b = rhs.getShape(),
                    c = getType().getShape();
  if (a[0] != b[0] || a[2] != b[1] || c[0] != a[0] || c[1] != a[1] ||
      c[2] != b[2])
    return emitOpError("shapes do not fit: ")
           << lhs << " x " << rhs << " -> " << getType();
  if (getLo().has_value() != getHi().has_value())
    return emitOpError("has lo without hi, or hi without lo");
  return verifyProduct(*this, lhs.getElementType(), rhs.getElementType(),
                       getType(), getBias(), getScale(), getResidual(), c[2]);
}

LogicalResult ConvOp::verify() {
  if (failed(verifyNpuTypes(*this)))
    return failure();
  RankedTensorType input = tensor(getInput()), filter = tensor(getFilter());
  if (input.getRank() != 4 || filter.getRank() != 4 || getType().getRank() != 4)
    return emitOpError("operands and result have rank 4");
  ArrayRef<int64_t> in = input.getShape(), f = filter.getShape(),
                    out = getType().getShape(), window = getWindow();
  if (window.size() != 6)
    return emitOpError("window has six numbers");
  for (int64_t v : window.take_front(4))
    if (v < 1 || v > 255)
      return emitOpError("strides and dilations are 1 to 255");
  if (getGroups() < 1 || uint64_t(in[3]) != f[2] * getGroups() ||
      f[3] % getGroups() || out[0] != in[0] || out[3] != f[3])
    return emitOpError("shapes do not fit: ")
           << input << " * " << filter << " -> " << getType();
  for (int d = 0; d < 2; ++d) {
    const int64_t reach = (out[1 + d] - 1) * window[d] +
                          (f[d] - 1) * window[2 + d] - window[4 + d];
    if (window[4 + d] < 0 || window[4 + d] > INT16_MAX || reach < 0)
      return emitOpError("padding is out of range");
  }
  if (getLo().has_value() != getHi().has_value())
    return emitOpError("has lo without hi, or hi without lo");
  return verifyProduct(*this, input.getElementType(), filter.getElementType(),
                       getType(), getBias(), getScale(), getResidual(), f[3]);
}

LogicalResult RowsOp::verify() {
  if (failed(verifyNpuTypes(*this)))
    return failure();
  RankedTensorType table = tensor(getTable()), indices = tensor(getIndices());
  if (table.getRank() != 2 || indices.getRank() != 1 ||
      !indices.getElementType().isSignlessInteger(32) ||
      getType() !=
          RankedTensorType::get({indices.getDimSize(0), table.getDimSize(1)},
                                table.getElementType()))
    return emitOpError("picks rows of [rows, width] by [n] x i32, not ")
           << table << " by " << indices << " -> " << getType();
  return success();
}

LogicalResult ScatterRowsOp::verify() {
  if (failed(verifyNpuTypes(*this)))
    return failure();
  RankedTensorType updates = tensor(getUpdates()),
                   indices = tensor(getIndices()), type = getType();
  if (updates.getRank() != 2 || type.getRank() != 2 ||
      indices.getShape() != updates.getShape().take_front() ||
      !indices.getElementType().isSignlessInteger(32) ||
      updates.getDimSize(1) != type.getDimSize(1) ||
      updates.getElementType() != type.getElementType() ||
      (getTable() && getTable().getType() != type))
    return emitOpError("updates rows of [rows, width] by [n, width] at [n] x "
                       "i32, not ")
           << type << " by " << updates << " at " << indices;
  if (bool(getTable()) == bool(getFill()))
    return emitOpError("begins with a table or a fill");
  return verifyProgram(*this, getProgram(), getImms(), 2);
}

/// A list of dimensions of a shape, -1 standing for none.
static bool areDims(ArrayRef<int64_t> dims, int64_t rank, int64_t least) {
  return llvm::all_of(dims, [&](int64_t d) { return d >= least && d < rank; });
}

static LogicalResult verifyOut(CpuOp op, ArrayRef<int64_t> box) {
  if (box.size() < 3 || box.size() % 2 == 0 || box[0] < 0 ||
      box[0] >= int64_t(op->getNumResults()) || box[1] < 0 || box[1] > LOOM_U64)
    return op.emitOpError("an output's box has no meaning");
  const size_t rank = (box.size() - 3) / 2;
  auto type = cast<RankedTensorType>(op->getResult(box[0]).getType());
  const int64_t total = type.getNumElements() *
                        loom_dtype_bytes(*memoryType(type.getElementType())) /
                        loom_dtype_bytes(box[1]);
  int64_t lo = box[2], hi = lo;
  for (size_t d = 0; d < rank; ++d) {
    if (box[3 + d] < 1)
      return op.emitOpError("an output's box is empty");
    const int64_t stride = box[3 + rank + d];
    (stride < 0 ? lo : hi) += (box[3 + d] - 1) * stride;
  }
  if (lo < 0 || hi >= total)
    return op.emitOpError("an output's box names elements ")
           << lo << " to " << hi << " of " << total;
  return success();
}

LogicalResult CpuOp::verify() {
  if (failed(verifyTypes(*this, "known", memoryType)))
    return failure();
  if (getStructure() < LOOM_CPU_MAP ||
      getStructure() >= LOOM_NUM_CPU_STRUCTURES)
    return emitOpError("structure ") << getStructure() << " is none";
  if (!getMaps().empty() && getMaps().size() != getInputs().size())
    return emitOpError("maps all of its inputs or none");
  for (auto [map, input] : llvm::zip(getMaps(), getInputs())) {
    auto dims = dyn_cast<DenseI64ArrayAttr>(map);
    if (!dims || !areDims(dims, tensor(input).getRank(), -1))
      return emitOpError("a map names no dimension of its input");
  }
  if (getInits().size() > getNumResults())
    return emitOpError("begins as more than its results");
  for (auto [init, result] : llvm::zip(getInits(), getResults()))
    if (init.getType() != result.getType())
      return emitOpError("begins as ")
             << init.getType() << ", which is not its result's type";
  for (Attribute out : getOuts()) {
    auto box = dyn_cast<DenseI64ArrayAttr>(out);
    if (!box || failed(verifyOut(*this, box)))
      return box ? failure() : emitOpError("an output's box has no meaning");
  }
  if (getProgram().size() % 4)
    return emitOpError("program: groups of four numbers");
  std::string why = CpuProgram(getProgram(), getImms()).problem();
  if (!why.empty())
    return emitOpError("program: ") << why;
  return success();
}

//===----------------------------------------------------------------------===//
// Loops and branches
//===----------------------------------------------------------------------===//

static bool opens(Operation *op) { return isa<LoopBeginOp, CaseBeginOp>(op); }
static bool closes(Operation *op) { return isa<LoopEndOp, CaseEndOp>(op); }

/// What ends the stretch that `begin` opens; null if nothing does.
static Operation *closingOf(Operation *begin) {
  int64_t depth = 0;
  for (Operation *op = begin->getNextNode(); op; op = op->getNextNode()) {
    if (closes(op) && depth-- == 0)
      return op;
    depth += opens(op);
  }
  return nullptr;
}

/// What opens the innermost stretch around; null if there is none.
static Operation *openingAround(Operation *op) {
  int64_t depth = 0;
  while ((op = op->getPrevNode())) {
    if (opens(op) && depth-- == 0)
      return op;
    depth += closes(op);
  }
  return nullptr;
}

/// Iterations of the loops around, outermost first; 0 of those without a
/// counter.
static SmallVector<int64_t> tripsAround(Operation *op) {
  SmallVector<int64_t> trips;
  while ((op = openingAround(op)))
    if (auto begin = dyn_cast<LoopBeginOp>(op))
      trips.insert(trips.begin(),
                   begin.getScheduled() ? 0 : begin.getTrip().value_or(0));
  return trips;
}

/// A schedule carries whatever memory holds.
static LogicalResult verifyCarried(Operation *op, LoopBeginOp begin) {
  return begin.getScheduled() ? verifyTypes(op, "known", memoryType)
                              : verifyNpuTypes(op);
}

/// Whether an operation of a machine's own loop or branch is the CPU engine's,
/// or a schedule.
static Operation *strangerIn(Operation *begin, Operation *end) {
  for (Operation *op = begin->getNextNode(); op != end;
       op = op->getNextNode()) {
    auto loop = dyn_cast<LoopBeginOp>(op);
    if (isa<CpuOp>(op) || (loop && loop.getScheduled()))
      return op;
  }
  return nullptr;
}

LogicalResult LoopBeginOp::verify() {
  if (failed(verifyCarried(*this, *this)))
    return failure();
  if (getTrip() && int64_t(*getTrip()) < 1)
    return emitOpError("runs ") << *getTrip() << " times";
  if (getInits().getTypes() != getStates().getTypes())
    return emitOpError("start and state differ in type");
  Operation *end = closingOf(*this);
  if (!isa_and_nonnull<LoopEndOp>(end))
    return emitOpError("has no end");
  if (!getScheduled() && strangerIn(*this, end))
    return emitOpError("is the machine's, and goes round an operation of the "
                       "CPU engine");
  if (getTrip())
    return success();
  if (getScheduled()) {
    auto test = dyn_cast<LoopTestOp>((*this)->getNextNode());
    if (test && test.getCondition().getDefiningOp() == *this)
      return success();
    return emitOpError("asks for what it does not carry");
  }
  for (Operation *op = (*this)->getNextNode(); op != end;
       op = opens(op) ? closingOf(op) : op->getNextNode())
    if (isa<LoopTestOp>(op))
      return success();
  return emitOpError("has neither a count nor a test");
}

LogicalResult LoopTestOp::verify() {
  auto begin = dyn_cast_or_null<LoopBeginOp>(openingAround(*this));
  if (!begin || begin.getTrip())
    return emitOpError("stands in no loop that a test ends");
  RankedTensorType type = tensor(getCondition());
  if (type.getNumElements() != 1 || !type.getElementType().isInteger(1))
    return emitOpError("decides by one i1, not ") << type;
  return success();
}

LogicalResult LoopEndOp::verify() {
  auto begin = dyn_cast_or_null<LoopBeginOp>(openingAround(*this));
  if (!begin)
    return emitOpError("ends no loop");
  if (failed(verifyCarried(*this, begin)))
    return failure();
  if (getNext().getTypes() != begin.getStates().getTypes() ||
      getResultTypes() != begin.getStates().getTypes())
    return emitOpError("does not carry what its loop does");
  return success();
}

LogicalResult CaseBeginOp::verify() {
  RankedTensorType type = tensor(getIndex());
  if (type.getNumElements() != 1 ||
      !type.getElementType().isSignlessInteger(32))
    return emitOpError("chooses by one i32, not ") << type;
  auto end = dyn_cast_or_null<CaseEndOp>(closingOf(*this));
  if (!end)
    return emitOpError("has no end");
  if (strangerIn(*this, end))
    return emitOpError("is the machine's, and goes round an operation of the "
                       "CPU engine");
  int64_t branches = 1;
  for (Operation *op = (*this)->getNextNode(); op != end;
       op = opens(op) ? closingOf(op) : op->getNextNode()) {
    auto next = dyn_cast<CaseNextOp>(op);
    if (!next)
      continue;
    ++branches;
    if (next.getValues().getTypes() != end.getResultTypes())
      return next.emitOpError("gives other types than its case_end");
  }
  if (branches != int64_t(getBranches()))
    return emitOpError("has ")
           << branches << " branches, not " << getBranches();
  return success();
}

LogicalResult CaseNextOp::verify() {
  if (!isa_and_nonnull<CaseBeginOp>(openingAround(*this)))
    return emitOpError("stands in no case");
  return verifyNpuTypes(*this);
}

LogicalResult CaseEndOp::verify() {
  if (!isa_and_nonnull<CaseBeginOp>(openingAround(*this)))
    return emitOpError("ends no case");
  if (getValues().getTypes() != getResultTypes())
    return emitOpError("gives other types than its results");
  return verifyNpuTypes(*this);
}

/// Elements from the lowest to the highest that something names.
struct Reach {
  int64_t lo, hi;
  void move(int64_t step, int64_t last) { (step < 0 ? lo : hi) += step * last; }
};

/// Moved by the iterations of the loops around.
static LogicalResult moveByLoops(Operation *op, ArrayRef<int64_t> steps,
                                 Reach &reach) {
  const SmallVector<int64_t> trips = tripsAround(op);
  if (steps.size() > trips.size())
    return op->emitOpError("moves by ")
           << steps.size() << " loops and stands in " << trips.size();
  for (auto [step, trip] : llvm::zip(steps, trips)) {
    if (step && !trip)
      return op->emitOpError("moves by the count of a loop that has none");
    reach.move(step, trip - 1);
  }
  return success();
}

static LogicalResult moveByIndices(Operation *op, ValueRange indices,
                                   ArrayRef<int64_t> limits,
                                   ArrayRef<int64_t> steps, Reach &reach) {
  if (indices.size() != limits.size() || indices.size() != steps.size())
    return op->emitOpError("needs a limit and a step for each index");
  for (auto [index, limit, step] : llvm::zip(indices, limits, steps)) {
    if (tensor(index).getNumElements() != 1 ||
        !tensor(index).getElementType().isSignlessInteger(32) || limit < 0)
      return op->emitOpError("moves by one i32 each from 0 up, not ")
             << index.getType() << " up to " << limit;
    reach.move(step, limit);
  }
  return success();
}

static LogicalResult verifyInside(Operation *op, const Reach &reach,
                                  RankedTensorType root) {
  if (reach.lo >= 0 && reach.hi < root.getNumElements())
    return success();
  return op->emitOpError("names elements ")
         << reach.lo << " to " << reach.hi << " of " << root.getNumElements()
         << " wherever it moves";
}

static Reach reachOf(const Ref &ref) {
  Reach reach{ref.offset, ref.offset};
  for (auto [n, stride] : llvm::zip(ref.shape, ref.strides))
    reach.move(stride, n - 1);
  return reach;
}

LogicalResult AtOp::verify() {
  if (failed(verifyNpuTypes(*this)))
    return failure();
  RankedTensorType root = tensor(getRoot());
  if (root.getElementType() != getType().getElementType() ||
      root.getNumElements() != getType().getNumElements())
    return emitOpError("moves ") << root << ", not " << getType();
  for (Operation *user : (*this)->getUsers()) {
    auto view = dyn_cast<ViewOp>(user);
    if (!view)
      return emitOpError("is used whole: a view says which elements");
    Reach reach = reachOf(Ref::of(view));
    if (failed(moveByLoops(*this, getSteps(), reach)) ||
        failed(verifyInside(*this, reach, root)))
      return failure();
  }
  return success();
}

LogicalResult TakeOp::verify() {
  if (failed(verifyNpuTypes(*this)))
    return failure();
  if (getSource().getType() != getType())
    return emitOpError("takes ")
           << getSource().getType() << ", not " << getType();
  const Ref ref = Ref::of(getSource());
  Reach reach = reachOf(ref);
  if (auto at = ref.root.getDefiningOp<AtOp>())
    if (failed(moveByLoops(at, at.getSteps(), reach)))
      return failure();
  if (failed(
          moveByIndices(*this, getIndices(), getLimits(), getSteps(), reach)))
    return failure();
  return verifyInside(*this, reach, tensor(ref.root));
}

LogicalResult PutOp::verify() {
  if (failed(verifyNpuTypes(*this)))
    return failure();
  RankedTensorType value = tensor(getValue()), target = tensor(getTarget());
  Operation *maker = getTarget().getDefiningOp();
  if (!maker || isa<ConstantOp, ViewOp, AtOp>(maker))
    return emitOpError("writes to what has no place of its own");
  if (value.getElementType() != target.getElementType() ||
      target != getType() || int64_t(getStrides().size()) != value.getRank())
    return emitOpError("needs the target's element type and one stride a "
                       "dimension");
  Ref ref{getTarget(), int64_t(getOffset()),
          SmallVector<int64_t>(value.getShape()),
          SmallVector<int64_t>(getStrides())};
  if (llvm::any_of(ref.strides, [](int64_t stride) { return stride < 0; }))
    return emitOpError("strides are not negative");
  Reach reach = reachOf(ref);
  if (failed(moveByLoops(*this, getLoopSteps(), reach)) ||
      failed(
          moveByIndices(*this, getIndices(), getLimits(), getSteps(), reach)))
    return failure();
  return verifyInside(*this, reach, target);
}

LogicalResult CopyOp::verify() {
  if (failed(verifyNpuTypes(*this)))
    return failure();
  const int64_t total = getType().getNumElements();
  if (getOffsets().size() != getInputs().size() ||
      getStrides().size() != getInputs().size())
    return emitOpError("needs an offset and strides for each input");
  int64_t filled = 0;
  for (auto [input, offset, attr] :
       llvm::zip(getInputs(), getOffsets(), getStrides())) {
    RankedTensorType type = tensor(input);
    if (loom_dtype_bytes(*npuType(type.getElementType())) !=
        loom_dtype_bytes(*npuType(getType().getElementType())))
      return emitOpError("changes the elements' width");
    auto strides = dyn_cast<DenseI64ArrayAttr>(attr);
    if (!strides || strides.size() != type.getRank())
      return emitOpError("needs one stride a dimension of each input");
    int64_t hi = offset;
    for (auto [n, stride] : llvm::zip(type.getShape(), strides.asArrayRef())) {
      if (stride < 0)
        return emitOpError("strides are not negative");
      hi += (n - 1) * stride;
    }
    if (type.getNumElements() && (offset < 0 || hi >= total))
      return emitOpError("writes element ") << hi << " of " << total;
    filled += type.getNumElements();
  }
  if (!getFill() && filled < total)
    return emitOpError("leaves elements undefined: inputs have ")
           << filled << " of " << total << " and there is no fill";
  return success();
}
