// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs one compiled program again and again, on request: reads a line, runs,
// prints the seconds from submission to completion. ./dev bench interleaves it
// with NumPy and JAX, on the host and in a guest.
//
//   loom_bench_run PROGRAM.loom [DEVICE]
//   loom_bench_run PROGRAM.loom --profile JOBS
//
// --profile runs JOBS jobs in-process and prints at which places the device's
// threads were, a thousand times a second of wall time.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "loom/loom.hpp"
#include "prog_check.h"
#include "sampler.h"

namespace {

// Values that are not constant and the same in each run: between -1 and 1, and
// small enough to be an index.
void fill(uint8_t *at, const loom_prog_tensor &t) {
  uint32_t state = 1;
  const auto next = [&] { return state = state * 1664525u + 1013904223u; };
  const auto real = [&] {
    return static_cast<float>(static_cast<int32_t>(next())) / 2147483648.0f;
  };
  if (t.dtype == LOOM_F32)
    for (uint64_t i = 0; i + 4 <= t.bytes; i += 4) {
      const float f = real();
      std::memcpy(at + i, &f, 4);
    }
  else if (t.dtype == LOOM_BF16)
    for (uint64_t i = 0; i + 2 <= t.bytes; i += 2) {
      const float f = real();
      std::memcpy(at + i, reinterpret_cast<const char *>(&f) + 2, 2);
    }
  else if (t.dtype == LOOM_I32 || t.dtype == LOOM_U32)
    for (uint64_t i = 0; i + 4 <= t.bytes; i += 4) {
      const uint32_t v = next() >> 26; // 0 to 63
      std::memcpy(at + i, &v, 4);
    }
  else
    for (uint64_t i = 0; i < t.bytes; i++)
      at[i] = static_cast<uint8_t>(next() >> 31);
}

// A program with arguments, ready to be submitted.
class bench {
public:
  bench(const char *path, const char *spec)
      : device(spec ? loom_cpp::device(spec) : loom_cpp::device::sim_for(path)),
        program(device.get(), path), instance(program.get()) {
    const loom_prog_view &view = program.view();
    buffers.resize(view.n_slots);
    for (uint32_t i = 0; i < view.n_slots; i++) {
      if (view.slots[i].kind != LOOM_SLOT_ARG ||
          (view.slots[i].flags & LOOM_SLOT_HIDDEN))
        continue;
      buffers[i] =
          std::make_unique<loom_cpp::buffer>(device.get(), view.slots[i].bytes);
      bindings.push_back({i, 0, buffers[i]->get(), 0});
    }
    const loom_prog_entry &entry = view.entries[0];
    for (uint32_t i = 0; i < entry.n_tensors; i++) {
      const loom_prog_tensor &t = view.tensors[entry.first_tensor + i];
      if (t.role != LOOM_ROLE_OUTPUT && buffers[t.slot])
        fill(static_cast<uint8_t *>(buffers[t.slot]->data()) + t.offset, t);
    }
    desc.n_bindings = static_cast<uint32_t>(bindings.size());
    desc.bindings = bindings.data();
  }
  double run(loom_result &r) const {
    const auto start = std::chrono::steady_clock::now();
    r = instance.submit(desc).wait();
    const std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - start;
    if (r.status)
      throw std::runtime_error(r.message);
    return took.count();
  }

  loom_cpp::device device;
  loom_cpp::program program;
  loom_cpp::instance instance;

private:
  std::vector<std::unique_ptr<loom_cpp::buffer>> buffers; // by slot
  std::vector<loom_binding> bindings;
  loom_job_desc desc{};
};

int serve(const bench &b) {
  for (std::string line; std::getline(std::cin, line);) {
    loom_result r{};
    const double took = b.run(r);
    std::printf(
        "{\"seconds\": %.9f, \"cycles\": %llu, \"utilisation\": %.6f}\n", took,
        static_cast<unsigned long long>(r.cycles),
        loom_utilisation(&b.device.target(), &r));
    std::fflush(stdout);
  }
  return 0;
}

int profile(const bench &b, int jobs) {
  loom_result r{};
  b.run(r); // warm
  loom_bench::sampler samples(1000);
  double seconds = 0;
  for (int i = 0; i < jobs; i++)
    seconds += b.run(r);
  samples.stop();
  samples.print(stdout, seconds);
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  const bool profiled = argc == 4 && !std::strcmp(argv[2], "--profile");
  if (argc < 2 || (argc > 3 && !profiled)) {
    std::fprintf(stderr, "usage: %s PROGRAM.loom [DEVICE | --profile JOBS]\n",
                 argv[0]);
    return 2;
  }
  try {
    const bench b(argv[1], argc == 3 ? argv[2] : nullptr);
    return profiled ? profile(b, std::max(1, std::atoi(argv[3]))) : serve(b);
  } catch (const std::exception &e) {
    std::fprintf(stderr, "%s: %s\n", argv[0], e.what());
    return 1;
  }
}
