// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Grouped convolutions, a record a group: see class Grouped.

#include "Product.h"

#include "loom_timing.h"

using namespace mlir;
using namespace mlir::loom;
using program::ProductShape;

namespace {
/// Grouped convolutions of few channels a group: neighbouring groups share one
/// patch of the map, so that its loads are as long as they can be; each group
/// is a record on its part.
class Grouped : public GroupedForm {
public:
  Grouped(Emitter &emitter, Operation *op, const Product &product)
      : e(emitter), b(emitter.builder), loc(op->getLoc()), p(product),
        s(p.shape) {}
  bool choose(uint64_t limit) override;
  void run() override;
  std::string text() const override {
    return std::to_string(ty) + " rows of " + std::to_string(tg) + " groups";
  }
  uint64_t arrayCycles() const override {
    return loom_ceil_div(uint64_t(s.macs()) * 64,
                         loom_mxu_peak64(&e.target, s.type));
  }

private:
  void consider(int64_t groups, int64_t rows);
  void tile(int64_t g0, int64_t image, int64_t y0, Value weights, Value bias);

  Emitter &e;
  OpBuilder &b;
  Location loc;
  const Product &p;
  const ProductShape &s;
  int64_t tg = 0, ty = 0;
  Ring aRing, bRing, outRing, resRing, biasRing;
};
} // namespace

void Grouped::consider(int64_t groups, int64_t rows) {
  const int64_t k = s.kh * s.kw * s.c, pixels = rows * s.ow;
  const int64_t inRows =
      std::min(s.h, (rows - 1) * s.sy + (s.kh - 1) * s.dy + 1);
  auto aligned = [](int64_t v) { return int64_t(llvm::alignTo(v, 64)); };
  const int64_t aBytes = inRows * s.w * groups * s.c * s.elem,
                bBytes = k * groups * s.n * s.elem,
                outBytes = pixels * groups * s.n * s.outElem,
                resBytes = pixels * groups * s.n * s.resElem;
  std::vector<int64_t> buffers;
  for (int64_t size : {aBytes, bBytes, outBytes, resBytes, groups * s.n * 4})
    buffers.insert(buffers.end(), 2, aligned(size));
  llvm::sort(buffers, std::greater<>());
  if (!e.room.pack(buffers) || pixels * s.n * 4 > int64_t(e.target.acc_bytes) ||
      pixels * s.n * k > int64_t(LOOM_CAP_MXU_MACS) || s.w > 65535 ||
      s.ow > 65535)
    return;
  const int64_t parts = (s.g + groups - 1) / groups,
                tiles = parts * s.b * ((s.oh + rows - 1) / rows);
  const loom_cost cost =
      loom_cost_mxu_dims(&e.target, s.type, 1, pixels, k, s.n, 1);
  const uint64_t mxu = tiles * groups * (cost.busy + cost.edge + cost.fill);
  auto move = [&](int64_t bytesMoved, int64_t run) {
    const int64_t bus = bytesMoved / run * aligned(run);
    return LOOM_T_RECORD + e.target.mem[0].latency +
           loom_ceil_div(uint64_t(bus) * 64,
                         loom_mem_bandwidth64(&e.target.mem[0]));
  };
  const uint64_t load = move(aBytes, groups * s.c * s.elem),
                 store = move(outBytes, groups * s.n * s.outElem);
  const uint64_t here = std::max(mxu, tiles * (load + store)) + load + store;
  if (cycles && here >= cycles)
    return;
  cycles = here;
  tg = groups;
  ty = rows;
  bytes = tiles * (aBytes + outBytes + resBytes) + parts * bBytes;
}

bool Grouped::choose(uint64_t limit) {
  if (s.scale || p.input.stride[4] != s.elem ||
      p.input.stride[0] != s.c * s.elem)
    return false;
  auto halves = [](int64_t n, auto body) {
    for (int64_t v = n; v > 1; v = (v + 1) / 2)
      body(v);
    body(1);
  };
  halves(s.g, [&](int64_t groups) {
    halves(s.oh, [&](int64_t rows) { consider(groups, rows); });
  });
  return cycles && cycles < limit;
}

void Grouped::tile(int64_t g0, int64_t image, int64_t y0, Value weights,
                   Value bias) {
  if (e.full())
    return;
  const int64_t ng = std::min(tg, s.g - g0), ny = std::min(ty, s.oh - y0);
  const auto [yLo, rows] = touched(y0, ny, s.sy, s.kh, s.dy, p.py, s.h);
  const auto [xLo, columns] = touched(0, s.ow, s.sx, s.kw, s.dx, p.px, s.w);
  // Rows, columns, groups, channels of a group.
  auto part = [&](const Box &from, int64_t y, int64_t x, int64_t height,
                  int64_t width, int64_t channels) {
    Box box{from.mem,
            from.offset,
            from.elem,
            {height, width, ng, channels},
            {from.stride[2], from.stride[3], from.stride[0], from.stride[4]}};
    box.offset += g0 * from.stride[0] + image * from.stride[1] +
                  y * from.stride[2] + x * from.stride[3];
    return box;
  };
  const Box in = part(p.input, yLo, xLo, rows, columns, s.c),
            out = part(p.out, y0, 0, ny, s.ow, s.n);
  Value a = aRing.next(), o = outRing.next(), r;
  e.load(loc, in.mem, a, layoutDense(in));
  if (s.resElem) {
    const Box res = part(p.residual, y0, 0, ny, s.ow, s.n);
    r = resRing.next();
    e.load(loc, res.mem, r, layoutDense(res));
  }
  auto array = [&](ArrayRef<int64_t> v) { return b.getDenseI64ArrayAttr(v); };
  const int64_t inPixel = ng * s.c * s.elem, outPixel = ng * s.n * s.outElem,
                resPixel = ng * s.n * s.resElem;
  for (int64_t g = 0; g < ng; ++g) {
    const int64_t n0 = g * s.n;
    DenseI64ArrayAttr clamp, res;
    if (p.clamp)
      clamp = array({p.clamp->first, p.clamp->second});
    if (r)
      res = array(
          {n0 * s.resElem, p.resType, s.ow * resPixel, resPixel, s.resElem});
    npu::MxuOp::create(
        b, loc, a, weights, o, bias, Value(), r, array({s.type, p.outType}),
        array({LOOM_ACC_ZERO, 0, s.n}),
        array({g * s.c * s.elem, rows, columns, columns * inPixel, inPixel,
               s.elem}),
        array({s.kh, s.kw, s.c, s.sy, s.sx, s.dy, s.dx, p.py - y0 * s.sy + yLo,
               p.px + xLo}),
        array({n0 * s.elem, ng * s.n * s.elem, s.elem}), array({ny, s.ow, s.n}),
        array({1, 1, 0, 0, 0, 0, 0, 0}),
        array({n0 * s.outElem, s.ow * outPixel, outPixel, s.outElem}),
        b.getI64IntegerAttr(bias ? 4 * n0 : 0), clamp, res, nullptr, nullptr);
  }
  e.store(loc, o, out.mem, layoutDense(out));
}

void Grouped::run() {
  const int64_t inRows = std::min(s.h, (ty - 1) * s.sy + (s.kh - 1) * s.dy + 1);
  const int64_t k = s.kh * s.kw * s.c, pixels = ty * s.ow * tg;
  aRing = Ring(b, loc, 2, inRows * s.w * tg * s.c * s.elem);
  bRing = Ring(b, loc, 2, k * tg * s.n * s.elem);
  outRing = Ring(b, loc, 2, pixels * s.n * s.outElem);
  if (s.resElem)
    resRing = Ring(b, loc, 2, pixels * s.n * s.resElem);
  if (s.bias)
    biasRing = Ring(b, loc, 2, tg * s.n * 4);
  for (int64_t g0 = 0; g0 < s.g; g0 += tg) {
    const int64_t ng = std::min(tg, s.g - g0);
    const Box &f = p.filter;
    Box filter{
        f.mem,
        f.offset + g0 * f.stride[0],
        f.elem,
        {s.kh, s.kw, s.c, ng, s.n},
        {f.stride[1], f.stride[2], f.stride[3], f.stride[0], f.stride[4]}};
    Value weights = bRing.next(), bias;
    e.load(loc, filter.mem, weights, layoutDense(filter));
    if (s.bias) {
      Box box = p.bias;
      box.offset += g0 * box.stride[0];
      box.n = {ng, s.n};
      bias = biasRing.next();
      e.load(loc, box.mem, bias, layoutDense(box));
    }
    for (int64_t image = 0; image < s.b; ++image)
      for (int64_t y = 0; y < s.oh; y += ty)
        tile(g0, image, y, weights, bias);
  }
}

std::unique_ptr<GroupedForm> mlir::loom::makeGrouped(Emitter &emitter,
                                                     Operation *op,
                                                     const Product &product) {
  return std::make_unique<Grouped>(emitter, op, product);
}
