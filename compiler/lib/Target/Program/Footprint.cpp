// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Strided boxes: normal form, overlap, cover; and the boxes of each record.

#include "loom/Target/Program/Record.h"

#include <algorithm>

using namespace mlir::loom::program;

/// Sub-boxes that an exact overlap test may look at before it says "maybe".
static constexpr int kOverlapBudget = 2048;

unsigned mlir::loom::program::queueOf(uint8_t opcode) {
  if (opcode >= LOOM_OP_HALT && opcode <= LOOM_OP_MARK)
    return LOOM_Q_SEQ;
  if (opcode >= LOOM_OP_LD_COPY && opcode <= LOOM_OP_LD_SCATTER)
    return LOOM_Q_LD;
  if (opcode >= LOOM_OP_ST_COPY && opcode <= LOOM_OP_ST_SCATTER)
    return LOOM_Q_ST;
  if (opcode == LOOM_OP_MXU)
    return LOOM_Q_MXU;
  if (opcode == LOOM_OP_VPU)
    return LOOM_Q_VPU;
  return LOOM_NUM_QUEUES;
}

unsigned mlir::loom::program::dtypeBytes(unsigned dtype) {
  switch (dtype) {
  case LOOM_F32:
  case LOOM_I32:
  case LOOM_U32:
    return 4;
  case LOOM_BF16:
  case LOOM_F16:
  case LOOM_I16:
  case LOOM_U16:
    return 2;
  default:
    return 1;
  }
}

Access mlir::loom::program::makeAccess(uint32_t space, bool write, int64_t base,
                                       int64_t inner,
                                       const std::vector<Access::Dim> &dims) {
  Access access;
  access.space = space;
  access.write = write;
  access.inner = inner;
  access.lo = base;
  access.hi = base + inner;
  for (Access::Dim dim : dims) {
    if (dim.count <= 1 || dim.stride == 0)
      continue;
    const int64_t span = (dim.count - 1) * dim.stride;
    if (span < 0) {
      access.lo += span;
      dim.stride = -dim.stride;
    } else {
      access.hi += span;
    }
    access.dims[access.rank++] = dim;
  }
  auto begin = access.dims.begin(), end = begin + access.rank;
  std::sort(begin, end, [](const Access::Dim &a, const Access::Dim &b) {
    return a.stride > b.stride;
  });
  while (access.rank) {
    const Access::Dim &last = access.dims[access.rank - 1];
    if (last.stride > access.inner)
      break;
    // Touching or overlapping runs are one longer run.
    access.inner += (last.count - 1) * last.stride;
    --access.rank;
  }
  return access;
}

/// Bytes that the dimensions with strides below `stride` span.
static int64_t extentBelow(const Access &a, int64_t stride) {
  int64_t extent = a.inner;
  for (unsigned i = 0; i < a.rank; ++i)
    if (a.dims[i].stride < stride)
      extent += (a.dims[i].count - 1) * a.dims[i].stride;
  return extent;
}

static bool multiplesAbove(const Access &a, int64_t stride) {
  for (unsigned i = 0; i < a.rank; ++i)
    if (a.dims[i].stride >= stride && a.dims[i].stride % stride)
      return false;
  return true;
}

/// Both boxes repeat with `stride` and sit at different places in the period.
static bool disjointModulo(const Access &a, const Access &b, int64_t stride) {
  if (!multiplesAbove(a, stride) || !multiplesAbove(b, stride))
    return false;
  const int64_t ea = extentBelow(a, stride), eb = extentBelow(b, stride);
  if (ea + eb > stride)
    return false;
  const int64_t gap = ((b.lo - a.lo) % stride + stride) % stride;
  return gap >= ea && gap + eb <= stride;
}

static bool overlapRec(const Access &a, const Access &b, int &budget) {
  if (a.hi <= b.lo || b.hi <= a.lo)
    return false;
  if (--budget < 0)
    return true;
  if (!a.rank && !b.rank)
    return true;
  const bool splitA =
      a.rank && (!b.rank || a.dims[0].stride >= b.dims[0].stride);
  const Access &big = splitA ? a : b, &other = splitA ? b : a;
  Access part = big;
  const Access::Dim dim = big.dims[0];
  std::copy(big.dims.begin() + 1, big.dims.begin() + big.rank,
            part.dims.begin());
  part.rank = big.rank - 1;
  const int64_t extent = big.hi - big.lo - (dim.count - 1) * dim.stride;
  int64_t first = 0, last = dim.count - 1;
  if (other.lo > big.lo + extent)
    first = std::max<int64_t>(0, (other.lo - big.lo - extent) / dim.stride);
  if (other.hi < big.hi)
    last = std::min<int64_t>(last, (other.hi - big.lo) / dim.stride);
  for (int64_t i = first; i <= last; ++i) {
    part.lo = big.lo + i * dim.stride;
    part.hi = part.lo + extent;
    if (overlapRec(part, other, budget))
      return true;
  }
  return false;
}

bool mlir::loom::program::mayOverlap(const Access &a, const Access &b) {
  if (a.space != b.space || a.hi <= b.lo || b.hi <= a.lo)
    return false;
  if (!a.rank && !b.rank)
    return true;
  for (unsigned i = 0; i < a.rank; ++i)
    if (disjointModulo(a, b, a.dims[i].stride))
      return false;
  for (unsigned i = 0; i < b.rank; ++i)
    if (disjointModulo(a, b, b.dims[i].stride))
      return false;
  int budget = kOverlapBudget;
  return overlapRec(a, b, budget);
}

bool mlir::loom::program::covers(const Access &outside, const Access &inside) {
  if (outside.space != inside.space || inside.lo < outside.lo ||
      inside.hi > outside.hi)
    return false;
  if (outside.isContiguous())
    return true;
  if (outside.rank != inside.rank || outside.lo != inside.lo ||
      outside.inner < inside.inner)
    return false;
  for (unsigned i = 0; i < outside.rank; ++i)
    if (outside.dims[i].stride != inside.dims[i].stride ||
        outside.dims[i].count < inside.dims[i].count)
      return false;
  return true;
}

static void addDma(const loom_dma &r, std::vector<Access> &out) {
  std::vector<Access::Dim> src, dst;
  const bool fill = r.h.op == LOOM_OP_LD_FILL || r.h.op == LOOM_OP_ST_FILL;
  const bool gather =
      r.h.op == LOOM_OP_LD_GATHER || r.h.op == LOOM_OP_ST_GATHER;
  const bool scatter =
      r.h.op == LOOM_OP_LD_SCATTER || r.h.op == LOOM_OP_ST_SCATTER;
  for (unsigned d = 0; d < 4; ++d) {
    // An index list may name any row below the limit.
    src.push_back({gather && d == 3 ? r.limit : r.n[d], r.sstride[d]});
    dst.push_back({scatter && d == 3 ? r.limit : r.n[d], r.dstride[d]});
  }
  if (gather || scatter)
    out.push_back(
        makeAccess(kSramSpace, false, r.idx_or_fill, r.n[3] * 4ll, {}));
  auto offset = [](uint64_t addr) {
    return int64_t(LOOM_ADDR_OFFSET(addr) << 16) >> 16;
  };
  if (!fill)
    out.push_back(makeAccess(LOOM_ADDR_SLOT(r.src), false, offset(r.src),
                             r.inner_bytes, src));
  out.push_back(makeAccess(LOOM_ADDR_SLOT(r.dst), true, offset(r.dst),
                           r.inner_bytes, dst));
}

/// First and last in-range index of a window walk, or false if all is padding.
static bool walkRange(int64_t n, int64_t stride, int64_t k, int64_t dilation,
                      int64_t pad, int64_t limit, int64_t &lo, int64_t &hi) {
  lo = std::max<int64_t>(0, -pad);
  hi =
      std::min<int64_t>(limit - 1, (n - 1) * stride + (k - 1) * dilation - pad);
  return lo <= hi;
}

static void addMxu(const Record &record, std::vector<Access> &out) {
  const auto &r = record.as<loom_mxu>();
  const int64_t in = r.type == LOOM_MXU_F32    ? 4
                     : r.type == LOOM_MXU_BF16 ? 2
                                               : 1;
  int64_t y0, y1, x0, x1;
  if (walkRange(r.oh, r.sy, r.kh, r.dy, r.py, r.ih, y0, y1) &&
      walkRange(r.ow, r.sx, r.kw, r.dx, r.px, r.iw, x0, x1))
    out.push_back(makeAccess(kSramSpace, false,
                             int64_t(r.a_base) + y0 * r.a_sh + x0 * r.a_sw, in,
                             {{r.outer[0], r.a_so[0]},
                              {r.outer[1], r.a_so[1]},
                              {y1 - y0 + 1, r.a_sh},
                              {x1 - x0 + 1, r.a_sw},
                              {r.mode == LOOM_MXU_DW ? r.n : r.kc, r.a_sc}}));
  out.push_back(makeAccess(kSramSpace, false, r.b_base, in,
                           {{r.outer[0], r.b_so[0]},
                            {r.outer[1], r.b_so[1]},
                            {int64_t(r.kh) * r.kw * r.kc, r.b_sk},
                            {r.n, r.b_sn}}));
  const int64_t pixels = int64_t(r.outer[0]) * r.outer[1] * r.oh * r.ow;
  out.push_back(makeAccess(kAccSpace, true, int64_t(r.acc_base) * 64,
                           int64_t(r.n) * 4, {{pixels, r.acc_pitch * 4ll}}));
  if (r.flags & LOOM_MXU_DRAIN)
    out.push_back(makeAccess(kSramSpace, true, r.out_base,
                             dtypeBytes(r.out_type),
                             {{r.outer[0], r.o_so[0]},
                              {r.outer[1], r.o_so[1]},
                              {r.oh, r.o_sy},
                              {r.ow, r.o_sx},
                              {r.n, r.o_sn}}));
  if (!(r.flags & LOOM_MXU_EPI))
    return;
  const auto &e = record.as<loom_epi>(sizeof(loom_mxu));
  if (e.bias != LOOM_EPI_NONE)
    out.push_back(makeAccess(kSramSpace, false, e.bias, r.n * 4ll, {}));
  if (e.rq != LOOM_RQ_NONE && e.scale != LOOM_EPI_NONE)
    out.push_back(makeAccess(kSramSpace, false, e.scale,
                             r.n * (e.rq == LOOM_RQ_F32 ? 4ll : 8ll), {}));
  if (e.residual != LOOM_EPI_NONE)
    out.push_back(makeAccess(kSramSpace, false, e.residual,
                             dtypeBytes(e.res_type),
                             {{r.oh, e.r_sy}, {r.ow, e.r_sx}, {r.n, e.r_sn}}));
  if (e.lut != LOOM_EPI_NONE && e.act == LOOM_ACT_LUT256)
    out.push_back(makeAccess(kSramSpace, false, e.lut, 256, {}));
}

static void addVpu(const Record &record, std::vector<Access> &out) {
  const auto &r = record.as<loom_vpu>();
  for (unsigned v = 0; v < r.nviews; ++v) {
    const auto &view =
        record.as<loom_view>(sizeof(loom_vpu) + v * sizeof(loom_view));
    std::vector<Access::Dim> dims;
    for (unsigned d = 0; d < 6; ++d)
      dims.push_back({r.n[d], view.stride[d]});
    const bool partial = view.flags & (LOOM_VIEW_PARTIAL | LOOM_VIEW_RESUME) &&
                         !(r.mask & LOOM_VPU_SCAN);
    const int64_t inner =
        partial ? LOOM_VPU_PARTIALS * 4ll : dtypeBytes(view.dtype);
    const bool write = view.flags & LOOM_VIEW_OUT;
    out.push_back(makeAccess(kSramSpace, write, view.base, inner, dims));
    if (view.flags & LOOM_VIEW_RESUME)
      out.push_back(makeAccess(kSramSpace, false, view.base, inner, dims));
  }
}

std::vector<Access> mlir::loom::program::accessesOf(const Record &record) {
  std::vector<Access> out;
  switch (queueOf(record.header().op)) {
  case LOOM_Q_LD:
  case LOOM_Q_ST:
    addDma(record.as<loom_dma>(), out);
    break;
  case LOOM_Q_MXU:
    addMxu(record, out);
    break;
  case LOOM_Q_VPU:
    addVpu(record, out);
    break;
  case LOOM_Q_SEQ:
    if (record.header().op == LOOM_OP_LD)
      out.push_back(
          makeAccess(kSramSpace, false, record.as<loom_seq>().imm, 4, {}));
    break;
  default:
    break;
  }
  return out;
}
