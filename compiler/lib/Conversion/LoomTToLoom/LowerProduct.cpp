// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Convolutions and matrix products: one loop nest over pixel tiles, channel
// tiles and chunks of k. Accumulators stay in the array over all chunks.

#include "Product.h"

#include "loom/Scheduler/Tiling.h"
#include "loom_timing.h"

#include "llvm/ADT/bit.h"

using namespace mlir;
using namespace mlir::loom;
using program::ProductShape;
using program::ProductTiling;

namespace {
class Loops {
public:
  Loops(Emitter &emitter, Operation *op, Product product, ProductTiling tiling)
      : e(emitter), b(emitter.builder), loc(op->getLoc()),
        p(std::move(product)), s(p.shape), t(tiling),
        aRing(b, loc, t.aBufs, t.aBytes), bRing(b, loc, t.bBufs, t.bBytes),
        outRing(b, loc, t.outBufs, t.outBytes) {
    if (s.resElem && !s.resHere)
      resRing = Ring(b, loc, t.outBufs, t.resBytes);
    if (s.bias)
      biasRing = Ring(b, loc, 2, t.tn * 4);
    if (s.scale)
      scaleRing = Ring(b, loc, 2, t.tn * 4);
  }
  void run();

private:
  struct Pixels {
    int64_t b0, nb, y0, ny, x0, nx;
  };
  struct Chunk {
    int64_t ky, nky, kx, nkx, c, nc;
  };
  struct Patch { // of A in SRAM
    Value buf;
    Layout layout;
    int64_t yLo, rows, xLo, columns;
  };
  void tile(int64_t g, const Pixels &pixels, int64_t n0, int64_t nn);
  Patch loadInput(int64_t g, const Pixels &pixels, const Chunk &chunk);

  Emitter &e;
  OpBuilder &b;
  Location loc;
  Product p;
  const ProductShape &s;
  const ProductTiling t;
  Ring aRing, bRing, outRing, resRing, biasRing, scaleRing;
};
} // namespace

std::pair<int64_t, int64_t> mlir::loom::touched(int64_t o0, int64_t n,
                                                int64_t stride, int64_t k,
                                                int64_t dilation, int64_t pad,
                                                int64_t limit) {
  int64_t lo = std::clamp<int64_t>(o0 * stride - pad, 0, limit - 1);
  int64_t hi =
      std::min(limit - 1, (o0 + n - 1) * stride + (k - 1) * dilation - pad);
  return {lo, std::max<int64_t>(1, hi - lo + 1)};
}

Loops::Patch Loops::loadInput(int64_t g, const Pixels &px, const Chunk &chunk) {
  Patch patch;
  std::tie(patch.yLo, patch.rows) =
      touched(px.y0, px.ny, s.sy, s.kh, s.dy, p.py, s.h);
  std::tie(patch.xLo, patch.columns) =
      touched(px.x0, px.nx, s.sx, s.kw, s.dx, p.px, s.w);
  Box box = p.input;
  const int64_t at[5] = {g, px.b0, patch.yLo, patch.xLo, chunk.c};
  for (unsigned d = 0; d < 5; ++d)
    box.offset += at[d] * box.stride[d];
  box.n = {1, px.nb, patch.rows, patch.columns, chunk.nc};
  if (s.aHere) {
    patch.buf = box.mem;
    patch.layout = layoutHere(box);
    return patch;
  }
  patch.layout = layoutAsInMemory(box);
  bool fresh;
  patch.buf = aRing.get(
      {g, px.b0, px.nb, px.y0, px.ny, px.x0, px.nx, chunk.c, chunk.nc}, fresh);
  if (fresh)
    e.load(loc, box.mem, patch.buf, patch.layout);
  return patch;
}

void Loops::tile(int64_t g, const Pixels &px, int64_t n0, int64_t nn) {
  if (e.full())
    return;
  Box outBox = p.out;
  const int64_t corner[5] = {g, px.b0, px.y0, px.x0, n0};
  for (unsigned d = 0; d < 5; ++d)
    outBox.offset += corner[d] * outBox.stride[d];
  outBox.n = {1, px.nb, px.ny, px.nx, nn};
  Value out = s.outHere ? outBox.mem : outRing.next(), bias, scale;
  const Layout outLayout = s.outHere ? layoutHere(outBox) : layoutDense(outBox);
  bool fresh;
  auto table = [&](Ring &ring, Box box) {
    Value values = ring.get({g, n0}, fresh);
    box.offset += g * box.stride[0] + n0 * box.stride[1];
    box.n = {1, nn};
    if (fresh)
      e.load(loc, box.mem, values, layoutDense(box));
    return values;
  };
  if (s.bias)
    bias = table(biasRing, p.bias);
  if (s.scale)
    scale = table(scaleRing, p.scale);
  Value residual;
  Layout resLayout;
  if (s.resElem) {
    Box box = p.residual;
    for (unsigned d = 0; d < 5; ++d)
      box.offset += corner[d] * box.stride[d];
    box.n = outBox.n;
    residual = s.resHere ? box.mem : resRing.next();
    resLayout = s.resHere ? layoutHere(box) : layoutDense(box);
    if (!s.resHere)
      e.load(loc, box.mem, residual, resLayout);
  }
  SmallVector<Chunk> chunks;
  for (int64_t ky = 0; ky < s.kh; ky += t.tky)
    for (int64_t kx = 0; kx < s.kw; kx += t.tkx)
      for (int64_t c = 0; c < s.c; c += t.tc)
        chunks.push_back({ky, std::min(t.tky, s.kh - ky), kx,
                          std::min(t.tkx, s.kw - kx), c,
                          std::min(t.tc, s.c - c)});
  for (const Chunk &k : chunks) {
    Patch patch = loadInput(g, px, k);
    Box box = p.filter;
    const int64_t at[5] = {g, k.ky, k.kx, k.c, n0};
    for (unsigned d = 0; d < 5; ++d)
      box.offset += at[d] * box.stride[d];
    box.n = {1, k.nky, k.nkx, k.nc, nn};
    // One tap may keep its order in memory; more must be one run of k.
    const int64_t taps = k.nky * k.nkx;
    const Layout layout = s.bHere     ? layoutHere(box)
                          : taps == 1 ? layoutAsInMemory(box)
                                      : layoutDense(box);
    Value weights = box.mem;
    if (!s.bHere) {
      weights = bRing.get({g, k.ky, k.kx, k.c, n0}, fresh);
      if (fresh)
        e.load(loc, box.mem, weights, layout);
    }
    const bool last = &k == &chunks.back();
    const int64_t sk = taps == 1 ? layout.stride[3] : nn * s.elem;
    auto array = [&](ArrayRef<int64_t> v) { return b.getDenseI64ArrayAttr(v); };
    DenseI64ArrayAttr clamp;
    if (last && p.clamp)
      clamp = array({p.clamp->first, p.clamp->second});
    DenseI64ArrayAttr res;
    if (last && residual)
      res = array({resLayout.sramOffset, p.resType, resLayout.stride[2],
                   resLayout.stride[3], resLayout.stride[4]});
    const ArrayRef<int64_t> as = patch.layout.stride, os = outLayout.stride;
    npu::MxuOp::create(
        b, loc, patch.buf, weights, last ? out : Value(), last ? bias : Value(),
        last ? scale : Value(), last ? residual : Value(),
        array({s.type, p.outType}),
        array({&k == &chunks.front() ? LOOM_ACC_ZERO : LOOM_ACC_KEEP, 0, t.tn}),
        array({patch.layout.sramOffset, patch.rows, patch.columns, as[2], as[3],
               as[4]}),
        array({k.nky, k.nkx, k.nc, s.sy, s.sx, s.dy, s.dx,
               p.py - px.y0 * s.sy + patch.yLo - k.ky * s.dy,
               p.px - px.x0 * s.sx + patch.xLo - k.kx * s.dx}),
        array({layout.sramOffset, sk, layout.stride[4]}),
        array({px.ny, px.nx, nn}), array({px.nb, 1, as[1], 0, 0, 0, os[1], 0}),
        array({outLayout.sramOffset, os[2], os[3], os[4]}),
        b.getI64IntegerAttr(0), clamp, res, nullptr, nullptr);
  }
  if (!s.outHere)
    e.store(loc, out, outBox.mem, outLayout);
}

void Loops::run() {
  SmallVector<Pixels> pixels;
  for (int64_t b0 = 0; b0 < s.b; b0 += t.tb)
    for (int64_t y = 0; y < s.oh; y += t.ty)
      for (int64_t x = 0; x < s.ow; x += t.tx)
        pixels.push_back({b0, std::min(t.tb, s.b - b0), y,
                          std::min(t.ty, s.oh - y), x,
                          std::min(t.tx, s.ow - x)});
  auto channels = [&](auto body) {
    for (int64_t n = 0; n < s.n; n += t.tn)
      body(n, std::min(t.tn, s.n - n));
  };
  for (int64_t g = 0; g < s.g; ++g) {
    if (t.nOuter)
      channels([&](int64_t n, int64_t nn) {
        for (const Pixels &px : pixels)
          tile(g, px, n, nn);
      });
    else
      for (const Pixels &px : pixels)
        channels([&](int64_t n, int64_t nn) { tile(g, px, n, nn); });
  }
}

/// Bytes that lie together at the end of a box's dimensions.
static int64_t runOf(const Box &box) { return layoutAsInMemory(box).inner; }

static unsigned mxuType(Type element) {
  return element.isF32()    ? LOOM_MXU_F32
         : element.isBF16() ? LOOM_MXU_BF16
                            : LOOM_MXU_INT8;
}

static void setEpilogue(Product &p, std::optional<APFloat> lo,
                        std::optional<APFloat> hi) {
  if (lo)
    p.clamp = {uint32_t(lo->bitcastToAPInt().getZExtValue()),
               uint32_t(hi->bitcastToAPInt().getZExtValue())};
}

static Box reorder(const Box &box, ArrayRef<int> dims) {
  Box result{box.mem, box.offset, box.elem, {}, {}};
  for (int d : dims) {
    result.n.push_back(d < 0 ? 1 : box.n[d]);
    result.stride.push_back(d < 0 ? 0 : box.stride[d]);
  }
  return result;
}

static Product productOf(const Memory &memory, loomt::ContractOp op) {
  Product p;
  // [g, m, k] is a map of one row; [g, k, n] a kernel of one tap.
  p.input = reorder(memory.box(op.getLhs()), {0, -1, -1, 1, 2});
  p.filter = reorder(memory.box(op.getRhs()), {0, -1, -1, 1, 2});
  p.out = reorder(memory.box(op.getResult()), {0, -1, -1, 1, 2});
  if (op.getBias())
    p.bias = reorder(memory.box(op.getBias()), {-1, 0});
  if (op.getScale())
    p.scale = reorder(memory.box(op.getScale()), {-1, 0});
  if (op.getResidual())
    p.residual = reorder(memory.box(op.getResidual()), {0, -1, -1, 1, 2});
  ProductShape &s = p.shape;
  s.g = p.input.n[0];
  s.w = s.ow = p.input.n[3];
  s.c = p.input.n[4];
  s.n = p.filter.n[4];
  s.bias = bool(op.getBias());
  s.scale = bool(op.getScale());
  setEpilogue(p, op.getLo(), op.getHi());
  return p;
}

static Product productOf(const Memory &memory, loomt::ConvOp op) {
  Product p;
  const int64_t groups = op.getGroups();
  p.input = reorder(memory.box(op.getInput()), {-1, 0, 1, 2, 3});
  p.filter = reorder(memory.box(op.getFilter()), {-1, 0, 1, 2, 3});
  p.out = reorder(memory.box(op.getResult()), {-1, 0, 1, 2, 3});
  // A group is a range of channels.
  auto group = [&](Box &box) {
    box.n[0] = groups;
    box.n.back() /= groups;
    box.stride[0] = box.n.back() * box.stride.back();
  };
  group(p.input);
  group(p.filter);
  group(p.out);
  if (op.getResidual()) {
    p.residual = reorder(memory.box(op.getResidual()), {-1, 0, 1, 2, 3});
    group(p.residual);
  }
  if (op.getBias()) {
    p.bias = reorder(memory.box(op.getBias()), {-1, 0});
    group(p.bias);
  }
  if (op.getScale()) {
    p.scale = reorder(memory.box(op.getScale()), {-1, 0});
    group(p.scale);
  }
  ProductShape &s = p.shape;
  s.g = groups;
  s.b = p.input.n[1];
  s.h = p.input.n[2];
  s.w = p.input.n[3];
  s.c = p.input.n[4];
  s.kh = p.filter.n[1];
  s.kw = p.filter.n[2];
  s.n = p.filter.n[4];
  s.oh = p.out.n[2];
  s.ow = p.out.n[3];
  ArrayRef<int64_t> w = op.getWindow();
  s.sy = w[0];
  s.sx = w[1];
  s.dy = w[2];
  s.dx = w[3];
  p.py = w[4];
  p.px = w[5];
  // One tap reads every s-th pixel: a denser walk of a map without the others.
  auto thin = [](int64_t k, int64_t pad, int64_t out, int64_t &stride,
                 int64_t &size, int64_t &n, int64_t &step) {
    if (k != 1 || pad || stride == 1)
      return;
    step *= stride;
    stride = 1;
    size = n = out;
  };
  thin(s.kh, p.py, s.oh, s.sy, s.h, p.input.n[2], p.input.stride[2]);
  thin(s.kw, p.px, s.ow, s.sx, s.w, p.input.n[3], p.input.stride[3]);
  s.bias = bool(op.getBias());
  s.scale = bool(op.getScale());
  setEpilogue(p, op.getLo(), op.getHi());
  return p;
}

static Product productOf(const Memory &memory, Operation *op) {
  auto conv = dyn_cast<loomt::ConvOp>(op);
  Product p = conv ? productOf(memory, conv)
                   : productOf(memory, cast<loomt::ContractOp>(op));
  ProductShape &s = p.shape;
  auto element = [](Value v) {
    return cast<RankedTensorType>(v.getType()).getElementType();
  };
  Value lhs = op->getOperand(0), result = op->getResult(0);
  s.type = mxuType(element(lhs));
  s.elem = elementBytesOf(lhs.getType());
  s.outElem = elementBytesOf(result.getType());
  p.outType = *loomt::npuType(element(result));
  Value residual =
      conv ? conv.getResidual() : cast<loomt::ContractOp>(op).getResidual();
  if (residual) {
    p.resType = *loomt::npuType(element(residual));
    s.resElem = elementBytesOf(residual.getType());
  }
  s.aRun = runOf(p.input);
  s.bRun = runOf(p.filter);
  return p;
}

/// What need not be moved. A kernel of several taps has to be one run of k.
static void setHere(ProductShape &s, bool a, bool b, bool out, bool residual) {
  s.aHere = a;
  s.bHere = b && s.kh == 1 && s.kw == 1;
  s.outHere = out;
  s.resHere = s.resElem && residual;
}

ProductShape mlir::loom::shapeOfProduct(Operation *op,
                                        llvm::function_ref<bool(Value)> here) {
  auto root = [&](Value v) { return v && here(loomt::Ref::of(v).root); };
  auto conv = dyn_cast<loomt::ConvOp>(op);
  ProductShape s = productOf(Memory(), op).shape;
  setHere(s, root(op->getOperand(0)), root(op->getOperand(1)),
          root(op->getResult(0)),
          root(conv ? conv.getResidual()
                    : cast<loomt::ContractOp>(op).getResidual()));
  return s;
}

std::optional<uint64_t>
mlir::loom::depthwiseCost(Operation *op, const loom_target &target,
                          TilingCache &tilings, const Room &room,
                          llvm::function_ref<bool(Value)> here) {
  OpBuilder none(op->getContext());
  Emitter emitter(none, target, tilings);
  emitter.room = room;
  Product p = productOf(Memory(), op);
  p.shape = shapeOfProduct(op, here);
  std::unique_ptr<GroupedForm> form = makeDepthwise(emitter, op, p);
  if (!form->choose(~0ull))
    return std::nullopt;
  return form->cycles +
         loom_ceil_div(form->bytes * 64, loom_mem_bandwidth64(&target.mem[0])) /
             kHiddenShare;
}

LogicalResult mlir::loom::lowerProduct(Emitter &emitter, const Memory &memory,
                                       Operation *op) {
  auto conv = dyn_cast<loomt::ConvOp>(op);
  Product p = productOf(memory, op);
  Value lhs = op->getOperand(0), result = op->getResult(0);
  ProductShape &s = p.shape;
  setHere(s, p.input.isHere(), p.filter.isHere(), p.out.isHere(),
          p.residual.isHere());
  const ProductTiling *found = emitter.tilings.find(s, emitter.room);
  // Where the form of a grouped convolution is chosen.
  std::unique_ptr<GroupedForm> form;
  if (conv && s.g > 1) {
    uint64_t best = found ? found->cycles : ~0ull;
    for (auto *make : {makeGrouped, makeDepthwise}) {
      std::unique_ptr<GroupedForm> other = make(emitter, op, p);
      if (!other->choose(best))
        continue;
      best = other->cycles;
      form = std::move(other);
    }
  }
  if (!found && !form)
    return op->emitError()
           << "'" << op->getName().getStringRef() << "' of shape "
           << shapeText(result.getType())
           << " does not fit the target: its smallest tile needs "
           << program::smallestTileBytes(s, emitter.target)
           << " bytes of SRAM, there are " << emitter.room.bytes()
           << "; choose a larger target or smaller strides";
  const ProductTiling tiling = found ? *found : ProductTiling();
  auto moved = [](bool here, int64_t bytes) { return here ? 0 : bytes; };
  const int64_t pixels = s.b * s.oh * s.ow;
  const int64_t compulsory =
      s.g * (moved(s.aHere, s.b * s.h * s.w * s.c * s.elem) +
             moved(s.bHere, s.kh * s.kw * s.c * s.n * s.elem) +
             moved(s.outHere, pixels * s.n * s.outElem) +
             moved(s.resHere, pixels * s.n * s.resElem));
  const uint64_t array =
      form ? form->arrayCycles()
           : loom_ceil_div(uint64_t(s.macs()) * 64,
                           loom_mxu_peak64(&emitter.target, s.type));
  const uint64_t memoryCycles = loom_ceil_div(
      uint64_t(compulsory) * 64, loom_mem_bandwidth64(&emitter.target.mem[0]));
  emitter.layer(
      op->getLoc(),
      form   ? form->kind()
      : conv ? "conv"
             : "matmul",
      shapeText(lhs.getType()) + " * " + shapeText(op->getOperand(1).getType()),
      form ? form->text() : tiling.text(s),
      form ? form->bound() : tiling.bound(), s.macs(),
      form ? form->bytes : tiling.bytes, std::max(array, memoryCycles), array);
  if (form)
    form->run();
  else
    Loops(emitter, op, std::move(p), tiling).run();
  return success();
}
