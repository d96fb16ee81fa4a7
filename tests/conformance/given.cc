// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Judges outputs that another program made of a corpus's cases:
// conformance_given OUT.jsonl GIVEN.jsonl INDEX.jsonl... GIVEN has a line a
// case: index, line, and either status and reason, or outputs, each at an
// offset of GIVEN.bin. OUT has the lines that `conformance` writes.
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <utility>

#include <nlohmann/json.hpp>

#include "corpus.h"
#include "judge.h"

using namespace conformance;
using nlohmann::json;

namespace {

using place = std::pair<std::string, uint64_t>; // index file and line

std::vector<uint8_t> contents(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  if (!in)
    throw std::runtime_error(path + " cannot be read");
  return {std::istreambuf_iterator<char>(in), {}};
}

// A distance that no number holds, as text.
json number(double value) {
  return std::isfinite(value) ? json(value) : json("inf");
}

struct finding {
  std::string status, reason;
  distance off;
};

finding compare_all(const test_case &c, const json &outputs,
                    const std::vector<uint8_t> &data) {
  if (outputs.size() != c.outputs.size())
    return {"wrong",
            std::to_string(outputs.size()) + " outputs, the case has " +
                std::to_string(c.outputs.size()),
            {}};
  finding f{"npu", "", {}};
  for (size_t i = 0; i < outputs.size(); i++) {
    const uint64_t at = outputs[i].at("at"), bytes = outputs[i].at("bytes");
    if (at > data.size() || bytes > data.size() - at)
      throw std::runtime_error("an output lies past the end of its file");
    if (bytes != c.outputs[i].bytes)
      return {"wrong",
              "output " + std::to_string(i) + " has " + std::to_string(bytes) +
                  " bytes, the case's " + std::to_string(c.outputs[i].bytes),
              {}};
    f.off.merge(compare(c.outputs[i], data.data() + at));
  }
  if (!f.off.mismatch.empty()) {
    f.status = "wrong";
    f.reason = f.off.mismatch;
  }
  return f;
}

finding judge_one(const test_case &c, const json &row,
                  const std::vector<uint8_t> &data) {
  if (row.contains("outputs"))
    return compare_all(c, row["outputs"], data);
  return {row.at("status"), row.at("reason"), {}};
}

void run(const std::string &out_path, const std::string &given_path,
         int n_indices, char **indices) {
  corpus all;
  std::map<place, size_t> at;
  for (int i = 0; i < n_indices; i++) {
    const size_t before = all.cases().size();
    all.add(indices[i]);
    for (size_t k = before; k < all.cases().size(); k++)
      at[{indices[i], all.cases()[k].line}] = k;
  }
  std::string stem = given_path.substr(0, given_path.rfind('.'));
  const std::vector<uint8_t> data = contents(stem + ".bin");
  std::ifstream given(given_path);
  std::ofstream out(out_path);
  std::string line;
  while (std::getline(given, line)) {
    const json row = json::parse(line);
    const place key{row.at("index"), row.at("line")};
    const auto found = at.find(key);
    if (found == at.end())
      throw std::runtime_error("the corpus has no line " +
                               std::to_string(key.second) + " of " + key.first);
    const finding f = judge_one(all.cases()[found->second], row, data);
    out << json({{"index", key.first},
                 {"line", key.second},
                 {"status", f.status},
                 {"reason", f.reason},
                 {"operation", ""},
                 {"ulps", number(f.off.ulps)},
                 {"scaled", number(f.off.scaled)},
                 {"tolerance", number(f.off.tolerance)},
                 {"cycles", 0}})
               .dump(-1, ' ', false, json::error_handler_t::replace)
        << "\n";
  }
  out.close();
  if (!out)
    throw std::runtime_error(out_path + " was not written");
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: conformance_given OUT.jsonl GIVEN.jsonl "
                         "INDEX.jsonl...\n");
    return 2;
  }
  try {
    run(argv[1], argv[2], argc - 3, argv + 3);
    return 0;
  } catch (const std::exception &e) {
    std::fprintf(stderr, "conformance_given: %s\n", e.what());
    return 1;
  }
}
