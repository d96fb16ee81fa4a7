// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The hashes of hash_lines.h, in one go and in steps of 1, 2, 3, 7 and 64
// quanta. Prints "NAME HASH"; a name whose steps disagree ends it with status
// 1.
#include <cstdlib>

#ifdef LOOM_HASH_VARIANTS
#include "cpu_variants.h"
#endif
#include "hash_lines.h"

namespace {

using namespace loom::test;

int (*step)(const loom_cpu_segment *, loom_cpu_cursor *, __u32) = loom_cpu_step;

void run_here(world &w, uint32_t quanta) {
  if (w.check() != LOOM_CPU_OK) {
    std::fprintf(stderr, "%s (%llu)\n", w.error.what,
                 static_cast<unsigned long long>(w.error.value));
    std::exit(1);
  }
  const auto memory = std::make_unique<scratch>();
  loom_cpu_cursor c;
  loom_cpu_begin(&c, memory->bytes);
  while (step(&w.segment, &c, quanta) == LOOM_CPU_MORE)
    ;
}

void print(const std::string &name, uint64_t hash) {
  std::printf("%s %016llx\n", name.c_str(),
              static_cast<unsigned long long>(hash));
}

} // namespace

int main([[maybe_unused]] int argc, [[maybe_unused]] char **argv) {
#ifdef LOOM_HASH_VARIANTS
  if (argc > 1) {
    const loom_cpu_variant *v = loom_cpu_variant_named(argv[1]);
    if (!v) {
      std::printf("this processor does not run %s\n", argv[1]);
      return 77; // skipped
    }
    step = v->step;
  }
#endif
  return !hash_lines(run_here, print, {1, 2, 3, 7, 64}).all();
}
