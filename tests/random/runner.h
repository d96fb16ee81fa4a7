// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs a container through libloom, in-process or on the driver, and takes the
// bytes of its arguments back.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "loom/loom.hpp"

namespace loom_random {

struct outcome {
  loom_result result{};
  std::vector<std::vector<uint8_t>> args; // in the order of their slots
};

// args: first contents, one for each slot of kind ARG, in order. Every binding
// has an offset of its own.
inline outcome run(const loom_cpp::device &device,
                   const std::vector<uint8_t> &file,
                   const std::vector<uint32_t> &arg_slots,
                   const std::vector<std::vector<uint8_t>> &args) {
  loom_cpp::program program(device.get(), file.data(), file.size());
  loom_cpp::instance instance(program.get());
  std::vector<loom_cpp::buffer> buffers;
  std::vector<loom_binding> bindings;
  for (size_t i = 0; i < args.size(); i++) {
    const uint64_t offset = 64 * i;
    buffers.emplace_back(device.get(), offset + args[i].size());
    std::memcpy(static_cast<uint8_t *>(buffers[i].data()) + offset,
                args[i].data(), args[i].size());
    bindings.push_back({arg_slots[i], 0, buffers[i].get(), offset});
  }
  loom_job_desc desc{};
  desc.n_bindings = static_cast<uint32_t>(bindings.size());
  desc.bindings = bindings.data();
  outcome o;
  o.result = instance.submit(desc).wait();
  for (size_t i = 0; i < args.size(); i++) {
    const auto *p =
        static_cast<const uint8_t *>(buffers[i].data()) + bindings[i].offset;
    o.args.emplace_back(p, p + args[i].size());
  }
  return o;
}

} // namespace loom_random
