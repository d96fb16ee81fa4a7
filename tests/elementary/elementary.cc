// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The elementary functions of the vector unit, on every kernel set of this
// host, against libm.
//   elementary [--seed N]       a sample, and all special values
//   elementary --full           all 2^32 arguments of functions of one, 10^9
//                               pairs for those of two; every eighth block on
//                               all kernel sets
//   elementary --only NAME ...  one function
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "elementary_reference.h"

extern "C" {
#include "kernels.h"
}

namespace {

using namespace loom_test;

constexpr unsigned chunk = 256;
constexpr uint64_t part = 1 << 22;   // arguments of one piece of work
constexpr uint64_t sample_parts = 1; // of each function
constexpr uint64_t full_pairs = 1'000'000'000;

struct function {
  const char *name;
  unsigned op;
  int operands;
};

constexpr function functions[] = {
#define FUNCTION(num, name, operands, cls, text)                               \
  {#name, num, #cls[0] == 'T' ? operands : 0},
    LOOM_UOPS(FUNCTION)
#undef FUNCTION
};

std::vector<const loom_kernels *> kernel_sets() {
  std::vector<const loom_kernels *> sets;
  for (const auto isa : {LOOM_HOST_SCALAR, LOOM_HOST_AVX2, LOOM_HOST_AVX512})
    if (const auto *k = loom_kernels_select(isa))
      sets.push_back(k);
  return sets;
}

using block = std::array<uint32_t, chunk>;

// What was seen of one function.
struct tally {
  uint64_t tested = 0, wrong = 0, differ = 0, open = 0;
};

std::mutex printing;

void report(const function &f, const char *what, uint32_t a, uint32_t b,
            uint32_t got, uint32_t want, uint64_t number) {
  if (number > 5)
    return;
  const std::lock_guard lock(printing);
  std::printf("%s: %s(%08x", what, f.name, a);
  if (f.operands == 2)
    std::printf(", %08x", b);
  std::printf(") = %08x, expected %08x\n", got, want);
}

uint64_t mix(uint64_t hash, uint32_t word) {
  return (hash ^ word) * 0x100000001b3ull;
}

constexpr uint64_t hash_begin = 0xcbf29ce484222325ull;

// One block on the best kernel set, or compared on all; returns the hash of its
// results after `hash`.
uint64_t test_block(const function &f, const block &a, const block &b,
                    uint64_t hash, bool compare, tally &t) {
  static const auto sets = kernel_sets();
  block got, other;
  sets.back()->alu(f.op, got.data(), a.data(), b.data(), b.data(), chunk);
  for (size_t s = 0; compare && s + 1 < sets.size(); s++) {
    other = a; // in place
    sets[s]->alu(f.op, other.data(), other.data(), b.data(), b.data(), chunk);
    for (unsigned i = 0; i < chunk; i++)
      if (other[i] != got[i])
        report(f, sets[s]->name, a[i], b[i], other[i], got[i], ++t.differ);
  }
  for (unsigned i = 0; i < chunk; i++) {
    hash = mix(hash, got[i]);
    const allowed want = elementary_reference(f.op, a[i], b[i]);
    t.open += !want.one();
    if (got[i] != want.low && got[i] != want.high)
      report(f, "wrong", a[i], b[i], got[i], want.low, ++t.wrong);
  }
  t.tested += chunk;
  return hash;
}

// --- arguments ---------------------------------------------------------------

// Where one of the functions comes nearest to the middle of two f32, as the
// full run showed: binary64 alone gets them wrong, or nearly so.
constexpr uint32_t hard[] = {
    0x3c413d3a, 0x41178feb, 0x4c5d65a5, 0x65d890d3, 0x6f31a8ec, 0x35400003,
    0xb53ffffd, 0x3710001b, 0x3efd81ad, 0x41078feb, 0xb70fffe5, 0xbb0ec8c4,
    0xbe104170, 0xba928601, 0xb62c0000, 0xb7838000, 0x34000000, 0x35b00000,
    0xc16912cd, 0x46199998, 0x4ecd11c7, 0x5f18b878, 0x6115cb11, 0xc6199998,
    0xcecd11c7, 0x3dc252dd, 0x3ac37de2, 0x3940ead6, 0x010353b5, 0x33800000,
    0x39800000};

// Every exponent with mantissas at its ends and in its middle, both signs: all
// special values and their neighbours among them.
std::vector<uint32_t> special_values() {
  std::vector<uint32_t> all;
  for (uint32_t e = 0; e < 256; e++)
    for (const uint32_t m : {0u, 1u, 2u, 0x3fffffu, 0x400000u, 0x7fffffu})
      for (const uint32_t sign : {0u, 0x80000000u})
        all.push_back(sign | e << 23 | m);
  all.insert(all.end(), std::begin(hard), std::end(hard));
  return all;
}

// Pairs of special values of either argument.
std::vector<uint32_t> special_few() {
  std::vector<uint32_t> all;
  for (const uint32_t v :
       {0u,          1u,          0x7fffffu,   0x800000u,   0x33800000u,
        0x3e800000u, 0x3eaaaaabu, 0x3f000000u, 0x3f7fffffu, 0x3f800000u,
        0x3f800001u, 0x3fc00000u, 0x40000000u, 0x40400000u, 0x40490fdbu,
        0x42c80000u, 0x4b000000u, 0x4b000001u, 0x4b7fffffu, 0x4b800000u,
        0x4b800001u, 0x4effffffu, 0x7f7fffffu, 0x7f800000u, 0x7f800001u,
        0x7fc00000u, 0x7fffffffu})
    for (const uint32_t sign : {0u, 0x80000000u})
      all.push_back(sign | v);
  return all;
}

float f32(uint32_t bits) { return std::bit_cast<float>(bits); }

// A pair whose result is mostly neither zero nor infinite.
std::pair<uint32_t, uint32_t> random_pair(unsigned op, std::mt19937_64 &rng) {
  const uint64_t w = rng();
  const auto a = static_cast<uint32_t>(w), b = static_cast<uint32_t>(w >> 32);
  const uint64_t kind = rng();
  if (op != LOOM_UOP_POW) { // exponents near each other
    const uint32_t near =
        (a & 0x7f800000) +
        (static_cast<uint32_t>(kind >> 8 & 63) - 32) * 0x800000u;
    return {a, kind % 8 ? near + (b & 0x807fffff) : b};
  }
  switch (kind % 8) {
  case 0:
    return {a, b};
  case 1: // integers and quarters, ties among them
    return {std::bit_cast<uint32_t>(static_cast<float>(a % 4001) / 4 - 500),
            std::bit_cast<uint32_t>(static_cast<float>(b % 65) / 4 - 8)};
  default: {
    const uint32_t base =
        kind % 8 < 4 ? 0x3f000000 + a % 0x1800000 : a & 0x7fffffff;
    const double power =
        static_cast<double>(static_cast<int32_t>(b)) * 0x1p-31 * 150;
    return {base, std::bit_cast<uint32_t>(static_cast<float>(
                      power / std::log2(static_cast<double>(f32(base)))))};
  }
  }
}

void test_list(const function &f,
               const std::vector<std::pair<uint32_t, uint32_t>> &list,
               tally &t) {
  block a{}, b{};
  for (size_t i = 0; i < list.size(); i += chunk) {
    for (unsigned j = 0; j < chunk; j++)
      std::tie(a[j], b[j]) = list[std::min(i + j, list.size() - 1)];
    test_block(f, a, b, hash_begin, true, t);
  }
}

void test_specials(const function &f, tally &t) {
  std::vector<std::pair<uint32_t, uint32_t>> list;
  if (f.operands == 1) {
    for (const uint32_t v : special_values())
      list.emplace_back(v, 0);
  } else {
    const auto few = special_few();
    for (const uint32_t a : few)
      for (const uint32_t b : few)
        list.emplace_back(a, b);
  }
  test_list(f, list, t);
}

// Piece number i of the work on a function: in full, arguments in order.
uint64_t test_part(const function &f, uint64_t i, bool full, uint64_t seed,
                   tally &t) {
  std::mt19937_64 rng(seed * 1000003 + i * 131 + f.op);
  block a{}, b{};
  uint64_t hash = hash_begin;
  for (uint64_t at = 0; at < part; at += chunk) {
    for (unsigned j = 0; j < chunk; j++)
      if (f.operands == 2)
        std::tie(a[j], b[j]) = random_pair(f.op, rng);
      else
        a[j] = static_cast<uint32_t>(full ? i * part + at + j : rng());
    hash = test_block(f, a, b, hash, !full || at / chunk % 8 == i % 8, t);
  }
  return hash;
}

// --- the run
// -------------------------------------------------------------------

struct options {
  uint64_t seed = 1;
  bool full = false;
  std::string only;
};

tally test(const function &f, const options &o) {
  const uint64_t parts = !o.full           ? sample_parts
                         : f.operands == 1 ? (1ull << 32) / part
                                           : (full_pairs + part - 1) / part;
  std::vector<uint64_t> hashes(parts);
  std::atomic<uint64_t> next{0};
  tally total;
  std::mutex adding;
  const auto work = [&] {
    tally t;
    for (uint64_t i; (i = next++) < parts;)
      hashes[i] = test_part(f, i, o.full, o.seed, t);
    const std::lock_guard lock(adding);
    total.tested += t.tested;
    total.wrong += t.wrong;
    total.differ += t.differ;
    total.open += t.open;
  };
  test_specials(f, total);
  uint64_t hash = hash_begin; // of the parts: in full, of all results in order
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < std::thread::hardware_concurrency() && o.full; i++)
    threads.emplace_back(work);
  work();
  for (auto &t : threads)
    t.join();
  for (const uint64_t h : hashes)
    hash = (hash ^ h) * 0x100000001b3ull;
  std::printf("%-8s tested %llu, wrong %llu, differ %llu, open %llu, hash "
              "%016llx\n",
              f.name, static_cast<unsigned long long>(total.tested),
              static_cast<unsigned long long>(total.wrong),
              static_cast<unsigned long long>(total.differ),
              static_cast<unsigned long long>(total.open),
              static_cast<unsigned long long>(hash));
  std::fflush(stdout);
  return total;
}

} // namespace

int main(int argc, char **argv) {
  options o;
  for (int i = 1; i < argc; i++) {
    const std::string arg = argv[i];
    if (arg == "--full") {
      o.full = true;
    } else if (arg == "--seed" && i + 1 < argc) {
      o.seed = std::strtoull(argv[++i], nullptr, 0);
    } else if (arg == "--only" && i + 1 < argc) {
      o.only = argv[++i];
    } else {
      std::fprintf(stderr,
                   "%s: unknown or without a value; use --full, --seed N, "
                   "--only NAME\n",
                   argv[i]);
      return 2;
    }
  }
  std::printf("kernel sets:");
  for (const auto *k : kernel_sets())
    std::printf(" %s", k->name);
  std::printf("\n");
  int passed = 0, failed = 0;
  for (const function &f : functions) {
    if (!f.operands || f.op == LOOM_UOP_LUT8 ||
        (!o.only.empty() && o.only != f.name))
      continue;
    const tally t = test(f, o);
    const uint64_t may_be_open = f.operands == 2 ? t.tested / 100000 : 0;
    (t.wrong || t.differ || t.open > may_be_open ? failed : passed)++;
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed || !passed;
}
