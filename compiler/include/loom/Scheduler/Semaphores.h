// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a sequential list of records to five concurrent queues: the dependences
// that cross queues become signals and waits, the fewest that vector clocks
// allow.

#ifndef LOOM_SCHEDULER_SEMAPHORES_H
#define LOOM_SCHEDULER_SEMAPHORES_H

#include "loom/Target/Program/Record.h"

namespace mlir::loom::program {

struct SyncRef {
  uint8_t sem = 0;
  uint8_t count = 0;
};

struct Sync {
  std::vector<SyncRef> waits;   // at most 2
  std::vector<SyncRef> signals; // at most 2
  bool fenceBefore = false;     // a FENCE record goes in front
};

/// The semaphore on which queue `from` tells queue `to` of its progress.
unsigned semaphoreOf(unsigned from, unsigned to);

/// Synchronisation that makes the concurrent run of `records` equal to the
/// sequential one. Footprints are taken from the records themselves.
std::vector<Sync> assignSemaphores(const std::vector<Record> &records);

} // namespace mlir::loom::program

#endif // LOOM_SCHEDULER_SEMAPHORES_H
