// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products that the array does not do: integers other than i8, convolutions of
// other than one or two spatial dimensions. The vector
// unit multiplies and sums; what it reads are views of the operands.

#include "Converter.h"

#include "loom/Dialect/StableHLO/StableHLO.h"

#include "loom_isa.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::Program;
using loomt::Ref;

/// Whether the array multiplies these, and its sums leave as that.
bool mlir::loom::arrayMultiplies(Operation *op) {
  auto element = [](Value value) {
    return cast<RankedTensorType>(value.getType()).getElementType();
  };
  Type lhs = element(op->getOperand(0)), rhs = element(op->getOperand(1)),
       out = element(op->getResult(0));
  if (isa<FloatType>(out)) // integers become such first
    return (isa<FloatType>(lhs) ? lhs : out) ==
           (isa<FloatType>(rhs) ? rhs : out);
  return lhs == rhs && lhs.isSignlessInteger(8) && out.isSignlessInteger(32);
}

/// The sum of products over the trailing `reduced` dimensions of two views of
/// one shape.
Value Converter::sumOfProducts(Location loc, const Ref &lhs, const Ref &rhs,
                               int64_t reduced, Type element) {
  Program program;
  const int32_t a = program.load(0), b = program.load(1);
  int32_t product = LOOM_UOP_IMUL, sum = LOOM_UOP_RADD_I;
  if (isa<FloatType>(element)) {
    product = LOOM_UOP_FMUL;
    sum = LOOM_UOP_RADD_F;
  } else if (element.isInteger(1)) {
    product = LOOM_UOP_AND;
    sum = LOOM_UOP_ROR;
  }
  program.emit(product, a, b);
  auto type = RankedTensorType::get(
      ArrayRef<int64_t>(lhs.shape).drop_back(reduced), element);
  return loomt::ReduceOp::create(builder, loc, type,
                                 ValueRange{lhs.materialiseView(builder, loc),
                                            rhs.materialiseView(builder, loc)},
                                 builder.getDenseI32ArrayAttr(program.words()),
                                 builder.getDenseI32ArrayAttr(program.imms),
                                 builder.getI32IntegerAttr(sum),
                                 builder.getI64IntegerAttr(reduced));
}

/// [B, M, K] x [B, K, N].
Value Converter::dotByVector(Location loc, const Ref &lhs, const Ref &rhs,
                             Type element) {
  const int64_t m = lhs.shape[1], n = rhs.shape[2];
  const SmallVector<int64_t> shape{lhs.shape[0], m, n, lhs.shape[2]};
  const Ref left{lhs.root,
                 lhs.offset,
                 shape,
                 {lhs.strides[0], lhs.strides[1], 0, lhs.strides[2]}};
  const Ref right{rhs.root,
                  rhs.offset,
                  shape,
                  {rhs.strides[0], 0, rhs.strides[2], rhs.strides[1]}};
  return sumOfProducts(loc, left, right, 1, element);
}

namespace {
/// Dimensions of both operands' views, one after the other.
struct Pair {
  SmallVector<int64_t> shape, left, right;
  void push(int64_t n, int64_t leftStride, int64_t rightStride) {
    shape.push_back(n);
    left.push_back(leftStride);
    right.push_back(rightStride);
  }
};
} // namespace

Value Converter::convolutionByVector(stablehlo::ConvolutionOp op) {
  Location loc = op.getLoc();
  Ref lhs = Ref::of(productOperand(op, op.getLhs(), false)),
      rhs = Ref::of(productOperand(op, op.getRhs(), false));
  auto type = cast<RankedTensorType>(op.getType());
  const int64_t groups = op.getFeatureGroupCount(),
                batches = op.getBatchGroupCount();
  ArrayRef<int64_t> space = op.getInputSpatialDimensions(),
                    window = op.getKernelSpatialDimensions();
  const int64_t b = op.getInputBatchDimension(),
                c = op.getInputFeatureDimension(),
                o = op.getKernelOutputFeatureDimension(),
                i = op.getKernelInputFeatureDimension();
  SmallVector<int64_t> low(lhs.shape.size(), 0), high(low), interior(low);
  bool pads = false;
  for (auto [d, at] : llvm::enumerate(space)) {
    low[at] = op.getPadding()[2 * d];
    high[at] = op.getPadding()[2 * d + 1];
    interior[at] = op.getLhsDilation()[d] - 1;
    pads |= low[at] || high[at] || interior[at];
  }
  if (pads)
    lhs = Ref::of(padded(lhs, low, high, interior, 0, loc));
  // [batch, y..., group, feature, | ky..., channel]; a group is one of features
  // or of the batch.
  const int64_t all = groups * batches, channels = rhs.shape[i],
                features = rhs.shape[o] / all, batch = lhs.shape[b] / batches;
  Pair p;
  p.push(batch, lhs.strides[b], 0);
  for (auto [d, at] : llvm::enumerate(space))
    p.push(type.getDimSize(op.getOutputSpatialDimensions()[d]),
           lhs.strides[at] * op.getWindowStrides()[d], 0);
  p.push(all, batches > 1 ? batch * lhs.strides[b] : channels * lhs.strides[c],
         features * rhs.strides[o]);
  p.push(features, 0, rhs.strides[o]);
  for (auto [d, at] : llvm::enumerate(window)) {
    const bool reversed = op.getWindowReversal()[d];
    if (reversed)
      rhs.offset += (rhs.shape[at] - 1) * rhs.strides[at];
    p.push(rhs.shape[at], lhs.strides[space[d]] * op.getRhsDilation()[d],
           reversed ? -rhs.strides[at] : rhs.strides[at]);
  }
  p.push(channels, lhs.strides[c], rhs.strides[i]);
  Value sums = sumOfProducts(loc, {lhs.root, lhs.offset, p.shape, p.left},
                             {rhs.root, rhs.offset, p.shape, p.right},
                             window.size() + 1, type.getElementType());
  SmallVector<int64_t> flat{batch};
  for (int64_t d : op.getOutputSpatialDimensions())
    flat.push_back(type.getDimSize(d));
  flat.push_back(all * features);
  const Ref out = *Ref::of(sums).reshaped(flat);
  Ref to{out.root, 0, SmallVector<int64_t>(type.getShape()), {}};
  to.strides.assign(type.getRank(), 0);
  to.strides[op.getOutputBatchDimension()] = out.strides[0];
  for (auto [d, at] : llvm::enumerate(op.getOutputSpatialDimensions()))
    to.strides[at] = out.strides[d + 1];
  to.strides[op.getOutputFeatureDimension()] = out.strides.back();
  return to.materialiseView(builder, loc);
}
