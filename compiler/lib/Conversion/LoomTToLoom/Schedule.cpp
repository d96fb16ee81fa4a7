// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What makes records of placed ones: semaphores; and the verifier of the
// result.

#include "loom/Conversion/LoomTToLoom.h"

#include "loom/Dialect/Loom/Loom.h"
#include "loom/Scheduler/Semaphores.h"
#include "loom/Target/Program/Verifier.h"

#include "mlir/IR/Verifier.h"

using namespace mlir;
using namespace mlir::loom;

/// The records of each stream, which a `halt` ends.
static SmallVector<SmallVector<Operation *>> streamsOf(func::FuncOp func) {
  SmallVector<SmallVector<Operation *>> streams(1);
  for (Operation &op : func.getBody().front()) {
    if (!npu::isRecord(&op))
      continue;
    streams.back().push_back(&op);
    if (isa<npu::HaltOp>(op))
      streams.emplace_back();
  }
  if (streams.back().empty())
    streams.pop_back();
  return streams;
}

/// A stream's records as if it stood alone; `base`: the unit where it begins.
static std::vector<program::Record> encodeStream(ArrayRef<Operation *> ops,
                                                 uint32_t base) {
  std::vector<program::Record> records;
  for (Operation *op : ops) {
    records.push_back(npu::encodeRecord(op, 0));
    program::rebase(records.back(), base);
  }
  return records;
}

/// The unit after each loop's body, and that of each branch's label, now that
/// all records are there.
static void setTargets(func::FuncOp func) {
  SmallVector<npu::LoopOp> loops; // around
  DenseMap<int64_t, uint64_t> labels;
  uint64_t unit = 0;
  for (Operation &op : func.getBody().front()) {
    if (auto begin = dyn_cast<npu::LoopOp>(op))
      loops.push_back(begin);
    if (isa<npu::EndLoopOp>(op))
      loops.pop_back_val().setTarget(unit);
    if (auto label = dyn_cast<npu::LabelOp>(op))
      labels[label.getLabel()] = unit;
    if (npu::isRecord(&op))
      unit += npu::unitsOf(&op);
  }
  for (auto branch : func.getOps<npu::BranchOp>())
    branch.setTarget(labels.lookup(branch.getLabel()));
}

LogicalResult mlir::loom::checkCodeSize(func::FuncOp func) {
  npu::LayerOp layer, largest;
  uint64_t all = 0, units = 0, most = 0;
  for (Operation &op : func.getBody().front()) {
    if (auto next = dyn_cast<npu::LayerOp>(op)) {
      layer = next;
      units = 0;
    }
    if (!npu::isRecord(&op))
      continue;
    const uint64_t size = npu::unitsOf(&op);
    all += size;
    units += size;
    if (layer && units > most) {
      most = units;
      largest = layer;
    }
  }
  if (all <= LOOM_MAX_CODE_UNITS)
    return success();
  InFlightDiagnostic error =
      emitError(largest ? largest.getLoc() : func.getLoc())
      << "the program has more than " << LOOM_MAX_CODE_UNITS
      << " units of code, which is the limit";
  if (largest)
    error << "; its largest layer so far, " << largest.getKind() << " "
          << largest.getShape() << ", has " << most;
  return error << ": choose a target with more SRAM, or split the model";
}

static void assignSemaphores(ArrayRef<Operation *> ops, OpBuilder &builder) {
  std::vector<program::Sync> syncs =
      program::assignSemaphores(encodeStream(ops, 0));
  auto words = [&](const std::vector<program::SyncRef> &refs) {
    SmallVector<int32_t> list;
    for (const program::SyncRef &ref : refs)
      list.append({ref.sem, ref.count});
    return builder.getDenseI32ArrayAttr(list);
  };
  for (auto [op, sync] : llvm::zip(ops, syncs)) {
    if (sync.fenceBefore) {
      builder.setInsertionPoint(op);
      npu::FenceOp::create(builder, op->getLoc());
    }
    if (!sync.waits.empty())
      op->setAttr("wait", words(sync.waits));
    if (!sync.signals.empty())
      op->setAttr("signal", words(sync.signals));
  }
}

LogicalResult mlir::loom::assignSemaphores(func::FuncOp func) {
  OpBuilder builder(func.getContext());
  for (ArrayRef<Operation *> stream : streamsOf(func))
    ::assignSemaphores(stream, builder);
  setTargets(func);
  return checkCodeSize(func);
}

LogicalResult mlir::loom::verifyLoom(func::FuncOp func,
                                     const loom_target &target) {
  if (failed(mlir::verify(func)))
    return failure();
  std::vector<program::SlotLimits> slots;
  for (auto slot : func.getOps<npu::SlotOp>())
    slots.push_back({slot.getLabel().str(),
                     uint64_t(npu::bytesOf(slot.getMem().getType())),
                     uint32_t(slot.getRights())});
  bool sound = true;
  uint32_t base = 0;
  for (ArrayRef<Operation *> ops : streamsOf(func)) {
    const std::vector<program::Record> records = encodeStream(ops, base);
    std::vector<uint32_t> units;
    uint32_t unit = 0;
    for (const program::Record &record : records) {
      units.push_back(unit);
      unit += record.bytes.size() / LOOM_UNIT_BYTES;
    }
    for (const program::Problem &problem :
         program::verifyRecords(records, slots, target)) {
      const size_t at = llvm::lower_bound(units, problem.unit) - units.begin();
      emitError(at < ops.size() ? ops[at]->getLoc() : func.getLoc())
          << "record at unit " << base + problem.unit << " " << problem.text;
      sound = false;
    }
    base += unit;
  }
  return success(sound);
}
