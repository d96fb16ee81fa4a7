// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One operation to one record.

#include "loom/Dialect/Loom/Loom.h"

#include "loom/Target/Program/Record.h"

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::npu;

static uint64_t sramOffset(Value buf) {
  auto op = buf.getDefiningOp<BufOp>();
  return op && op.getOffset() ? *op.getOffset() : 0;
}

static uint64_t address(Value place, int64_t offset) {
  if (isa<BufType>(place.getType()))
    return LOOM_ADDR(LOOM_SLOT_SRAM, sramOffset(place) + offset);
  if (auto moved = place.getDefiningOp<MovedOp>())
    place = moved.getMem();
  auto slot = place.getDefiningOp<SlotOp>();
  return LOOM_ADDR(slot ? slot.getIndex() : 0, offset);
}

static void setSync(loom_semref (&refs)[2],
                    std::optional<ArrayRef<int32_t>> words) {
  for (size_t i = 0; words && i < 2 && 2 * i + 1 < words->size(); ++i)
    refs[i] = {uint8_t((*words)[2 * i]), uint8_t((*words)[2 * i + 1])};
}

static void encodeDma(DmaOp op, program::Record &record) {
  record.bytes.resize(sizeof(loom_dma));
  auto &r = record.as<loom_dma>();
  const bool ld = op.getQueue() == LOOM_Q_LD;
  r.h.op = op.getFill() ? (ld ? LOOM_OP_LD_FILL : LOOM_OP_ST_FILL)
                        : (ld ? LOOM_OP_LD_COPY : LOOM_OP_ST_COPY);
  setSync(r.h.wait, op.getWait());
  setSync(r.h.signal, op.getSignal());
  if (op.getSrc())
    r.src = address(op.getSrc(), op.getSrcOffset());
  r.dst = address(op.getDst(), op.getDstOffset());
  r.inner_bytes = op.getInner();
  for (unsigned d = 0; d < 4; ++d) {
    r.n[d] = op.getCounts()[d];
    r.sstride[d] = op.getSrcStrides()[d];
    r.dstride[d] = op.getDstStrides()[d];
  }
  if (op.getSrcReg())
    r.h.regsel |= LOOM_REGSEL(*op.getSrcReg(), 0, 0, 0);
  if (op.getDstReg())
    r.h.regsel |= LOOM_REGSEL(0, *op.getDstReg(), 0, 0);
  if (op.getFill()) {
    r.idx_or_fill = (*op.getFill())[0];
    r.elem = (*op.getFill())[1];
  }
}

static void encodeGather(GatherOp op, program::Record &record) {
  record.bytes.resize(sizeof(loom_dma));
  auto &r = record.as<loom_dma>();
  r.h.op = LOOM_OP_LD_GATHER;
  setSync(r.h.wait, op.getWait());
  setSync(r.h.signal, op.getSignal());
  r.src = address(op.getTable(), op.getTableOffset());
  r.dst = address(op.getDst(), op.getDstOffset());
  r.inner_bytes = op.getRowBytes();
  r.n[0] = r.n[1] = r.n[2] = 1;
  r.n[3] = op.getCount();
  r.sstride[3] = op.getRowStride();
  r.dstride[3] = op.getRowBytes();
  r.idx_type = LOOM_I32;
  r.idx_or_fill = sramOffset(op.getList()) + op.getListOffset();
  r.limit = op.getRows();
}

static void encodeScatter(ScatterOp op, program::Record &record) {
  record.bytes.resize(sizeof(loom_dma));
  auto &r = record.as<loom_dma>();
  r.h.op = LOOM_OP_ST_SCATTER;
  setSync(r.h.wait, op.getWait());
  setSync(r.h.signal, op.getSignal());
  r.src = address(op.getSrc(), op.getSrcOffset());
  r.dst = address(op.getTable(), op.getTableOffset());
  r.inner_bytes = op.getRowBytes();
  r.n[0] = r.n[1] = r.n[2] = 1;
  r.n[3] = op.getCount();
  r.sstride[3] = op.getRowBytes();
  r.dstride[3] = op.getRowStride();
  r.idx_type = LOOM_I32;
  r.idx_or_fill = sramOffset(op.getList()) + op.getListOffset();
  r.limit = op.getRows();
}

static void encodeEpilogue(MxuOp op, loom_epi &e) {
  e.bias = e.scale = e.residual = e.lut = LOOM_EPI_NONE;
  if (op.getBiasBuf())
    e.bias = sramOffset(op.getBiasBuf()) + op.getBiasOffset();
  if (op.getScaleBuf()) {
    e.scale = sramOffset(op.getScaleBuf());
    e.rq = LOOM_RQ_F32;
  }
  if (op.getResBuf()) {
    ArrayRef<int64_t> r = *op.getResidual();
    e.residual = sramOffset(op.getResBuf()) + r[0];
    e.res_type = r[1];
    e.r_sy = r[2];
    e.r_sx = r[3];
    e.r_sn = r[4];
  }
  if (!op.getClamp())
    return;
  e.act = LOOM_ACT_CLAMP;
  e.lo = (*op.getClamp())[0];
  e.hi = (*op.getClamp())[1];
}

static void encodeMxu(MxuOp op, program::Record &record) {
  const bool epi = op.getOutBuf() && (op.getBiasBuf() || op.getScaleBuf() ||
                                      op.getResBuf() || op.getClamp());
  record.bytes.resize(sizeof(loom_mxu) + (epi ? sizeof(loom_epi) : 0));
  auto &r = record.as<loom_mxu>();
  r.h.op = LOOM_OP_MXU;
  setSync(r.h.wait, op.getWait());
  setSync(r.h.signal, op.getSignal());
  r.mode = op.getDepthwise() ? LOOM_MXU_DW : LOOM_MXU_GEMM;
  r.type = op.getTypes()[0];
  r.acc = op.getAcc()[0];
  r.acc_base = op.getAcc()[1];
  r.acc_pitch = op.getAcc()[2];
  ArrayRef<int64_t> a = op.getA(), w = op.getWindow(), b = op.getB(),
                    size = op.getSize(), outer = op.getOuter(),
                    out = op.getOutStrides();
  r.a_base = sramOffset(op.getABuf()) + a[0];
  r.ih = a[1];
  r.iw = a[2];
  r.a_sh = a[3];
  r.a_sw = a[4];
  r.a_sc = a[5];
  r.kh = w[0];
  r.kw = w[1];
  r.kc = w[2];
  r.sy = w[3];
  r.sx = w[4];
  r.dy = w[5];
  r.dx = w[6];
  r.py = w[7];
  r.px = w[8];
  r.b_base = sramOffset(op.getBBuf()) + b[0];
  r.b_sk = b[1];
  r.b_sn = b[2];
  r.oh = size[0];
  r.ow = size[1];
  r.n = size[2];
  for (unsigned i = 0; i < 2; ++i) {
    r.outer[i] = outer[i];
    r.a_so[i] = outer[2 + i];
    r.b_so[i] = outer[4 + i];
  }
  if (op.getOutBuf()) {
    r.flags = LOOM_MXU_DRAIN | (epi ? LOOM_MXU_EPI : 0);
    for (unsigned i = 0; i < 2; ++i)
      r.o_so[i] = outer[6 + i];
    r.out_base = sramOffset(op.getOutBuf()) + out[0];
    r.o_sy = out[1];
    r.o_sx = out[2];
    r.o_sn = out[3];
    r.out_type = op.getTypes()[1];
  }
  if (epi)
    encodeEpilogue(op, record.as<loom_epi>(sizeof(loom_mxu)));
}

static void encodeVpu(VpuOp op, program::Record &record) {
  const size_t views = op.getBufs().size(), imms = op.getImms().size(),
               uops = op.getUops().size();
  const size_t used =
      sizeof(loom_vpu) + views * sizeof(loom_view) + 4 * (imms + uops);
  record.bytes.resize(llvm::alignTo(used, LOOM_UNIT_BYTES));
  auto &r = record.as<loom_vpu>();
  r.h.op = LOOM_OP_VPU;
  setSync(r.h.wait, op.getWait());
  setSync(r.h.signal, op.getSignal());
  for (unsigned d = 0; d < 6; ++d)
    r.n[d] = op.getCounts()[d];
  r.mask = op.getMask();
  r.nviews = views;
  r.nops = uops;
  r.nimms = imms;
  for (size_t i = 0; i < views; ++i) {
    auto &view = record.as<loom_view>(sizeof(loom_vpu) + i * sizeof(loom_view));
    ArrayRef<int64_t> v = op.getViews().slice(9 * i, 9);
    view.base = sramOffset(op.getBufs()[i]) + v[0];
    view.dtype = v[1];
    view.flags = v[2];
    for (unsigned d = 0; d < 6; ++d)
      view.stride[d] = v[3 + d];
  }
  uint8_t *at =
      record.bytes.data() + sizeof(loom_vpu) + views * sizeof(loom_view);
  memcpy(at, op.getImms().data(), 4 * imms);
  memcpy(at + 4 * imms, op.getUops().data(), 4 * uops);
}

static void encodeScalar(ScalarOp op, program::Record &record) {
  record.bytes.resize(sizeof(loom_seq));
  auto &r = record.as<loom_seq>();
  r.h.op = op.getOpcode();
  r.rd = op.getRd();
  r.ra = op.getRa();
  r.rb = op.getRb();
  r.imm = op.getImm();
  if (op.getBuf()) {
    r.cond = scalarBytes(op) == 1 ? LOOM_SCALAR_I8 : LOOM_SCALAR_I32;
    r.imm += sramOffset(op.getBuf());
  }
}

static void encodeLoop(LoopOp op, program::Record &record) {
  record.bytes.resize(sizeof(loom_seq));
  auto &r = record.as<loom_seq>();
  r.h.op = LOOM_OP_LOOP;
  r.rd = op.getRd();
  r.imm = op.getCount();
  r.target = op.getTarget().value_or(0);
}

static void encodeBranch(BranchOp op, program::Record &record) {
  record.bytes.resize(sizeof(loom_seq));
  auto &r = record.as<loom_seq>();
  r.h.op = LOOM_OP_BR;
  r.cond = op.getCond();
  r.ra = op.getRa();
  r.imm = op.getImm();
  r.target = op.getTarget().value_or(0);
}

program::Record npu::encodeRecord(Operation *op, uint32_t loc) {
  program::Record record;
  if (auto dma = dyn_cast<DmaOp>(op))
    encodeDma(dma, record);
  else if (auto gather = dyn_cast<GatherOp>(op))
    encodeGather(gather, record);
  else if (auto scatter = dyn_cast<ScatterOp>(op))
    encodeScatter(scatter, record);
  else if (auto mxu = dyn_cast<MxuOp>(op))
    encodeMxu(mxu, record);
  else if (auto vpu = dyn_cast<VpuOp>(op))
    encodeVpu(vpu, record);
  else if (auto scalar = dyn_cast<ScalarOp>(op))
    encodeScalar(scalar, record);
  else if (auto loop = dyn_cast<LoopOp>(op))
    encodeLoop(loop, record);
  else if (auto branch = dyn_cast<BranchOp>(op))
    encodeBranch(branch, record);
  else
    record.bytes.resize(sizeof(loom_seq));
  loom_hdr &header = record.header();
  if (isa<FenceOp>(op))
    header.op = LOOM_OP_FENCE;
  if (isa<HaltOp>(op))
    header.op = LOOM_OP_HALT;
  header.units = record.bytes.size() / LOOM_UNIT_BYTES;
  header.loc = loc;
  return record;
}

uint64_t npu::unitsOf(Operation *op) {
  return encodeRecord(op, 0).bytes.size() / LOOM_UNIT_BYTES;
}
