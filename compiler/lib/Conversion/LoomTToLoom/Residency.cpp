// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Residency.h"

#include "loom/Dialect/LoomT/Scopes.h"

#include "loom_timing.h"

using namespace mlir;
using namespace mlir::loom;
using program::ProductShape;
using program::ProductTiling;

namespace {
constexpr int64_t kAlign = 64;
constexpr uint64_t kImpossible = ~0ull;
/// A live range over more layers than this is not looked at: time stays linear.
constexpr int64_t kMaxLayers = 256;
/// Indices that one operation reads, each into a buffer of its own.
constexpr int64_t kMaxNumbers = 16;
/// A vector tile that pays for its record.
constexpr int64_t kTileBytes = 16384;

struct Layer {
  Operation *op;
  SmallVector<Value> reads; // roots that operations make, each once
  Value result;
  Room room;
  uint64_t cost = 0;
  std::optional<ProductShape> shape;
};

/// Roots with one place: each but the first is written over the one before.
struct Group {
  SmallVector<Value> roots;
  int64_t first = 0, last = 0; // layers
  int64_t bytes = 0, saved = 0;
  double worth() const {
    return double(saved) / (double(bytes) * double(last - first + 1));
  }
};

class Chooser {
public:
  Chooser(func::FuncOp func, const loom_target &target, TilingCache &tilings,
          const DenseSet<Value> &fixed)
      : target(target), tilings(tilings) {
    collect(func, fixed);
  }
  Residents run();

private:
  void collect(func::FuncOp func, const DenseSet<Value> &fixed);
  std::vector<Group> groups();
  Group single(Value root) const;
  bool writesOver(const Layer &layer, Value root) const;
  bool accept(const Group &group);
  std::optional<int64_t> gain(const Group &group, int64_t offset);
  uint64_t cost(Layer &layer, const Room &room);
  uint64_t productCost(Layer &layer, const Room &room);
  uint64_t scalarCost(const Layer &layer, const Room &room);
  uint64_t moving(int64_t bytes) const {
    return loom_ceil_div(uint64_t(bytes) * 64,
                         loom_mem_bandwidth64(&target.mem[0]));
  }
  int64_t bytesOf(Value root) const {
    auto type = cast<RankedTensorType>(root.getType());
    return llvm::alignTo(type.getNumElements() * elementBytesOf(type), kAlign);
  }

  const loom_target &target;
  TilingCache &tilings;
  std::vector<Layer> layers;
  struct Range {
    int64_t first, last, readers;
  };
  DenseMap<Value, Range> ranges; // of those that may stay
  DenseMap<Value, int64_t> offsets;
  SmallVector<uint64_t> newCosts; // of the trial at hand
};
} // namespace

bool mlir::loom::isProducer(Operation *op) {
  return isa_and_nonnull<loomt::MapOp, loomt::ReduceOp, loomt::ContractOp,
                         loomt::ConvOp, loomt::CopyOp, loomt::RowsOp,
                         loomt::ScatterRowsOp, loomt::TakeOp>(op);
}

void Chooser::collect(func::FuncOp func, const DenseSet<Value> &fixed) {
  const loomt::Scopes scopes(func.getBody().front());
  int64_t barrier = 0; // layer that ended the last stream
  for (Operation &op : func.getBody().front()) {
    if (isa<loomt::AtOp>(
            op)) // moved by a register, which records in place are not
      ranges.erase(loomt::rootOf(op.getOperand(0)));
    if (isa<loomt::ViewOp, loomt::ConstantOp, loomt::AtOp>(op))
      continue;
    Layer layer{&op, {}, {}, Room::all(target.sram_bytes), 0, std::nullopt};
    const int64_t at = layers.size();
    // SRAM does not outlive a stream: what is made before a CPU operation, or
    // before a schedule's loop begins or ends, and read after it is in memory.
    auto begin = dyn_cast<loomt::LoopBeginOp>(op);
    if (isa<loomt::LoopEndOp>(op))
      begin = cast<loomt::LoopBeginOp>(scopes.beginOf(&op));
    if (isa<loomt::CpuOp>(op) || (begin && begin.getScheduled()))
      barrier = at;
    for (Value operand : op.getOperands()) {
      Value root = loomt::Ref::of(operand).root;
      if (llvm::is_contained(layer.reads, root) || !ranges.contains(root))
        continue;
      Range &range = ranges[root];
      range.last = at;
      ++range.readers;
      layer.reads.push_back(root);
      // Nothing is known of the reader, or it reads again in each iteration.
      if (!isProducer(&op) || scopes.endFor(&op, root) || range.first < barrier)
        ranges.erase(root);
    }
    // Moved by a register, which records in place are not; tables may be large.
    if (isa<loomt::TakeOp, loomt::RowsOp>(op))
      ranges.erase(loomt::rootOf(op.getOperand(0)));
    if (isProducer(&op)) {
      layer.result = op.getResult(0);
      if (!fixed.contains(layer.result) &&
          bytesOf(layer.result) < int64_t(target.sram_bytes))
        ranges[layer.result] = {at, at, 0};
    }
    layers.push_back(layer);
  }
  for (Layer &layer : layers)
    layer.cost = cost(layer, layer.room);
}

/// Whether the layer's result may take the place of `root`, which it reads for
/// the last time: element for element, at the same addresses.
bool Chooser::writesOver(const Layer &layer, Value root) const {
  auto type = cast<RankedTensorType>(layer.result.getType());
  auto same = [&](Value operand) {
    loomt::Ref ref = loomt::Ref::of(operand);
    return ref.isWhole() && ArrayRef<int64_t>(ref.shape) == type.getShape() &&
           elementBytesOf(operand.getType()) == elementBytesOf(type);
  };
  auto reads = [&](Value operand) {
    return operand && loomt::Ref::of(operand).root == root;
  };
  if (isa<loomt::MapOp>(layer.op))
    return llvm::all_of(layer.op->getOperands(),
                        [&](Value v) { return !reads(v) || same(v); });
  Value residual;
  if (auto conv = dyn_cast<loomt::ConvOp>(layer.op))
    residual = conv.getResidual();
  if (auto contract = dyn_cast<loomt::ContractOp>(layer.op))
    residual = contract.getResidual();
  return reads(residual) && same(residual) &&
         llvm::count_if(layer.op->getOperands(), reads) == 1;
}

Group Chooser::single(Value root) const {
  const Range &range = ranges.find(root)->second;
  const int64_t bytes = bytesOf(root);
  return {{root}, range.first, range.last, bytes, bytes * (1 + range.readers)};
}

std::vector<Group> Chooser::groups() {
  std::vector<Group> list;
  DenseMap<Value, size_t> groupOf;
  for (auto [at, layer] : llvm::enumerate(layers)) {
    if (!layer.result || !ranges.contains(layer.result))
      continue;
    const Group own = single(layer.result);
    size_t into = list.size();
    for (Value root : layer.reads)
      if (ranges.contains(root) && ranges[root].last == int64_t(at) &&
          bytesOf(root) == own.bytes && writesOver(layer, root)) {
        into = groupOf[root];
        break;
      }
    groupOf[layer.result] = into;
    if (into == list.size()) {
      list.push_back(own);
      continue;
    }
    Group &group = list[into];
    group.roots.push_back(layer.result);
    group.last = own.last;
    group.saved += own.saved;
  }
  return list;
}

uint64_t Chooser::productCost(Layer &layer, const Room &room) {
  auto here = [&](Value root) { return offsets.contains(root); };
  auto conv = dyn_cast<loomt::ConvOp>(layer.op);
  if (conv && conv.getGroups() > 1) {
    if (auto cycles = depthwiseCost(layer.op, target, tilings, room, here))
      return *cycles;
    // Groups that go together want all of SRAM and copies of their own.
    return room.bytes() == int64_t(target.sram_bytes) ? 0 : kImpossible;
  }
  ProductShape shape = shapeOfProduct(layer.op, here);
  const ProductTiling *tiling = tilings.find(shape, room);
  return tiling ? tiling->score + moving(tiling->bytes) / kHiddenShare
                : kImpossible;
}

/// Maps, reductions, copies and rows: what they move, and a tile or a row of
/// each operand.
uint64_t Chooser::scalarCost(const Layer &layer, const Room &room) {
  std::vector<int64_t> tiles;
  int64_t bytes = 0, inner = 1;
  uint64_t passes = 0, elements = 0;
  const bool dma =
      isa<loomt::CopyOp, loomt::RowsOp, loomt::ScatterRowsOp, loomt::TakeOp>(
          layer.op);
  if (auto reduce = dyn_cast<loomt::ReduceOp>(layer.op))
    for (int64_t n : cast<RankedTensorType>(reduce.getOperand(0).getType())
                         .getShape()
                         .take_back(reduce.getReduced()))
      inner *= n;
  auto add = [&](Value value) {
    auto type = cast<RankedTensorType>(value.getType());
    const int64_t size = type.getNumElements() * elementBytesOf(type);
    elements = std::max<uint64_t>(elements, type.getNumElements());
    if (offsets.contains(loomt::Ref::of(value).root))
      return;
    bytes += size;
    const int64_t tile = llvm::alignTo(
        std::min(size, std::max(kTileBytes, inner * elementBytesOf(type))),
        kAlign);
    tiles.insert(tiles.end(), 2, tile);
  };
  if (auto rows = dyn_cast<loomt::RowsOp>(layer.op)) {
    if (!rowsFit(rows, room))
      return kImpossible;
    add(rows.getIndices());
    add(rows.getResult());
  } else if (auto scatter = dyn_cast<loomt::ScatterRowsOp>(layer.op)) {
    if (!scatterFits(scatter, room))
      return kImpossible;
    add(scatter.getIndices());
    add(scatter.getUpdates());
    add(scatter.getResult());
  } else {
    for (Value operand : layer.op->getOperands())
      add(operand);
    add(layer.result);
  }
  llvm::sort(tiles, std::greater<>());
  // A tile that pays; then that lowering finds its own.
  if (!dma && (!room.pack(tiles) ||
               !scalarFits(layer.op, target, tilings, room,
                           [&](Value root) { return offsets.contains(root); })))
    return kImpossible;
  // Rows take a share of what there is.
  if (dma && room.bytes() * kRowsShare < int64_t(target.sram_bytes))
    return kImpossible;
  if (auto map = dyn_cast<loomt::MapOp>(layer.op))
    passes = map.getProgram().size() / 4;
  if (auto reduce = dyn_cast<loomt::ReduceOp>(layer.op))
    passes = reduce.getProgram().size() / 4;
  const uint64_t vector = elements * passes / target.vpu_lanes;
  const uint64_t latency =
      tiles.empty() ? 0 : 2 * (LOOM_T_RECORD + target.mem[0].latency);
  return std::max(vector, moving(bytes)) + latency +
         moving(bytes) / kHiddenShare;
}

uint64_t Chooser::cost(Layer &layer, const Room &room) {
  if (isa<loomt::ContractOp, loomt::ConvOp>(layer.op))
    return productCost(layer, room);
  if (layer.result)
    return scalarCost(layer, room);
  // Marks and updates move memory to memory, and read a few numbers.
  return room.pack(std::vector<int64_t>(kMaxNumbers, kAlign)) ? 0 : kImpossible;
}

/// Cycles that the group's layers save with it at `offset`; nothing if one of
/// them has no room then. The group's roots count as resident already.
std::optional<int64_t> Chooser::gain(const Group &group, int64_t offset) {
  int64_t saved = 0;
  newCosts.clear();
  for (int64_t at = group.first; at <= group.last; ++at) {
    Room room = layers[at].room;
    room.take(offset, group.bytes);
    const uint64_t now = cost(layers[at], room);
    if (now == kImpossible)
      return std::nullopt;
    newCosts.push_back(now);
    saved += int64_t(layers[at].cost) - int64_t(now);
  }
  return saved;
}

bool Chooser::accept(const Group &group) {
  if (group.last - group.first > kMaxLayers)
    return false;
  // Free in all layers of the live range.
  Room common = layers[group.first].room;
  for (int64_t at = group.first + 1; at <= group.last; ++at)
    common = common.common(layers[at].room);
  int64_t lowest = -1, highest = -1;
  for (const Room::Piece &piece : common.pieces()) {
    if (piece.bytes < group.bytes)
      continue;
    if (lowest < 0)
      lowest = piece.offset;
    highest = piece.offset + piece.bytes - group.bytes;
  }
  if (lowest < 0)
    return false;
  for (Value root : group.roots)
    offsets[root] = lowest;
  std::optional<int64_t> best = gain(group, lowest);
  int64_t place = lowest;
  SmallVector<uint64_t> costs = newCosts;
  if (highest != lowest) {
    std::optional<int64_t> other = gain(group, highest);
    if (other && (!best || *other > *best)) {
      best = other;
      place = highest;
      costs = newCosts;
    }
  }
  if (!best || *best <= 0) {
    for (Value root : group.roots)
      offsets.erase(root);
    return false;
  }
  for (Value root : group.roots)
    offsets[root] = place;
  for (int64_t at = group.first; at <= group.last; ++at) {
    layers[at].room.take(place, group.bytes);
    layers[at].cost = costs[at - group.first];
  }
  return true;
}

Residents Chooser::run() {
  std::vector<Group> list = groups();
  auto byWorth = [](const Group &a, const Group &b) {
    return a.worth() > b.worth();
  };
  llvm::stable_sort(list, byWorth);
  std::vector<Group> rest;
  for (const Group &group : list)
    if (!accept(group) && group.roots.size() > 1)
      for (Value root : group.roots)
        rest.push_back(single(root));
  llvm::stable_sort(rest, byWorth);
  for (const Group &group : rest)
    accept(group);
  Residents residents;
  residents.offsets = std::move(offsets);
  for (Layer &layer : layers)
    residents.rooms[layer.op] = std::move(layer.room);
  return residents;
}

Residents mlir::loom::chooseResidents(func::FuncOp func,
                                      const loom_target &target,
                                      TilingCache &tilings,
                                      const DenseSet<Value> &fixed) {
  return Chooser(func, target, tilings, fixed).run();
}
