// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows updated by index. Those that are replaced go out by one scatter for as
// many as a buffer holds: rows of a scatter are written in order. Those that
// are combined are read, computed and written one after the other, so that an
// index that comes twice finds what the first has left.

#include "Emitter.h"

#include "loom_timing.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::Program;

static constexpr int64_t kShare = 8; // of the largest piece, for one buffer
static constexpr int64_t kMaxWidth = 65535;
/// Combined rows are some ten units of code each.
static constexpr int64_t kMaxCombined = 16384;

bool mlir::loom::scatterFits(loomt::ScatterRowsOp op, const Room &room) {
  const int64_t share = largestPiece(room) / kShare;
  auto updates = cast<RankedTensorType>(op.getUpdates().getType());
  const int64_t count = updates.getDimSize(0), width = updates.getDimSize(1);
  return width * elementBytesOf(updates) <=
             std::min<int64_t>(share, LOOM_CAP_DMA_BYTES) &&
         width <= kMaxWidth && (op.getReplaces() || count <= kMaxCombined);
}

namespace {
class Scatter {
public:
  Scatter(Emitter &e, const Memory &memory, loomt::ScatterRowsOp op)
      : e(e), op(op), loc(op.getLoc()), out(memory.box(op.getResult())),
        updates(memory.box(op.getUpdates())),
        indices(memory.box(op.getIndices())),
        program(op.getProgram(), op.getImms()), count(updates.n[0]),
        rowBytes(out.n[1] * out.elem) {}
  void run(const Memory &memory);

private:
  void begin(const Memory &memory);
  void replace(int64_t begin, int64_t end);
  void combine(int64_t begin, int64_t end);
  IntegerAttr number(int64_t v) { return e.builder.getI64IntegerAttr(v); }
  void write(Value src, int64_t at, int64_t first, int64_t rows);
  void compute(Value old, Value update, const Layout &layout, int64_t row,
               Value made);
  Box part(int64_t first, int64_t rows) const;
  /// Where in the list the index of an update is.
  int64_t indexAt(int64_t update) const {
    return indices.offset + (update - listed) * 4;
  }
  int64_t rowsAtOnce() const {
    const int64_t share =
        std::min<int64_t>(largestPiece(e.room) / kShare, LOOM_CAP_DMA_BYTES);
    return std::min(count, std::max<int64_t>(1, share / rowBytes));
  }

  Emitter &e;
  loomt::ScatterRowsOp op;
  Location loc;
  Box out, updates, indices;
  Program program;
  const int64_t count, rowBytes;
  Value list;         // of indices, in SRAM
  int64_t listed = 0; // its first
  Ring chunks, olds, mades;
};
} // namespace

/// What the result begins with.
void Scatter::begin(const Memory &memory) {
  const int64_t table = out.n[0] * rowBytes;
  const int64_t bytes = 2 * table + 3 * count * rowBytes;
  e.layer(loc, "scatter", shapeText(op.getUpdates().getType()),
          op.getReplaces() ? "rows" : "row by row", "memory", 0, bytes,
          loom_ceil_div(uint64_t(bytes) * 64,
                        loom_mem_bandwidth64(&e.target.mem[0])));
  if (op.getFill())
    e.fill(loc, out.mem, out.offset, table, *op.getFill(), out.elem);
  else
    copyBox(e, loc, memory.box(op.getTable()), out);
}

void Scatter::run(const Memory &memory) {
  begin(memory);
  const int64_t each = rowsAtOnce(), buffers = count > each ? 2 : 1;
  if (op.getReplaces()) {
    chunks = Ring(e.builder, loc, buffers, each * rowBytes);
  } else {
    const int64_t bytes =
        updates.isHere() ? 0 : layoutAsInMemory(part(0, each)).bytes;
    chunks = Ring(e.builder, loc, buffers, bytes);
    olds = Ring(e.builder, loc, 2, rowBytes);
    mades = Ring(e.builder, loc, 2, rowBytes);
  }
  list = indices.mem;
  const bool inPlace =
      indices.isHere() && (indices.stride[0] == 4 || count == 1);
  const int64_t length =
      inPlace ? count : listLength(count, 2 * largestPiece(e.room) / kShare);
  Ring lists(e.builder, loc, count > length ? 2 : 1, length * 4);
  const Box whole = indices;
  for (; listed < count && !e.full(); listed += length) {
    const int64_t end = std::min(count, listed + length);
    if (!inPlace) {
      list = loadList(e, loc, whole, listed, end, lists);
      indices.offset = 0;
    }
    op.getReplaces() ? replace(listed, end) : combine(listed, end);
  }
}

Box Scatter::part(int64_t first, int64_t rows) const {
  Box box = updates;
  box.offset += first * box.stride[0];
  box.n[0] = rows;
  return box;
}

void Scatter::write(Value src, int64_t at, int64_t first, int64_t rows) {
  npu::ScatterOp::create(e.builder, loc, src, out.mem, list, number(at),
                         number(out.offset), number(indexAt(first)),
                         number(out.n[0]), number(out.stride[0]),
                         number(rowBytes), number(rows), nullptr, nullptr);
}

void Scatter::replace(int64_t begin, int64_t end) {
  const int64_t each = rowsAtOnce();
  for (int64_t first = begin; first < end && !e.full(); first += each) {
    const int64_t rows = std::min(each, end - first);
    Value buf = chunks.next();
    e.load(loc, updates.mem, buf, layoutDense(part(first, rows)));
    write(buf, 0, first, rows);
  }
}

void Scatter::compute(Value old, Value update, const Layout &layout,
                      int64_t row, Value made) {
  OpBuilder &b = e.builder;
  const int64_t type = *loomt::npuType(op.getType().getElementType());
  SmallVector<int64_t> views;
  auto view = [&](int64_t offset, int64_t flags, int64_t stride) {
    views.append({offset, type, flags, 0, 0, 0, 0, 0, stride});
  };
  view(0, 0, out.elem);
  view(layout.sramOffset + row * layout.stride[0], 0, layout.stride[1]);
  view(0, LOOM_VIEW_OUT, out.elem);
  npu::VpuOp::create(
      b, loc, ValueRange{old, update, made},
      b.getDenseI64ArrayAttr({1, 1, 1, 1, 1, out.n[1]}), number(0),
      b.getDenseI64ArrayAttr(views),
      b.getDenseI32ArrayAttr(microOperations(program, LOOM_UOP_STORE, 2)),
      b.getDenseI32ArrayAttr(program.imms), nullptr, nullptr);
}

void Scatter::combine(int64_t begin, int64_t end) {
  const int64_t each = updates.isHere() ? count : rowsAtOnce();
  for (int64_t first = begin; first < end; first += each) {
    const Box box = part(first, std::min(each, end - first));
    const Layout layout =
        updates.isHere() ? layoutHere(box) : layoutAsInMemory(box);
    Value chunk = updates.mem;
    if (!updates.isHere()) {
      chunk = chunks.next();
      e.load(loc, updates.mem, chunk, layout);
    }
    for (int64_t row = 0; row < box.n[0] && !e.full(); ++row) {
      Value old = olds.next(), made = mades.next();
      npu::GatherOp::create(
          e.builder, loc, out.mem, old, list, number(out.offset), number(0),
          number(indexAt(first + row)), number(out.n[0]), number(out.stride[0]),
          number(rowBytes), number(1), nullptr, nullptr);
      compute(old, chunk, layout, row, made);
      write(made, 0, first + row, 1);
    }
  }
}

LogicalResult mlir::loom::lowerScatter(Emitter &e, const Memory &memory,
                                       loomt::ScatterRowsOp op) {
  const uint64_t needed = 1ull << LOOM_FEAT_GATHER | 1ull << LOOM_FEAT_SCATTER;
  if ((e.target.features & needed) != needed)
    return op.emitError() << "indexed updates need the features GATHER and "
                             "SCATTER, which the target lacks; choose a target "
                             "with them";
  if (!scatterFits(op, e.room))
    return op.emitError()
           << "indexed updates of shape "
           << shapeText(op.getUpdates().getType())
           << " do not fit the target, which has " << largestPiece(e.room)
           << " bytes of SRAM; choose a larger target or update in parts";
  Scatter(e, memory, op).run(memory);
  return success();
}
