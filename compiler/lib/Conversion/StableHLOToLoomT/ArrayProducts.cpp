// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products that the array does: dot_general as [B, M, K] x [B, K, N], and
// convolutions of images.

#include "Converter.h"
#include "Scalar.h"

#include "loom/Dialect/StableHLO/StableHLO.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::Program;
using loomt::Ref;

/// A product's operand: integers of a product of floats as such. For the array
/// f16 widens to f32, which is exact.
Value Converter::productOperand(Operation *op, Value value, bool forArray) {
  Value mapped = map.lookup(value);
  auto type = cast<RankedTensorType>(mapped.getType());
  Type from = type.getElementType(), result = elementOf(op->getResult(0));
  Type to = isa<FloatType>(result) && !isa<FloatType>(from) ? result : from;
  Program program;
  emitConvert(program, program.load(0), from, to);
  if (forArray && to.isF16())
    to = builder.getF32Type();
  if (from == to)
    return mapped;
  return loomt::MapOp::create(
      builder, op->getLoc(), RankedTensorType::get(type.getShape(), to), mapped,
      builder.getDenseI32ArrayAttr(program.words()),
      builder.getDenseI32ArrayAttr(program.imms));
}

static bool leavesFloatsAsIntegers(Operation *op) {
  return !isa<FloatType>(elementOf(op->getResult(0))) &&
         (isa<FloatType>(elementOf(op->getOperand(0))) ||
          isa<FloatType>(elementOf(op->getOperand(1))));
}

LogicalResult Converter::dot(stablehlo::DotGeneralOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  Type out = type.getElementType();
  if (leavesFloatsAsIntegers(op))
    return refuse(op, "a product of floats does not leave as an integer",
                  "convert the result");
  const bool array = arrayMultiplies(op);
  Ref lhs = Ref::of(productOperand(op, op.getLhs(), array)),
      rhs = Ref::of(productOperand(op, op.getRhs(), array));
  auto arrange = [](const Ref &ref, ArrayRef<ArrayRef<int64_t>> groups,
                    SmallVectorImpl<int64_t> &sizes) {
    Ref result{ref.root, ref.offset, {}, {}};
    for (ArrayRef<int64_t> group : groups) {
      int64_t size = 1;
      for (int64_t d : group) {
        result.shape.push_back(ref.shape[d]);
        result.strides.push_back(ref.strides[d]);
        size *= ref.shape[d];
      }
      sizes.push_back(size);
    }
    return result;
  };
  auto others = [](const Ref &ref, ArrayRef<int64_t> a, ArrayRef<int64_t> b) {
    SmallVector<int64_t> rest;
    for (int64_t d = 0; d < int64_t(ref.shape.size()); ++d)
      if (!llvm::is_contained(a, d) && !llvm::is_contained(b, d))
        rest.push_back(d);
    return rest;
  };
  ArrayRef<int64_t> lb = op.getLhsBatchingDimensions(),
                    rb = op.getRhsBatchingDimensions(),
                    lk = op.getLhsContractingDimensions(),
                    rk = op.getRhsContractingDimensions();
  SmallVector<int64_t> lm = others(lhs, lb, lk), rn = others(rhs, rb, rk);
  SmallVector<int64_t> a, b;
  Ref left3 = arrange(lhs, {lb, lm, lk}, a),
      right3 = arrange(rhs, {rb, rk, rn}, b);
  left3 = collapse(left3, a, op.getLoc());
  right3 = collapse(right3, b, op.getLoc());
  if (!a[2]) {
    map[op.getResult()] = splat(op.getLoc(), type, 0);
    return success();
  }
  auto flat = RankedTensorType::get({a[0], a[1], b[2]}, out);
  Value result = array
                     ? Value(loomt::ContractOp::create(
                           builder, op.getLoc(), flat,
                           left3.materialiseView(builder, op.getLoc()),
                           right3.materialiseView(builder, op.getLoc()),
                           Value(), Value(), Value(), FloatAttr(), FloatAttr()))
                     : dotByVector(op.getLoc(), left3, right3, out);
  set(op, *Ref::of(result).reshaped(type.getShape()));
  return success();
}

/// A convolution's operand as an image: the spatial dimensions between `first`
/// and `last`, or before both. A single one is the x of a map one row high.
static Ref imageOf(const Ref &ref, int64_t first, ArrayRef<int64_t> space,
                   int64_t last, bool spaceFirst) {
  Ref r{ref.root, ref.offset, {}, {}};
  auto push = [&](int64_t d) {
    r.shape.push_back(ref.shape[d]);
    r.strides.push_back(ref.strides[d]);
  };
  if (!spaceFirst)
    push(first);
  if (space.size() == 1) {
    r.shape.push_back(1);
    r.strides.push_back(0);
  }
  for (int64_t d : space)
    push(d);
  if (spaceFirst)
    push(first);
  push(last);
  return r;
}

/// What the array is given of a convolution.
struct Converter::ImageProduct {
  Ref input, filter; // [batch, y, x, feature], [y, x, channel, feature]
  int64_t groups;
  SmallVector<int64_t> stride, dilation, low; // y, x

  /// Whether a record's fields hold the numbers.
  bool fits() const {
    for (size_t d = 0; d < 2; ++d)
      if (stride[d] > 255 || dilation[d] > 255 || low[d] > INT16_MAX)
        return false;
    return true;
  }
};

Converter::ImageProduct Converter::imageProduct(stablehlo::ConvolutionOp op) {
  const size_t spatial = op.getInputSpatialDimensions().size();
  Ref input =
          imageOf(Ref::of(productOperand(op, op.getLhs(), true)),
                  op.getInputBatchDimension(), op.getInputSpatialDimensions(),
                  op.getInputFeatureDimension(), false),
      filter = imageOf(Ref::of(productOperand(op, op.getRhs(), true)),
                       op.getKernelInputFeatureDimension(),
                       op.getKernelSpatialDimensions(),
                       op.getKernelOutputFeatureDimension(), true);
  int64_t groups = op.getFeatureGroupCount();
  if (const int64_t batches = op.getBatchGroupCount(); batches != 1) {
    // Groups of the batch are groups of features.
    const SmallVector<int64_t> shape{input.shape[0] / batches, input.shape[1],
                                     input.shape[2], batches * input.shape[3]};
    Ref split{input.root,
              input.offset,
              {shape[0], shape[1], shape[2], batches, input.shape[3]},
              {input.strides[0], input.strides[1], input.strides[2],
               shape[0] * input.strides[0], input.strides[3]}};
    input = collapse(split, shape, op.getLoc());
    groups = batches;
  }
  auto two = [&](ArrayRef<int64_t> v, int64_t neutral) {
    SmallVector<int64_t> r(v.begin(), v.end());
    if (r.size() == 1)
      r.insert(r.begin(), neutral);
    return r;
  };
  SmallVector<int64_t> spread = two(op.getLhsDilation(), 1), low, high;
  for (size_t d = 0; d < spatial; ++d) {
    low.push_back(op.getPadding()[2 * d]);
    high.push_back(op.getPadding()[2 * d + 1]);
  }
  low = two(low, 0);
  high = two(high, 0);
  for (size_t d = 0; d < spatial; ++d)
    if (op.getWindowReversal()[d]) {
      const size_t at = d + 2 - spatial;
      filter.offset += (filter.shape[at] - 1) * filter.strides[at];
      filter.strides[at] = -filter.strides[at];
    }
  // Zeros between elements and negative padding: a padded copy of the map.
  // The array walks padding after the map by itself.
  const bool spreads = spread[0] != 1 || spread[1] != 1;
  const bool crops = low[0] < 0 || low[1] < 0 || high[0] < 0 || high[1] < 0;
  if (spreads || crops) {
    input =
        Ref::of(padded(input, {0, low[0], low[1], 0}, {0, high[0], high[1], 0},
                       {0, spread[0] - 1, spread[1] - 1, 0}, 0, op.getLoc()));
    low = {0, 0};
  }
  return {input,
          filter,
          groups,
          two(op.getWindowStrides(), 1),
          two(op.getRhsDilation(), 1),
          low};
}

LogicalResult Converter::convolution(stablehlo::ConvolutionOp op) {
  const size_t spatial = op.getInputSpatialDimensions().size();
  auto type = cast<RankedTensorType>(op.getType());
  if (isEmpty(op.getLhs().getType()) || isEmpty(op.getRhs().getType())) {
    map[op.getResult()] = splat(op.getLoc(), type, 0);
    return success();
  }
  if (leavesFloatsAsIntegers(op))
    return refuse(op, "a product of floats does not leave as an integer",
                  "convert the result");
  if (!arrayMultiplies(op) || spatial < 1 || spatial > 2) {
    map[op.getResult()] = convolutionByVector(op);
    return success();
  }
  ImageProduct image = imageProduct(op);
  if (!image.fits()) {
    map[op.getResult()] = convolutionByVector(op);
    return success();
  }
  SmallVector<int64_t> shape{type.getDimSize(op.getOutputBatchDimension())};
  if (spatial == 1)
    shape.push_back(1);
  for (int64_t d : op.getOutputSpatialDimensions())
    shape.push_back(type.getDimSize(d));
  shape.push_back(type.getDimSize(op.getOutputFeatureDimension()));
  Value result = loomt::ConvOp::create(
      builder, op.getLoc(), RankedTensorType::get(shape, type.getElementType()),
      image.input.materialiseView(builder, op.getLoc()),
      image.filter.materialiseView(builder, op.getLoc()), Value(), Value(),
      Value(),
      builder.getDenseI64ArrayAttr({image.stride[0], image.stride[1],
                                    image.dilation[0], image.dilation[1],
                                    image.low[0], image.low[1]}),
      builder.getI64IntegerAttr(image.groups), FloatAttr(), FloatAttr());
  Ref out = Ref::of(result), to{out.root, 0, {}, {}};
  to.shape.assign(type.getRank(), 0);
  to.strides.assign(type.getRank(), 0);
  auto place = [&](int64_t d, size_t at) {
    to.shape[d] = out.shape[at];
    to.strides[d] = out.strides[at];
  };
  place(op.getOutputBatchDimension(), 0);
  for (auto [i, d] : llvm::enumerate(op.getOutputSpatialDimensions()))
    place(d, i + 3 - spatial);
  place(op.getOutputFeatureDimension(), 3);
  set(op, to);
  return success();
}
