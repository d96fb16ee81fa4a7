// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random programs against the oracle.
//   random_programs [--seed N] [--count N]          oracle = in-process model,
//   for every kernel set and thread count random_programs --write DIR [--seed
//   N] ...      besides, the programs, their arguments and what is expected
//   random_programs --explain I --segment S --byte B which records touched byte
//   B of SRAM in program I random_programs --run DIR --device NODE ...     runs
//   such a folder on devices, each program on that of its target
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>

#include "corpus.h"
#include "generator.h"
#include "oracle.h"
#include "plan.h"
#include "runner.h"
#include "sha256.h"

namespace {

using namespace loom_random;

constexpr uint64_t least_uses = 20, full_count = 200;
const char *const targets[] = {"npu16", "npu8", "npu64"};

struct options {
  uint64_t seed = 1, count = full_count;
  std::string write, run;
  int64_t explain = -1, segment = 0, byte = 0;
  std::vector<std::string> devices;
};

// One way to run a program in-process. The kernel set is read when a device is
// opened.
struct way {
  std::string isa;
  int threads;
  std::map<std::string, std::unique_ptr<loom_cpp::device>> devices = {};
  const loom_cpp::device &on(const std::string &target) {
    auto &d = devices[target];
    if (!d) {
      setenv("LOOM_ISA", isa.c_str(), 1);
      setenv("LOOM_THREADS", std::to_string(threads).c_str(), 1);
      d = std::make_unique<loom_cpp::device>(("sim:" + target).c_str());
    }
    return *d;
  }
};

std::vector<way> all_ways() {
  std::vector<way> ways;
  for (const char *isa : {"scalar", "avx2", "avx512"})
    for (const int threads : {1, 2}) {
      way w{isa, threads};
      try {
        w.on(targets[0]);
        ways.push_back(std::move(w));
      } catch (const loom_cpp::error &e) {
        std::printf("skipped: LOOM_ISA=%s, %d threads: %s\n", isa, threads,
                    e.what());
      }
    }
  return ways;
}

program nth(uint64_t seed, uint64_t i) {
  const std::string name = targets[i % std::size(targets)];
  loom_target t{};
  const loom_cpp::device d(("sim:" + name).c_str());
  t = d.target();
  return generate(seed * 1000003 + i, name, t);
}

std::vector<std::vector<uint8_t>> arguments(const program &p) {
  return {p.contents[0], p.contents[1], p.contents[2]};
}

std::vector<std::vector<uint8_t>> expect(const program &p, coverage &seen) {
  oracle o(p.target, p.contents, &seen);
  for (const auto &s : p.segments)
    o.run(p.code, s.first, s.count);
  return {o.slots[0], o.slots[1], o.slots[2]};
}

// Cycles as planned, without data; none where a segment loads registers from
// memory.
std::optional<uint64_t> planned(const program &p) {
  std::vector<loom_npu_slot> slots;
  for (const auto &s : p.slots)
    slots.push_back({s.bytes, s.rights, s.mem_class, 0});
  uint64_t cycles = 0;
  for (const auto &s : p.segments) {
    for (uint32_t unit = s.first; unit < s.first + s.count;) {
      const uint8_t *header = p.code.data() + size_t{unit} * LOOM_UNIT_BYTES;
      if (header[0] == LOOM_OP_LD)
        return std::nullopt;
      unit += header[1];
    }
    loom_plan plan{};
    plan.code = p.code.data();
    plan.first_unit = s.first;
    plan.n_units = s.count;
    plan.insn_budget = s.insn_budget;
    plan.slots = slots.data();
    plan.n_slots = static_cast<uint32_t>(slots.size());
    loom_report report{};
    if (!loom_plan_run(&p.target, &plan, &report) || report.end.fault)
      return 0;
    cycles += report.cycles;
  }
  return cycles;
}

std::string hash(const std::vector<std::vector<uint8_t>> &args) {
  sha256 h;
  for (const auto &a : args)
    h.add(a.data(), a.size());
  return h.hex();
}

// Where two results part, for whoever has to find out why.
std::string difference(const std::vector<std::vector<uint8_t>> &want,
                       const std::vector<std::vector<uint8_t>> &got) {
  std::ostringstream s;
  for (size_t slot = 0; slot < want.size(); slot++)
    for (size_t i = 0; i < want[slot].size(); i++)
      if (want[slot][i] != got[slot][i]) {
        s << "slot " << slot << ", byte " << i << " (of 4: ";
        const size_t at = i & ~size_t{3};
        for (const auto *v : {&want, &got}) {
          uint32_t word = 0;
          std::memcpy(&word, (*v)[slot].data() + at,
                      std::min<size_t>(4, (*v)[slot].size() - at));
          s << (v == &want ? "expected " : ", got ") << std::hex << word
            << std::dec;
        }
        s << ")";
        return s.str();
      }
  return "equal";
}

int check(const options &o) {
  auto ways = all_ways();
  coverage seen;
  sha256 all;
  uint64_t total_cycles = 0, failures = 0, open = 0, plans = 0;
  std::optional<corpus_writer> corpus;
  if (!o.write.empty())
    corpus.emplace(o.write);
  for (uint64_t i = 0; i < o.count; i++) {
    const program p = nth(o.seed, i);
    const auto fail = [&](const std::string &why) {
      std::printf("program %llu (--seed %llu, %s): %s\n",
                  static_cast<unsigned long long>(i),
                  static_cast<unsigned long long>(o.seed),
                  p.target_name.c_str(), why.c_str());
      failures++;
    };
    std::vector<std::vector<uint8_t>> want;
    try {
      want = expect(p, seen);
    } catch (const bad_program &e) {
      fail(std::string("the generator made a bad program: ") + e.what());
      continue;
    } catch (const undecided &e) {
      std::printf("program %llu is left out: %s\n",
                  static_cast<unsigned long long>(i), e.what());
      open++;
      continue;
    }
    uint64_t cycles = 0;
    for (auto &w : ways) {
      const auto got =
          run(w.on(p.target_name), p.file, {0, 1, 2}, arguments(p));
      const std::string how =
          " with " + w.isa + ", " + std::to_string(w.threads) + " threads";
      cycles = cycles ? cycles : got.result.cycles;
      if (got.result.status)
        fail(got.result.message + how);
      else if (got.args != want)
        fail(difference(want, got.args) + how);
      else if (got.result.cycles != cycles)
        fail(std::to_string(got.result.cycles) + " cycles, first run " +
             std::to_string(cycles) + how);
    }
    if (const auto plan = planned(p)) {
      plans++;
      if (*plan != cycles)
        fail("planned " + std::to_string(*plan) + " cycles, ran " +
             std::to_string(cycles));
    }
    for (const auto &a : want)
      all.add(a.data(), a.size());
    total_cycles += cycles;
    if (corpus)
      corpus->add(i, p, hash(want), cycles);
  }
  for (const auto &[what, times] : seen)
    std::printf("%8llu  %s\n", static_cast<unsigned long long>(times),
                what.c_str());
  uint64_t rare = 0;
  for (const auto &what : must_cover())
    if (o.count >= full_count && seen[what] < least_uses) {
      std::printf("too rare: %s, %llu times\n", what.c_str(),
                  static_cast<unsigned long long>(seen[what]));
      rare++;
    }
  std::printf("{\"count\": %llu, \"ways\": %zu, \"hash\": \"%s\", \"cycles\": "
              "%llu, \"plans\": %llu, \"failures\": %llu, \"rare\": "
              "%llu, \"open\": %llu}\n",
              static_cast<unsigned long long>(o.count), ways.size(),
              all.hex().c_str(), static_cast<unsigned long long>(total_cycles),
              static_cast<unsigned long long>(plans),
              static_cast<unsigned long long>(failures),
              static_cast<unsigned long long>(rare),
              static_cast<unsigned long long>(open));
  return failures || rare || open > o.count / 50 || plans < o.count / 4;
}

// Which records touched a byte of SRAM in a segment, by the oracle's schedule.
int explain(const options &o) {
  const program p = nth(o.seed, static_cast<uint64_t>(o.explain));
  oracle machine(p.target, p.contents, nullptr);
  for (int64_t s = 0; s <= o.segment; s++) {
    machine.watched = s == o.segment ? o.byte : -1;
    machine.run(p.code, p.segments.at(static_cast<size_t>(s)).first,
                p.segments[static_cast<size_t>(s)].count);
  }
  for (const uint32_t unit : machine.touched) {
    char text[4096];
    loom_disassemble(
        p.code.data() + static_cast<size_t>(unit) * LOOM_UNIT_BYTES,
        static_cast<unsigned>(p.code.size() / LOOM_UNIT_BYTES) - unit, text,
        sizeof(text));
    std::printf("%u: %s\n", unit, text);
  }
  return 0;
}

int run_corpus(const options &o) {
  std::vector<std::unique_ptr<loom_cpp::device>> devices;
  for (const auto &d : o.devices)
    devices.push_back(std::make_unique<loom_cpp::device>(d.c_str()));
  uint64_t count = 0, cycles = 0, mismatches = 0;
  sha256 all;
  for (const auto &entry : read_corpus(o.run)) {
    const loom_cpp::device *on = nullptr;
    for (const auto &d : devices)
      if (!std::memcmp(&d->target(), &entry.target, sizeof(entry.target)))
        on = d.get();
    if (!on) {
      std::fprintf(stderr,
                   "program %s: none of the devices is its target; add one by "
                   "--device\n",
                   entry.name.c_str());
      return 2;
    }
    const auto got = run(*on, entry.file, {0, 1, 2}, entry.args);
    count++;
    cycles += got.result.cycles;
    for (const auto &a : got.args)
      all.add(a.data(), a.size());
    if (got.result.status || hash(got.args) != entry.hash ||
        got.result.cycles != entry.cycles) {
      mismatches++;
      std::fprintf(stderr, "program %s: %s; %llu cycles, expected %llu\n",
                   entry.name.c_str(),
                   got.result.status ? got.result.message : "outputs",
                   static_cast<unsigned long long>(got.result.cycles),
                   static_cast<unsigned long long>(entry.cycles));
    }
  }
  std::printf("{\"count\": %llu, \"hash\": \"%s\", \"cycles\": %llu, "
              "\"mismatches\": %llu}\n",
              static_cast<unsigned long long>(count), all.hex().c_str(),
              static_cast<unsigned long long>(cycles),
              static_cast<unsigned long long>(mismatches));
  return mismatches != 0 || !count;
}

} // namespace

int main(int argc, char **argv) {
  options o;
  const std::map<std::string, std::function<void(const char *)>> known = {
      {"--seed", [&](const char *v) { o.seed = std::strtoull(v, nullptr, 0); }},
      {"--count",
       [&](const char *v) { o.count = std::strtoull(v, nullptr, 0); }},
      {"--explain", [&](const char *v) { o.explain = std::atoll(v); }},
      {"--segment", [&](const char *v) { o.segment = std::atoll(v); }},
      {"--byte", [&](const char *v) { o.byte = std::atoll(v); }},
      {"--write", [&](const char *v) { o.write = v; }},
      {"--run", [&](const char *v) { o.run = v; }},
      {"--device", [&](const char *v) { o.devices.push_back(v); }},
  };
  for (int i = 1; i < argc; i += 2) {
    const auto option = known.find(argv[i]);
    if (option == known.end() || i + 1 == argc) {
      std::fprintf(stderr,
                   "%s: unknown or without a value; use --seed N, --count N, "
                   "--write DIR, --run DIR, "
                   "--device NODE\n",
                   argv[i]);
      return 2;
    }
    option->second(argv[i + 1]);
  }
  try {
    if (o.explain >= 0)
      return explain(o);
    return o.run.empty() ? check(o) : run_corpus(o);
  } catch (const std::exception &e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
}
