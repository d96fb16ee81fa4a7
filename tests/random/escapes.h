// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Programs that do what they must not: each a few valid records, one offence,
// and a dump of everything they could have got hold of.
#pragma once

#include "generator.h"

namespace loom_random {

constexpr int any_fault = -1;
constexpr uint32_t unbound_slots = 2; // behind the program's own, not bound
constexpr uint64_t escape_insns = 20000, escape_cycles = 2000000;

// What neighbours' memory is full of. As f32 both are plain numbers, so that
// the array can carry them too.
constexpr uint32_t canary_words[2] = {0x4ca4a21e, 0x4bb7c935};

struct escape {
  program p;
  std::string kind;
  bool outside = false;     // aims at memory that is not its own
  int expected = any_fault; // enum loom_fault
};

escape make_escape(uint64_t seed, uint64_t i, const std::string &target_name,
                   const loom_target &target);

// The neighbour: fills SRAM, registers and a semaphore with the canary that its
// slot 0 holds, and with_array the accumulators too. It ends with SEM_LEFT.
program make_neighbour(const loom_target &target, bool with_array);

// True if the canary is anywhere in the bytes.
bool has_canary(const void *bytes, size_t n);
void fill_canary(void *bytes, size_t n);

} // namespace loom_random
