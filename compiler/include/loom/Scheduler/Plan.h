// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Planned time of a stream: the machine's own engine, with nothing computed.

#ifndef LOOM_SCHEDULER_PLAN_H
#define LOOM_SCHEDULER_PLAN_H

#include "loom/Target/Program/Record.h"
#include "loom_program.h"
#include "loom_regs.h"
#include "loom_target.h"
#include "loom_timing.h"

namespace mlir::loom::program {

struct Plan {
  loom_completion end; // with a fault if the machine refuses the stream
  uint64_t cycles = 0;
  uint64_t mxuBusy = 0; // cycles of real work in the array
  struct Span {
    uint64_t start = 0, end = 0; // of its first and its last run
    uint64_t runs = 0;
    loom_queue_report spent = {}; // over all runs; nothing idle
    uint64_t bus = 0, moved = 0;  // DMA: bytes on the bus, and those asked for
  };
  std::vector<Span> records;
  bool exact =
      true; // false: the stream loads scalars, on which time may depend
};

/// Records in order, with their semaphores set: loops and branches run as they
/// do in the machine, on registers whose loads from memory give 0. For a
/// program without such loads these are the cycles of every run.
Plan planRecords(const std::vector<Record> &records,
                 const std::vector<loom_prog_slot> &slots,
                 const loom_target &target);

/// What each layer, records [first, last), adds to the time; in a loop, its
/// part of the last iteration times their number. The layer that begins the
/// loop has the rest of it.
std::vector<uint64_t>
layerCycles(const std::vector<Record> &records, const Plan &plan,
            const std::vector<std::pair<size_t, size_t>> &layers);

} // namespace mlir::loom::program

#endif // LOOM_SCHEDULER_PLAN_H
