// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dialect, and the verifiers of its records: shape of the record, and every
// footprint inside its buffer or slot.

#include "loom/Dialect/Loom/Loom.h"

#include "loom/Target/Program/Record.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::npu;

#include "loom/Dialect/Loom/LoomDialect.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "loom/Dialect/Loom/LoomTypes.cpp.inc"

#define GET_OP_CLASSES
#include "loom/Dialect/Loom/LoomOps.cpp.inc"

void npu::LoomDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "loom/Dialect/Loom/LoomTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "loom/Dialect/Loom/LoomOps.cpp.inc"
      >();
}

int64_t npu::bytesOf(Type place) {
  if (auto buf = dyn_cast<BufType>(place))
    return buf.getBytes();
  return cast<MemType>(place).getBytes();
}

bool npu::isRecord(Operation *op) {
  return isa<DmaOp, GatherOp, ScatterOp, MxuOp, VpuOp, ScalarOp, LoopOp,
             BranchOp, FenceOp, HaltOp>(op);
}

LogicalResult SlotOp::verify() {
  if (int64_t(getIndex()) < 0 || getIndex() >= LOOM_MAX_SLOTS)
    return emitOpError("index must be below ") << LOOM_MAX_SLOTS;
  if (getMem().getType().getBytes() <= 0)
    return emitOpError("has no bytes");
  return success();
}

/// The box an operand covers, relative to its own buffer, must lie in it.
static LogicalResult inside(Operation *op, StringRef what, Value place,
                            int64_t offset, int64_t inner,
                            const std::vector<program::Dim> &dims) {
  program::Access box = program::makeAccess(0, false, offset, inner, dims);
  if (box.lo >= 0 && box.hi <= bytesOf(place.getType()))
    return success();
  return op->emitOpError() << what << " touches bytes " << box.lo << " to "
                           << box.hi << " of " << bytesOf(place.getType());
}

static bool inRange(ArrayRef<int64_t> values, int64_t lo, int64_t hi) {
  return llvm::all_of(values, [&](int64_t v) { return v >= lo && v <= hi; });
}

static LogicalResult shape(Operation *op) {
  std::string why = program::checkRecord(encodeRecord(op, 0));
  if (why.empty())
    return success();
  return op->emitOpError(why);
}

int64_t npu::scalarBytes(ScalarOp op) {
  return op.getBuf() && bytesOf(op.getBuf().getType()) == 1 ? 1 : 4;
}

LogicalResult ScalarOp::verify() {
  if (bool(getBuf()) != (getOpcode() == LOOM_OP_LD))
    return emitOpError("a load has a buffer, and nothing else has");
  if (!inRange({int64_t(getRd()), int64_t(getRa()), int64_t(getRb())}, 0, 15))
    return emitOpError("a register is 0 to 15");
  if (getBuf() &&
      (int64_t(getImm()) < 0 ||
       int64_t(getImm()) + scalarBytes(*this) > bytesOf(getBuf().getType())))
    return emitOpError("reads byte ")
           << getImm() << " of " << bytesOf(getBuf().getType());
  return shape(*this);
}

LogicalResult LoopOp::verify() {
  if (!inRange({int64_t(getRd())}, 1, 15) || int64_t(getCount()) < 1)
    return emitOpError("counts in a register of 1 to 15, from 1 up");
  int64_t depth = 0;
  for (Operation *op = (*this)->getNextNode(); op; op = op->getNextNode()) {
    if (isa<EndLoopOp>(op) && depth-- == 0)
      return success();
    depth += isa<LoopOp>(op);
  }
  return emitOpError("has no end");
}

LogicalResult RoundOp::verify() {
  if (bool(getCond()) == bool(getCount()) ||
      (getCount() && int64_t(*getCount()) < 1))
    return emitOpError("goes by a count from 1 up, or by a condition");
  int64_t depth = 0;
  for (Operation *op = (*this)->getNextNode(); op; op = op->getNextNode()) {
    if (isa<EndRoundOp>(op) && depth-- == 0)
      return success();
    depth += isa<RoundOp>(op);
  }
  return emitOpError("has no end");
}

LogicalResult BranchOp::verify() {
  if (!inRange({int64_t(getRa())}, 0, 15) ||
      !inRange({int64_t(getCond())}, 0, LOOM_NUM_CONDS - 1))
    return emitOpError("compares a register of 0 to 15 by an enum loom_cond");
  for (auto label : (*this)->getParentOfType<func::FuncOp>().getOps<LabelOp>())
    if (label.getLabel() == getLabel())
      return success();
  return emitOpError("goes to no label");
}

LogicalResult DmaOp::verify() {
  if (getDstReg() && (!inRange({int64_t(*getDstReg())}, 1, 15) || getFill()))
    return emitOpError("a base register is 1 to 15 and goes with a copy");
  if (getSrcReg() && (!inRange({int64_t(*getSrcReg())}, 1, 15) || !getSrc()))
    return emitOpError("a base register is 1 to 15 and goes with a source");
  if (getCounts().size() != 4 || getSrcStrides().size() != 4 ||
      getDstStrides().size() != 4)
    return emitOpError("needs four counts and strides");
  if (!inRange(getCounts(), 1, UINT32_MAX) ||
      !inRange(getSrcStrides(), INT32_MIN, INT32_MAX) ||
      !inRange(getDstStrides(), INT32_MIN, INT32_MAX) ||
      !inRange({int64_t(getInner())}, 1, UINT32_MAX))
    return emitOpError("a number does not fit its field of the record");
  if (getQueue() != LOOM_Q_LD && getQueue() != LOOM_Q_ST)
    return emitOpError("queue must be 1 (LD) or 2 (ST)");
  if (bool(getSrc()) == bool(getFill()) ||
      (getFill() && getFill()->size() != 2))
    return emitOpError("needs a source or a fill of two numbers");
  if (failed(shape(*this)))
    return failure();
  std::vector<program::Dim> src, dst;
  for (unsigned d = 0; d < 4; ++d) {
    src.push_back({getCounts()[d], getSrcStrides()[d]});
    dst.push_back({getCounts()[d], getDstStrides()[d]});
  }
  if (getSrc() && failed(inside(*this, "source", getSrc(), getSrcOffset(),
                                getInner(), src)))
    return failure();
  return inside(*this, "destination", getDst(), getDstOffset(), getInner(),
                dst);
}

/// A table of rows, a list of their numbers, and the rows side by side.
template <typename IndexedOp>
static LogicalResult verifyRows(IndexedOp op, StringRef name, Value dense,
                                int64_t denseOffset) {
  const int64_t rows = op.getRows(), count = op.getCount(),
                bytes = op.getRowBytes(), stride = op.getRowStride();
  if (!inRange({rows, count, bytes}, 1, UINT32_MAX) ||
      !inRange({stride}, INT32_MIN, INT32_MAX))
    return op.emitOpError("a number does not fit its field of the record");
  if (failed(shape(op)) ||
      failed(inside(op, "table", op.getTable(), op.getTableOffset(), bytes,
                    {{rows, stride}})) ||
      failed(inside(op, "list", op.getList(), op.getListOffset(), 4,
                    {{count, 4}})))
    return failure();
  return inside(op, name, dense, denseOffset, bytes, {{count, bytes}});
}

LogicalResult GatherOp::verify() {
  return verifyRows(*this, "destination", getDst(), getDstOffset());
}

LogicalResult ScatterOp::verify() {
  return verifyRows(*this, "source", getSrc(), getSrcOffset());
}

LogicalResult MxuOp::verify() {
  if (getTypes().size() != 2 || getAcc().size() != 3 || getA().size() != 6 ||
      getWindow().size() != 9 || getB().size() != 3 || getSize().size() != 3 ||
      getOuter().size() != 8 || getOutStrides().size() != 4 ||
      (getClamp() && getClamp()->size() != 2) ||
      bool(getResBuf()) != bool(getResidual()) ||
      (getResidual() && getResidual()->size() != 5))
    return emitOpError("an attribute has a wrong number of entries");
  ArrayRef<int64_t> w = getWindow();
  if (!inRange({getA()[1], getA()[2], w[0], w[1], w[2], getSize()[0],
                getSize()[1], getSize()[2], getOuter()[0], getOuter()[1],
                getAcc()[1], getAcc()[2]},
               0, UINT16_MAX) ||
      !inRange(w.slice(3, 4), 0, UINT8_MAX) ||
      !inRange(w.slice(7, 2), INT16_MIN, INT16_MAX) ||
      !inRange(getOuter().drop_front(2), INT32_MIN, INT32_MAX) ||
      !inRange(getA(), INT32_MIN, INT32_MAX) ||
      !inRange(getB(), INT32_MIN, INT32_MAX) ||
      !inRange(getOutStrides(), INT32_MIN, INT32_MAX) ||
      (getResidual() && !inRange(*getResidual(), INT32_MIN, INT32_MAX)))
    return emitOpError("a number does not fit its field of the record");
  if (failed(shape(*this)))
    return failure();
  const program::Record record = encodeRecord(*this, 0);
  const auto &m = record.as<loom_mxu>();
  const int64_t in = m.type == LOOM_MXU_F32    ? 4
                     : m.type == LOOM_MXU_BF16 ? 2
                                               : 1;
  if (failed(inside(*this, "B", getBBuf(), getB()[0], in,
                    {{m.outer[0], m.b_so[0]},
                     {m.outer[1], m.b_so[1]},
                     {int64_t(m.kh) * m.kw * m.kc, m.b_sk},
                     {m.n, m.b_sn}})))
    return failure();
  if (getBiasBuf() && failed(inside(*this, "bias", getBiasBuf(),
                                    getBiasOffset(), m.n * 4ll, {})))
    return failure();
  if (getScaleBuf() &&
      failed(inside(*this, "scale", getScaleBuf(), 0, m.n * 4ll, {})))
    return failure();
  if (getResBuf()) {
    ArrayRef<int64_t> r = *getResidual();
    if (m.outer[0] != 1 || m.outer[1] != 1)
      return emitOpError("a residual goes with one repetition");
    if (failed(inside(*this, "residual", getResBuf(), r[0],
                      loom_dtype_bytes(r[1]),
                      {{m.oh, r[2]}, {m.ow, r[3]}, {m.n, r[4]}})))
      return failure();
  }
  if (!getOutBuf())
    return success();
  return inside(*this, "output", getOutBuf(), getOutStrides()[0],
                loom_dtype_bytes(m.out_type),
                {{m.outer[0], m.o_so[0]},
                 {m.outer[1], m.o_so[1]},
                 {m.oh, m.o_sy},
                 {m.ow, m.o_sx},
                 {m.n, m.o_sn}});
}

LogicalResult VpuOp::verify() {
  if (getCounts().size() != 6 || getViews().size() != getBufs().size() * 9)
    return emitOpError("needs six counts, and nine numbers a view");
  if (!inRange(getCounts(), 1, UINT16_MAX) ||
      !inRange(getViews(), INT32_MIN, INT32_MAX) ||
      getBufs().size() > LOOM_VPU_MAX_VIEWS ||
      getUops().size() > LOOM_VPU_MAX_OPS ||
      getImms().size() > LOOM_VPU_MAX_IMMS)
    return emitOpError("a number does not fit its field of the record");
  if (failed(shape(*this)))
    return failure();
  for (auto [i, buf] : llvm::enumerate(getBufs())) {
    ArrayRef<int64_t> view = getViews().slice(i * 9, 9);
    std::vector<program::Dim> dims;
    for (unsigned d = 0; d < 6; ++d)
      dims.push_back({getCounts()[d], view[3 + d]});
    if (failed(inside(*this, "a view", buf, view[0], loom_dtype_bytes(view[1]),
                      dims)))
      return failure();
  }
  return success();
}
