// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which engine runs an operation: the NPU if it can, else the CPU, else none.

#ifndef LOOM_DIALECT_STABLEHLO_ENGINES_H
#define LOOM_DIALECT_STABLEHLO_ENGINES_H

#include "mlir/IR/Operation.h"

#include "loom_target.h"

#include <optional>
#include <string>

namespace mlir::loom::stablehlo {

/// Why an engine does not run an operation, and what its author can do.
struct Refusal {
  std::string reason, remedy;
};

/// Attribute of an operation that the CPU engine runs: why the NPU does not.
inline constexpr llvm::StringLiteral kCpuAttr = "loom.cpu";

/// Attribute of a loop or a branch that the machine's sequencer does not run:
/// it goes round operations of the CPU engine, and becomes steps of a schedule.
inline constexpr llvm::StringLiteral kScheduleAttr = "loom.schedule";

/// Attributes of an operation; of a routine's call, its configuration.
DictionaryAttr attributesOf(Operation *op);

/// Whether it calls a routine that an engine runs.
bool isRoutine(Operation *op);

/// An operation's name without its dialect; of a routine's call, the routine's.
llvm::StringRef routineOf(Operation *op);

/// Operations that cost nothing on either engine: views and constants.
bool isFree(Operation *op);

/// NPU first: marks those operations of a function's block for the CPU engine
/// (kCpuAttr) that the NPU cannot run and the CPU engine can, those in loops
/// and branches as well, and the loops and branches around them
/// (kScheduleAttr).
void assignEngines(Block &block, uint64_t features);

/// Brings what is marked kScheduleAttr into the form of a schedule, which has
/// loops alone and reads conditions between its steps: a condition becomes a
/// carried value, which the loop's first region does no more than return, and a
/// branch a loop that runs once or not at all.
void scheduleControl(Block &block);

/// Why the NPU of a target with these features cannot run it.
std::optional<Refusal> npuRefusal(Operation *op, uint64_t features);

/// Why the CPU engine cannot run it.
std::optional<Refusal> cpuRefusal(Operation *op);

/// Of the two, the one to tell: why no engine runs it. With `npuOnly` the CPU
/// engine counts as none.
std::optional<Refusal> refusal(Operation *op, uint64_t features,
                               bool npuOnly = false);

/// Why no engine takes a value of this type, `what` being its name; with
/// `npuOnly` the CPU engine counts as none.
std::optional<Refusal> typeRefusal(Type type, const std::string &what,
                                   bool npuOnly = false);

} // namespace mlir::loom::stablehlo

#endif // LOOM_DIALECT_STABLEHLO_ENGINES_H
