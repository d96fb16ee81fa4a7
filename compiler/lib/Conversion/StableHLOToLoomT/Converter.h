// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the parts of the conversion share.

#ifndef LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_CONVERTER_H
#define LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_CONVERTER_H

#include "loom/Dialect/LoomT/LoomT.h"
#include "loom/Dialect/StableHLO/CountedLoop.h"
#include "loom/Dialect/StableHLO/Patterns.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::loom {

inline Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

inline bool isEmpty(Type type) {
  return !cast<RankedTensorType>(type).getNumElements();
}

inline int64_t product(ArrayRef<int64_t> values) {
  int64_t result = 1;
  for (int64_t v : values)
    result *= v;
  return result;
}

/// Whether the array does this dot_general or convolution: operands and result
/// of its types, if integers of a product of floats are converted first.
bool arrayMultiplies(Operation *op);

struct CpuForm;
struct IndexedRows;

class Converter {
public:
  explicit Converter(func::FuncOp func)
      : func(func), builder(func.getContext()) {}
  LogicalResult run();

private:
  LogicalResult convert(Operation *op);
  void keep(Operation *op);
  LogicalResult dispatch(Operation *op);
  LogicalResult otherEngine(Operation *op);
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
  struct ImageProduct;
  ImageProduct imageProduct(stablehlo::ConvolutionOp op);
  LogicalResult convolution(stablehlo::ConvolutionOp op);
  LogicalResult reduce(stablehlo::ReduceOp op);
  LogicalResult reduceWindow(stablehlo::ReduceWindowOp op);
  LogicalResult selectAndScatter(stablehlo::SelectAndScatterOp op);
  loomt::Ref markedPadding(stablehlo::SelectAndScatterOp op,
                           ArrayRef<int64_t> low, ArrayRef<int64_t> high);
  LogicalResult scatter(stablehlo::ScatterOp op);
  LogicalResult topK(stablehlo::SortOp op);
  std::pair<Value, Value> firstBlocks(Value keys, int64_t count, int64_t block,
                                      Location loc);
  LogicalResult identity(Operation *op);
  LogicalResult whileLoop(stablehlo::WhileOp op);
  LogicalResult caseOf(stablehlo::CaseOp op);
  LogicalResult ifOf(stablehlo::IfOp op);
  LogicalResult branches(Operation *op, Value index,
                         MutableArrayRef<Region> regions);
  LogicalResult onlyBranch(Operation *op, Region &branch);
  LogicalResult region(Operation *around, Block &block);
  std::optional<SmallVector<Value>> given(Block &block);
  Value indexNumber(Value value, Location loc);

  /// Where a slice begins, in elements of its root: what is known, what the
  /// loops around move, and what indices do.
  struct Start {
    int64_t offset = 0;
    SmallVector<int64_t> loopSteps; // outermost first; empty: none
    SmallVector<Value> indices;
    SmallVector<int64_t> limits, steps;
  };
  Start startOf(ValueRange starts, ArrayRef<int64_t> whole,
                ArrayRef<int64_t> part, ArrayRef<int64_t> strides,
                Location loc);
  LogicalResult dynamicSlice(stablehlo::DynamicSliceOp op);
  LogicalResult staticUpdates(stablehlo::DynamicUpdateSliceOp op);
  Value freshCopy(Value value, Location loc);

  LogicalResult argReduce(stablehlo::ReduceOp op);
  Value argIndex(stablehlo::ReduceOp op, bool largest);
  LogicalResult gatherRows(stablehlo::GatherOp op);
  LogicalResult oneUpdate(stablehlo::ScatterOp op, const IndexedRows &rows);
  LogicalResult scatterRows(stablehlo::ScatterOp op, const IndexedRows &rows);
  Value rowNumbers(const IndexedRows &rows, bool drops, Location loc);

  // What the CPU engine runs (Cpu*.cpp).
  LogicalResult refuseCpu(Operation *op, const Twine &reason);
  LogicalResult finishCpu(Operation *op, CpuForm &form);
  SmallVector<Value> cpuStep(Operation *op, CpuForm &form);
  LogicalResult dispatchCpu(Operation *op);
  LogicalResult cpuElementwise(Operation *op);
  LogicalResult cpuMap(stablehlo::MapOp op);
  LogicalResult cpuIota(stablehlo::IotaOp op);
  LogicalResult cpuBitcast(stablehlo::BitcastConvertOp op);
  LogicalResult cpuConcatenate(stablehlo::ConcatenateOp op);
  LogicalResult cpuPad(stablehlo::PadOp op);
  LogicalResult cpuReduce(stablehlo::ReduceOp op);
  LogicalResult cpuReduceNothing(stablehlo::ReduceOp op);
  LogicalResult cpuReduceWindow(stablehlo::ReduceWindowOp op);
  LogicalResult cpuSelectAndScatter(stablehlo::SelectAndScatterOp op);
  LogicalResult cpuSort(stablehlo::SortOp op);
  LogicalResult cpuGather(stablehlo::GatherOp op);
  LogicalResult cpuScatter(stablehlo::ScatterOp op);
  LogicalResult cpuDynamicSlice(stablehlo::DynamicSliceOp op);
  LogicalResult cpuDynamicUpdateSlice(stablehlo::DynamicUpdateSliceOp op);
  LogicalResult checkCpuProduct(Operation *op);
  LogicalResult cpuDot(stablehlo::DotGeneralOp op);
  LogicalResult cpuConvolution(stablehlo::ConvolutionOp op);
  LogicalResult cpuFft(stablehlo::FftOp op);
  LogicalResult cpuFactor(Operation *op);
  LogicalResult cpuRegion(Operation *op, Region &region, unsigned arguments,
                          loomt::CpuProgram &program);
  LogicalResult combineStart(Operation *op, Region &region, Value init,
                             int32_t combiner);
  std::optional<int32_t> beginCombining(Operation *op, CpuForm &form,
                                        ValueRange inputs, ValueRange inits,
                                        Region &body);
  void storeResult(loomt::CpuProgram &program, int32_t value, Type element,
                   int32_t result);
  void addZeroIndex(CpuForm &form, Location loc, ArrayRef<int64_t> shape,
                    SmallVectorImpl<int64_t> &limits);
  void addStarts(CpuForm &form, Location loc, ValueRange starts,
                 ArrayRef<int64_t> shape, ArrayRef<int64_t> whole,
                 SmallVectorImpl<int64_t> &limits);
  LogicalResult identityOf(Operation *op, Value value) {
    map[op->getResult(0)] = map.lookup(value);
    return success();
  }

  LogicalResult staticRows(stablehlo::GatherOp op, const loomt::Ref &table,
                           ArrayRef<uint32_t> indices);
  Value mapOf(Location loc, RankedTensorType type, ValueRange inputs,
              loomt::Program &program, int32_t result);
  Value dense(const loomt::Ref &ref, Location loc);
  loomt::Ref collapse(const loomt::Ref &ref, ArrayRef<int64_t> shape,
                      Location loc);
  Value retyped(const loomt::Ref &ref, Type element, Location loc);
  loomt::Ref distances(ArrayRef<int64_t> shape, unsigned bits, Location loc);
  Value splat(Location loc, Type type, uint32_t value);
  Value zeros(Location loc, RankedTensorType type);
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
  Operation *place = nullptr;     // the outermost loop or case being converted
  SmallVector<Operation *> loops; // around; null: has no counter
  unsigned onNpu = 0;             // loops and branches of the machine around
  stablehlo::PlaceAnalysis places;
  std::string refusal; // the last of the NPU, if nobody was told
  bool failedOnce = false;
};

} // namespace mlir::loom

#endif // LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_CONVERTER_H
