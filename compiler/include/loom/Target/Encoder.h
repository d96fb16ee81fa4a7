// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// loom functions to the bytes of a .loom file, and their plans for reports.

#ifndef LOOM_TARGET_ENCODER_H
#define LOOM_TARGET_ENCODER_H

#include "loom/Target/Program/Container.h"
#include "loom_target.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <string>
#include <vector>

namespace mlir::loom {

/// The compiler's name and version, as its programs carry it.
inline constexpr char kProducer[] = "loomc 0.1.0";

struct LayerPlan {
  std::string kind, shape, module, source, tiling, bound;
  uint64_t macs = 0, bytes = 0, ideal = 0, cycles = 0;
  uint64_t roofline = 0; // cycles that no schedule can do without
  uint32_t records = 0;
  uint32_t segment = 0;
};

/// An operation of the CPU engine, for the placement report.
struct PlacedOp {
  std::string operation, module, source, why;
  uint64_t bytes = 0;  // read and written
  uint64_t cycles = 0; // modelled
  uint32_t segment = 0;
};

/// What is known of one entry point.
struct CompiledProgram {
  std::string entry;
  program::Image file; // of a program with this entry point alone
  bool bounded = true; // no data decide what runs how often
  std::vector<LayerPlan> layers;
  std::vector<PlacedOp> placement; // what the CPU engine runs, in order
  uint64_t macs = 0, cycles = 0, mxuBusy = 0, roofline = 0;
  // SRAM: the highest byte in use, and what live ranges alone ask for.
  uint64_t sramPeak = 0, sramLiveBound = 0;
  uint32_t segments = 0;
  uint64_t records = 0, units = 0, scratchBytes = 0, constBytes = 0;
  double utilisation = 0; // products over what the array could do, 0 to 1
};

struct EntryFunction {
  std::string name; // of the entry point
  func::FuncOp func;
};

/// One program with several entry points: constants and state are shared, and
/// so is scratch. The functions must have offsets and semaphores; their modules
/// must outlive `file`. `out` has a place for each. Reports what does not fit
/// the container, and state that two entry points declare differently.
LogicalResult encodeEntries(ArrayRef<EntryFunction> entries,
                            const loom_target &target,
                            MutableArrayRef<CompiledProgram> out,
                            program::Image &file);

} // namespace mlir::loom

#endif // LOOM_TARGET_ENCODER_H
