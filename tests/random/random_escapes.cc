// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Programs that aim outside, next to memory that is full of a canary.
//   random_escapes [--seed N] [--count N]                in-process
//   random_escapes --device NODE [--seed N] [--count N]  through the driver
#include <cstdio>
#include <cstdlib>
#include <string>

#include "escape_runs.h"

int main(int argc, char **argv) {
  uint64_t seed = 1, count = 10000;
  std::string device;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    if (i + 1 == argc ||
        (name != "--seed" && name != "--count" && name != "--device")) {
      std::fprintf(stderr,
                   "%s: unknown or without a value; use --seed N, --count N, "
                   "--device NODE\n",
                   argv[i]);
      return 2;
    }
    if (name == "--device")
      device = argv[i + 1];
    else
      (name == "--seed" ? seed : count) =
          std::strtoull(argv[i + 1], nullptr, 0);
  }
  try {
    return device.empty() ? loom_random::escape_in_process(seed, count)
                          : loom_random::escape_on_device(device, seed, count);
  } catch (const std::exception &e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
}
