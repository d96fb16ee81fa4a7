// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows by index: the sequencer reads an index, clamps it and scales it to the
// address of one row's load. Rows collect in SRAM and leave together.

#include "Emitter.h"

#include "loom_timing.h"

using namespace mlir;
using namespace mlir::loom;

/// The register that carries a row's offset; its value is taken at dispatch.
static constexpr int64_t kRegister = 1;

/// Buffers come in pairs; each is at most this share of a piece.
static constexpr int64_t kShare = 4;

static int64_t largestPiece(const Room &room) {
  int64_t bytes = 0;
  for (const Room::Piece &piece : room.pieces())
    bytes = std::max(bytes, piece.bytes);
  return bytes;
}

bool mlir::loom::rowsFit(loomt::RowsOp op, const Room &room) {
  const int64_t share = largestPiece(room) / kShare;
  const int64_t count = op.getType().getDimSize(0),
                rowBytes =
                    op.getType().getDimSize(1) * elementBytesOf(op.getType());
  return rowBytes <= std::min<int64_t>(share, LOOM_CAP_DMA_BYTES) &&
         count * 4 <= share;
}

LogicalResult mlir::loom::lowerRows(Emitter &e, const Memory &memory,
                                    loomt::RowsOp op) {
  OpBuilder &b = e.builder;
  Location loc = op.getLoc();
  Box table = memory.box(op.getTable()), out = memory.box(op.getResult());
  const int64_t rows = table.n[0], count = out.n[0];
  const int64_t rowBytes = out.n[1] * out.elem;
  const int64_t sram = largestPiece(e.room);
  if (table.n[1] > 1 && table.stride[1] != table.elem)
    return op.emitError() << "a row of the table does not lie together; "
                             "transpose the parameter";
  if (!rowsFit(op, e.room))
    return op.emitError() << count << " indices of rows of " << rowBytes
                          << " bytes do not fit the target, which has " << sram
                          << " bytes of SRAM; choose a larger target or split "
                             "the indices";
  const int64_t each = std::min<int64_t>(count, sram / kShare / rowBytes);
  const int64_t bytes = count * (2 * rowBytes + 4);
  e.layer(loc, "rows", shapeText(op.getType()), Twine(each) + " rows", "memory",
          0, bytes,
          loom_ceil_div(uint64_t(bytes) * 64,
                        loom_mem_bandwidth64(&e.target.mem[0])));
  Ring indexRing(b, loc, 1, count * 4);
  Ring rowRing(b, loc, count > each ? 2 : 1, each * rowBytes);
  Box indices = memory.box(op.getIndices());
  Value list = indices.mem;
  if (!indices.isHere()) {
    list = indexRing.next();
    e.load(loc, indices.mem, list, layoutDense(indices));
    indices.offset = 0;
    indices.stride = {4};
  }
  npu::FenceOp::create(b, loc);
  auto scalar = [&](Value buf, int64_t opcode, int64_t ra, int64_t imm) {
    npu::ScalarOp::create(b, loc, buf, b.getI64IntegerAttr(opcode),
                          b.getI64IntegerAttr(kRegister),
                          b.getI64IntegerAttr(ra), b.getI64IntegerAttr(imm));
  };
  for (int64_t first = 0; first < count && !e.full(); first += each) {
    const int64_t here = std::min(each, count - first);
    Value buf = out.isHere() ? out.mem : rowRing.next();
    const int64_t at = out.isHere() ? out.offset + first * rowBytes : 0;
    for (int64_t i = 0; i < here; ++i) {
      scalar(list, LOOM_OP_LD, 0,
             indices.offset + (first + i) * indices.stride[0]);
      scalar(Value(), LOOM_OP_CLAMP, kRegister, rows - 1);
      scalar(Value(), LOOM_OP_MUL, kRegister, table.stride[0]);
      e.loadAt(loc, table.mem, table.offset, kRegister, buf, at + i * rowBytes,
               rowBytes);
    }
    if (out.isHere())
      continue;
    Box part = out;
    part.offset += first * part.stride[0];
    part.n[0] = here;
    e.store(loc, buf, part.mem, layoutDense(part));
  }
  return success();
}
