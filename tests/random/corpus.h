// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A folder of programs with arguments and expected results, to be run where the
// oracle is not; and what the programs together have to use.
#pragma once

#include <filesystem>
#include <fstream>

#include "generator.h"

namespace loom_random {

class corpus_writer {
public:
  explicit corpus_writer(const std::filesystem::path &dir) : dir(dir) {
    std::filesystem::create_directories(dir);
    index.open(dir / "index.txt");
  }
  void add(uint64_t i, const program &p, const std::string &hash,
           uint64_t cycles);

private:
  std::filesystem::path dir;
  std::ofstream index; // a line a program: name, hash of the arguments after
                       // the call, cycles, bytes of each argument
};

struct corpus_entry {
  std::string name, hash;
  uint64_t cycles = 0;
  std::vector<uint8_t> file;
  std::vector<std::vector<uint8_t>> args;
  loom_target target{};
};

std::vector<corpus_entry> read_corpus(const std::filesystem::path &dir);

// Every name of coverage that this release implements.
std::vector<std::string> must_cover();

} // namespace loom_random
