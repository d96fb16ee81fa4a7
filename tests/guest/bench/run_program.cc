// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs one compiled program again and again, on request: reads a line, runs,
// prints the seconds from submission to completion. ./dev bench interleaves it
// with NumPy and JAX.
//
//   loom_bench_run PROGRAM.loom
#include <chrono>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "loom/loom.hpp"
#include "prog_check.h"

namespace {

// Values between -1 and 1 that are not constant and the same in each run.
void fill(loom_cpp::buffer &buffer) {
  auto *p = static_cast<float *>(buffer.data());
  uint32_t state = 1;
  for (uint64_t i = 0; i < buffer.bytes() / sizeof(float); i++) {
    state = state * 1664525u + 1013904223u;
    p[i] = static_cast<float>(static_cast<int32_t>(state)) / 2147483648.0f;
  }
}

int run(const char *path) {
  const loom_cpp::device device = loom_cpp::device::sim_for(path);
  const loom_cpp::program program(device.get(), path);
  const loom_cpp::instance instance(program.get());
  const loom_prog_view &view = program.view();
  std::vector<std::unique_ptr<loom_cpp::buffer>> buffers;
  std::vector<loom_binding> bindings;
  for (uint32_t i = 0; i < view.n_slots; i++) {
    if (view.slots[i].kind != LOOM_SLOT_ARG)
      continue;
    buffers.push_back(
        std::make_unique<loom_cpp::buffer>(device.get(), view.slots[i].bytes));
    fill(*buffers.back());
    bindings.push_back({i, 0, buffers.back()->get(), 0});
  }
  loom_job_desc desc{};
  desc.n_bindings = static_cast<uint32_t>(bindings.size());
  desc.bindings = bindings.data();
  for (std::string line; std::getline(std::cin, line);) {
    const auto start = std::chrono::steady_clock::now();
    const loom_result r = instance.submit(desc).wait();
    const std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - start;
    if (r.status)
      throw std::runtime_error(r.message);
    std::printf(
        "{\"seconds\": %.9f, \"cycles\": %llu, \"utilisation\": %.6f}\n",
        took.count(), static_cast<unsigned long long>(r.cycles),
        loom_utilisation(&device.target(), &r));
    std::fflush(stdout);
  }
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s PROGRAM.loom\n", argv[0]);
    return 2;
  }
  try {
    return run(argv[1]);
  } catch (const std::exception &e) {
    std::fprintf(stderr, "%s: %s\n", argv[0], e.what());
    return 1;
  }
}
