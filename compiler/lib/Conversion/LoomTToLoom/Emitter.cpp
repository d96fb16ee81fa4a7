// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Emitter.h"

#include "loom/Dialect/StableHLO/Elements.h"
#include "loom_timing.h"

using namespace mlir;
using namespace mlir::loom;

static bool fits32(int64_t v) { return v >= INT32_MIN && v <= INT32_MAX; }

int64_t mlir::loom::elementBytesOf(Type type) {
  return *stablehlo::elementBytes(
      cast<RankedTensorType>(type).getElementType());
}

std::string mlir::loom::shapeText(Type type) {
  std::string text;
  for (int64_t n : cast<RankedTensorType>(type).getShape())
    text += (text.empty() ? "" : "x") + std::to_string(n);
  return text.empty() ? "scalar" : text;
}

Box Memory::box(Value value) const {
  loomt::Ref ref = loomt::Ref::of(value);
  const Place place = places.lookup(ref.root);
  Box box;
  box.mem = place.mem;
  box.elem = elementBytesOf(value.getType());
  box.offset = place.offset + ref.offset * box.elem;
  box.n = ref.shape;
  for (int64_t stride : ref.strides)
    box.stride.push_back(stride * box.elem);
  return box;
}

//===----------------------------------------------------------------------===//
// Layouts
//===----------------------------------------------------------------------===//

namespace {
struct Level {
  int64_t count, stride;
  SmallVector<std::pair<unsigned, int64_t>> members; // dimension, multiple
};
} // namespace

Layout mlir::loom::layoutAsInMemory(const Box &box) {
  Layout layout;
  layout.memOffset = box.offset;
  layout.stride.assign(box.n.size(), 0);
  SmallVector<unsigned> dims;
  for (unsigned d = 0; d < box.n.size(); ++d)
    if (box.n[d] > 1 && box.stride[d] != 0) {
      dims.push_back(d);
      if (box.stride[d] < 0)
        layout.memOffset += (box.n[d] - 1) * box.stride[d];
    }
  llvm::stable_sort(dims, [&](unsigned a, unsigned b) {
    return std::abs(box.stride[a]) < std::abs(box.stride[b]);
  });
  SmallVector<Level> levels;
  for (unsigned d : dims) {
    const int64_t stride = std::abs(box.stride[d]);
    if (!levels.empty()) {
      Level &top = levels.back();
      if (stride % top.stride == 0 && stride <= top.count * top.stride) {
        const int64_t ratio = stride / top.stride;
        top.members.push_back({d, ratio});
        top.count += (box.n[d] - 1) * ratio;
        continue;
      }
    }
    levels.push_back({box.n[d], stride, {{d, 1}}});
  }
  layout.inner = box.elem;
  int64_t size = box.elem;
  for (const Level &level : levels) {
    for (auto [d, ratio] : level.members) {
      const bool flipped = box.stride[d] < 0;
      layout.stride[d] = (flipped ? -1 : 1) * ratio * size;
      if (flipped)
        layout.sramOffset += (box.n[d] - 1) * ratio * size;
    }
    if (layout.loops.empty() && level.stride == layout.inner)
      layout.inner *= level.count;
    else
      layout.loops.insert(layout.loops.begin(),
                          {level.count, level.stride, size});
    size *= level.count;
  }
  layout.bytes = size;
  return layout;
}

Layout mlir::loom::layoutDense(const Box &box) {
  Layout layout;
  layout.memOffset = box.offset;
  layout.stride.assign(box.n.size(), 0);
  int64_t size = box.elem;
  layout.inner = box.elem;
  for (size_t d = box.n.size(); d-- > 0;) {
    layout.stride[d] = size;
    if (box.n[d] == 1)
      continue;
    Layout::Loop loop{box.n[d], box.stride[d], size};
    size *= box.n[d];
    if (layout.loops.empty() && loop.memStride == layout.inner) {
      layout.inner *= loop.count;
      continue;
    }
    if (!layout.loops.empty()) {
      Layout::Loop &outer = layout.loops.front();
      if (loop.memStride == outer.count * outer.memStride &&
          loop.sramStride == outer.count * outer.sramStride) {
        outer.count *= loop.count;
        continue;
      }
    }
    layout.loops.insert(layout.loops.begin(), loop);
  }
  layout.bytes = size;
  return layout;
}

Layout mlir::loom::layoutHere(const Box &box) {
  Layout layout;
  layout.sramOffset = box.offset;
  layout.stride = box.stride;
  return layout;
}

//===----------------------------------------------------------------------===//
// Rings
//===----------------------------------------------------------------------===//

Ring::Ring(OpBuilder &builder, Location loc, int64_t count, int64_t bytes)
    : builder(&builder), loc(loc), bytes(bytes), entries(count) {}

Value Ring::renew(Entry &entry) {
  auto type = npu::BufType::get(builder->getContext(), bytes);
  entry.buf =
      npu::BufOp::create(*builder, *loc, type, entry.buf, IntegerAttr());
  return entry.buf;
}

Value Ring::get(ArrayRef<int64_t> key, bool &fresh) {
  Entry *oldest = &entries.front();
  for (Entry &entry : entries) {
    if (entry.used >= 0 && ArrayRef<int64_t>(entry.key) == key) {
      entry.used = clock++;
      fresh = false;
      return entry.buf;
    }
    if (entry.used < oldest->used)
      oldest = &entry;
  }
  fresh = true;
  oldest->key.assign(key.begin(), key.end());
  oldest->used = clock++;
  return renew(*oldest);
}

Value Ring::next() { return renew(entries[clock++ % entries.size()]); }

//===----------------------------------------------------------------------===//
// DMA
//===----------------------------------------------------------------------===//

void CodeSize::notifyOperationInserted(Operation *op, OpBuilder::InsertPoint) {
  if (npu::isRecord(op))
    units += npu::unitsOf(op);
}

/// Peels loops until one record can say the rest.
void Emitter::split(Location loc, Dma dma, SmallVector<Layout::Loop> loops) {
  if (full())
    return;
  int64_t bytes = dma.inner;
  bool wide = loops.size() > 4;
  for (const Layout::Loop &loop : loops) {
    bytes *= loop.count;
    wide |= !fits32(loop.memStride) || !fits32(loop.sramStride);
  }
  if (wide || (bytes > LOOM_CAP_DMA_BYTES && !loops.empty())) {
    // memStride belongs to the source, sramStride to the destination here.
    const Layout::Loop outer = loops.front();
    const int64_t each = bytes / outer.count;
    const int64_t step =
        wide ? 1 : std::max<int64_t>(1, LOOM_CAP_DMA_BYTES / each);
    loops.erase(loops.begin());
    for (int64_t at = 0; at < outer.count; at += step) {
      Dma part = dma;
      part.srcOffset += at * outer.memStride;
      part.dstOffset += at * outer.sramStride;
      SmallVector<Layout::Loop> rest = loops;
      const int64_t count = std::min(step, outer.count - at);
      if (count > 1)
        rest.insert(rest.begin(), {count, outer.memStride, outer.sramStride});
      split(loc, part, rest);
    }
    return;
  }
  if (bytes > LOOM_CAP_DMA_BYTES) {
    for (int64_t at = 0; at < dma.inner; at += LOOM_CAP_DMA_BYTES) {
      Dma part = dma;
      part.srcOffset += at;
      part.dstOffset += at;
      part.inner = std::min<int64_t>(LOOM_CAP_DMA_BYTES, dma.inner - at);
      split(loc, part, {});
    }
    return;
  }
  SmallVector<int64_t> n(4, 1), ss(4, 0), ds(4, 0);
  for (size_t i = 0; i < loops.size(); ++i) {
    const size_t d = 4 - loops.size() + i;
    n[d] = loops[i].count;
    ss[d] = dma.src ? loops[i].memStride : 0;
    ds[d] = loops[i].sramStride;
  }
  DenseI64ArrayAttr fill;
  if (dma.fill)
    fill = builder.getDenseI64ArrayAttr({dma.fill->first, dma.fill->second});
  IntegerAttr srcReg = base(loc, dma.src, 0), dstReg = base(loc, dma.dst, 1);
  npu::DmaOp::create(
      builder, loc, dma.src, dma.dst, builder.getI64IntegerAttr(dma.queue),
      builder.getI64IntegerAttr(dma.srcOffset),
      builder.getI64IntegerAttr(dma.dstOffset),
      builder.getI64IntegerAttr(dma.inner), builder.getDenseI64ArrayAttr(n),
      builder.getDenseI64ArrayAttr(ss), builder.getDenseI64ArrayAttr(ds), fill,
      srcReg, nullptr, nullptr, dstReg);
}

/// Registers 3 and 4 carry what the counter in register 2 moves a source and a
/// destination by; records take them at dispatch.
static constexpr int64_t kCounter = 2, kSide = 3;

IntegerAttr Emitter::base(Location loc, Value place, unsigned side) {
  auto moved = place ? place.getDefiningOp<npu::MovedOp>() : nullptr;
  if (!moved)
    return nullptr;
  const int64_t step = moved.getStep();
  auto number = [&](int64_t v) { return builder.getI64IntegerAttr(v); };
  if (held[side] != step)
    npu::ScalarOp::create(builder, loc, Value(), number(LOOM_OP_MUL),
                          number(kSide + side), number(kCounter), number(step));
  held[side] = step;
  return number(kSide + side);
}

void Emitter::endStream(Location loc) {
  if (code.made() == ended)
    return;
  npu::HaltOp::create(builder, loc);
  ended = code.made();
}

void Emitter::beginLoop(Location loc, int64_t count) {
  npu::LoopOp::create(builder, loc, builder.getI64IntegerAttr(count),
                      builder.getI64IntegerAttr(kCounter), nullptr);
  npu::FenceOp::create(builder, loc);
  trip = count;
  held[0] = held[1] = 0; // no step is 0
}

void Emitter::endLoop(Location loc) {
  npu::EndLoopOp::create(builder, loc);
  npu::FenceOp::create(builder, loc);
  trip = 1;
}

void Emitter::loadAt(Location loc, Value mem, int64_t memOffset, unsigned reg,
                     Value buf, int64_t bufOffset, int64_t bytes) {
  auto ones = builder.getDenseI64ArrayAttr({1, 1, 1, 1});
  auto zeros = builder.getDenseI64ArrayAttr({0, 0, 0, 0});
  npu::DmaOp::create(
      builder, loc, mem, buf, builder.getI64IntegerAttr(LOOM_Q_LD),
      builder.getI64IntegerAttr(memOffset),
      builder.getI64IntegerAttr(bufOffset), builder.getI64IntegerAttr(bytes),
      ones, zeros, zeros, nullptr, builder.getI64IntegerAttr(reg), nullptr,
      nullptr, nullptr);
}

void Emitter::transfer(Location loc, unsigned queue, Value mem, Value buf,
                       const Layout &layout) {
  const bool load = queue == LOOM_Q_LD;
  SmallVector<Layout::Loop> loops(layout.loops);
  if (!load)
    for (Layout::Loop &loop : loops)
      std::swap(loop.memStride, loop.sramStride);
  Dma dma{load ? mem : buf,
          load ? buf : mem,
          queue,
          load ? layout.memOffset : 0,
          load ? 0 : layout.memOffset,
          layout.inner,
          std::nullopt};
  split(loc, dma, loops);
}

void Emitter::copy(Location loc, Value src, Value dst, int64_t srcOffset,
                   int64_t dstOffset, int64_t inner,
                   ArrayRef<Layout::Loop> loops) {
  split(loc, {src, dst, LOOM_Q_ST, srcOffset, dstOffset, inner, std::nullopt},
        SmallVector<Layout::Loop>(loops));
}

void Emitter::fill(Location loc, Value dst, int64_t offset, int64_t bytes,
                   uint32_t bits, int64_t elem) {
  const uint32_t pattern = elem == 4 ? bits : bits & ((1u << 8 * elem) - 1);
  split(loc,
        {Value(), dst, LOOM_Q_ST, 0, offset, bytes,
         std::make_pair(pattern, elem)},
        {});
}

void Emitter::layer(Location loc, StringRef kind, const Twine &shape,
                    const Twine &tiling, StringRef bound, int64_t macs,
                    int64_t bytes, int64_t ideal, int64_t work) {
  const int64_t moving = loom_ceil_div(uint64_t(neededBytes) * 64,
                                       loom_mem_bandwidth64(&target.mem[0]));
  npu::LayerOp::create(
      builder, loc, builder.getStringAttr(kind), builder.getStringAttr(shape),
      builder.getStringAttr(tiling), builder.getStringAttr(bound),
      builder.getI64IntegerAttr(trip * macs),
      builder.getI64IntegerAttr(trip * bytes),
      builder.getI64IntegerAttr(trip * ideal),
      builder.getI64IntegerAttr(std::max(trip * work, moving)));
}
