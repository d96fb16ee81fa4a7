// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "corpus.h"

#include <sstream>
#include <stdexcept>

#include "loom/loom.hpp"

namespace loom_random {

namespace {

std::vector<uint8_t> read_file(const std::filesystem::path &path) {
  std::ifstream f(path, std::ios::binary);
  std::vector<uint8_t> v{std::istreambuf_iterator<char>(f), {}};
  if (v.empty())
    throw std::runtime_error(
        path.string() +
        ": cannot be read or is empty; write the folder again by --write");
  return v;
}

void write_file(const std::filesystem::path &path,
                const std::vector<uint8_t> &bytes) {
  std::ofstream f(path, std::ios::binary);
  f.write(reinterpret_cast<const char *>(bytes.data()),
          static_cast<std::streamsize>(bytes.size()));
  if (!f)
    throw std::runtime_error(path.string() + ": cannot be written");
}

} // namespace

void corpus_writer::add(uint64_t i, const program &p, const std::string &hash,
                        uint64_t cycles) {
  const std::string name = std::to_string(i);
  std::vector<uint8_t> args;
  index << name << ' ' << hash << ' ' << cycles;
  for (int a = 0; a < 3; a++) {
    index << ' ' << p.contents[a].size();
    args.insert(args.end(), p.contents[a].begin(), p.contents[a].end());
  }
  index << '\n' << std::flush;
  write_file(dir / (name + ".loom"), p.file);
  write_file(dir / (name + ".args"), args);
}

std::vector<corpus_entry> read_corpus(const std::filesystem::path &dir) {
  std::ifstream index(dir / "index.txt");
  std::vector<corpus_entry> all;
  if (!index)
    throw std::runtime_error((dir / "index.txt").string() +
                             ": cannot be read; write the folder by --write");
  for (std::string line; std::getline(index, line);) {
    std::istringstream words(line);
    corpus_entry e;
    words >> e.name >> e.hash >> e.cycles;
    e.file = read_file(dir / (e.name + ".loom"));
    const auto bytes = read_file(dir / (e.name + ".args"));
    size_t at = 0;
    for (size_t n; words >> n; at += n)
      e.args.emplace_back(bytes.begin() + static_cast<long>(at),
                          bytes.begin() + static_cast<long>(at + n));
    loom_error error{};
    if (loom_program_read_target((dir / (e.name + ".loom")).c_str(), &e.target,
                                 &error))
      throw loom_cpp::error(error);
    all.push_back(std::move(e));
  }
  return all;
}

std::vector<std::string> must_cover() {
  std::vector<std::string> all = {"base register",
                                  "loop by register",
                                  "loop by immediate",
                                  "mxu large",
                                  "mxu outer",
                                  "mxu dilation",
                                  "mxu stride",
                                  "mxu depthwise chunks",
                                  "reduce resume",
                                  "reduce partial",
                                  "scan",
                                  "scan resume"};
  for (const char *op :
       {"HALT",      "LDI",        "ADD",     "SUB",       "MUL",
        "SHL",       "SHR",        "AND",     "OR",        "MIN",
        "MAX",       "CLAMP",      "CMP",     "LD",        "ST",
        "LOOP",      "BR",         "FENCE",   "MARK",      "LD_COPY",
        "LD_FILL",   "ST_COPY",    "ST_FILL", "LD_GATHER", "LD_SCATTER",
        "ST_GATHER", "ST_SCATTER", "MXU",     "VPU"})
    all.push_back(std::string("op ") + op);
  for (int i = 0; i < LOOM_NUM_CONDS; i++)
    all.push_back("cond " + std::to_string(i));
  for (int i = 0; i < LOOM_NUM_SCALAR_TYPES; i++)
    for (const char *what : {"scalar load ", "scalar store "})
      all.push_back(what + std::to_string(i));
  for (const char *way :
       {"copy sram to sram", "copy sram to memory", "copy memory to sram",
        "copy memory to memory", "fill sram", "fill memory", "gather clamped",
        "scatter dropped"})
    all.push_back(way);
  for (const char *t : {"f32", "bf16", "int8"})
    for (const char *what : {"conv", "gemm", "depthwise", "transposing loads",
                             "acc 0", "acc 1", "acc 2", "no drain"})
      all.push_back(std::string("mxu ") + t + " " + what);
  for (const char *t : {"f32", "bf16"})
    for (const char *out : {"f32", "bf16", "f16"})
      all.push_back(std::string("mxu ") + t + " out " + out);
  for (const char *what : {"mxu int8 out i8",        "mxu int8 out i32",
                           "epi float rq 0 imm",     "epi float rq 3 imm",
                           "epi float rq 3 channel", "epi float act 0",
                           "epi float act 1",        "epi float bias",
                           "epi float no bias",      "epi float no residual",
                           "epi float residual f32", "epi float residual bf16",
                           "epi float residual f16", "epi int rq 0 imm",
                           "epi int rq 1 imm",       "epi int rq 1 channel",
                           "epi int rq 2 imm",       "epi int rq 2 channel",
                           "epi int rq 3 imm",       "epi int rq 3 channel",
                           "epi int act 0",          "epi int act 1",
                           "epi int act 2",          "epi int bias",
                           "epi int no bias",        "epi int residual i8",
                           "epi int no residual"})
    all.push_back(what);
  for (const char *t :
       {"f32", "bf16", "f16", "i32", "u32", "i16", "u16", "i8", "u8", "i1"})
    for (const char *what : {"load ", "store "})
      all.push_back(std::string(what) + t);
  for (const char *t : {"f32", "bf16", "f16", "i32", "u32"})
    all.push_back(std::string("reduce to ") + t);
#define UOP(num, name, operands, cls, text) all.push_back("uop " #name);
  LOOM_UOPS(UOP)
#undef UOP
  return all;
}

} // namespace loom_random
