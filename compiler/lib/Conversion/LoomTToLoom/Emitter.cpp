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

/// Registers: a row's offset or a number at hand; what a source and a
/// destination are moved by, which records take at dispatch; a product on its
/// way to one of them; counters.
static constexpr unsigned kNumber = 1, kSide = 2, kProduct = 4, kCounter = 5;

void Emitter::scalar(Location loc, Value buf, unsigned opcode, unsigned rd,
                     unsigned ra, int64_t imm, unsigned rb) {
  auto number = [&](int64_t v) { return builder.getI64IntegerAttr(v); };
  npu::ScalarOp::create(builder, loc, buf, number(opcode), number(rd),
                        number(ra), number(imm), number(rb));
}

void Emitter::forgetSides() { held[0] = held[1] = std::nullopt; }

/// The loops' part of a place, set to or added to a register.
void Emitter::addLoops(Location loc, ArrayRef<int64_t> steps, unsigned reg,
                       bool sets) {
  for (auto [step, loop] : llvm::zip(steps, loops)) {
    if (!step)
      continue;
    scalar(loc, Value(), LOOM_OP_MUL, sets ? reg : kProduct, loop.counter,
           step);
    if (!sets)
      scalar(loc, Value(), LOOM_OP_ADD, reg, reg, 0, kProduct);
    sets = false;
  }
}

IntegerAttr Emitter::base(Location loc, Value place, unsigned side) {
  auto moved = place ? place.getDefiningOp<npu::MovedOp>() : nullptr;
  if (!moved)
    return nullptr;
  const unsigned reg = kSide + side;
  if (!moved.getReg() && (!held[side] || *held[side] != moved.getSteps())) {
    addLoops(loc, moved.getSteps(), reg, /*sets=*/true);
    held[side] = SmallVector<int64_t>(moved.getSteps());
  }
  return builder.getI64IntegerAttr(reg);
}

void Emitter::endStream(Location loc) {
  if (code.made() == ended)
    return;
  npu::HaltOp::create(builder, loc);
  ended = code.made();
  cpuLast = false;
}

/// A number in SRAM: where it is, or loaded.
Value Emitter::numberBuffer(Location loc, const Box &box, int64_t &offset) {
  offset = box.isHere() ? box.offset : 0;
  if (box.isHere())
    return box.mem;
  Value buf = npu::BufOp::create(
      builder, loc, npu::BufType::get(builder.getContext(), box.elem), Value(),
      IntegerAttr());
  Box one = box;
  one.n.clear();
  one.stride.clear();
  load(loc, box.mem, buf, layoutDense(one));
  return buf;
}

void Emitter::readNumber(Location loc, const Box &box) {
  int64_t offset = 0;
  Value buf = numberBuffer(loc, box, offset);
  npu::FenceOp::create(builder, loc);
  scalar(loc, buf, LOOM_OP_LD, kNumber, 0, offset);
}

Value Emitter::moved(Location loc, Value mem, ArrayRef<int64_t> loopSteps,
                     ArrayRef<Index> indices, unsigned side) {
  auto whole = mem.getDefiningOp<npu::MovedOp>();
  SmallVector<int64_t> steps(loopSteps);
  if (whole) { // a moved place is moved on
    mem = whole.getMem();
    steps.resize(std::max(steps.size(), whole.getSteps().size()), 0);
    for (auto [i, step] : llvm::enumerate(whole.getSteps()))
      steps[i] += step;
  }
  const bool loop = llvm::any_of(steps, [](int64_t step) { return step != 0; });
  if (!loop && indices.empty())
    return mem;
  IntegerAttr reg;
  if (!indices.empty()) {
    const unsigned sum = kSide + side;
    SmallVector<std::pair<Value, int64_t>> numbers;
    for (const Index &index : indices) {
      int64_t offset = 0;
      Value buf = numberBuffer(loc, index.box, offset);
      numbers.push_back({buf, offset});
    }
    npu::FenceOp::create(builder, loc);
    for (auto [i, index] : llvm::enumerate(indices)) {
      const unsigned rd = i ? kProduct : sum;
      scalar(loc, numbers[i].first, LOOM_OP_LD, rd, 0, numbers[i].second);
      scalar(loc, Value(), LOOM_OP_CLAMP, rd, rd, index.limit);
      scalar(loc, Value(), LOOM_OP_MUL, rd, rd, index.step);
      if (i)
        scalar(loc, Value(), LOOM_OP_ADD, sum, sum, 0, kProduct);
    }
    addLoops(loc, steps, sum, /*sets=*/false);
    held[side] = std::nullopt;
    reg = builder.getI64IntegerAttr(sum);
  }
  return npu::MovedOp::create(builder, loc, mem.getType(), mem,
                              builder.getDenseI64ArrayAttr(steps), reg);
}

void Emitter::beginLoop(Location loc, std::optional<int64_t> count) {
  unsigned counter = 0;
  if (count) {
    counter = kCounter + llvm::count_if(loops, [](const Loop &loop) {
                return loop.counter != 0;
              });
    npu::LoopOp::create(builder, loc, builder.getI64IntegerAttr(*count),
                        builder.getI64IntegerAttr(counter), nullptr);
    npu::FenceOp::create(builder, loc);
  }
  loops.push_back({count.value_or(1), counter});
  trips *= loops.back().trip;
  forgetSides();
}

void Emitter::beginRound(Location loc, std::optional<int64_t> trip, Value cond,
                         bool cpuFirst) {
  endStream(loc);
  cpuLast = false;
  ++rounds;
  npu::RoundOp::create(builder, loc, cond,
                       trip ? builder.getI64IntegerAttr(*trip) : IntegerAttr());
  loops.push_back({trip.value_or(1), 0, true, cpuFirst});
  trips *= loops.back().trip;
}

void Emitter::endRound(Location loc) {
  endStream(loc);
  cpuLast = false;
  npu::EndRoundOp::create(builder, loc);
  trips /= loops.back().trip;
  loops.pop_back();
}

void Emitter::endLoop(Location loc) {
  if (loops.back().counter) {
    npu::EndLoopOp::create(builder, loc);
    npu::FenceOp::create(builder, loc);
  }
  trips /= loops.back().trip;
  loops.pop_back();
  forgetSides();
}

void Emitter::label(Location loc, int64_t label) {
  npu::LabelOp::create(builder, loc, builder.getI64IntegerAttr(label));
  npu::FenceOp::create(builder, loc);
  forgetSides();
}

void Emitter::branch(Location loc, int64_t label, unsigned cond,
                     int64_t other) {
  auto number = [&](int64_t v) { return builder.getI64IntegerAttr(v); };
  npu::BranchOp::create(builder, loc, number(label), number(cond),
                        number(cond ? kNumber : 0), number(other), nullptr);
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
      builder.getI64IntegerAttr(trips * macs),
      builder.getI64IntegerAttr(trips * bytes),
      builder.getI64IntegerAttr(trips * ideal),
      builder.getI64IntegerAttr(std::max(trips * work, moving)));
}
