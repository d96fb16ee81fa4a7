// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Maps and reductions on the vector unit: the domain is cut along its kept
// dimensions; each tile is loaded, computed by one record and stored.

#include "Emitter.h"

#include "loom_timing.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::Program;

namespace {
constexpr int64_t kMaxCount = 65535;
/// A tile below this many elements does not pay for its record.
constexpr int64_t kMinTile = 4096;
constexpr int64_t kWantedTiles = 8;

struct View {
  Box box; // over the whole domain
  bool isOut = false;
  unsigned dtype = 0;
  bool here = false; // in SRAM already
  Ring ring;
};

class Scalar {
public:
  Scalar(Emitter &emitter, Operation *op) : e(emitter), op(op) {}
  LogicalResult run(const Memory &memory);
  bool fits(llvm::function_ref<bool(Value)> here);

private:
  void collect(const Memory &memory);
  void coalesce();
  int64_t tileBytes(ArrayRef<int64_t> tile, SmallVectorImpl<int64_t> *each);
  bool fitsRoom();
  bool chooseTile();
  bool lanesAreResults(ArrayRef<int64_t> stride) const;
  void emitTile(ArrayRef<int64_t> at);
  size_t kept() const { return n.size() - reduced; }
  Box boxOf(const View &view, ArrayRef<int64_t> at, ArrayRef<int64_t> size);

  Emitter &e;
  Operation *op;
  RankedTensorType domain;
  SmallVector<int64_t> n; // its dimensions, reduced dimensions last
  size_t reduced = 0;
  SmallVector<int64_t> tile;
  std::vector<View> views; // the result is the last
  Program program;
  int32_t reducer = 0;
  SmallVector<int32_t> uops;
};
} // namespace

/// Drops dimensions of size 1 and merges neighbours that every view walks as
/// one.
void Scalar::coalesce() {
  SmallVector<int64_t> size;
  std::vector<SmallVector<int64_t>> strides(views.size());
  size_t keptDims = 0;
  for (size_t d = 0; d < n.size(); ++d) {
    const bool isReduced = d >= kept();
    if (n[d] == 1)
      continue;
    const bool sameKind =
        !size.empty() && (isReduced == (size.size() > keptDims));
    // A reduced dimension is not tiled, so it has to stay within a record's.
    bool merge =
        sameKind && size.back() * n[d] <= (isReduced ? kMaxCount : INT32_MAX);
    for (size_t v = 0; merge && v < views.size(); ++v)
      merge = strides[v].back() == views[v].box.stride[d] * n[d];
    if (merge) {
      size.back() *= n[d];
      for (size_t v = 0; v < views.size(); ++v)
        strides[v].back() = views[v].box.stride[d];
      continue;
    }
    size.push_back(n[d]);
    for (size_t v = 0; v < views.size(); ++v)
      strides[v].push_back(views[v].box.stride[d]);
    if (!isReduced)
      keptDims = size.size();
  }
  if (reduced && size.size() == keptDims) {
    size.push_back(1);
    for (auto &list : strides)
      list.push_back(0);
  }
  reduced = size.size() - keptDims;
  n = size;
  for (size_t v = 0; v < views.size(); ++v) {
    views[v].box.n = size;
    views[v].box.stride = strides[v];
  }
}

Box Scalar::boxOf(const View &view, ArrayRef<int64_t> at,
                  ArrayRef<int64_t> size) {
  Box box = view.box;
  for (size_t d = 0; d < n.size(); ++d)
    box.offset += at[d] * box.stride[d];
  box.n.assign(size.begin(), size.end());
  if (view.isOut)
    for (size_t d = kept(); d < n.size(); ++d)
      box.n[d] = 1;
  return box;
}

/// SRAM that a tile needs, two buffers a view that moves with the tiles.
int64_t Scalar::tileBytes(ArrayRef<int64_t> size,
                          SmallVectorImpl<int64_t> *each) {
  SmallVector<int64_t> zero(n.size(), 0);
  int64_t total = 0;
  for (const View &view : views) {
    if (view.here) {
      if (each)
        each->push_back(0);
      continue;
    }
    const int64_t bytes =
        llvm::alignTo(layoutAsInMemory(boxOf(view, zero, size)).bytes, 64);
    bool moves = false;
    for (size_t d = 0; d < kept(); ++d)
      moves |= size[d] != n[d] && view.box.stride[d] != 0;
    if (each)
      each->push_back(moves ? bytes : -bytes);
    total += moves ? 2 * bytes : bytes;
  }
  return total;
}

/// Whether each buffer has a place.
bool Scalar::fitsRoom() {
  SmallVector<int64_t> each;
  if (tileBytes(tile, &each) > e.room.bytes())
    return false;
  std::vector<int64_t> sizes;
  for (int64_t size : each)
    sizes.insert(sizes.end(), size > 0 ? 2 : 1, std::abs(size));
  llvm::sort(sizes, std::greater<>());
  return e.room.pack(sizes).has_value();
}

bool Scalar::chooseTile() {
  tile.assign(n.begin(), n.end());
  int64_t all = 1, inner = 1;
  for (int64_t count : n)
    all *= count;
  for (size_t d = kept(); d < n.size(); ++d) {
    inner *= n[d];
    if (n[d] > kMaxCount)
      return false;
  }
  // Loads and stores go on beside the other tiles; with none, one record is
  // best.
  const bool moves =
      llvm::any_of(views, [](const View &view) { return !view.here; });
  const int64_t tiles = moves ? kWantedTiles : 1;
  const int64_t wanted = std::max<int64_t>(kMinTile, (all + tiles - 1) / tiles);
  auto elements = [&] {
    int64_t count = 1;
    for (int64_t t : tile)
      count *= t;
    return count;
  };
  auto used = [&] {
    return llvm::count_if(tile, [](int64_t t) { return t > 1; });
  };
  // Shrinks the outermost dimension that is still larger than 1.
  for (size_t d = 0; d < kept();) {
    const bool fits =
        tile[d] <= kMaxCount && elements() <= int64_t(LOOM_CAP_VPU_ELEMS) &&
        elements() <= std::max(wanted, inner) && used() <= 6 && fitsRoom();
    if (fits)
      break;
    if (tile[d] == 1 || used() > 6) {
      tile[d] = 1;
      ++d;
      continue;
    }
    const int64_t count = (n[d] + tile[d] - 1) / tile[d];
    // One tile more, all of about one size.
    tile[d] = std::min(tile[d] - 1, (n[d] + count) / (count + 1));
  }
  int64_t rank = 0;
  for (int64_t t : tile)
    rank += t > 1;
  return rank <= 6 && elements() <= int64_t(LOOM_CAP_VPU_ELEMS) && fitsRoom();
}

/// Whether neighbouring results lie closer in an operand than neighbouring
/// elements of one result. The order of a result's elements stays, and with it
/// the bits.
bool Scalar::lanesAreResults(ArrayRef<int64_t> stride) const {
  auto closest = [&](size_t from, size_t to) {
    int64_t least = INT64_MAX;
    for (size_t d = from; d < to; ++d)
      if (n[d] > 1 && stride[d])
        least = std::min(least, std::abs(stride[d]));
    return least;
  };
  return reduced && closest(0, kept()) < closest(kept(), n.size());
}

void Scalar::emitTile(ArrayRef<int64_t> at) {
  SmallVector<int64_t> size;
  for (size_t d = 0; d < n.size(); ++d)
    size.push_back(std::min(tile[d], n[d] - at[d]));
  SmallVector<Value> bufs;
  SmallVector<Layout> layouts;
  for (View &view : views) {
    Box box = boxOf(view, at, size);
    Layout layout = view.here ? layoutHere(box) : layoutAsInMemory(box);
    Value buf;
    if (view.here) {
      buf = box.mem;
    } else if (view.isOut) {
      buf = view.ring.next();
    } else {
      SmallVector<int64_t> key{layout.memOffset, layout.bytes, layout.inner};
      bool fresh;
      buf = view.ring.get(key, fresh);
      if (fresh)
        e.load(op->getLoc(), box.mem, buf, layout);
    }
    bufs.push_back(buf);
    layouts.push_back(layout);
  }
  // Six dimensions; those of one element need no place.
  SmallVector<int64_t> counts;
  SmallVector<size_t> dims;
  int64_t mask = 0;
  for (size_t d = 0; d < n.size(); ++d)
    if (size[d] > 1 || (d + 1 == n.size() && reduced))
      dims.push_back(d);
  if (dims.size() > 6) // the last reduced dimension is one of size 1
    dims.pop_back();
  // What lies closest together goes innermost: rows along their elements,
  // windows and columns along the results, which then are lanes.
  if (lanesAreResults(layouts.front().stride))
    llvm::stable_sort(
        dims, [&](size_t a, size_t b) { return a >= kept() && b < kept(); });
  const size_t pad = 6 - dims.size();
  counts.assign(pad, 1);
  for (auto [i, d] : llvm::enumerate(dims)) {
    counts.push_back(size[d]);
    if (d >= kept())
      mask |= int64_t(1) << (pad + i);
  }
  SmallVector<int64_t> encoded;
  for (auto [v, view] : llvm::enumerate(views)) {
    encoded.append({layouts[v].sramOffset, int64_t(view.dtype),
                    view.isOut ? int64_t(LOOM_VIEW_OUT) : 0});
    encoded.append(pad, 0);
    for (size_t d : dims)
      encoded.push_back(view.isOut && d >= kept() ? 0 : layouts[v].stride[d]);
  }
  OpBuilder &b = e.builder;
  npu::VpuOp::create(b, op->getLoc(), bufs, b.getDenseI64ArrayAttr(counts),
                     b.getI64IntegerAttr(mask), b.getDenseI64ArrayAttr(encoded),
                     b.getDenseI32ArrayAttr(uops),
                     b.getDenseI32ArrayAttr(program.imms), nullptr, nullptr);
  const View &out = views.back();
  if (!out.here)
    e.store(op->getLoc(), bufs.back(), out.box.mem, layouts.back());
}

/// The domain, and a view of each operand and of the result.
void Scalar::collect(const Memory &memory) {
  auto reduce = dyn_cast<loomt::ReduceOp>(op);
  auto map = dyn_cast<loomt::MapOp>(op);
  program = reduce ? Program(reduce.getProgram(), reduce.getImms())
                   : Program(map.getProgram(), map.getImms());
  auto element = [](Value v) {
    return cast<RankedTensorType>(v.getType()).getElementType();
  };
  for (Value input : op->getOperands())
    views.push_back(
        {memory.box(input), false, *loomt::npuType(element(input)), false, {}});
  Value result = op->getResult(0);
  View out{
      memory.box(result), true, *loomt::npuType(element(result)), false, {}};
  domain = op->getNumOperands()
               ? cast<RankedTensorType>(op->getOperand(0).getType())
               : cast<RankedTensorType>(result.getType());
  n.assign(domain.getShape().begin(), domain.getShape().end());
  if (reduce) {
    reduced = reduce.getReduced();
    reducer = reduce.getReducer();
    out.box.stride.append(reduced, 0);
  }
  views.push_back(out);
  coalesce();
  if (n.empty()) { // a scalar
    n.push_back(1);
    for (View &view : views)
      view.box.stride.push_back(0);
  }
}

/// Whether each buffer has a place if those of which `here` is true need none.
bool Scalar::fits(llvm::function_ref<bool(Value)> here) {
  collect(Memory());
  for (auto [view, operand] : llvm::zip(views, op->getOperands()))
    view.here = here(loomt::Ref::of(operand).root);
  views.back().here = here(op->getResult(0));
  return chooseTile();
}

LogicalResult Scalar::run(const Memory &memory) {
  collect(memory);
  for (View &view : views)
    view.here = view.box.isHere();
  const bool reduce = isa<loomt::ReduceOp>(op);
  if (!chooseTile())
    return op->emitError()
           << "'" << op->getName().getStringRef() << "' of shape "
           << shapeText(domain)
           << " does not fit the target: its smallest tile needs more than "
           << e.room.bytes() << " bytes of SRAM, 65535 elements a "
           << "reduced dimension or six dimensions; choose a larger target or "
              "reduce in two steps";
  uops = microOperations(program, reducer ? reducer : int32_t(LOOM_UOP_STORE),
                         views.size() - 1);
  SmallVector<int64_t> each;
  tileBytes(tile, &each);
  uint64_t passes = 0;
  for (int32_t uop : uops)
    passes += loom_uop_passes(LOOM_UOP_OP(uint32_t(uop)));
  const int64_t elements = domain.getNumElements();
  int64_t bytes = 0;
  for (const View &view : views) {
    SmallVector<int64_t> zero(n.size(), 0);
    if (!view.here)
      bytes += layoutAsInMemory(boxOf(view, zero, n)).bytes;
  }
  const uint64_t vpu = loom_ceil_div(elements * passes, e.target.vpu_lanes);
  const uint64_t memoryCycles = loom_ceil_div(
      uint64_t(bytes) * 64, loom_mem_bandwidth64(&e.target.mem[0]));
  int64_t perTile = 1;
  for (int64_t t : tile)
    perTile *= t;
  e.layer(op->getLoc(), reduce ? "reduce" : "map", shapeText(domain),
          Twine(perTile) + " elements", vpu >= memoryCycles ? "VPU" : "memory",
          0, bytes, std::max(vpu, memoryCycles), vpu);
  for (auto [view, size] : llvm::zip(views, each))
    view.ring = Ring(e.builder, op->getLoc(), size < 0 ? 1 : 2, std::abs(size));
  SmallVector<int64_t> at(n.size(), 0);
  while (!e.full()) {
    emitTile(at);
    size_t d = kept();
    while (d-- > 0) {
      at[d] += tile[d];
      if (at[d] < n[d])
        break;
      at[d] = 0;
    }
    if (d == size_t(-1))
      break;
  }
  return success();
}

/// SSA groups to registers; the last value is stored or reduced.
SmallVector<int32_t> mlir::loom::microOperations(const Program &program,
                                                 int32_t last, unsigned view) {
  SmallVector<int32_t> uops;
  const SmallVector<int32_t> registers = *program.registers();
  auto operand = [&](int32_t v) {
    return v >= 0 ? uint32_t(registers[v]) : LOOM_UOP_IMM(uint32_t(-1 - v));
  };
  for (auto [i, group] : llvm::enumerate(program.ops)) {
    const uint32_t dst = registers[i];
    if (group.op == LOOM_UOP_LOAD) {
      uops.push_back(LOOM_UOP(group.op, dst, group.a, 0, 0));
      continue;
    }
    const int count = Program::operands(group.op);
    uops.push_back(LOOM_UOP(group.op, dst, count > 0 ? operand(group.a) : 0,
                            count > 1 ? operand(group.b) : 0,
                            count > 2 ? operand(group.c) : 0));
  }
  uops.push_back(LOOM_UOP(last, view, registers.back(), 0, 0));
  return uops;
}

bool mlir::loom::scalarFits(Operation *op, const loom_target &target,
                            TilingCache &tilings, const Room &room,
                            llvm::function_ref<bool(Value)> here) {
  OpBuilder none(op->getContext());
  Emitter emitter(none, target, tilings);
  emitter.room = room;
  return Scalar(emitter, op).fits(here);
}

LogicalResult mlir::loom::lowerScalar(Emitter &emitter, const Memory &memory,
                                      Operation *op) {
  return Scalar(emitter, op).run(memory);
}

LogicalResult mlir::loom::lowerCopy(Emitter &e, const Memory &memory,
                                    loomt::CopyOp op) {
  if (!op.getType().getNumElements())
    return success();
  Box out = memory.box(op.getResult());
  const int64_t total = op.getType().getNumElements() * out.elem;
  const int64_t moved = op.getInputs().empty() ? total : 2 * total;
  const uint64_t cycles =
      loom_ceil_div(moved * 64ull, loom_mem_bandwidth64(&e.target.mem[0]));
  e.layer(op.getLoc(), "copy", shapeText(op.getType()), "-", "memory", 0, moved,
          cycles);
  if (op.getFill())
    e.fill(op.getLoc(), out.mem, out.offset, total, *op.getFill(), out.elem);
  for (auto [input, offset, attr] :
       llvm::zip(op.getInputs(), op.getOffsets(), op.getStrides())) {
    if (!cast<RankedTensorType>(input.getType()).getNumElements())
      continue;
    Box box = memory.box(input);
    auto strides = cast<DenseI64ArrayAttr>(attr).asArrayRef();
    int64_t inner = box.elem;
    SmallVector<Layout::Loop> loops;
    for (size_t d = box.n.size(); d-- > 0;) {
      if (box.n[d] == 1)
        continue;
      Layout::Loop loop{box.n[d], box.stride[d], strides[d] * box.elem};
      if (loops.empty() && loop.memStride == inner &&
          loop.sramStride == inner) {
        inner *= loop.count;
        continue;
      }
      if (!loops.empty() &&
          loop.memStride == loops.front().count * loops.front().memStride &&
          loop.sramStride == loops.front().count * loops.front().sramStride) {
        loops.front().count *= loop.count;
        continue;
      }
      loops.insert(loops.begin(), loop);
    }
    e.copy(op.getLoc(), box.mem, out.mem, box.offset,
           out.offset + offset * box.elem, inner, loops);
  }
  return success();
}
