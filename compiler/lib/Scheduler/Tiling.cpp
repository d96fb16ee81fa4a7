// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every combination of a few pixel tiles, channel tiles, k chunks, loop orders
// and buffer counts. Chunks of k go up in (ky, kx, c), so no choice changes a
// bit.

#include "loom/Scheduler/Tiling.h"

#include "loom_timing.h"

#include <algorithm>
#include <vector>

using namespace mlir::loom::program;

namespace {
constexpr int64_t kAlign = 64;
constexpr int64_t kMax16 = 65535;
/// Cycles that it is worth to do with one record less, a row or column of the
/// array.
constexpr int64_t kRecordWorth = 4;

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t alignUp(int64_t v) { return ceilDiv(v, kAlign) * kAlign; }

/// n, and the powers of two below it.
std::vector<int64_t> candidates(int64_t n, int64_t least = 1) {
  std::vector<int64_t> list{n};
  for (int64_t p = 1; p < n; p *= 2)
    if (p >= least)
      list.push_back(p);
  return list;
}

class Search {
public:
  Search(const ProductShape &shape, const loom_target &target, int64_t sram)
      : s(shape), target(target), sramBytes(sram),
        bandwidth64(loom_mem_bandwidth64(&target.mem[0])) {}
  bool run(ProductTiling &best);

private:
  void pixels(int64_t tb, int64_t ty, int64_t tx);
  void chunked(ProductTiling t);
  void buffered(ProductTiling t);
  void judge(ProductTiling t);
  /// Bytes on the bus for `bytes` in runs of `run`.
  int64_t bus(int64_t bytes, int64_t run) const {
    run = std::max<int64_t>(1, std::min(run, bytes));
    return ceilDiv(bytes, run) * alignUp(run);
  }

  const ProductShape &s;
  const loom_target &target;
  const int64_t sramBytes;
  const uint64_t bandwidth64;
  ProductTiling best;
  bool found = false;
};
} // namespace

int64_t ProductTiling::chunks(const ProductShape &s) const {
  return ceilDiv(s.kh, tky) * ceilDiv(s.kw, tkx) * ceilDiv(s.c, tc);
}

int64_t ProductTiling::rows(const ProductShape &s) const {
  return std::min(s.h, (ty - 1) * s.sy + (s.kh - 1) * s.dy + 1);
}

int64_t ProductTiling::columns(const ProductShape &s) const {
  return std::min(s.w, (tx - 1) * s.sx + (s.kw - 1) * s.dx + 1);
}

std::string ProductTiling::text(const ProductShape &s) const {
  auto number = [](int64_t v) { return std::to_string(v); };
  std::string pixel = s.kh == 1 && s.kw == 1 && s.oh == 1 && s.b == 1
                          ? "m" + number(tx)
                          : number(tb) + "x" + number(ty) + "x" + number(tx);
  return pixel + " n" + number(tn) + " k" + number(tky * tkx * tc) +
         (nOuter ? " n-outer" : " m-outer");
}

void Search::judge(ProductTiling t) {
  const int64_t pt =
      ceilDiv(s.b, t.tb) * ceilDiv(s.oh, t.ty) * ceilDiv(s.ow, t.tx);
  const int64_t nt = ceilDiv(s.n, t.tn), kt = t.chunks(s),
                ac = ceilDiv(s.c, t.tc);
  const int64_t sram =
      t.aBufs * alignUp(t.aBytes) + t.bBufs * alignUp(t.bBytes) +
      t.outBufs * alignUp(t.outBytes) + t.outBufs * alignUp(t.resBytes) +
      (s.bias + s.scale) * 2 * alignUp(t.tn * 4);
  if (sram > sramBytes)
    return;
  // A ring hits if it holds what the loops inside come back to.
  const int64_t aSet = t.nOuter ? pt * ac : ac, bSet = t.nOuter ? kt : nt * kt;
  // Taps come back to the same chunks of A even within one tile.
  const int64_t aTile = ac == 1 || t.aBufs >= ac ? ac : kt;
  const int64_t aLoads = t.aBufs >= aSet ? pt * ac : pt * nt * aTile;
  const int64_t bLoads = t.bBufs >= bSet ? nt * kt : pt * nt * kt;
  const int64_t aOnce = !t.nOuter && t.aBufs >= ac ? pt * ac : aLoads;
  const int64_t bOnce = t.nOuter && t.bBufs >= kt ? nt * kt : bLoads;
  const int64_t record = LOOM_T_RECORD + target.mem[0].latency;
  auto move = [&](int64_t bytes) {
    return int64_t(loom_ceil_div(uint64_t(bytes) * 64, bandwidth64));
  };
  const int64_t aBus =
      bus(t.aBytes, std::min(s.aRun ? s.aRun : s.elem,
                             (t.tc == s.c ? t.columns(s) : 1) * t.tc * s.elem));
  const int64_t bBus =
      bus(t.bBytes, t.tn == s.n
                        ? t.bBytes
                        : std::min(s.bRun ? s.bRun : s.elem, t.tn * s.elem));
  const int64_t outBus =
      bus(t.outBytes, t.tn == s.n && s.g == 1 ? t.outBytes : t.tn * s.outElem);
  const int64_t resBus =
      s.resElem ? bus(t.resBytes,
                      t.tn == s.n && s.g == 1 ? t.resBytes : t.tn * s.resElem)
                : 0;
  auto transfers = [&](int64_t count, int64_t bytes) {
    return bytes ? count * (record + move(bytes)) : 0;
  };
  const int64_t ld = transfers(aOnce, aBus) + transfers(bOnce, bBus) +
                     transfers(pt * nt, resBus);
  const int64_t st = transfers(pt * nt, outBus);
  // Records come from memory too.
  const int64_t code =
      ((t.aBytes ? aOnce : 0) + (t.bBytes ? bOnce : 0) +
       pt * nt * ((t.outBytes != 0) + (t.resBytes != 0))) *
          int64_t(sizeof(loom_dma)) +
      pt * nt * (kt * int64_t(sizeof(loom_mxu)) + int64_t(sizeof(loom_epi)));
  const int64_t shared = aOnce * move(aBus) + bOnce * move(bBus) +
                         pt * nt * (move(outBus) + move(resBus)) + move(code);
  const int64_t pixelsHere = t.ty * t.tx, k = t.tky * t.tkx * t.tc;
  auto cost = [&](int drain) {
    const loom_cost c =
        loom_cost_mxu_dims(&target, s.type, t.tb, pixelsHere, k, t.tn, drain);
    return int64_t(c.busy + c.edge + c.fill);
  };
  // Tiles at the edges are smaller than the others.
  const double fraction =
      double(s.b * s.oh * s.ow) / double(pt * t.tb * pixelsHere);
  const double kFraction = double(s.kh * s.kw * s.c) / double(kt * k);
  const double mxu = pt * nt *
                     (kt * (cost(0) - LOOM_T_RECORD) * fraction * kFraction +
                      kt * LOOM_T_RECORD + target.cols);
  t.mxu = s.g * uint64_t(mxu);
  t.memory = s.g * uint64_t(std::max({ld, st, shared}));
  t.bytes = s.g * uint64_t(aOnce * t.aBytes + bOnce * t.bBytes +
                           pt * nt * (t.outBytes + t.resBytes));
  t.cycles = std::max(t.mxu, t.memory) + 2 * record + move(aBus) + move(bBus) +
             move(outBus) +
             // A single buffer cannot be filled while it is read.
             (t.aBufs == 1 && aOnce > 1 ? aOnce * move(aBus) : 0) +
             (t.bBufs == 1 && bOnce > 1 ? bOnce * move(bBus) : 0) +
             (t.outBufs == 1 && pt * nt > 1 ? pt * nt * move(outBus) : 0);
  const int64_t records =
      pt * nt * (kt + (t.outBytes != 0) + (t.resBytes != 0)) +
      (t.aBytes ? aOnce : 0) + (t.bBytes ? bOnce : 0);
  t.score = t.cycles + uint64_t(s.g * records * kRecordWorth *
                                (target.rows + target.cols));
  if (found && t.score >= best.score)
    return;
  best = t;
  found = true;
}

void Search::buffered(ProductTiling t) {
  const int64_t pt =
      ceilDiv(s.b, t.tb) * ceilDiv(s.oh, t.ty) * ceilDiv(s.ow, t.tx);
  const int64_t nt = ceilDiv(s.n, t.tn), kt = t.chunks(s),
                ac = ceilDiv(s.c, t.tc);
  auto options = [](int64_t panel, int64_t all) {
    std::vector<int64_t> list{1};
    for (int64_t v : {int64_t(2), panel, panel + 1, all})
      if (v <= all && std::find(list.begin(), list.end(), v) == list.end())
        list.push_back(v);
    return list;
  };
  const int64_t outs = pt * nt;
  for (bool nOuter : {false, true}) {
    if (nOuter && (pt == 1 || nt == 1))
      continue;
    t.nOuter = nOuter;
    for (int64_t a : options(ac, s.aHere ? 1 : pt * ac))
      for (int64_t b : options(kt, s.bHere ? 1 : nt * kt))
        for (int64_t out : {int64_t(1), int64_t(2)}) {
          if (out > outs || a > 64 || b > 64 ||
              (out > 1 && !t.outBytes && !t.resBytes))
            continue;
          t.aBufs = a;
          t.bBufs = b;
          t.outBufs = out;
          judge(t);
        }
  }
}

void Search::chunked(ProductTiling t) {
  const int64_t acc = t.tb * t.ty * t.tx * t.tn * 4;
  const int64_t k = t.tky * t.tkx * t.tc;
  if (acc > int64_t(target.acc_bytes) ||
      t.tb * t.ty * t.tx * t.tn * k > int64_t(LOOM_CAP_MXU_MACS) ||
      t.tc > kMax16 || t.tn > kMax16 || t.tx > kMax16 || t.ty > kMax16 ||
      t.tb > kMax16 || t.tky > kMax16 || t.tkx > kMax16 ||
      t.columns(s) > kMax16 || t.rows(s) > kMax16)
    return;
  t.aBytes = s.aHere ? 0 : t.tb * t.rows(s) * t.columns(s) * t.tc * s.elem;
  t.bBytes = s.bHere ? 0 : k * t.tn * s.elem;
  t.outBytes = s.outHere ? 0 : t.tb * t.ty * t.tx * t.tn * s.outElem;
  t.resBytes = s.resHere ? 0 : t.tb * t.ty * t.tx * t.tn * s.resElem;
  if (t.aBytes + t.bBytes + t.outBytes + t.resBytes > sramBytes)
    return;
  buffered(t);
}

void Search::pixels(int64_t tb, int64_t ty, int64_t tx) {
  ProductTiling t;
  t.tb = tb;
  t.ty = ty;
  t.tx = tx;
  for (int64_t tn : candidates(s.n, std::min<int64_t>(target.cols, s.n))) {
    t.tn = tn;
    auto chunk = [&](int64_t ky, int64_t kx, int64_t c) {
      t.tky = ky;
      t.tkx = kx;
      t.tc = c;
      chunked(t);
    };
    chunk(s.kh, s.kw, s.c);
    if (s.kh > 1)
      chunk(1, s.kw, s.c);
    if (s.kw > 1)
      chunk(1, 1, s.c);
    for (int64_t c : candidates(s.c, std::min<int64_t>(target.rows, s.c)))
      if (c != s.c)
        chunk(1, 1, c);
  }
}

bool Search::run(ProductTiling &result) {
  for (int64_t tx : candidates(s.ow))
    if (tx != s.ow)
      pixels(1, 1, tx);
  for (int64_t ty : candidates(s.oh))
    if (ty != s.oh)
      pixels(1, ty, s.ow);
  // A residual goes with one repetition a record.
  for (int64_t tb : candidates(s.resElem ? 1 : s.b))
    pixels(tb, s.oh, s.ow);
  result = best;
  return found;
}

std::vector<int64_t> ProductTiling::buffers(const ProductShape &s) const {
  std::vector<int64_t> list;
  auto add = [&](int64_t count, int64_t bytes) {
    if (bytes)
      list.insert(list.end(), count, alignUp(bytes));
  };
  add(aBufs, aBytes);
  add(bBufs, bBytes);
  add(outBufs, outBytes);
  add(outBufs, resBytes);
  add(2 * (s.bias + s.scale), tn * 4);
  std::sort(list.rbegin(), list.rend());
  return list;
}

int64_t mlir::loom::program::smallestTileBytes(const ProductShape &s,
                                               const loom_target &target) {
  ProductTiling t;
  t.tn = std::min<int64_t>(target.cols, s.n);
  t.tc = std::min<int64_t>(target.rows, s.c);
  return alignUp(t.rows(s) * t.columns(s) * t.tc * s.elem) +
         alignUp(t.tc * t.tn * s.elem) + alignUp(t.tn * s.outElem) +
         alignUp(t.tn * s.resElem) + (s.bias + s.scale) * 2 * alignUp(t.tn * 4);
}

bool mlir::loom::program::tileProduct(const ProductShape &shape,
                                      const loom_target &target, int64_t sram,
                                      ProductTiling &best) {
  return Search(shape, target, sram).run(best);
}
