// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One CPU operation to its bytes, as loom_cpu_ops.h lays them out.

#include "loom/Dialect/Loom/Loom.h"

#include "loom_cpu_cost.h"

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::npu;

namespace {
/// Fields of a structure's parameters, in order.
struct Field {
  unsigned bytes, count;
  bool reserved = false;
};
} // namespace

static ArrayRef<Field> fieldsOf(int64_t structure) {
  static const Field reduce[] = {{4, 1}, {2, 1}, {1, 1}, {1, 1, true}};
  static const Field window[] = {{4, 8}, {4, 8}, {4, 8}, {4, 8},
                                 {4, 8}, {2, 1}, {1, 1}, {5, 1, true}};
  static const Field select[] = {{4, 8}, {4, 8}, {4, 8}, {4, 1}, {4, 1, true}};
  static const Field gather[] = {{4, 1}, {4, 1, true}, {4, 8}, {8, 8}};
  static const Field scatter[] = {{4, 1},       {4, 1}, {1, 1},
                                  {7, 1, true}, {4, 8}, {8, 32}};
  static const Field solve[] = {{4, 1}, {4, 1, true}};
  static const Field sort[] = {{4, 1}, {1, 1}, {3, 1, true}};
  static const Field scan[] = {{4, 1}, {2, 1}, {1, 1}, {1, 1, true}};
  static const Field dot[] = {{4, 1}, {4, 1, true}, {4, 8}, {8, 8}, {8, 8}};
  static const Field conv[] = {{4, 1}, {4, 1}, {4, 4}, {4, 4}, {4, 4},
                               {4, 4}, {4, 4}, {4, 4}, {4, 4}, {8, 4},
                               {8, 4}, {8, 1}, {8, 1}, {8, 1}};
  static const Field fft[] = {{4, 1}, {4, 1}, {1, 1}, {7, 1, true}};
  switch (structure) {
  case LOOM_CPU_REDUCE:
    return reduce;
  case LOOM_CPU_WINDOW:
    return window;
  case LOOM_CPU_SELECT_SCATTER:
    return select;
  case LOOM_CPU_GATHER:
    return gather;
  case LOOM_CPU_SCATTER:
    return scatter;
  case LOOM_CPU_SORT:
    return sort;
  case LOOM_CPU_SCAN:
    return scan;
  case LOOM_CPU_DOT:
    return dot;
  case LOOM_CPU_CONV:
    return conv;
  case LOOM_CPU_FFT:
    return fft;
  case LOOM_CPU_TRIANGULAR_SOLVE:
    return solve;
  default:
    return {};
  }
}

/// Numbers that the fields of a structure's parameters take.
static size_t numbersOf(int64_t structure) {
  size_t count = 0;
  for (const Field &field : fieldsOf(structure))
    count += field.reserved ? 0 : field.count;
  return count;
}

static void append(std::vector<uint8_t> &bytes, const void *data,
                   size_t count) {
  const auto *begin = static_cast<const uint8_t *>(data);
  bytes.insert(bytes.end(), begin, begin + count);
}

static loom_cpu_operand operandOf(Value mem, ArrayRef<int64_t> box) {
  loom_cpu_operand operand;
  memset(&operand, 0, sizeof(operand));
  auto slot = mem.getDefiningOp<SlotOp>();
  operand.slot = slot ? slot.getIndex() : 0;
  operand.dtype = box[0];
  operand.offset = box[1];
  operand.rank = (box.size() - 2) / 2;
  for (unsigned d = 0; d < operand.rank; ++d) {
    operand.dims[d] = box[2 + d];
    operand.strides[d] = box[2 + operand.rank + d];
  }
  return operand;
}

std::vector<uint8_t> npu::encodeCpu(CpuOp op, uint32_t loc) {
  std::vector<uint8_t> bytes(sizeof(loom_cpu_op));
  for (auto [mem, box] : llvm::zip(op.getMems(), op.getOperandBoxes())) {
    const loom_cpu_operand operand =
        operandOf(mem, cast<DenseI64ArrayAttr>(box));
    append(bytes, &operand, sizeof(operand));
  }
  ArrayRef<int64_t> params = op.getParams();
  for (const Field &field : fieldsOf(op.getStructure()))
    for (unsigned i = 0; i < field.count; ++i) {
      int64_t value = 0;
      if (!field.reserved) {
        value = params.front();
        params = params.drop_front();
      }
      append(bytes, &value, field.bytes);
    }
  for (int64_t word : op.getScalars())
    append(bytes, &word, 8);
  for (int64_t imm : op.getImms())
    append(bytes, &imm, 8);
  loom_cpu_op header;
  memset(&header, 0, sizeof(header));
  header.structure = op.getStructure();
  header.n_operands = op.getMems().size();
  header.n_inputs = op.getInputs();
  header.n_scalar_ops = op.getScalars().size();
  header.n_imms = op.getImms().size();
  header.bytes = bytes.size();
  header.loc = loc;
  memcpy(bytes.data(), &header, sizeof(header));
  // The formula reads the operation as it is encoded, 8-byte aligned.
  std::vector<uint64_t> aligned(bytes.size() / 8);
  memcpy(aligned.data(), bytes.data(), bytes.size());
  header.cost =
      loom_cpu_op_cost(reinterpret_cast<const loom_cpu_op *>(aligned.data()));
  memcpy(bytes.data(), &header, sizeof(header));
  return bytes;
}

LogicalResult CpuOp::verify() {
  if (getStructure() < LOOM_CPU_MAP ||
      getStructure() >= LOOM_NUM_CPU_STRUCTURES)
    return emitOpError("structure ") << getStructure() << " is none";
  if (getMems().empty() || getMems().size() > LOOM_CPU_MAX_OPERANDS ||
      getInputs() >= getMems().size() ||
      getOperandBoxes().size() != getMems().size())
    return emitOpError("needs 1 to 16 operands with a box each, inputs first");
  if (getParams().size() != numbersOf(getStructure()))
    return emitOpError("has ") << getParams().size() << " parameters, not "
                               << numbersOf(getStructure());
  if (getScalars().size() > LOOM_CPU_MAX_SCALAR_OPS ||
      getImms().size() > LOOM_CPU_MAX_IMMS)
    return emitOpError("has more scalar operations or constants than the "
                       "engine takes");
  for (auto [mem, attr] : llvm::zip(getMems(), getOperandBoxes())) {
    auto box = dyn_cast<DenseI64ArrayAttr>(attr);
    if (!box || box.size() < 2 || box.size() % 2 ||
        box.size() > 2 + 2 * int64_t(LOOM_CPU_MAX_RANK) || box[0] < 0 ||
        box[0] > LOOM_U64)
      return emitOpError("a box has no meaning");
    ArrayRef<int64_t> values = box;
    const size_t rank = (values.size() - 2) / 2;
    int64_t lo = values[1], hi = lo + loom_dtype_bytes(values[0]);
    for (size_t d = 0; d < rank; ++d) {
      if (values[2 + d] < 1)
        return emitOpError("a box is empty");
      const int64_t reach = (values[2 + d] - 1) * values[2 + rank + d];
      (reach < 0 ? lo : hi) += reach;
    }
    if (lo < 0 || hi > bytesOf(mem.getType()))
      return emitOpError("touches bytes ")
             << lo << " to " << hi << " of " << bytesOf(mem.getType());
  }
  return success();
}
