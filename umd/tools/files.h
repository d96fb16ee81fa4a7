// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Whole files in and out. Each function throws std::runtime_error that names the file and what to do.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace loom_tool {

// An array of 1 GiB with its header.
constexpr uint64_t max_array_bytes = uint64_t{1} << 30, max_file_bytes = max_array_bytes + 4096;

// advice: what to do about a file of more than `most` bytes.
std::vector<uint8_t> read_file(const std::string &path, uint64_t most = max_file_bytes,
			       const char *advice = "split it, or use --batch-input");
// Written beside the target and renamed, so that no half file is left behind. What is there and no file (a device, a
// pipe) stays what it is and is written to.
void write_file(const std::string &path, const void *data, size_t size);

// Before work whose result is to be written: whether it can be, as far as that can be told.
void check_writable(const char *option, const std::string &path);
void check_directory(const char *option, const std::string &path);

} // namespace loom_tool
