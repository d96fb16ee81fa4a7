// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The shape of one record, as the machine's decoder would judge it.

#include "loom/Target/Program/Record.h"

#include <algorithm>

using namespace mlir::loom::program;

static bool loadsNumber(const loom_seq &r) {
  return r.cond == LOOM_SCALAR_I8 ||
         (r.cond == LOOM_SCALAR_I32 && !(r.imm % 4));
}

static std::string checkSeq(const Record &record) {
  if (record.bytes.size() != sizeof(loom_seq))
    return "a scalar record is one unit";
  const auto &r = record.as<loom_seq>();
  if (r.rd > 15 || r.ra > 15 || r.rb > 15 || r.h.regsel)
    return "a scalar record names a register that there is not";
  switch (r.h.op) {
  case LOOM_OP_LD:
    return r.rd && !r.ra && !r.rb && !r.target && loadsNumber(r)
               ? ""
               : "a scalar load is of an aligned i32 or an i8, from a constant "
                 "place";
  case LOOM_OP_CLAMP:
  case LOOM_OP_MUL:
    return r.rd && !r.rb && !r.cond && !r.target
               ? ""
               : "CLAMP and MUL take a register and a constant";
  case LOOM_OP_ADD:
    return r.rd && !r.cond && !r.target
               ? ""
               : "ADD takes two registers and a constant";
  case LOOM_OP_BR:
    return !r.rd && !r.rb && r.cond < LOOM_NUM_CONDS
               ? ""
               : "a branch compares a register with a constant";
  }
  if (r.h.op == LOOM_OP_LOOP)
    return !r.rd || r.rd > 15 || r.ra || r.rb || r.cond || r.imm < 1 ||
                   r.imm > INT32_MAX || r.h.regsel
               ? "a loop counts in a register, to a constant"
               : "";
  if (r.h.op != LOOM_OP_HALT && r.h.op != LOOM_OP_FENCE)
    return "the compiler emits no scalar records but LD, CLAMP, MUL, ADD, BR, "
           "LOOP, FENCE and HALT";
  if (r.rd || r.ra || r.rb || r.cond || r.target || r.imm || r.h.regsel)
    return "HALT and FENCE have no operands";
  return "";
}

static std::string checkDma(const Record &record) {
  if (record.bytes.size() != sizeof(loom_dma))
    return "a DMA record is three units";
  const auto &r = record.as<loom_dma>();
  const bool fill = r.h.op == LOOM_OP_LD_FILL || r.h.op == LOOM_OP_ST_FILL;
  const bool copy = r.h.op == LOOM_OP_LD_COPY || r.h.op == LOOM_OP_ST_COPY;
  const bool indexed = !fill && !copy;
  uint64_t bytes = r.inner_bytes;
  for (unsigned d = 0; d < 4; ++d) {
    if (!r.n[d])
      return "a count is 0";
    bytes *= r.n[d];
    if (bytes > LOOM_CAP_DMA_BYTES)
      return "moves more than 1 MiB";
    if (fill && r.sstride[d])
      return "a fill has no source strides";
  }
  if (!r.inner_bytes)
    return "moves no bytes";
  if (fill ? (r.elem != 1 && r.elem != 2 && r.elem != 4) ||
                 r.inner_bytes % r.elem || r.src
           : r.elem != 0 || (copy && r.idx_or_fill))
    return "fill fields do not fit the opcode";
  if (indexed ? !r.limit || r.idx_or_fill % 4 ||
                    (r.idx_type != LOOM_I32 && r.idx_type != LOOM_U32)
              : r.limit || r.idx_type)
    return "index list fields do not fit the opcode";
  return r.codec || r.oob ? "a reserved field is set" : "";
}

static std::string checkMxu(const Record &record) {
  const auto &r = record.as<loom_mxu>();
  const bool epi = r.flags & LOOM_MXU_EPI;
  if (record.bytes.size() != sizeof(loom_mxu) + (epi ? sizeof(loom_epi) : 0))
    return "an MXU record is four units, six with an epilogue";
  if (r.type > LOOM_MXU_INT8 || r.acc > LOOM_ACC_BIAS || r.mode > LOOM_MXU_DW)
    return "mode, type or accumulator start has no meaning";
  if (!r.ih || !r.iw || !r.kh || !r.kw || !r.kc || !r.oh || !r.ow || !r.n ||
      !r.outer[0] || !r.outer[1] || !r.sy || !r.sx || !r.dy || !r.dx)
    return "a count, stride or dilation is 0";
  if (r.mode == LOOM_MXU_DW && r.kc != 1)
    return "depthwise mode has one channel a tap";
  if (r.acc_pitch < r.n)
    return "the accumulator pitch is below n";
  const uint64_t macs = uint64_t(r.outer[0]) * r.outer[1] * r.oh * r.ow * r.n *
                        r.kh * r.kw * r.kc;
  if (macs > LOOM_CAP_MXU_MACS)
    return "makes more than 2^26 products";
  if (epi && !(r.flags & LOOM_MXU_DRAIN) && r.acc != LOOM_ACC_BIAS)
    return "an epilogue needs a drain";
  const bool drain = r.flags & LOOM_MXU_DRAIN;
  const bool floats = r.type != LOOM_MXU_INT8;
  if (drain && floats && r.out_type > LOOM_F16)
    return "float products leave as f32, bf16 or f16";
  if (drain && !floats && r.out_type != LOOM_I32 && r.out_type != LOOM_I8)
    return "int8 products leave as i32 or i8";
  return "";
}

static std::string checkUop(const Record &record, uint32_t word,
                            std::array<bool, LOOM_VPU_NUM_VREGS> &defined,
                            std::array<bool, 6> &written) {
  const auto &r = record.as<loom_vpu>();
  const unsigned op = LOOM_UOP_OP(word), dst = LOOM_UOP_DST(word);
  unsigned operands = ~0u;
  char cls = 0;
  switch (op) {
#define LOOM_CASE(num, name, count, c, text)                                   \
  case num:                                                                    \
    operands = count;                                                          \
    cls = #c[0];                                                               \
    break;
    LOOM_UOPS(LOOM_CASE)
#undef LOOM_CASE
  default:
    return "unknown micro-operation";
  }
  const unsigned args[3] = {LOOM_UOP_A(word), LOOM_UOP_B(word),
                            LOOM_UOP_C(word)};
  auto isOut = [&](unsigned v) {
    return record.as<loom_view>(sizeof(loom_vpu) + v * sizeof(loom_view))
               .flags &
           LOOM_VIEW_OUT;
  };
  if (op == LOOM_UOP_LOAD) {
    if (args[0] >= r.nviews || isOut(args[0]))
      return "LOAD needs an input view";
    defined[dst] = true;
    return "";
  }
  if (op == LOOM_UOP_IOTA) {
    defined[dst] = true;
    return args[0] < 6 ? "" : "IOTA needs a dimension";
  }
  for (unsigned i = 0; i < operands; ++i) {
    if (args[i] >= 16 ? args[i] - 16 >= r.nimms : !defined[args[i]])
      return "an operand is not defined";
  }
  if (op != LOOM_UOP_STORE && cls != 'R') {
    defined[dst] = true;
    return "";
  }
  if (dst >= r.nviews || !isOut(dst) || written[dst])
    return "STORE and reducers need an output view of their own";
  written[dst] = true;
  return "";
}

static std::string checkVpu(const Record &record) {
  const auto &r = record.as<loom_vpu>();
  if (!r.nviews || r.nviews > LOOM_VPU_MAX_VIEWS || !r.nops ||
      r.nops > LOOM_VPU_MAX_OPS || r.nimms > LOOM_VPU_MAX_IMMS)
    return "too many or no views, micro-operations or immediates";
  const size_t used =
      sizeof(loom_vpu) + r.nviews * sizeof(loom_view) + 4 * (r.nimms + r.nops);
  if ((used + LOOM_UNIT_BYTES - 1) / LOOM_UNIT_BYTES * LOOM_UNIT_BYTES !=
      record.bytes.size())
    return "the length does not fit the counts";
  uint64_t elements = 1;
  for (unsigned d = 0; d < 6; ++d) {
    if (!r.n[d])
      return "a count is 0";
    elements *= r.n[d];
    if (elements > LOOM_CAP_VPU_ELEMS)
      return "covers more than 2^20 elements";
  }
  std::array<bool, LOOM_VPU_NUM_VREGS> defined{};
  std::array<bool, 6> written{};
  const size_t ops =
      sizeof(loom_vpu) + r.nviews * sizeof(loom_view) + 4 * r.nimms;
  for (unsigned i = 0; i < r.nops; ++i)
    if (std::string why = checkUop(record, record.as<uint32_t>(ops + 4 * i),
                                   defined, written);
        !why.empty())
      return why;
  return "";
}

std::string mlir::loom::program::checkRecord(const Record &record) {
  const size_t size = record.bytes.size();
  if (size < sizeof(loom_seq) || size % LOOM_UNIT_BYTES ||
      size > LOOM_MAX_RECORD_BYTES ||
      record.header().units * LOOM_UNIT_BYTES != size)
    return "the record's length does not fit its header";
  const uint8_t op = record.header().op;
  if (record.header().regsel > 255 ||
      (record.header().regsel && op != LOOM_OP_LD_COPY &&
       op != LOOM_OP_ST_COPY))
    return "base registers are used for source and destination of copies alone";
  switch (queueOf(record.header().op)) {
  case LOOM_Q_SEQ:
    return checkSeq(record);
  case LOOM_Q_LD:
  case LOOM_Q_ST:
    return checkDma(record);
  case LOOM_Q_MXU:
    return size < sizeof(loom_mxu) ? "the record is too short"
                                   : checkMxu(record);
  case LOOM_Q_VPU:
    return checkVpu(record);
  default:
    return "unknown opcode";
  }
}
