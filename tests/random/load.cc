// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "load.h"

#include <thread>

#include "runner.h"
#include "sha256.h"

namespace loom_random {

std::string hash(const std::vector<std::vector<uint8_t>> &args) {
  sha256 h;
  for (const auto &a : args)
    h.add(a.data(), a.size());
  return h.hex();
}

namespace {

struct share { // what one context saw
  std::vector<std::vector<std::vector<uint8_t>>> args;
  std::vector<uint64_t> cycles;
  std::vector<std::string> wrong;
};

void run_entry(const corpus_entry &e, size_t i, uint64_t context,
               const device_finder &device, share &mine) {
  const std::string name =
      "program " + e.name + " in context " + std::to_string(context) + ": ";
  const loom_cpp::device *on = device(context, e.target);
  if (!on) {
    mine.wrong.push_back(name + "none of the devices is its target; add one "
                                "by --device");
    return;
  }
  auto got = run(*on, e.file, {0, 1, 2}, e.args);
  if (got.result.status)
    mine.wrong.push_back(name + got.result.message);
  else if (hash(got.args) != e.hash)
    mine.wrong.push_back(name + "other outputs");
  else if (got.result.cycles != e.cycles)
    mine.wrong.push_back(name + std::to_string(got.result.cycles) +
                         " cycles, expected " + std::to_string(e.cycles));
  mine.cycles[i] = got.result.cycles;
  mine.args[i] = std::move(got.args);
}

void run_all(const std::vector<corpus_entry> &entries, uint64_t context,
             uint64_t contexts, const device_finder &device, share &mine) {
  const size_t n = entries.size();
  mine.args.resize(n);
  mine.cycles.resize(n);
  try {
    for (size_t k = 0; k < n; k++) {
      const size_t i = (k + context * n / contexts) % n;
      run_entry(entries[i], i, context, device, mine);
    }
  } catch (const std::exception &e) {
    mine.wrong.push_back("context " + std::to_string(context) + ": " +
                         e.what());
  }
}

} // namespace

load_result run_loaded(const std::vector<corpus_entry> &entries,
                       uint64_t contexts, const device_finder &device) {
  std::vector<share> shares(contexts);
  std::vector<std::thread> threads;
  for (uint64_t c = 0; c < contexts; c++)
    threads.emplace_back(
        [&, c] { run_all(entries, c, contexts, device, shares[c]); });
  for (auto &t : threads)
    t.join();
  load_result r;
  for (uint64_t c = 0; c < contexts; c++) {
    sha256 all;
    uint64_t cycles = 0;
    for (const auto &args : shares[c].args)
      for (const auto &a : args)
        all.add(a.data(), a.size());
    for (const uint64_t n : shares[c].cycles)
      cycles += n;
    const std::string mine = all.hex();
    if (c && (mine != r.hash || cycles != r.cycles))
      shares[c].wrong.push_back("context " + std::to_string(c) +
                                ": another hash or sum of cycles than the "
                                "first context's");
    if (!c) {
      r.hash = mine;
      r.cycles = cycles;
    }
    r.wrong.insert(r.wrong.end(), shares[c].wrong.begin(),
                   shares[c].wrong.end());
  }
  return r;
}

} // namespace loom_random
