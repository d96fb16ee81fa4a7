// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Windows over a padded copy: a maximum does not see padding with its identity,
// so the windows at the edges are cut to what lies inside, and nothing is
// copied. A part of the result for each form of window, then one join.

#include "SplitWindows.h"

#include "Emitter.h"

using namespace mlir;
using namespace mlir::loom;

namespace {
/// More parts than this cost more than the copy.
constexpr size_t kMaxParts = 9;

/// Windows along one dimension of the padded tensor.
struct Axis {
  int64_t size = 0, low = 0; // of the input, and its place
  int64_t inStride = 0;      // of the input's root, in elements
  int outDim = -1, windowDim = -1;
  int64_t outStep = 0, windowStep = 0;
  struct Run {
    int64_t out, outs, tap, taps;
  };
  SmallVector<Run> runs;
};

class Splitter {
public:
  explicit Splitter(loomt::ReduceOp op) : op(op) {}
  bool analyse(int64_t leastBytes);
  void rewrite();

private:
  bool assign(const loomt::Ref &windows);
  bool cut(Axis &axis);
  Value part(OpBuilder &builder, ArrayRef<Axis::Run> runs, int64_t &offset);

  loomt::ReduceOp op;
  loomt::CopyOp copy;
  loomt::Ref input;           // of the copy
  SmallVector<int64_t> shape; // of the windows, reduced dimensions last
  SmallVector<Axis> axes;
};
} // namespace

static bool isIdentity(int32_t reducer, Type element, uint32_t bits) {
  const bool wide = element.isF32();
  if (!wide && !element.isBF16())
    return false;
  const uint32_t infinity = wide ? 0x7f800000 : 0x7f80,
                 sign = wide ? 0x80000000 : 0x8000;
  return reducer == LOOM_UOP_RMAX_F   ? bits == (infinity | sign)
         : reducer == LOOM_UOP_RMIN_F ? bits == infinity
                                      : false;
}

/// Each dimension of the windows walks along one dimension of the padded
/// tensor, one of them for the result and one for the taps.
bool Splitter::assign(const loomt::Ref &windows) {
  ArrayRef<int64_t> padded = copy.getType().getShape();
  const SmallVector<int64_t> dense = loomt::denseStrides(padded);
  for (auto [j, n] : llvm::enumerate(windows.shape)) {
    if (n == 1)
      continue;
    const int64_t stride = windows.strides[j];
    size_t d = 0;
    while (d < dense.size() && (padded[d] == 1 || dense[d] > stride))
      ++d;
    if (d == dense.size() || stride <= 0 || stride % dense[d] ||
        stride / dense[d] * (n - 1) >= padded[d])
      return false;
    Axis &axis = axes[d];
    const bool reduced = j + op.getReduced() >= windows.shape.size();
    int &dim = reduced ? axis.windowDim : axis.outDim;
    if (dim >= 0)
      return false;
    dim = j;
    (reduced ? axis.windowStep : axis.outStep) = stride / dense[d];
  }
  return true;
}

/// Neighbouring results whose windows have the same taps inside make a run.
bool Splitter::cut(Axis &axis) {
  const int64_t outs = axis.outDim < 0 ? 1 : shape[axis.outDim],
                taps = axis.windowDim < 0 ? 1 : shape[axis.windowDim];
  for (int64_t o = 0; o < outs; ++o) {
    auto inside = [&](int64_t k) {
      const int64_t at = o * axis.outStep + k * axis.windowStep - axis.low;
      return at >= 0 && at < axis.size;
    };
    int64_t first = 0, end = taps;
    while (first < taps && !inside(first))
      ++first;
    while (end > first && !inside(end - 1))
      --end;
    if (first == end)
      return false; // nothing but padding
    if (!axis.runs.empty() && axis.runs.back().tap == first &&
        axis.runs.back().taps == end - first)
      ++axis.runs.back().outs;
    else
      axis.runs.push_back({o, 1, first, end - first});
  }
  return true;
}

bool Splitter::analyse(int64_t leastBytes) {
  if (op.getInputs().size() != 1 || op.getProgram().size() != 4)
    return false;
  loomt::Ref windows = loomt::Ref::of(op.getInputs()[0]);
  copy = windows.root.getDefiningOp<loomt::CopyOp>();
  if (!copy || !copy.getFill() || copy.getInputs().size() != 1 ||
      windows.offset != 0 ||
      !isIdentity(op.getReducer(), copy.getType().getElementType(),
                  *copy.getFill()) ||
      copy.getType().getNumElements() * elementBytesOf(copy.getType()) <
          leastBytes)
    return false;
  input = loomt::Ref::of(copy.getInputs()[0]);
  shape = windows.shape;
  ArrayRef<int64_t> padded = copy.getType().getShape();
  const SmallVector<int64_t> dense = loomt::denseStrides(padded);
  if (input.shape.size() != padded.size() ||
      ArrayRef<int64_t>(dense) !=
          cast<DenseI64ArrayAttr>(copy.getStrides()[0]).asArrayRef())
    return false;
  int64_t rest = copy.getOffsets()[0];
  for (size_t d = 0; d < padded.size(); ++d) {
    Axis axis;
    axis.size = input.shape[d];
    axis.inStride = input.strides[d];
    axis.low = rest / dense[d];
    rest %= dense[d];
    axes.push_back(axis);
  }
  if (!assign(windows))
    return false;
  size_t parts = 1;
  for (Axis &axis : axes) {
    if (!cut(axis))
      return false;
    parts *= axis.runs.size();
  }
  return parts <= kMaxParts;
}

/// Reduces the windows that these runs, one of each axis, name; `offset` of the
/// part in the result.
Value Splitter::part(OpBuilder &builder, ArrayRef<Axis::Run> runs,
                     int64_t &offset) {
  auto type = op.getType();
  const SmallVector<int64_t> dense = loomt::denseStrides(type.getShape());
  loomt::Ref ref = input;
  ref.shape = shape;
  ref.strides.assign(shape.size(), 0);
  offset = 0;
  for (auto [axis, run] : llvm::zip(axes, runs)) {
    ref.offset +=
        (run.out * axis.outStep + run.tap * axis.windowStep - axis.low) *
        axis.inStride;
    if (axis.outDim >= 0) {
      ref.shape[axis.outDim] = run.outs;
      ref.strides[axis.outDim] = axis.outStep * axis.inStride;
      offset += run.out * dense[axis.outDim];
    }
    if (axis.windowDim >= 0) {
      ref.shape[axis.windowDim] = run.taps;
      ref.strides[axis.windowDim] = axis.windowStep * axis.inStride;
    }
  }
  auto kept = ArrayRef<int64_t>(ref.shape).drop_back(op.getReduced());
  return loomt::ReduceOp::create(
      builder, op.getLoc(), RankedTensorType::get(kept, type.getElementType()),
      ref.materialiseView(builder, op.getLoc()), op.getProgramAttr(),
      op.getImmsAttr(), op.getReducerAttr(), op.getReducedAttr());
}

void Splitter::rewrite() {
  OpBuilder builder(op);
  SmallVector<Value> parts;
  SmallVector<int64_t> offsets;
  const auto strides = builder.getDenseI64ArrayAttr(
      loomt::denseStrides(op.getType().getShape()));
  SmallVector<Attribute> all;
  SmallVector<size_t> at(axes.size(), 0);
  while (true) {
    SmallVector<Axis::Run> runs;
    for (auto [axis, i] : llvm::zip(axes, at))
      runs.push_back(axis.runs[i]);
    int64_t offset;
    parts.push_back(part(builder, runs, offset));
    offsets.push_back(offset);
    all.push_back(strides);
    size_t d = axes.size();
    while (d-- > 0) {
      if (++at[d] < axes[d].runs.size())
        break;
      at[d] = 0;
    }
    if (d == size_t(-1))
      break;
  }
  Value result = parts[0];
  if (parts.size() > 1)
    result = loomt::CopyOp::create(builder, op.getLoc(), op.getType(), parts,
                                   builder.getDenseI64ArrayAttr(offsets),
                                   builder.getArrayAttr(all), nullptr);
  op.getResult().replaceAllUsesWith(result);
  Value view = op.getInputs()[0];
  op.erase();
  if (view.use_empty() && view.getDefiningOp<loomt::ViewOp>())
    view.getDefiningOp()->erase();
  if (copy.getResult().use_empty())
    copy.erase();
}

void mlir::loom::splitWindows(func::FuncOp func, const loom_target &target) {
  for (auto op : llvm::make_early_inc_range(func.getOps<loomt::ReduceOp>())) {
    Splitter splitter(op);
    if (splitter.analyse(target.sram_bytes / 4))
      splitter.rewrite();
  }
}
