// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Convolutions whose groups have one channel, by the array's depthwise mode:
// columns of the array are channels, rows are taps. A filter that makes m
// outputs of a channel is m records on the same patch of the map.

#include "Product.h"

#include "loom_timing.h"

using namespace mlir;
using namespace mlir::loom;
using program::ProductShape;

namespace {
/// Channels, images, rows and columns of the output.
struct Tile {
  int64_t g = 0, b = 0, y = 0, x = 0;
};

/// What a tile takes in SRAM besides what is there already.
struct Sizes {
  int64_t a = 0, b = 0, out = 0, res = 0, table = 0;
};

class Depthwise : public GroupedForm {
public:
  Depthwise(Emitter &emitter, Operation *op, const Product &product)
      : e(emitter), b(emitter.builder), loc(op->getLoc()), p(product),
        s(p.shape) {}
  bool choose(uint64_t limit) override;
  void run() override;
  StringRef kind() const override { return "dwconv"; }
  std::string text() const override {
    auto number = [](int64_t v) { return std::to_string(v); };
    return number(t.b) + "x" + number(t.y) + "x" + number(t.x) + " of " +
           number(t.g) + " channels";
  }
  const char *bound() const override { return mxuBound ? "MXU" : "memory"; }
  uint64_t arrayCycles() const override;

private:
  struct Time {
    uint64_t mxu = 0, ld = 0, st = 0, bus = 0;
  };
  bool eligible() const;
  void consider(const Tile &tile);
  Sizes sizes(const Tile &tile) const;
  bool fits(const Tile &tile) const;
  void add(const Tile &tile, int64_t count, bool first, Time &time,
           uint64_t &moved) const;
  int64_t tilesOf(const Tile &tile) const {
    return llvm::divideCeil(s.g, tile.g) * llvm::divideCeil(s.b, tile.b) *
           llvm::divideCeil(s.oh, tile.y) * llvm::divideCeil(s.ow, tile.x);
  }
  void emit(const Tile &at, const Tile &size, Value weights,
            ArrayRef<Value> bias, Value scale);

  Emitter &e;
  OpBuilder &b;
  Location loc;
  const Product &p;
  const ProductShape &s;
  Tile t;
  bool mxuBound = true;
  Ring aRing, bRing, outRing, resRing, biasRing, scaleRing;
};
} // namespace

static int64_t aligned(int64_t v) { return int64_t(llvm::alignTo(v, 64)); }

/// Rows (columns) of the map that `outs` rows (columns) of the output touch.
static int64_t reach(int64_t outs, int64_t stride, int64_t k, int64_t dilation,
                     int64_t limit) {
  return std::min(limit, (outs - 1) * stride + (k - 1) * dilation + 1);
}

/// A pixel of all columns takes as many steps as columns enter its window; taps
/// beyond the array's rows take another turn.
uint64_t Depthwise::arrayCycles() const {
  const uint64_t steps = uint64_t(s.b) * s.oh * s.ow * std::min(s.sx, s.kw),
                 turns = loom_ceil_div(s.kh * s.kw, e.target.rows);
  return loom_ceil_div(steps * turns * s.g * s.n *
                           loom_mxu_row_cycles(&e.target, s.type),
                       e.target.cols);
}

bool Depthwise::eligible() const {
  // The scale of a record begins where its buffer does.
  return e.target.features >> LOOM_FEAT_DW & 1 && s.c == 1 &&
         !(s.scale && s.n > 1) && p.input.stride[0] == s.elem &&
         s.w <= UINT16_MAX && s.h <= UINT16_MAX;
}

Sizes Depthwise::sizes(const Tile &tile) const {
  const int64_t pixels = tile.b * tile.y * tile.x;
  auto moved = [](bool here, int64_t bytes) { return here ? 0 : bytes; };
  return {moved(s.aHere, tile.b * reach(tile.y, s.sy, s.kh, s.dy, s.h) *
                             reach(tile.x, s.sx, s.kw, s.dx, s.w) * tile.g *
                             s.elem),
          s.kh * s.kw * tile.g * s.n * s.elem,
          moved(s.outHere, pixels * tile.g * s.n * s.outElem),
          moved(s.resHere, pixels * tile.g * s.n * s.resElem), tile.g * 4};
}

bool Depthwise::fits(const Tile &tile) const {
  const Sizes z = sizes(tile);
  std::vector<int64_t> buffers;
  for (int64_t size : {z.a, z.b, z.out, z.res})
    buffers.insert(buffers.end(), 2, aligned(size));
  buffers.insert(buffers.end(), 2 * (s.bias * s.n + s.scale), aligned(z.table));
  llvm::sort(buffers, std::greater<>());
  const int64_t results = tile.b * tile.y * tile.x * tile.g;
  return e.room.pack(buffers) && results * 4 <= int64_t(e.target.acc_bytes) &&
         results * s.kh * s.kw <= int64_t(LOOM_CAP_MXU_MACS) &&
         std::max({tile.g, tile.b, tile.y, tile.x}) <= UINT16_MAX;
}

/// Time of `count` equal tiles; `first` of their channels: filters come along.
void Depthwise::add(const Tile &tile, int64_t count, bool first, Time &time,
                    uint64_t &moved) const {
  const Sizes z = sizes(tile);
  const uint64_t record = LOOM_T_RECORD + e.target.mem[0].latency;
  auto move = [&](int64_t bytes, int64_t run, uint64_t &queue) {
    if (!bytes)
      return;
    run = std::min(run, bytes);
    const uint64_t bus = loom_ceil_div(
        uint64_t(llvm::divideCeil(bytes, run) * aligned(run)) * 64,
        loom_mem_bandwidth64(&e.target.mem[0]));
    queue += count * (record + bus);
    time.bus += count * bus;
    moved += count * bytes;
  };
  // All channels of a row lie together; of some, each pixel is a run.
  auto run = [&](int64_t pixels, int64_t elem) {
    return tile.g == s.g ? pixels * tile.g * elem : tile.g * elem;
  };
  move(z.a, run(reach(tile.x, s.sx, s.kw, s.dx, s.w), s.elem), time.ld);
  move(z.res, run(tile.x * s.n, s.resElem), time.ld);
  move(z.out, run(tile.x * s.n, s.outElem), time.st);
  if (first) {
    move(z.b, tile.g * s.n * s.elem, time.ld);
    for (int64_t i = 0; i < s.bias * s.n + s.scale; ++i)
      move(z.table, z.table, time.ld);
  }
  const loom_cost cost = loom_cost_mxu_dw(&e.target, s.type, tile.b, tile.y,
                                          tile.x, s.kh, s.kw, s.sx, tile.g, 1);
  time.mxu += count * s.n * (cost.busy + cost.edge + cost.fill);
}

void Depthwise::consider(const Tile &tile) {
  if (!fits(tile))
    return;
  Time all, one;
  uint64_t moved = 0, ignored = 0;
  // Full tiles and those that are left at the edges.
  auto parts = [](int64_t n, int64_t size) {
    SmallVector<std::pair<int64_t, int64_t>, 2> list{{size, n / size}};
    if (n % size)
      list.push_back({n % size, 1});
    return list;
  };
  for (auto [g, ng] : parts(s.g, tile.g)) {
    bool first = true;
    for (auto [n, nb] : parts(s.b, tile.b))
      for (auto [y, ny] : parts(s.oh, tile.y))
        for (auto [x, nx] : parts(s.ow, tile.x)) {
          const int64_t count = ng * nb * ny * nx;
          if (first && count > ng) {
            add({g, n, y, x}, ng, true, all, moved);
            add({g, n, y, x}, count - ng, false, all, moved);
          } else if (count) {
            add({g, n, y, x}, count, first, all, moved);
          }
          first = false;
        }
  }
  add(tile, 1, true, one, ignored);
  // The first load and the last store are seen alone.
  auto rest = [](uint64_t total, uint64_t seen) {
    return total - std::min(total, seen);
  };
  const uint64_t memory = std::max(
      {rest(all.ld, one.ld), rest(all.st, one.st), rest(all.bus, one.bus)});
  const uint64_t here = one.ld + one.st + std::max(all.mxu, memory);
  if (cycles && here >= cycles)
    return;
  cycles = here;
  bytes = moved;
  t = tile;
  mxuBound = all.mxu >= memory;
}

bool Depthwise::choose(uint64_t limit) {
  if (!eligible())
    return false;
  auto halves = [](int64_t n, auto body) {
    for (int64_t v = n; v > 1; v = (v + 1) / 2)
      body(v);
    body(1);
  };
  // Whole columns of the array, and whole bursts.
  const int64_t grain =
      std::max<int64_t>(e.target.cols, LOOM_BURST_BYTES / s.elem);
  SmallVector<int64_t> channels{s.g};
  halves(s.g, [&](int64_t n) {
    const int64_t rounded = llvm::alignTo(n, grain);
    if (rounded < channels.back())
      channels.push_back(rounded);
  });
  halves(s.g, [&](int64_t n) {
    if (n < channels.back())
      channels.push_back(n);
  });
  for (int64_t g : channels) {
    halves(s.ow, [&](int64_t x) {
      halves(s.oh, [&](int64_t y) { consider({g, 1, y, x}); });
    });
    // A residual goes with one repetition a record.
    if (!s.resElem)
      halves(s.b, [&](int64_t n) { consider({g, n, s.oh, s.ow}); });
  }
  return cycles && cycles < limit;
}

void Depthwise::emit(const Tile &at, const Tile &size, Value weights,
                     ArrayRef<Value> bias, Value scale) {
  if (e.full())
    return;
  const auto [yLo, rows] = touched(at.y, size.y, s.sy, s.kh, s.dy, p.py, s.h);
  const auto [xLo, columns] =
      touched(at.x, size.x, s.sx, s.kw, s.dx, p.px, s.w);
  // Images, rows, columns, channels, outputs of a channel.
  auto part = [&](const Box &from, int64_t y, int64_t x, int64_t height,
                  int64_t width, int64_t n) {
    Box box{from.mem,
            from.offset,
            from.elem,
            {size.b, height, width, size.g, n},
            {from.stride[1], from.stride[2], from.stride[3], from.stride[0],
             from.stride[4]}};
    box.offset += at.g * from.stride[0] + at.b * from.stride[1] +
                  y * from.stride[2] + x * from.stride[3];
    return box;
  };
  const Box in = part(p.input, yLo, xLo, rows, columns, 1),
            out = part(p.out, at.y, at.x, size.y, size.x, s.n);
  auto lies = [](bool here, const Box &box) {
    return here ? layoutHere(box) : layoutDense(box);
  };
  const Layout inLies = lies(s.aHere, in), outLies = lies(s.outHere, out);
  Value a = s.aHere ? in.mem : aRing.next(),
        o = s.outHere ? out.mem : outRing.next(), r;
  if (!s.aHere)
    e.load(loc, in.mem, a, inLies);
  Layout resLies;
  if (s.resElem) {
    const Box res = part(p.residual, at.y, at.x, size.y, size.x, s.n);
    resLies = lies(s.resHere, res);
    r = s.resHere ? res.mem : resRing.next();
    if (!s.resHere)
      e.load(loc, res.mem, r, resLies);
  }
  auto array = [&](ArrayRef<int64_t> v) { return b.getDenseI64ArrayAttr(v); };
  const ArrayRef<int64_t> as = inLies.stride, os = outLies.stride,
                          rs = resLies.stride;
  DenseI64ArrayAttr clamp, res;
  if (p.clamp)
    clamp = array({p.clamp->first, p.clamp->second});
  for (int64_t n = 0; n < s.n; ++n) {
    if (r)
      res = array(
          {resLies.sramOffset + n * rs[4], p.resType, rs[1], rs[2], rs[3]});
    auto record = npu::MxuOp::create(
        b, loc, a, weights, o, s.bias ? bias[n] : Value(), scale, r,
        array({s.type, p.outType}), array({LOOM_ACC_ZERO, 0, size.g}),
        array({inLies.sramOffset, rows, columns, as[1], as[2], as[3]}),
        array({s.kh, s.kw, 1, s.sy, s.sx, s.dy, s.dx, p.py - at.y * s.sy + yLo,
               p.px - at.x * s.sx + xLo}),
        array({n * s.elem, size.g * s.n * s.elem, s.n * s.elem}),
        array({size.y, size.x, size.g}),
        array({size.b, 1, as[0], 0, 0, 0, os[0], 0}),
        array({outLies.sramOffset + n * os[4], os[1], os[2], os[3]}),
        b.getI64IntegerAttr(0), clamp, res, nullptr, nullptr);
    record.setDepthwise(true);
  }
  if (!s.outHere)
    e.store(loc, o, out.mem, outLies);
}

void Depthwise::run() {
  const Sizes z = sizes(t);
  const int64_t parts = llvm::divideCeil(s.g, t.g) > 1 ? 2 : 1,
                tiles = tilesOf(t) > 1 ? 2 : 1;
  aRing = Ring(b, loc, tiles, z.a);
  bRing = Ring(b, loc, parts, z.b);
  outRing = Ring(b, loc, tiles, z.out);
  if (s.resElem)
    resRing = Ring(b, loc, tiles, z.res);
  if (s.bias)
    biasRing = Ring(b, loc, parts * s.n, z.table);
  if (s.scale)
    scaleRing = Ring(b, loc, parts, z.table);
  for (int64_t g = 0; g < s.g; g += t.g) {
    Tile size{std::min(t.g, s.g - g)};
    const Box &f = p.filter;
    Box filter{f.mem,
               f.offset + g * f.stride[0],
               f.elem,
               {s.kh, s.kw, size.g, s.n},
               {f.stride[1], f.stride[2], f.stride[0], f.stride[4]}};
    Value weights = bRing.next();
    e.load(loc, filter.mem, weights, layoutDense(filter));
    auto table = [&](const Box &from, Ring &ring, int64_t n) {
      Box box{from.mem,
              from.offset + g * from.stride[0] + n * from.stride[1],
              from.elem,
              {size.g},
              {from.stride[0]}};
      Value values = ring.next();
      e.load(loc, box.mem, values, layoutDense(box));
      return values;
    };
    SmallVector<Value> bias;
    for (int64_t n = 0; s.bias && n < s.n; ++n)
      bias.push_back(table(p.bias, biasRing, n));
    Value scale;
    if (s.scale)
      scale = table(p.scale, scaleRing, 0);
    for (int64_t image = 0; image < s.b; image += t.b)
      for (int64_t y = 0; y < s.oh; y += t.y)
        for (int64_t x = 0; x < s.ow; x += t.x) {
          size.b = std::min(t.b, s.b - image);
          size.y = std::min(t.y, s.oh - y);
          size.x = std::min(t.x, s.ow - x);
          emit({g, image, y, x}, size, weights, bias, scale);
        }
  }
}

std::unique_ptr<GroupedForm> mlir::loom::makeDepthwise(Emitter &emitter,
                                                       Operation *op,
                                                       const Product &product) {
  return std::make_unique<Depthwise>(emitter, op, product);
}
