// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs a corpus that export.py wrote: conformance OUT.jsonl INDEX.jsonl... One
// line a case: where it ran, how far its outputs are from what JAX answers on
// the CPU, or why it did not run.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <regex>

#include <nlohmann/json.hpp>

#include "corpus.h"
#include "run_case.h"
#include "workers.h"

using namespace conformance;
using nlohmann::json;

namespace {

struct options {
  std::string target = "npu16", out;
  std::vector<std::string> indices;
  pool how;
  std::string only; // part of an artifact's name
};

// Where a case came from: index file and line.
struct source {
  std::string index;
  uint64_t line;
};

// A distance that no number holds, as text.
json number(double value) {
  return std::isfinite(value) ? json(value) : json("inf");
}

json line_of(const source &from, const verdict &v) {
  return {{"index", from.index},
          {"line", from.line},
          {"status", v.status},
          {"reason", v.reason},
          {"operation", v.operation},
          {"ulps", number(v.off.ulps)},
          {"scaled", number(v.off.scaled)},
          {"tolerance", number(v.off.tolerance)},
          {"cycles", v.cycles}};
}

std::string dumped(const json &line) {
  return line.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool parse(int argc, char **argv, options &o) {
  std::vector<std::string> files;
  for (int i = 1; i < argc; i++) {
    const std::string word = argv[i];
    if (word.rfind("--", 0)) {
      files.push_back(word);
      continue;
    }
    if (i + 1 == argc)
      return false;
    const std::string value = argv[++i];
    if (word == "--target")
      o.target = value;
    else if (word == "--workers")
      o.how.workers = static_cast<unsigned>(std::stoul(value));
    else if (word == "--seconds")
      o.how.seconds = static_cast<unsigned>(std::stoul(value));
    else if (word == "--only")
      o.only = value;
    else
      return false;
  }
  if (files.size() < 2)
    return false;
  o.out = files[0];
  o.indices.assign(files.begin() + 1, files.end());
  return true;
}

int run(const options &o) {
  corpus all;
  std::vector<source> sources;
  for (const auto &index : o.indices) {
    const size_t before = all.cases().size();
    all.add(index);
    for (size_t i = before; i < all.cases().size(); i++)
      sources.push_back({index, all.cases()[i].line});
  }
  std::vector<size_t> chosen;
  for (size_t i = 0; i < sources.size(); i++)
    if (all.cases()[i].artifact.find(o.only) != std::string::npos)
      chosen.push_back(i);
  std::ofstream out(o.out);
  std::unique_ptr<bench>
      warm; // made in each process when it takes its first case
  const auto work = [&](size_t n) {
    if (!warm)
      warm = std::make_unique<bench>(o.target);
    return dumped(
        line_of(sources[chosen[n]], warm->run(all.cases()[chosen[n]])));
  };
  const auto lost = [&](size_t n, const std::string &why) {
    return dumped(line_of(sources[chosen[n]], {"crash", why, "", {}, 0}));
  };
  run_all(o.how, chosen.size(), work, lost,
          [&](const std::string &line) { out << line << "\n"; });
  out.close();
  if (!out) {
    std::fprintf(stderr, "conformance: %s was not written\n", o.out.c_str());
    return 1;
  }
  std::printf("%zu cases\n", chosen.size());
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  options o;
  try {
    if (parse(argc, argv, o))
      return run(o);
  } catch (const std::exception &e) {
    std::fprintf(stderr, "conformance: %s\n", e.what());
    return 1;
  }
  std::fprintf(stderr, "usage: conformance [--target NAME] [--workers N] "
                       "[--seconds N] [--only TEXT] OUT.jsonl "
                       "INDEX.jsonl...\n");
  return 2;
}
