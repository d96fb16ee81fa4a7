// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which engine runs what, and in which order: NPU first; what its target lacks,
// and small work between CPU operations, goes to the CPU engine; operations of
// one engine stand together.

#include "loom/Conversion/StableHLOToLoomT.h"

#include "AssignEngine.h"

#include "loom_isa.h"
#include "loom_program.h"

#include <queue>

using namespace mlir;
using namespace mlir::loom;
using loomt::Ref;

/// Elements up to which work between CPU operations is not worth a crossing.
static constexpr int64_t kCheap = 4096;

static Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

static bool isNpu(Operation *op) {
  return isa<loomt::MapOp, loomt::ReduceOp, loomt::CopyOp, loomt::RowsOp,
             loomt::ContractOp, loomt::ConvOp>(op);
}

/// Of loops and branches, which lie in each other as brackets do.
static bool opens(Operation &op) {
  return isa<loomt::LoopBeginOp, loomt::CaseBeginOp>(op);
}
static bool closes(Operation &op) {
  return isa<loomt::LoopEndOp, loomt::CaseEndOp>(op);
}

namespace {
/// What the loops of schedules divide a block into: operations that may change
/// places with each other.
class Stretches {
public:
  explicit Stretches(Block &block);

  struct Stretch {
    SmallVector<Operation *> ops;
    Operation *end; // the mark after them, or the block's terminator
  };
  /// As they are now: operations come and go.
  SmallVector<Stretch> list() const;
  /// Begins, tests or ends a loop of a schedule.
  bool isMark(Operation *op) const { return marks.contains(op); }
  bool hasSchedule() const { return !marks.empty(); }

private:
  Block &block;
  DenseSet<Operation *> marks;
};
} // namespace

Stretches::Stretches(Block &block) : block(block) {
  SmallVector<bool> scheduled; // of the loops and cases around
  for (Operation &op : block) {
    auto begin = dyn_cast<loomt::LoopBeginOp>(op);
    if (opens(op))
      scheduled.push_back(begin && begin.getScheduled());
    if ((begin || isa<loomt::LoopTestOp, loomt::LoopEndOp>(op)) &&
        scheduled.back())
      marks.insert(&op);
    if (closes(op))
      scheduled.pop_back();
  }
}

SmallVector<Stretches::Stretch> Stretches::list() const {
  SmallVector<Stretch> result(1);
  for (Operation &op : block) {
    if (!isMark(&op) && &op != block.getTerminator()) {
      result.back().ops.push_back(&op);
      continue;
    }
    result.back().end = &op;
    if (isMark(&op))
      result.emplace_back();
  }
  return result;
}

//===----------------------------------------------------------------------===//
// What a target lacks
//===----------------------------------------------------------------------===//

static bool isElementary(ArrayRef<int32_t> program) {
  for (size_t i = 0; i < program.size(); i += 4)
    switch (program[i]) {
#define LOOM_CASE(num, name, count, cls, text)                                 \
  case num:                                                                    \
    if (#cls[0] == 'T')                                                        \
      return true;                                                             \
    break;
      LOOM_UOPS(LOOM_CASE)
#undef LOOM_CASE
    }
  return false;
}

/// Whether nothing can write to a tensor while the program runs: addresses made
/// at run time may then lead into it, as the program itself clamps them.
static bool isReadOnly(Value root) {
  auto argument = dyn_cast<BlockArgument>(root);
  if (!argument)
    return isa_and_nonnull<loomt::ConstantOp>(root.getDefiningOp());
  auto func = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
  auto role = func ? func.getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                                       "loom.role")
                   : StringAttr();
  return !role || role != "state";
}

/// The first feature that an operation needs and a target lacks, as a reason.
static std::string lackOf(Operation *op, uint64_t features) {
  auto lacks = [&](unsigned feature) { return !(features >> feature & 1); };
  auto program = [&](ArrayRef<int32_t> words) -> std::string {
    if (lacks(LOOM_FEAT_VPU))
      return "the target has no vector unit (feature VPU)";
    if (lacks(LOOM_FEAT_TRANS) && isElementary(words))
      return "the target's vector unit has no transcendental functions "
             "(feature TRANS)";
    return "";
  };
  if (auto map = dyn_cast<loomt::MapOp>(op))
    return program(map.getProgram());
  if (auto reduce = dyn_cast<loomt::ReduceOp>(op))
    return program(reduce.getProgram());
  if (auto rows = dyn_cast<loomt::RowsOp>(op);
      rows && lacks(LOOM_FEAT_GATHER)) {
    if (lacks(LOOM_FEAT_REG))
      return "the target gathers no rows (features GATHER, REG)";
    if (!isReadOnly(Ref::of(rows.getTable()).root))
      return "the target gathers no rows of a table that is written (feature "
             "GATHER)";
  }
  if (!isa<loomt::ContractOp, loomt::ConvOp>(op))
    return "";
  Type type = elementOf(op->getOperand(0));
  if (type.isF32() && lacks(LOOM_FEAT_F32))
    return "the target's array has no f32 (feature F32)";
  if (type.isBF16() && lacks(LOOM_FEAT_BF16))
    return "the target's array has no bf16 (feature BF16)";
  if (type.isInteger(8) && lacks(LOOM_FEAT_INT8))
    return "the target's array has no i8 (feature INT8)";
  if (isa<loomt::ConvOp>(op) && lacks(LOOM_FEAT_CONV))
    return "the target's array has no convolutions (feature CONV)";
  if (op->getNumOperands() > 2 && lacks(LOOM_FEAT_EPI))
    return "the target's array has no epilogue (feature EPI)";
  return "";
}

//===----------------------------------------------------------------------===//
// Order
//===----------------------------------------------------------------------===//

namespace {
enum class Engine { None, Npu, Cpu };

/// Operations that stay together: one, or a whole loop.
struct Unit {
  SmallVector<Operation *> ops;
  Engine engine = Engine::None;
  SmallVector<size_t> users;
  unsigned waits = 0; // makers of operands that have not been placed
};

class Order {
public:
  explicit Order(const Stretches::Stretch &stretch) : end(stretch.end) {
    collect(stretch.ops);
  }
  /// Places all units, beginning with what one engine can do; the number of
  /// segments.
  unsigned place(Engine first, std::vector<size_t> &order) const;
  unsigned segmentsAsTheyStand() const;
  void apply(ArrayRef<size_t> order);

private:
  void collect(ArrayRef<Operation *> ops);
  std::vector<Unit> units;
  Operation *end;
};
} // namespace

static Engine engineOf(Operation *op) {
  if (isa<loomt::CpuOp>(op))
    return Engine::Cpu;
  return isa<loomt::ViewOp, loomt::ConstantOp>(op) ? Engine::None : Engine::Npu;
}

void Order::collect(ArrayRef<Operation *> ops) {
  DenseMap<Operation *, size_t> unitOf;
  int64_t depth = 0;
  for (Operation *op : ops) {
    if (!depth)
      units.emplace_back();
    depth += opens(*op);
    Unit &unit = units.back();
    unit.ops.push_back(op);
    if (engineOf(op) != Engine::None)
      unit.engine = engineOf(op);
    unitOf[op] = units.size() - 1;
    depth -= closes(*op);
  }
  for (size_t u = 0; u < units.size(); ++u)
    for (Operation *op : units[u].ops)
      for (Value operand : op->getOperands())
        if (auto maker = unitOf.find(operand.getDefiningOp());
            maker != unitOf.end() && maker->second != u) {
          units[maker->second].users.push_back(u);
          ++units[u].waits;
        }
}

unsigned Order::segmentsAsTheyStand() const {
  unsigned segments = 0;
  Engine last = Engine::None;
  for (const Unit &unit : units)
    if (unit.engine != Engine::None && unit.engine != last) {
      last = unit.engine;
      ++segments;
    }
  return segments;
}

/// All that an engine can do, in the order in which it stands; then the other.
unsigned Order::place(Engine first, std::vector<size_t> &order) const {
  using Queue =
      std::priority_queue<size_t, std::vector<size_t>, std::greater<>>;
  Queue ready[3];
  std::vector<unsigned> waits;
  for (size_t u = 0; u < units.size(); ++u) {
    waits.push_back(units[u].waits);
    if (!units[u].waits)
      ready[size_t(units[u].engine)].push(u);
  }
  unsigned segments = 0;
  Engine now = first;
  Queue &free = ready[size_t(Engine::None)];
  for (bool fresh = true; order.size() < units.size();) {
    Queue &mine = ready[size_t(now)];
    if (free.empty() && mine.empty()) {
      now = now == Engine::Cpu ? Engine::Npu : Engine::Cpu;
      fresh = true;
      continue;
    }
    // In the order of the program among those that may go.
    Queue &from = mine.empty() || (!free.empty() && free.top() < mine.top())
                      ? free
                      : mine;
    const size_t u = from.top();
    from.pop();
    order.push_back(u);
    if (units[u].engine != Engine::None && fresh) {
      ++segments;
      fresh = false;
    }
    for (size_t user : units[u].users)
      if (!--waits[user])
        ready[size_t(units[user].engine)].push(user);
  }
  return segments;
}

void Order::apply(ArrayRef<size_t> order) {
  for (size_t u : order)
    for (Operation *op : units[u].ops)
      op->moveBefore(end);
}

/// The order with the fewest segments, the one that stands if it is as good.
static unsigned orderByEngine(const Stretches::Stretch &stretch) {
  Order order(stretch);
  std::vector<size_t> byNpu, byCpu;
  const unsigned stands = order.segmentsAsTheyStand();
  const unsigned npu = order.place(Engine::Npu, byNpu);
  const unsigned cpu = order.place(Engine::Cpu, byCpu);
  if (std::min(npu, cpu) >= stands)
    return stands;
  order.apply(npu <= cpu ? byNpu : byCpu);
  return std::min(npu, cpu);
}

static unsigned orderByEngine(const Stretches &stretches) {
  unsigned segments = 0;
  for (const Stretches::Stretch &stretch : stretches.list())
    segments += orderByEngine(stretch);
  return segments;
}

//===----------------------------------------------------------------------===//
// Neighbours
//===----------------------------------------------------------------------===//

/// Whether all users, through views, satisfy a test.
static bool allUsers(Value value, llvm::function_ref<bool(Operation *)> test) {
  return llvm::all_of(value.getUsers(), [&](Operation *user) {
    if (isa<loomt::ViewOp>(user))
      return allUsers(user->getResult(0), test);
    return test(user);
  });
}

/// Work of the NPU up to a size that only CPU operations feed and use: on
/// either side, memory is all it touches. What a schedule carries is memory,
/// too.
static bool moveNeighbours(const Stretches &stretches,
                           ArrayRef<Operation *> ops, int64_t elements) {
  auto isCpu = [&](Operation *op) {
    return isa<loomt::CpuOp>(op) || stretches.isMark(op);
  };
  bool moved = false;
  int64_t depth = 0;
  for (Operation *op : ops) {
    depth += opens(*op) - closes(*op);
    if (depth || !isa<loomt::MapOp, loomt::CopyOp, loomt::ReduceOp>(op) ||
        !canMoveToCpu(op))
      continue;
    int64_t largest = 0;
    bool fed = false, alone = true;
    for (Value operand : op->getOperands()) {
      largest = std::max(
          largest, cast<RankedTensorType>(operand.getType()).getNumElements());
      Operation *maker = Ref::of(operand).root.getDefiningOp();
      fed |= maker && isCpu(maker);
      alone &= !maker || isCpu(maker) || isa<loomt::ConstantOp>(maker);
    }
    largest = std::max(
        largest,
        cast<RankedTensorType>(op->getResult(0).getType()).getNumElements());
    bool used = false;
    allUsers(op->getResult(0), [&](Operation *user) {
      used |= isCpu(user);
      return true;
    });
    if (largest > elements || !(fed || used) || !alone ||
        !allUsers(op->getResult(0), [&](Operation *user) {
          return isCpu(user) || isa<func::ReturnOp>(user);
        }))
      continue;
    moveToCpu(op, "only CPU operations make and use its values");
    moved = true;
  }
  return moved;
}

static bool moveNeighbours(const Stretches &stretches, int64_t elements) {
  bool moved = false;
  for (const Stretches::Stretch &stretch : stretches.list())
    if (llvm::any_of(stretch.ops, llvm::IsaPred<loomt::CpuOp>))
      moved |= moveNeighbours(stretches, stretch.ops, elements);
  return moved;
}

LogicalResult mlir::loom::assignEngines(func::FuncOp func, uint64_t features,
                                        bool cpuOnly) {
  Block &block = func.getBody().front();
  const Stretches stretches(block);
  int64_t depth = 0; // of the machine's own loops and branches
  bool any = stretches.hasSchedule();
  for (Operation &op : llvm::make_early_inc_range(block)) {
    const bool member = depth > 0;
    if (!stretches.isMark(&op))
      depth += opens(op) - closes(op);
    any |= isa<loomt::CpuOp>(op);
    if (!isNpu(&op))
      continue;
    const std::string why =
        cpuOnly ? "--engine=cpu asks for it" : lackOf(&op, features);
    if (why.empty())
      continue;
    if (member || !canMoveToCpu(&op))
      return op.emitError()
             << why << ", and "
             << (member ? "a loop or a branch on the NPU needs it"
                        : "the CPU engine has no form of it")
             << ": choose a target that has it";
    moveToCpu(&op, why);
    any = true;
  }
  if (!any)
    return success();
  unsigned segments = orderByEngine(stretches);
  for (int64_t size = kCheap; size <= kCheap << 16; size *= 16) {
    while (moveNeighbours(stretches, size))
      ;
    segments = orderByEngine(stretches);
    if (segments <= LOOM_PROG_MAX_SEGMENTS)
      break;
  }
  return success();
}
