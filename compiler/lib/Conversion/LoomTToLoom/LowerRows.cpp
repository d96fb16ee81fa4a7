// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows by index: one gather for as many as a buffer in SRAM holds. Without that
// unit, the sequencer reads an index, clamps it and scales it to the address of
// one row's load.

#include "Emitter.h"

#include "loom_timing.h"

using namespace mlir;
using namespace mlir::loom;

/// The register that carries a row's offset; its value is taken at dispatch.
static constexpr int64_t kRegister = 1;

/// Buffers come in pairs; each is at most this share of a piece.
static constexpr int64_t kShare = 4;

int64_t mlir::loom::largestPiece(const Room &room) {
  int64_t bytes = 0;
  for (const Room::Piece &piece : room.pieces())
    bytes = std::max(bytes, piece.bytes);
  return bytes;
}

int64_t mlir::loom::listLength(int64_t count, int64_t bytes) {
  return count * 4 <= bytes ? count : bytes / 8;
}

Value mlir::loom::loadList(Emitter &e, Location loc, const Box &indices,
                           int64_t begin, int64_t end, Ring &ring) {
  Box part = indices;
  part.offset += begin * part.stride[0];
  part.n[0] = end - begin;
  Value list = ring.next();
  e.load(loc, part.mem, list, layoutDense(part));
  return list;
}

bool mlir::loom::rowsFit(loomt::RowsOp op, const Room &room) {
  const int64_t share = largestPiece(room) / kShare;
  const int64_t rowBytes =
      op.getType().getDimSize(1) * elementBytesOf(op.getType());
  return rowBytes <= std::min<int64_t>(share, LOOM_CAP_DMA_BYTES);
}

namespace {
/// Rows of a table, and the list in SRAM that names them.
struct Rows {
  Box table;
  int64_t bytes; // of a row
  Value list;
  int64_t listed; // of the first index
  int64_t step;   // from index to index
};
} // namespace

static void gather(Emitter &e, Location loc, const Rows &rows, int64_t first,
                   int64_t count, Value buf, int64_t at) {
  auto number = [&](int64_t v) { return e.builder.getI64IntegerAttr(v); };
  npu::GatherOp::create(e.builder, loc, rows.table.mem, buf, rows.list,
                        number(rows.table.offset), number(at),
                        number(rows.listed + first * rows.step),
                        number(rows.table.n[0]), number(rows.table.stride[0]),
                        number(rows.bytes), number(count), nullptr, nullptr);
}

static void loadEach(Emitter &e, Location loc, const Rows &rows, int64_t first,
                     int64_t count, Value buf, int64_t at) {
  auto number = [&](int64_t v) { return e.builder.getI64IntegerAttr(v); };
  auto scalar = [&](Value from, int64_t opcode, int64_t ra, int64_t imm) {
    npu::ScalarOp::create(e.builder, loc, from, number(opcode),
                          number(kRegister), number(ra), number(imm),
                          number(0));
  };
  for (int64_t i = 0; i < count; ++i) {
    scalar(rows.list, LOOM_OP_LD, 0, rows.listed + (first + i) * rows.step);
    scalar(Value(), LOOM_OP_CLAMP, kRegister, rows.table.n[0] - 1);
    scalar(Value(), LOOM_OP_MUL, kRegister, rows.table.stride[0]);
    e.loadAt(loc, rows.table.mem, rows.table.offset, kRegister, buf,
             at + i * rows.bytes, rows.bytes);
  }
}

LogicalResult mlir::loom::lowerRows(Emitter &e, const Memory &memory,
                                    loomt::RowsOp op) {
  Location loc = op.getLoc();
  Box table = memory.box(op.getTable()), out = memory.box(op.getResult());
  const int64_t count = out.n[0];
  const int64_t rowBytes = out.n[1] * out.elem;
  const int64_t sram = largestPiece(e.room);
  if (table.n[1] > 1 && table.stride[1] != table.elem)
    return op.emitError() << "a row of the table does not lie together; "
                             "transpose the parameter";
  if (!rowsFit(op, e.room))
    return op.emitError() << "rows of " << rowBytes
                          << " bytes do not fit the target, which has " << sram
                          << " bytes of SRAM; choose a larger target or index "
                             "narrower rows";
  const bool gathers = e.target.features >> LOOM_FEAT_GATHER & 1;
  Operation *maker = loomt::Ref::of(op.getTable()).root.getDefiningOp();
  if (!gathers && maker && !isa<loomt::ConstantOp>(maker))
    return op.emitError()
           << "rows of a table that is computed need the feature "
              "GATHER, which the target lacks; choose a target "
              "with it";
  const int64_t each = std::min<int64_t>(
      count, std::min<int64_t>(sram / kShare, LOOM_CAP_DMA_BYTES) / rowBytes);
  Box indices = memory.box(op.getIndices());
  const int64_t bytes =
      count * ((out.isHere() ? 1 : 2) * rowBytes + (indices.isHere() ? 0 : 4));
  e.layer(loc, "rows", shapeText(op.getType()), Twine(each) + " rows", "memory",
          0, bytes,
          loom_ceil_div(uint64_t(bytes) * 64,
                        loom_mem_bandwidth64(&e.target.mem[0])));
  // A gather takes a dense list.
  const bool inPlace = indices.isHere() && !(gathers && indices.stride[0] != 4);
  const int64_t listed = inPlace ? count : listLength(count, sram / kShare);
  Ring indexRing(e.builder, loc, count > listed ? 2 : 1, listed * 4);
  Ring rowRing(e.builder, loc, count > each ? 2 : 1, each * rowBytes);
  for (int64_t begin = 0; begin < count; begin += listed) {
    const int64_t end = std::min(count, begin + listed);
    Rows rows{table, rowBytes, indices.mem, indices.offset, indices.stride[0]};
    if (!inPlace)
      rows = {table, rowBytes, loadList(e, loc, indices, begin, end, indexRing),
              0, 4};
    if (!gathers) // the sequencer waits for the list
      npu::FenceOp::create(e.builder, loc);
    for (int64_t first = begin; first < end && !e.full(); first += each) {
      const int64_t here = std::min(each, end - first);
      Value buf = out.isHere() ? out.mem : rowRing.next();
      const int64_t at = out.isHere() ? out.offset + first * rowBytes : 0;
      (gathers ? gather : loadEach)(e, loc, rows, first - begin, here, buf, at);
      if (out.isHere())
        continue;
      Box part = out;
      part.offset += first * part.stride[0];
      part.n[0] = here;
      e.store(loc, buf, part.mem, layoutDense(part));
    }
  }
  return success();
}
