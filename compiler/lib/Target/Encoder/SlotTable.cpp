// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "SlotTable.h"

#include "loom/Dialect/LoomT/LoomT.h"
#include "loom/Dialect/StableHLO/Elements.h"

#include "loom_regs.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mlir::loom;
using program::Container;

void mlir::loom::addTensor(Container &container, StringRef name, uint32_t slot,
                           unsigned dtype, unsigned role,
                           ArrayRef<int64_t> dims) {
  loom_prog_tensor row;
  memset(&row, 0, sizeof(row));
  row.name = container.string(name.str());
  row.slot = slot;
  row.dtype = dtype;
  row.rank = dims.size();
  row.role = role;
  row.bytes = loom_dtype_bytes(dtype);
  for (auto [d, n] : llvm::enumerate(dims)) {
    row.dims[d] = n;
    row.bytes *= n;
  }
  container.tensors.push_back(row);
}

/// Puts the slot's value among the constants.
LogicalResult SlotTable::storeValue(npu::SlotOp slot, loom_prog_slot &row) {
  std::optional<stablehlo::ElementBytes> bytes =
      slot.getValue() ? stablehlo::ElementBytes::get(*slot.getValue())
                      : std::nullopt;
  if (!bytes)
    return slot.emitError()
           << "constant '" << slot.getLabel() << "' has no readable value";
  if (bytes->isSplat()) {
    std::vector<uint8_t> expanded(row.bytes);
    const size_t width = bytes->elementWidth();
    for (size_t at = 0; at + width <= expanded.size(); at += width)
      memcpy(expanded.data() + at, bytes->bytes().data(), width);
    row.const_offset = container.constant(std::move(expanded));
  } else if (bytes->isOwned()) {
    row.const_offset = container.constant(
        std::vector<uint8_t>(bytes->bytes().begin(), bytes->bytes().end()));
  } else {
    row.const_offset = container.constant(bytes->bytes().data(), row.bytes);
  }
  return success();
}

LogicalResult SlotTable::fill(npu::SlotOp slot, loom_prog_slot &row) {
  memset(&row, 0, sizeof(row));
  row.name = container.string(slot.getLabel().str());
  row.kind = slot.getKind();
  row.rights = slot.getRights();
  row.bytes = npu::bytesOf(slot.getMem().getType());
  if (row.bytes > LOOM_MAX_BUFFER_BYTES)
    return slot.emitError()
           << "tensor '" << slot.getLabel() << "' takes " << row.bytes
           << " bytes; a slot ends at 1 GiB: split it or lower the batch";
  if (slot.getHidden())
    row.flags = LOOM_SLOT_HIDDEN;
  if (row.kind == LOOM_SLOT_CONST)
    return storeValue(slot, row);
  if (row.kind == LOOM_SLOT_STATE && slot.getValue()) {
    row.flags = LOOM_SLOT_INIT;
    return storeValue(slot, row);
  }
  return success();
}

uint32_t SlotTable::place(npu::SlotOp slot, const loom_prog_slot &row) {
  const uint32_t next = container.slots.size();
  uint32_t at = next;
  if (row.kind == LOOM_SLOT_CONST)
    at =
        constants.try_emplace({row.name, row.const_offset}, next).first->second;
  else if (row.kind == LOOM_SLOT_STATE)
    at = states.try_emplace(row.name, next).first->second;
  else if (row.kind == LOOM_SLOT_SCRATCH)
    at = scratch ? *scratch : *(scratch = next);
  if (at == next) {
    container.slots.push_back(row);
    if (row.kind == LOOM_SLOT_CONST)
      rows.push_back(
          {at, slot.getLabel().str(),
           cast<RankedTensorType>(slot.getValue()->getShapedType())});
    return at;
  }
  loom_prog_slot &shared = container.slots[at];
  // Jobs of an instance run one after the other, so one scratch serves all.
  if (row.kind == LOOM_SLOT_SCRATCH)
    shared.bytes = std::max(shared.bytes, row.bytes);
  return at;
}

LogicalResult SlotTable::add(func::FuncOp func, const std::string &entry,
                             CompiledProgram &out) {
  current = entry;
  numbers.clear();
  uint64_t constBytes = 0;
  for (auto slot : func.getOps<npu::SlotOp>()) {
    loom_prog_slot row;
    if (failed(fill(slot, row)))
      return failure();
    const uint32_t at = place(slot, row);
    numbers[slot.getIndex()] = at;
    slot.setIndex(at);
    if (row.kind == LOOM_SLOT_SCRATCH)
      out.scratchBytes += row.bytes;
    if (row.kind == LOOM_SLOT_CONST)
      out.constBytes += row.bytes;
  }
  for (const loom_prog_slot &slot : container.slots)
    constBytes += slot.kind == LOOM_SLOT_CONST ? slot.bytes : 0;
  if (constBytes > LOOM_PROG_MAX_CONST)
    return func.emitError()
           << "the constants take " << constBytes
           << " bytes; 1 GiB is the limit: pass some as inputs";
  if (container.slots.size() > LOOM_MAX_SLOTS)
    return func.emitError()
           << "with entry point '" << entry << "' the program has "
           << container.slots.size() << " tensors in memory, " << LOOM_MAX_SLOTS
           << " is the limit; compile fewer entry points "
              "into one program (--entry)";
  return success();
}

static std::string typeText(unsigned dtype, ArrayRef<int64_t> dims) {
  static const char *const names[] = {"f32", "bf16", "f16", "i32", "u32",
                                      "i16", "u16",  "i8",  "u8",  "i1",
                                      "f64", "i64",  "u64", "c64"};
  std::string text =
      dtype < std::size(names) ? names[dtype] : std::to_string(dtype);
  return text + "[" +
         llvm::join(
             llvm::map_range(dims, [](int64_t n) { return std::to_string(n); }),
             ",") +
         "]";
}

LogicalResult SlotTable::agree(func::FuncOp func, uint32_t slot, StringRef name,
                               unsigned dtype, ArrayRef<int64_t> dims) {
  auto [it, fresh] = stateTypes.try_emplace(
      slot, State{current, dtype, SmallVector<int64_t>(dims)});
  const State &first = it->second;
  if (fresh || (first.dtype == dtype && ArrayRef<int64_t>(first.dims) == dims))
    return success();
  return func.emitError() << "state '" << name << "' is "
                          << typeText(first.dtype, first.dims)
                          << " in entry point '" << first.entry << "' and "
                          << typeText(dtype, dims) << " in '" << current
                          << "'; give it one shape and type in all of them";
}

void SlotTable::addConstantTensors() {
  for (const Constant &row : rows)
    // A folded one may have more dimensions than the model's tensors.
    if (row.type.getRank() <= int64_t(LOOM_PROG_MAX_RANK))
      addTensor(container, row.label, row.slot,
                *loomt::memoryType(row.type.getElementType()), LOOM_ROLE_PARAM,
                row.type.getShape());
}
