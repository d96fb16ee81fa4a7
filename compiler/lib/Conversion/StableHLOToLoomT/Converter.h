// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the parts of the conversion share.

#ifndef LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_CONVERTER_H
#define LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_CONVERTER_H

#include "loom/Dialect/LoomT/LoomT.h"
#include "loom/Dialect/StableHLO/CountedLoop.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::loom {

/// Whether the array does this dot_general or convolution: operands and result
/// of its types, if integers of a product of floats are converted first.
bool arrayMultiplies(Operation *op);

class Converter {
public:
  explicit Converter(func::FuncOp func)
      : func(func), builder(func.getContext()) {}
  LogicalResult run();

private:
  LogicalResult convert(Operation *op);
  LogicalResult dispatch(Operation *op);
  LogicalResult refuse(Operation *op, const Twine &reason,
                       StringRef remedy = "");

  LogicalResult elementwise(Operation *op);
  LogicalResult erfc(Operation *op, Value x);
  LogicalResult constant(stablehlo::ConstantOp op);
  LogicalResult iota(stablehlo::IotaOp op);
  LogicalResult broadcast(stablehlo::BroadcastInDimOp op);
  LogicalResult reshape(stablehlo::ReshapeOp op);
  LogicalResult transpose(stablehlo::TransposeOp op);
  LogicalResult slice(stablehlo::SliceOp op);
  LogicalResult reverse(stablehlo::ReverseOp op);
  LogicalResult concatenate(stablehlo::ConcatenateOp op);
  LogicalResult pad(stablehlo::PadOp op);
  LogicalResult bitcast(stablehlo::BitcastConvertOp op);
  LogicalResult updateSlice(stablehlo::DynamicUpdateSliceOp op);
  LogicalResult gather(stablehlo::GatherOp op);
  LogicalResult dot(stablehlo::DotGeneralOp op);
  LogicalResult convolution(stablehlo::ConvolutionOp op);
  LogicalResult reduce(stablehlo::ReduceOp op);
  LogicalResult reduceWindow(stablehlo::ReduceWindowOp op);
  LogicalResult identity(Operation *op);
  LogicalResult whileLoop(stablehlo::WhileOp op);
  void loopSlice(stablehlo::DeviceLoop &loop, stablehlo::DynamicSliceOp op);
  void loopUpdate(stablehlo::DeviceLoop &loop, Value state,
                  stablehlo::DynamicUpdateSliceOp op);
  Value carried(Value next, loomt::LoopBeginOp begin);

  LogicalResult staticRows(stablehlo::GatherOp op, const loomt::Ref &table,
                           ArrayRef<uint32_t> indices);
  Value dense(const loomt::Ref &ref, Location loc);
  loomt::Ref collapse(const loomt::Ref &ref, ArrayRef<int64_t> shape,
                      Location loc);
  Value retyped(const loomt::Ref &ref, Type element, Location loc);
  loomt::Ref distances(ArrayRef<int64_t> shape, unsigned bits, Location loc);
  Value splat(Location loc, Type type, uint32_t value);
  Value productOperand(Operation *op, Value value, bool forArray);
  Value sumOfProducts(Location loc, const loomt::Ref &lhs,
                      const loomt::Ref &rhs, int64_t reduced, Type element);
  Value dotByVector(Location loc, const loomt::Ref &lhs, const loomt::Ref &rhs,
                    Type element);
  Value convolutionByVector(stablehlo::ConvolutionOp op);
  Value emitReduce(Operation *op, const loomt::Ref &window, int64_t reduced,
                   int32_t reducer, Value init, Type element);
  Value padded(const loomt::Ref &ref, ArrayRef<int64_t> low,
               ArrayRef<int64_t> high, ArrayRef<int64_t> interior,
               uint32_t fill, Location loc);
  Value paddedBy(const loomt::Ref &ref, ArrayRef<int64_t> low,
                 ArrayRef<int64_t> high, ArrayRef<int64_t> interior,
                 const loomt::Ref &value, Location loc);
  void set(Operation *op, const loomt::Ref &ref) {
    map[op->getResult(0)] = ref.materialiseView(builder, op->getLoc());
  }

  func::FuncOp func;
  OpBuilder builder;
  DenseMap<Value, Value> map;
  Operation *place = nullptr; // the loop whose body is being converted
  bool failedOnce = false;
};

} // namespace mlir::loom

#endif // LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_CONVERTER_H
