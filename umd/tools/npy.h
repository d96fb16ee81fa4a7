// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// NumPy's .npy and .npz files. Reading is bounds-checked; every failure names the file and what was expected.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace loom_tool {

struct array {
	std::string descr; // NumPy type string, e.g. "<f4"
	std::vector<uint64_t> shape;
	std::vector<uint8_t> bytes; // row-major, little-endian
};

// Each throws std::runtime_error.
array parse_npy(const uint8_t *data, size_t size, const std::string &name);
array read_npy(const std::string &path);
std::map<std::string, array> read_npz(const std::string &path);
void write_npy(const std::string &path, const array &a);

// NumPy's type string for an NPU type. bf16 has none of its own: its bits travel as "<u2".
const char *npy_descr(uint32_t dtype);

std::string shape_text(const std::vector<uint64_t> &shape);

} // namespace loom_tool
