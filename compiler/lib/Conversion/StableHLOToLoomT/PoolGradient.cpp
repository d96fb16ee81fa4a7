// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// select_and_scatter, the gradient of max-pooling. First the number of the
// selected tap of every window: compares over one strided view a tap. Then, for
// each phase of the strides, the places that lie so in their windows: each
// takes what the windows over it send, in the order of the windows.

#include "Constants.h"
#include "Converter.h"
#include "Scalar.h"

#include "loom_isa.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::Program;
using loomt::Ref;

/// A NaN that no operation stores: marks what is padding.
static constexpr uint32_t kPaddingF32 = 0x7fffffffu, kPaddingBF16 = 0x7fffu;

namespace {
using Index = SmallVector<int64_t>;

struct Windows {
  Index size, stride, low, high;
  Index outs; // windows in each dimension
  Index in;   // of the operand
  bool pads() const {
    return llvm::any_of(llvm::concat<const int64_t>(low, high),
                        [](int64_t v) { return v != 0; });
  }
};

/// Places at q * stride + phase - low, for q in [first, first + count).
struct Phase {
  Index at, first, count;
};
} // namespace

/// Counts `index` up below `limit`, the last dimension fastest; false at the
/// end.
static bool advance(Index &index, ArrayRef<int64_t> limit) {
  for (size_t d = index.size(); d-- > 0;) {
    if (++index[d] < limit[d])
      return true;
    index[d] = 0;
  }
  return false;
}

static Windows windowsOf(stablehlo::SelectAndScatterOp op) {
  Windows w;
  w.size.assign(op.getWindowDimensions().begin(),
                op.getWindowDimensions().end());
  w.stride.assign(op.getWindowStrides().begin(), op.getWindowStrides().end());
  for (size_t d = 0; d < w.size.size(); ++d) {
    w.low.push_back(op.getPadding()[2 * d]);
    w.high.push_back(op.getPadding()[2 * d + 1]);
  }
  w.outs.assign(
      cast<RankedTensorType>(op.getSource().getType()).getShape().begin(),
      cast<RankedTensorType>(op.getSource().getType()).getShape().end());
  w.in.assign(
      cast<RankedTensorType>(op.getOperand().getType()).getShape().begin(),
      cast<RankedTensorType>(op.getOperand().getType()).getShape().end());
  return w;
}

static std::vector<Phase> phasesOf(const Windows &w) {
  const size_t rank = w.size.size();
  auto floorDiv = [](int64_t a, int64_t b) {
    return a / b - (a % b < 0 ? 1 : 0);
  };
  std::vector<Phase> phases;
  Index at(rank, 0);
  do {
    Phase phase{at, Index(rank), Index(rank)};
    bool some = true;
    for (size_t d = 0; d < rank; ++d) {
      const int64_t from = w.low[d] - at[d];
      phase.first[d] = -floorDiv(-from, w.stride[d]);
      phase.count[d] =
          floorDiv(from + w.in[d] - 1, w.stride[d]) - phase.first[d] + 1;
      some &= phase.count[d] > 0;
    }
    if (some)
      phases.push_back(phase);
  } while (advance(at, w.stride));
  return phases;
}

/// Windows that a phase reaches before the first and behind the last.
static void marginsOf(const Windows &w, ArrayRef<Phase> phases, Index &before,
                      Index &behind) {
  const size_t rank = w.size.size();
  before.assign(rank, 0);
  behind.assign(rank, 0);
  for (const Phase &phase : phases)
    for (size_t d = 0; d < rank; ++d) {
      const int64_t most = (w.size[d] - 1 - phase.at[d]) / w.stride[d];
      if (phase.at[d] >= w.size[d])
        continue;
      before[d] = std::max(before[d], most - phase.first[d]);
      behind[d] =
          std::max(behind[d], phase.first[d] + phase.count[d] - w.outs[d]);
    }
}

namespace {
/// A map's program with as many inputs as it has views for.
struct Piece {
  Program program;
  SmallVector<Value> inputs;
  int32_t load(Value value) {
    inputs.push_back(value);
    return program.load(inputs.size() - 1);
  }
  bool hasRoom(size_t more) const {
    return inputs.size() + more < LOOM_VPU_MAX_VIEWS;
  }
};

class PoolGradient {
public:
  PoolGradient(OpBuilder &builder, stablehlo::SelectAndScatterOp op)
      : builder(builder), op(op), loc(op.getLoc()), w(windowsOf(op)),
        phases(phasesOf(w)),
        element(cast<RankedTensorType>(op.getType()).getElementType()) {
    marginsOf(w, phases, before, behind);
  }

  /// The number of the tap that each window selects, in row-major order.
  Value selected(const Ref &x);
  /// What the windows send to the places of a phase, on top of `init`.
  Value sum(const Phase &phase, const Ref &taps, const Ref &source,
            const Ref &init);
  /// All phases' places together.
  Value join(ArrayRef<Value> parts);

  OpBuilder &builder;
  stablehlo::SelectAndScatterOp op;
  Location loc;
  const Windows w;
  const std::vector<Phase> phases;
  Type element;
  Index before, behind; // windows that phases reach beyond those there are
  uint32_t padding = 0; // what marks padding in a register, if there is any
  std::string why;      // not

private:
  bool select(Piece &piece, int32_t next, int64_t tap, int32_t &value,
              int32_t &number);
  Value map(Type type, ArrayRef<int64_t> shape, Piece piece, int32_t result);
  int32_t begin(Piece &piece, const Ref &init, ArrayRef<int64_t> shape);
};
} // namespace

Value PoolGradient::map(Type type, ArrayRef<int64_t> shape, Piece piece,
                        int32_t result) {
  if (result < 0 || result != int32_t(piece.program.ops.size()) - 1)
    piece.program.emit(LOOM_UOP_MOV, result);
  return loomt::MapOp::create(
      builder, loc, RankedTensorType::get(shape, type), piece.inputs,
      builder.getDenseI32ArrayAttr(piece.program.words()),
      builder.getDenseI32ArrayAttr(piece.program.imms));
}

/// Keeps the selected element, or takes the next one.
bool PoolGradient::select(Piece &piece, int32_t next, int64_t tap,
                          int32_t &value, int32_t &number) {
  Program &p = piece.program;
  auto keeps = emitRegion(op.getSelect(), {value, next}, p, why);
  if (failed(keeps))
    return false;
  int32_t keep = keeps->front();
  if (padding) {
    const int32_t mark = p.imm(padding);
    keep =
        p.emit(LOOM_UOP_OR, p.emit(LOOM_UOP_IEQ, next, mark),
               p.emit(LOOM_UOP_AND, p.emit(LOOM_UOP_INE, value, mark), keep));
  }
  value = p.emit(LOOM_UOP_SELECT, keep, value, next);
  number = p.emit(LOOM_UOP_SELECT, keep, number, p.imm(tap));
  return true;
}

Value PoolGradient::selected(const Ref &x) {
  int64_t count = 1;
  for (int64_t n : w.size)
    count *= n;
  Type tapType = count < 256 ? IntegerType::get(builder.getContext(), 8,
                                                IntegerType::Unsigned)
                             : builder.getI32Type();
  Value best, which;
  Index tap(w.size.size(), 0);
  for (int64_t k = 0; k < count;) {
    Piece piece;
    int32_t value = 0, number = piece.program.imm(0);
    if (best) {
      value = piece.load(best);
      number = piece.load(which);
    }
    for (; k < count && piece.hasRoom(1); ++k) {
      Ref view{x.root, x.offset, w.outs, {}};
      for (size_t d = 0; d < tap.size(); ++d) {
        view.offset += tap[d] * x.strides[d];
        view.strides.push_back(x.strides[d] * w.stride[d]);
      }
      advance(tap, w.size);
      const int32_t next = piece.load(view.materialiseView(builder, loc));
      if (!k)
        value = next;
      else if (!select(piece, next, k, value, number))
        return Value();
    }
    which = map(tapType, w.outs, piece, number);
    if (k < count)
      best = map(element, w.outs, piece, value);
  }
  return which;
}

/// What a sum starts from.
int32_t PoolGradient::begin(Piece &piece, const Ref &init,
                            ArrayRef<int64_t> shape) {
  if (std::optional<uint32_t> bits = splatBits(init))
    return piece.program.imm(*bits);
  Ref start = init;
  start.shape.assign(shape.begin(), shape.end());
  start.strides.assign(shape.size(), 0);
  return piece.load(start.materialiseView(builder, loc));
}

Value PoolGradient::sum(const Phase &phase, const Ref &taps, const Ref &source,
                        const Ref &init) {
  const size_t rank = w.size.size();
  // Taps of this phase; the last comes from the first window.
  Index terms(rank), term(rank, 0);
  bool more = true;
  for (size_t d = 0; d < rank; ++d) {
    terms[d] = (w.size[d] - phase.at[d] + w.stride[d] - 1) / w.stride[d];
    more &= terms[d] > 0;
  }
  Value sum;
  do {
    Piece piece;
    int32_t value = sum ? piece.load(sum) : begin(piece, init, phase.count);
    while (more && piece.hasRoom(2)) {
      Ref which = taps, what = source;
      which.shape = what.shape = phase.count;
      int64_t number = 0;
      for (size_t d = 0; d < rank; ++d) {
        const int64_t back = terms[d] - 1 - term[d];
        const int64_t first = phase.first[d] - back + before[d];
        which.offset += first * taps.strides[d];
        what.offset += first * source.strides[d];
        number = number * w.size[d] + phase.at[d] + back * w.stride[d];
      }
      const int32_t tap = piece.load(which.materialiseView(builder, loc)),
                    sent = piece.load(what.materialiseView(builder, loc));
      auto combined =
          emitRegion(op.getScatter(), {value, sent}, piece.program, why);
      if (failed(combined))
        return Value();
      Program &p = piece.program;
      value = p.emit(LOOM_UOP_SELECT, p.emit(LOOM_UOP_IEQ, tap, p.imm(number)),
                     combined->front(), value);
      more = advance(term, terms);
    }
    sum = map(element, phase.count, piece, value);
  } while (more);
  return sum;
}

Value PoolGradient::join(ArrayRef<Value> parts) {
  if (parts.size() == 1)
    return parts.front();
  auto type = cast<RankedTensorType>(op.getType());
  const Index dense = loomt::denseStrides(type.getShape());
  SmallVector<int64_t> offsets;
  SmallVector<Attribute> strides;
  for (const Phase &phase : phases) {
    int64_t offset = 0;
    SmallVector<int64_t> steps;
    for (size_t d = 0; d < dense.size(); ++d) {
      offset +=
          (phase.first[d] * w.stride[d] + phase.at[d] - w.low[d]) * dense[d];
      steps.push_back(dense[d] * w.stride[d]);
    }
    offsets.push_back(offset);
    strides.push_back(builder.getDenseI64ArrayAttr(steps));
  }
  return loomt::CopyOp::create(builder, loc, type, parts,
                               builder.getDenseI64ArrayAttr(offsets),
                               builder.getArrayAttr(strides), nullptr);
}

/// The operand among its padding, which is marked. An input may hold any NaN;
/// what is stored, only the canonical one.
Ref Converter::markedPadding(stablehlo::SelectAndScatterOp op,
                             ArrayRef<int64_t> low, ArrayRef<int64_t> high) {
  Location loc = op.getLoc();
  Ref x = Ref::of(map.lookup(op.getOperand()));
  Type element = cast<RankedTensorType>(op.getType()).getElementType();
  if (!isa_and_nonnull<loomt::MapOp, loomt::ReduceOp, loomt::ContractOp,
                       loomt::ConvOp>(x.root.getDefiningOp())) {
    Program copy;
    const int32_t value = copy.emit(LOOM_UOP_MOV, copy.load(0));
    x = Ref::of(mapOf(loc, RankedTensorType::get(x.shape, element),
                      x.materialiseView(builder, loc), copy, value));
  }
  return Ref::of(padded(x, low, high, Index(low.size(), 0),
                        element.isF32() ? kPaddingF32 : kPaddingBF16, loc));
}

LogicalResult Converter::selectAndScatter(stablehlo::SelectAndScatterOp op) {
  Location loc = op.getLoc();
  PoolGradient gradient(builder, op);
  const Windows &w = gradient.w;
  const Index none(w.size.size(), 0);
  const Ref init = Ref::of(map.lookup(op.getInitValue()));
  if (llvm::is_contained(w.outs, 0)) { // no window sends anything
    set(op, {init.root, init.offset, w.in, none});
    return success();
  }
  Ref x = Ref::of(map.lookup(op.getOperand()));
  if (w.pads()) {
    if (!gradient.element.isF32() && !gradient.element.isBF16())
      return refuse(op, "windows over padding are compiled for f32 and bf16",
                    "convert the operand");
    x = markedPadding(op, w.low, w.high);
    gradient.padding =
        gradient.element.isF32() ? kPaddingF32 : kPaddingBF16 << 16;
  }
  Value which = gradient.selected(x);
  if (!which)
    return refuse(op, gradient.why, "select by a comparison");
  Ref taps = Ref::of(which), source = Ref::of(map.lookup(op.getSource()));
  if (gradient.before != none || gradient.behind != none) {
    taps =
        Ref::of(padded(taps, gradient.before, gradient.behind, none, ~0u, loc));
    source =
        Ref::of(padded(source, gradient.before, gradient.behind, none, 0, loc));
  }
  SmallVector<Value> parts;
  for (const Phase &phase : gradient.phases) {
    parts.push_back(gradient.sum(phase, taps, source, init));
    if (!parts.back())
      return refuse(op, gradient.why, "scatter by addition");
  }
  map[op.getResult()] = gradient.join(parts);
  return success();
}
