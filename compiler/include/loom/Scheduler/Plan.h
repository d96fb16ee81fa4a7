// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Planned time of a stream: the shared cost function on five queues.

#ifndef LOOM_SCHEDULER_PLAN_H
#define LOOM_SCHEDULER_PLAN_H

#include "loom/Target/Program/Record.h"
#include "loom_target.h"
#include "loom_timing.h"

namespace mlir::loom::program {

struct Plan {
  uint64_t cycles = 0;
  uint64_t mxuBusy = 0; // cycles of real work in the array
  uint64_t insns = 0;   // records dispatched, each as often as it runs
  struct Span {
    uint64_t start = 0, end = 0;
  };
  std::vector<Span> records;
};

/// What a record takes alone, by its kinds of loss; `bus` receives its bytes on
/// the bus.
loom_cost recordCost(const Record &record, const loom_target &target,
                     uint64_t &bus);

/// The stand-alone cost of a record; `bus` receives its bytes on the bus.
uint64_t recordCycles(const Record &record, const loom_target &target,
                      uint64_t &bus);

/// Records in order, with their semaphores set. Instruction fetch, SRAM
/// conflicts and memory classes are left out, so this is an estimate.
Plan planRecords(const std::vector<Record> &records, const loom_target &target);

} // namespace mlir::loom::program

#endif // LOOM_SCHEDULER_PLAN_H
