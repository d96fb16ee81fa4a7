// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bit casts that registers do not do by themselves: floats of 16 bits, and
// elements that become several or one of several.

#include "Converter.h"
#include "Scalar.h"

#include "loom/Dialect/StableHLO/Elements.h"
#include "loom/Dialect/StableHLO/StableHLO.h"

#include "loom_isa.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::Program;
using loomt::Ref;

static Type unsignedOf(Type type) {
  return IntegerType::get(type.getContext(), type.getIntOrFloatBitWidth(),
                          IntegerType::Unsigned);
}

/// The same bits as elements of another type of the same width.
Value Converter::retyped(const Ref &ref, Type element, Location loc) {
  if (cast<RankedTensorType>(ref.root.getType()).getElementType() == element)
    return ref.materialiseView(builder, loc);
  auto type = RankedTensorType::get(ref.shape, element);
  return loomt::CopyOp::create(
      builder, loc, type, ref.materialiseView(builder, loc),
      builder.getDenseI64ArrayAttr({0}),
      builder.getArrayAttr(
          builder.getDenseI64ArrayAttr(loomt::denseStrides(ref.shape))),
      nullptr);
}

/// For each part of an element, how far up it is.
Ref Converter::distances(ArrayRef<int64_t> shape, unsigned bits, Location loc) {
  SmallVector<char> bytes;
  for (int64_t i = 0; i < shape.back(); ++i)
    bytes.push_back(char(i * bits));
  Value steps = loomt::ConstantOp::create(
      builder, loc,
      RankedTensorType::get({shape.back()}, unsignedOf(builder.getI8Type())),
      stablehlo::makeElements(
          RankedTensorType::get({shape.back()},
                                unsignedOf(builder.getI8Type())),
          bytes));
  Ref ref{steps, 0, SmallVector<int64_t>(shape),
          SmallVector<int64_t>(shape.size(), 0)};
  ref.strides.back() = 1;
  return ref;
}

LogicalResult Converter::bitcast(stablehlo::BitcastConvertOp op) {
  Location loc = op.getLoc();
  Ref from = Ref::of(map.lookup(op.getOperand()));
  auto to = cast<RankedTensorType>(op.getType());
  Type source = cast<RankedTensorType>(from.root.getType()).getElementType(),
       element = to.getElementType();
  const unsigned wide = source.getIntOrFloatBitWidth(),
                 narrow = element.getIntOrFloatBitWidth();
  if (source.isInteger(1) || element.isInteger(1))
    return refuse(op, "booleans have no bits to cast", "convert them");
  if (wide == narrow) {
    map[op.getResult()] = retyped(from, element, loc);
    return success();
  }
  Ref bits = Ref::of(retyped(from, unsignedOf(source), loc));
  const bool splits = wide > narrow;
  Program program;
  const int32_t x = program.load(0), up = program.load(1);
  program.emit(splits ? LOOM_UOP_SHR : LOOM_UOP_SHL, x, up);
  if (splits) {
    bits.shape.push_back(wide / narrow);
    bits.strides.push_back(0);
  }
  const Ref steps = distances(bits.shape, splits ? narrow : wide, loc);
  const SmallVector<Value> inputs{bits.materialiseView(builder, loc),
                                  steps.materialiseView(builder, loc)};
  auto type = RankedTensorType::get(to.getShape(), unsignedOf(element));
  auto words = builder.getDenseI32ArrayAttr(program.words()),
       imms = builder.getDenseI32ArrayAttr(program.imms);
  Value result =
      splits
          ? Value(loomt::MapOp::create(builder, loc, type, inputs, words, imms))
          : Value(
                loomt::ReduceOp::create(builder, loc, type, inputs, words, imms,
                                        builder.getI32IntegerAttr(LOOM_UOP_ROR),
                                        builder.getI64IntegerAttr(1)));
  map[op.getResult()] = retyped(Ref::of(result), element, loc);
  return success();
}
