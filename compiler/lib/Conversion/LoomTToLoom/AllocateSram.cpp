// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// SRAM offsets of the layers' own buffers, around the tensors that stay between
// layers. A buffer lives from its first record to its last and gets the place
// that has been idle longest, so that its load waits for nobody: that is what
// lets the loads of a layer, and of the next one, run ahead.

#include "loom/Conversion/LoomTToLoom.h"

#include "loom/Dialect/Loom/Loom.h"
#include "loom/Scheduler/Room.h"

using namespace mlir;
using namespace mlir::loom;
using program::Room;

namespace {
constexpr int64_t kAlign = 64;
/// Places idle for more records than this are all alike.
constexpr int64_t kLongAgo = 512;
constexpr int64_t kNever = -1;
/// With less than this part of the room to spare, places taken in turn end up
/// in pieces, and loads wait that need not.
constexpr int64_t kTight = 10;

struct Buffer {
  npu::BufOp op;
  int64_t bytes;
  int64_t first = -1, last = -1; // records

  int64_t offset() const { return *npu::BufOp(op).getOffset(); }
};

/// SRAM as pieces, each in use or idle since some record.
class Arena {
public:
  explicit Arena(int64_t bytes) { pieces.push_back({0, bytes, kNever, false}); }
  /// The place of `bytes` that has been idle longest, or nothing.
  std::optional<int64_t> take(int64_t bytes);
  void take(int64_t offset, int64_t bytes);
  void give(int64_t offset, int64_t bytes, int64_t record);

private:
  struct Piece {
    int64_t offset, bytes, used;
    bool busy;
  };
  size_t split(int64_t offset);
  void merge(int64_t record);
  std::vector<Piece> pieces;
};

class Allocation {
public:
  Allocation(func::FuncOp func, const loom_target &target)
      : func(func), target(target), arena(target.sram_bytes) {}
  LogicalResult run();

private:
  struct Layer {
    SmallVector<size_t> buffers; // by first use
    SmallVector<size_t> moveIn;  // residents, by first use
    int64_t begin = 0, end = 0;  // records
  };
  void collect();
  bool placeInTurn(const Layer &layer);
  struct Turn {
    int64_t bytes;
    SmallVector<size_t> buffers;
  };
  std::vector<Turn> turnsOf(const Layer &layer);
  LogicalResult placeApart(ArrayRef<Turn> turns, const Room &room);
  void place(size_t index, int64_t offset);

  func::FuncOp func;
  const loom_target &target;
  Arena arena;
  std::vector<Buffer> buffers;
  std::vector<Layer> layers;
  SmallVector<size_t> residents; // that are in SRAM at the layer at hand
};
} // namespace

/// Makes a piece begin at `offset`; its index.
size_t Arena::split(int64_t offset) {
  size_t i = 0;
  while (i < pieces.size() && pieces[i].offset + pieces[i].bytes <= offset)
    ++i;
  if (i == pieces.size() || pieces[i].offset == offset)
    return i;
  Piece rest = pieces[i];
  rest.bytes -= offset - rest.offset;
  rest.offset = offset;
  pieces[i].bytes -= rest.bytes;
  pieces.insert(pieces.begin() + i + 1, rest);
  return i + 1;
}

void Arena::take(int64_t offset, int64_t bytes) {
  const size_t first = split(offset), end = split(offset + bytes);
  pieces[first].bytes = bytes;
  pieces[first].busy = true;
  pieces.erase(pieces.begin() + first + 1, pieces.begin() + end);
}

std::optional<int64_t> Arena::take(int64_t bytes) {
  std::optional<int64_t> best;
  int64_t bestUsed = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    int64_t room = 0, used = kNever;
    for (size_t j = i; j < pieces.size() && !pieces[j].busy && room < bytes;
         ++j) {
      room += pieces[j].bytes;
      used = std::max(used, pieces[j].used);
    }
    if (room < bytes || (best && used >= bestUsed))
      continue;
    best = pieces[i].offset;
    bestUsed = used;
  }
  if (best)
    take(*best, bytes);
  return best;
}

void Arena::give(int64_t offset, int64_t bytes, int64_t record) {
  const size_t i = split(offset);
  assert(pieces[i].busy && pieces[i].bytes == bytes);
  pieces[i].busy = false;
  pieces[i].used = record;
  merge(record);
}

/// Idle neighbours that differ in nothing become one.
void Arena::merge(int64_t record) {
  size_t kept = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    Piece &piece = pieces[i];
    if (!piece.busy && piece.used < record - kLongAgo)
      piece.used = kNever;
    if (i && !piece.busy && !pieces[kept - 1].busy &&
        pieces[kept - 1].used == piece.used) {
      pieces[kept - 1].bytes += piece.bytes;
      continue;
    }
    pieces[kept++] = piece;
  }
  pieces.resize(kept);
}

void Allocation::collect() {
  DenseMap<Value, size_t> index;
  layers.emplace_back();
  int64_t record = 0;
  for (Operation &op : func.getBody().front()) {
    if (isa<npu::LayerOp>(op)) {
      layers.back().end = record;
      layers.emplace_back();
      layers.back().begin = record;
    }
    if (auto buf = dyn_cast<npu::BufOp>(op)) {
      index[buf.getBuf()] = buffers.size();
      buffers.push_back(
          {buf,
           int64_t(llvm::alignTo(npu::bytesOf(buf.getBuf().getType()), kAlign)),
           -1, -1});
      continue;
    }
    if (!npu::isRecord(&op))
      continue;
    for (Value operand : op.getOperands()) {
      auto it = index.find(operand);
      if (it == index.end())
        continue;
      Buffer &buffer = buffers[it->second];
      if (buffer.first < 0) {
        buffer.first = record;
        (buffer.op.getOffset() ? layers.back().moveIn : layers.back().buffers)
            .push_back(it->second);
      }
      buffer.last = record;
    }
    ++record;
  }
  layers.back().end = record;
}

void Allocation::place(size_t index, int64_t offset) {
  buffers[index].op.setOffset(offset);
}

/// By first use; nothing is placed for good if one finds no place.
bool Allocation::placeInTurn(const Layer &layer) {
  const Arena before = arena;
  SmallVector<size_t> busy;
  for (size_t index : layer.buffers) {
    const Buffer &buffer = buffers[index];
    llvm::erase_if(busy, [&](size_t other) {
      const Buffer &done = buffers[other];
      if (done.last >= buffer.first)
        return false;
      arena.give(done.offset(), done.bytes, done.last);
      return true;
    });
    std::optional<int64_t> offset = arena.take(buffer.bytes);
    if (!offset) {
      arena = before;
      return false;
    }
    place(index, *offset);
    busy.push_back(index);
  }
  for (size_t index : busy)
    arena.give(buffers[index].offset(), buffers[index].bytes,
               buffers[index].last);
  return true;
}

/// Buffers that come in turn share a place, all others have their own: what the
/// tiling was chosen for.
std::vector<Allocation::Turn> Allocation::turnsOf(const Layer &layer) {
  DenseMap<Value, size_t> turnOf;
  std::vector<Turn> turns;
  for (size_t index : layer.buffers) {
    npu::BufOp op = buffers[index].op;
    auto it = op.getAfter() ? turnOf.find(op.getAfter()) : turnOf.end();
    const size_t turn = it == turnOf.end() ? turns.size() : it->second;
    if (turn == turns.size())
      turns.push_back({0, {}});
    turnOf[op.getBuf()] = turn;
    turns[turn].buffers.push_back(index);
    turns[turn].bytes = std::max(turns[turn].bytes, buffers[index].bytes);
  }
  llvm::stable_sort(
      turns, [](const Turn &a, const Turn &b) { return a.bytes > b.bytes; });
  return turns;
}

LogicalResult Allocation::placeApart(ArrayRef<Turn> turns, const Room &room) {
  std::vector<int64_t> sizes;
  int64_t total = 0;
  for (const Turn &turn : turns) {
    sizes.push_back(turn.bytes);
    total += turn.bytes;
  }
  std::optional<std::vector<int64_t>> places = room.pack(sizes);
  if (!places)
    return func.emitError() << "a layer's buffers take " << total
                            << " bytes, SRAM has " << room.bytes();
  for (auto [turn, offset] : llvm::zip(turns, *places)) {
    int64_t last = 0;
    for (size_t index : turn.buffers) {
      place(index, offset);
      last = std::max(last, buffers[index].last);
    }
    arena.take(offset, turn.bytes);
    arena.give(offset, turn.bytes, last);
  }
  return success();
}

LogicalResult Allocation::run() {
  collect();
  for (const Layer &layer : layers) {
    // A resident has its place for whole layers.
    llvm::erase_if(residents, [&](size_t index) {
      const Buffer &buffer = buffers[index];
      if (buffer.last >= layer.begin)
        return false;
      arena.give(buffer.offset(), buffer.bytes, buffer.last);
      return true;
    });
    for (size_t index : layer.moveIn) {
      const int64_t offset = buffers[index].offset();
      // It may be written over the one that its layer reads for the last time.
      llvm::erase_if(residents, [&](size_t other) {
        return buffers[other].offset() == offset;
      });
      arena.take(offset, buffers[index].bytes);
      residents.push_back(index);
    }
    Room room = Room::all(target.sram_bytes);
    for (size_t index : residents)
      room.take(buffers[index].offset(), buffers[index].bytes);
    const std::vector<Turn> turns = turnsOf(layer);
    int64_t total = 0;
    for (const Turn &turn : turns)
      total += turn.bytes;
    const bool tight = total > room.bytes() / kTight * (kTight - 1);
    if ((tight || !placeInTurn(layer)) && failed(placeApart(turns, room)))
      return failure();
  }
  // A buffer that no record touches is anywhere.
  for (Buffer &buffer : buffers)
    if (!buffer.op.getOffset())
      buffer.op.setOffset(0);
  return success();
}

LogicalResult mlir::loom::allocateSram(func::FuncOp func,
                                       const loom_target &target) {
  return Allocation(func, target).run();
}
