// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the lowerings of all operations share: boxes of memory and how they lie
// in SRAM, rings of buffers, DMA.

#ifndef LOOM_LIB_CONVERSION_LOOMTTOLOOM_EMITTER_H
#define LOOM_LIB_CONVERSION_LOOMTTOLOOM_EMITTER_H

#include "loom/Dialect/Loom/Loom.h"
#include "loom/Dialect/LoomT/LoomT.h"
#include "loom/Scheduler/Room.h"
#include "loom_isa.h"
#include "loom_target.h"

namespace mlir::loom {

using program::Room;
using program::TilingCache;

/// Elements of a slot: byte offset, and byte strides of each dimension.
struct Box {
  Value mem;
  int64_t offset = 0;
  int64_t elem = 1;
  SmallVector<int64_t> n;
  SmallVector<int64_t> stride;

  /// In SRAM: records read and write it where it lies.
  bool isHere() const { return mem && isa<npu::BufType>(mem.getType()); }
};

/// A box as it lies in SRAM: bytes, and for each dimension its stride there.
struct Layout {
  struct Loop {
    int64_t count, memStride, sramStride;
  };
  int64_t bytes = 0;
  int64_t memOffset = 0;   // of the transfer
  int64_t sramOffset = 0;  // of element 0
  int64_t inner = 0;       // contiguous bytes of the transfer
  SmallVector<Loop> loops; // outermost first
  SmallVector<int64_t> stride;
};

/// Keeps the order that the elements have in memory: windows that overlap are
/// stored once, repeated elements once.
Layout layoutAsInMemory(const Box &box);
/// Row-major in the order of the box's dimensions.
Layout layoutDense(const Box &box);
/// A box that is in SRAM, as it lies.
Layout layoutHere(const Box &box);

/// Holds recently used tiles, so many at a time. Each tile has a buffer of its
/// own, so that the next one's load may begin wherever there is room.
class Ring {
public:
  Ring() = default;
  Ring(OpBuilder &builder, Location loc, int64_t count, int64_t bytes);
  /// The buffer with this tile; `fresh` if it must be filled first.
  Value get(ArrayRef<int64_t> key, bool &fresh);
  /// The next buffer in turn.
  Value next();

private:
  struct Entry {
    Value buf;
    SmallVector<int64_t> key;
    int64_t used = -1;
  };
  Value renew(Entry &entry);

  OpBuilder *builder = nullptr;
  std::optional<Location> loc;
  int64_t bytes = 0;
  SmallVector<Entry> entries;
  int64_t clock = 0;
};

/// Units of the records that a builder has made. A program that passes the
/// limit is not made to its end.
class CodeSize : public OpBuilder::Listener {
public:
  void notifyOperationInserted(Operation *op,
                               OpBuilder::InsertPoint previous) override;
  bool tooLarge() const { return units > LOOM_MAX_CODE_UNITS; }
  uint64_t made() const { return units; }

private:
  uint64_t units = 0;
};

class Emitter {
public:
  Emitter(OpBuilder &builder, const loom_target &target, TilingCache &tilings)
      : builder(builder), target(target), room(Room::all(target.sram_bytes)),
        tilings(tilings) {}

  void load(Location loc, Value mem, Value buf, const Layout &layout) {
    transfer(loc, LOOM_Q_LD, mem, buf, layout);
  }
  /// Contiguous bytes from a place that a register is added to.
  void loadAt(Location loc, Value mem, int64_t memOffset, unsigned reg,
              Value buf, int64_t bufOffset, int64_t bytes);
  void store(Location loc, Value buf, Value mem, const Layout &layout) {
    transfer(loc, LOOM_Q_ST, mem, buf, layout);
  }
  /// Memory to memory; `loops` outermost first, sramStride is the
  /// destination's.
  void copy(Location loc, Value src, Value dst, int64_t srcOffset,
            int64_t dstOffset, int64_t inner, ArrayRef<Layout::Loop> loops);
  void fill(Location loc, Value dst, int64_t offset, int64_t bytes,
            uint32_t bits, int64_t elem);
  /// `work`: cycles of the array or the vector unit at full rate.
  void layer(Location loc, StringRef kind, const Twine &shape,
             const Twine &tiling, StringRef bound, int64_t macs, int64_t bytes,
             int64_t ideal, int64_t work = 0);

  /// No more records: the program is refused anyway.
  bool full() const { return code.tooLarge(); }

  /// Ends the stream of records since the last one that was ended.
  void endStream(Location loc);
  /// A CPU operation; it ends the stream.
  npu::CpuOp cpu(loomt::CpuOp op, ValueRange mems, int64_t structure,
                 int64_t inputs, ArrayRef<Attribute> boxes,
                 ArrayRef<int64_t> params, ArrayRef<int64_t> scalars,
                 ArrayRef<int64_t> imms);
  bool hasCpu() const { return cpuOps; }
  /// A copy by the CPU engine, where that is at work.
  void copyOnCpu(Location loc, const Box &from, const Box &to);
  /// Whether the CPU engine is at work: its operation was the last, or nothing
  /// was since the schedule's loop began or ended, and that begins with one.
  bool onCpu(bool begins) const {
    return code.made() == ended && (cpuLast || begins);
  }
  /// A loop of the schedule around what is emitted up to endRound(): `trip`
  /// times, or while the i1 in `cond` is true.
  void beginRound(Location loc, std::optional<int64_t> trip, Value cond,
                  bool cpuFirst);
  void endRound(Location loc);
  bool hasRounds() const { return rounds; }
  /// Whether the innermost loop is one of the schedule.
  bool inRound() const { return loops.back().round; }
  /// Whether a CPU operation is the first in it.
  bool cpuFirst() const { return loops.back().cpuFirst; }

  /// A loop of the sequencer around what is emitted up to endLoop(). Without a
  /// count the records say when it ends.
  void beginLoop(Location loc, std::optional<int64_t> trip);
  void endLoop(Location loc);
  /// Whether the innermost loop has a count.
  bool isCounted() const { return loops.back().counter != 0; }
  /// Loops that data end, and cases, that are open.
  struct Open {
    int64_t here, end; // labels: of the loop's start or the next branch; after
    int64_t branches;
    int64_t branch = 0; // the one at hand
  };
  SmallVector<Open> open;
  /// A place that branches go to: everything before it is complete there.
  int64_t newLabel() { return labels++; }
  void label(Location loc, int64_t label);
  /// Goes on at the label if `cond` holds of the number and `other`.
  void branch(Location loc, int64_t label, unsigned cond, int64_t other);
  /// The number that branches compare: one i32 or i1, after a fence.
  void readNumber(Location loc, const Box &box);
  /// The slot at a place that loops around and indices move; for the records of
  /// one layer.
  struct Index {
    Box box;
    int64_t limit, step; // in bytes
  };
  Value moved(Location loc, Value mem, ArrayRef<int64_t> loopSteps,
              ArrayRef<Index> indices, unsigned side);

  OpBuilder &builder;
  const loom_target &target;
  /// What SRAM has left for the buffers of the layer at hand.
  Room room;
  /// Bytes that the layer at hand cannot do without moving.
  int64_t neededBytes = 0;
  TilingCache &tilings;
  CodeSize code;

private:
  void transfer(Location loc, unsigned queue, Value mem, Value buf,
                const Layout &layout);
  struct Dma {
    Value src, dst;
    unsigned queue;
    int64_t srcOffset, dstOffset, inner;
    std::optional<std::pair<uint32_t, int64_t>> fill;
  };
  void split(Location loc, Dma dma, SmallVector<Layout::Loop> loops);
  IntegerAttr base(Location loc, Value place, unsigned side);
  void scalar(Location loc, Value buf, unsigned opcode, unsigned rd,
              unsigned ra, int64_t imm, unsigned rb = 0);
  Value numberBuffer(Location loc, const Box &box, int64_t &offset);
  void addLoops(Location loc, ArrayRef<int64_t> steps, unsigned reg, bool sets);
  void forgetSides();

  uint64_t ended = 0; // units at the end of the last stream
  uint64_t cpuOps = 0, rounds = 0;
  bool cpuLast = false; // the last of the stretch is a CPU operation
  struct Loop {
    int64_t trip;       // 1 if data end it
    unsigned counter;   // register; 0 without
    bool round = false; // of the schedule
    bool cpuFirst = false;
  };
  SmallVector<Loop> loops; // around
  int64_t trips = 1;       // of all of them
  int64_t labels = 0;
  /// Steps that the register of each side is set for.
  std::optional<SmallVector<int64_t>> held[2];
};

/// Where every loomt root lives, and references to it in bytes.
class Memory {
public:
  struct Place {
    Value mem;
    int64_t offset = 0;
  };
  void set(Value root, Place place) { places[root] = place; }
  void share(Value root, Value other) { places[root] = places.lookup(other); }
  Box box(Value value) const;

private:
  DenseMap<Value, Place> places;
};

/// Element by element, from one box to another of the same counts.
void copyBox(Emitter &e, Location loc, const Box &from, const Box &to);

/// Bytes of the largest piece that is free.
int64_t largestPiece(const Room &room);

/// The program as a record holds it; `last` takes its value to a view.
SmallVector<int32_t> microOperations(const loomt::Program &program,
                                     int32_t last, unsigned view);

/// What the tiling search sees of a product; `here` says of a root whether it
/// is in SRAM.
program::ProductShape shapeOfProduct(Operation *op,
                                     llvm::function_ref<bool(Value)> here);

/// Cycles of a convolution in the array's depthwise mode, with a share of its
/// traffic; nothing if it cannot be done so in this room.
std::optional<uint64_t> depthwiseCost(Operation *op, const loom_target &target,
                                      TilingCache &tilings, const Room &room,
                                      llvm::function_ref<bool(Value)> here);

/// Traffic that computation hides still delays what is loaded ahead: a share of
/// it is added to what a layer costs.
inline constexpr uint64_t kHiddenShare = 8;

/// Whether lowering finds a place for each buffer of a map or a reduction in
/// this room.
bool scalarFits(Operation *op, const loom_target &target, TilingCache &tilings,
                const Room &room, llvm::function_ref<bool(Value)> here);
/// The same of rows by index. Of their lists, any part fits.
bool rowsFit(loomt::RowsOp op, const Room &room);
bool scatterFits(loomt::ScatterRowsOp op, const Room &room);
/// How many of `count` indices are in SRAM at once, where lists may take so
/// many bytes: all, or two parts by turns.
int64_t listLength(int64_t count, int64_t bytes);
/// The indices from `begin` to `end`, side by side in a buffer of the ring.
Value loadList(Emitter &e, Location loc, const Box &indices, int64_t begin,
               int64_t end, Ring &ring);

LogicalResult lowerScalar(Emitter &emitter, const Memory &memory,
                          Operation *op);
LogicalResult lowerProduct(Emitter &emitter, const Memory &memory,
                           Operation *op);
LogicalResult lowerRows(Emitter &emitter, const Memory &memory,
                        loomt::RowsOp op);
/// Ends the stream of records before it, if there is one.
LogicalResult lowerCpu(Emitter &emitter, const Memory &memory, loomt::CpuOp op);
LogicalResult lowerScatter(Emitter &emitter, const Memory &memory,
                           loomt::ScatterRowsOp op);
/// Loops and branches.
LogicalResult lowerControl(Emitter &emitter, Memory &memory, Operation *op);
/// Slices and updates at places that loops and data move.
LogicalResult lowerIndexed(Emitter &emitter, Memory &memory, Operation *op);
LogicalResult lowerCopy(Emitter &emitter, const Memory &memory,
                        loomt::CopyOp op);

/// "4x8x8x16" of a type.
std::string shapeText(Type type);
int64_t elementBytesOf(Type type);

} // namespace mlir::loom

#endif // LOOM_LIB_CONVERSION_LOOMTTOLOOM_EMITTER_H
