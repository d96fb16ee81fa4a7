// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Who should run CPU segments: the kernel, in the chain, or libloom between
// SUBMITs (LOOM_CPU=user)? Chains of NPU and CPU segments over arrays of
// several sizes, and a loop with its condition in memory, both ways and
// in-process: equal bits, or status 1. So has what fails: a refusal, an
// injected fault, a loop that does not end. Prints a line of JSON.
//
//   loom_cpu_where DEVICE PAIRS
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "loom/loom.hpp"
#include "program_builder.h"
#include "segment.h"

namespace {

using namespace loom_test;
namespace cpu = loom::test;

enum slot : uint32_t { X, Y, MIDDLE, COUNT, MORE };

struct kind {
  uint32_t elements, links; // links: an NPU and a CPU segment each
  bool loop;
  uint64_t rounds = 5; // of the loop
  uint32_t bytes() const { return elements * 4; }
};

void npu_copy(program_builder &b, uint32_t from, uint32_t to, uint32_t bytes) {
  b.add(copy(LOOM_OP_LD_COPY, LOOM_ADDR(from, 0), LOOM_ADDR(to, 0), bytes));
  b.add(halt());
  b.segment(1u << 20, 1ull << 40);
}

cpu::operation sigmoid_of(uint32_t from, uint32_t to, uint32_t n) {
  cpu::operation m;
  m.in = {cpu::dense(from, LOOM_F32, {n})};
  m.out = {cpu::dense(to, LOOM_F32, {n})};
  m.ops = {cpu::load(0, 0), cpu::uop(LOOM_UOP_TANH, 1, 0),
           cpu::uop(LOOM_UOP_FADD, 2, 1, 0), cpu::store(0, 2)};
  return m;
}

// count += 1; more = count % rounds != 0.
void counting(program_builder &b, uint64_t rounds) {
  cpu::operation m;
  m.in = {cpu::dense(COUNT, LOOM_I32, {})};
  m.out = {cpu::dense(COUNT, LOOM_I32, {}), cpu::dense(MORE, LOOM_I1, {})};
  m.imms = {1, rounds};
  m.ops = {cpu::load(0, 0), cpu::uop(LOOM_UOP_IADD, 1, 0, LOOM_CPU_IMM(0)),
           cpu::uop(LOOM_UOP_IREM, 2, 1, LOOM_CPU_IMM(1)), cpu::store(0, 1),
           cpu::store(1, 2)};
  b.cpu_segment(m.encode());
}

// middle = x; then, links times, y = middle + tanh(middle) and middle = y. The
// loop does so five times on a count that is state.
std::vector<uint8_t> program_of(const loom_target &target, const kind &k) {
  constexpr uint8_t both = LOOM_RIGHT_READ | LOOM_RIGHT_WRITE;
  program_builder b;
  b.slot("x", LOOM_SLOT_ARG, k.bytes(), LOOM_RIGHT_READ);
  b.slot("y", LOOM_SLOT_ARG, k.bytes(), both);
  b.slot("middle", LOOM_SLOT_SCRATCH, k.bytes());
  b.slot("count", LOOM_SLOT_STATE, 4);
  b.slot("more", LOOM_SLOT_ARG, 64, both, 0, LOOM_SLOT_HIDDEN);
  const uint32_t more = b.scalar("more", MORE, LOOM_I1, LOOM_ROLE_STATE);
  npu_copy(b, X, MIDDLE, k.bytes());
  for (uint32_t i = 0; i < k.links; i++) {
    b.cpu_segment(sigmoid_of(MIDDLE, Y, k.elements).encode());
    npu_copy(b, Y, MIDDLE, k.bytes());
  }
  counting(b, k.rounds);
  if (k.loop) {
    b.run(0, 1);
    b.run(2 * k.links + 1, 1);
    b.loop_while(more, 2);
    b.run(1, 2 * k.links);
    b.run(2 * k.links + 1, 1);
  }
  return b.build(target);
}

struct runner {
  runner(const loom_cpp::device &on, const std::vector<uint8_t> &file,
         const kind &k, const char *who)
      : of(load(on, file, who)), instance(of.get()), x(on.get(), k.bytes()),
        y(on.get(), k.bytes()) {
    for (uint32_t i = 0; i < k.elements; i++)
      static_cast<float *>(x.data())[i] = 0.001f * static_cast<float>(i) - 2;
  }
  static loom_cpp::program load(const loom_cpp::device &on,
                                const std::vector<uint8_t> &file,
                                const char *who) {
    setenv("LOOM_CPU", who, 1);
    return loom_cpp::program(on.get(), file.data(), file.size());
  }
  void run() {
    loom_binding bindings[] = {{X, 0, x.get(), 0}, {Y, 0, y.get(), 0}};
    loom_job_desc d{};
    d.n_bindings = 2;
    d.bindings = bindings;
    result = instance.submit(d).wait();
  }
  // Seconds of a job.
  double once() {
    const auto begin = std::chrono::steady_clock::now();
    run();
    const std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - begin;
    if (result.status) {
      std::fprintf(stderr, "loom_cpu_where: %s\n", result.message);
      std::exit(1);
    }
    return took.count();
  }
  loom_cpp::program of;
  loom_cpp::instance instance;
  loom_cpp::buffer x, y;
  loom_result result{};
};

void require_equal(const runner &a, const runner &b, const kind &k,
                   const char *who) {
  const bool same = !std::memcmp(a.y.data(), b.y.data(), k.bytes()) &&
                    a.result.cycles == b.result.cycles &&
                    a.result.cpu_cycles == b.result.cpu_cycles &&
                    a.result.segments == b.result.segments;
  if (same)
    return;
  std::fprintf(stderr,
               "loom_cpu_where: %u elements, %u links: %s and "
               "in-process differ in bits, cycles or segments\n",
               k.elements, k.links, who);
  std::exit(1);
}

void print_times(const char *name, const std::vector<double> &seconds) {
  std::printf("\"%s\": [", name);
  for (size_t i = 0; i < seconds.size(); i++)
    std::printf("%s%.9f", i ? ", " : "", seconds[i]);
  std::printf("]");
}

void measure(const loom_cpp::device &on, const kind &k, int pairs, bool first) {
  const auto file = program_of(on.target(), k);
  const loom_cpp::device model(on.target());
  runner sim(model, file, k, "kernel"), kernel(on, file, k, "kernel"),
      user(on, file, k, "user");
  std::vector<double> times[2];
  for (int i = 0; i < pairs; i++) {
    sim.once();
    times[0].push_back(kernel.once());
    times[1].push_back(user.once());
    require_equal(kernel, sim, k, "the kernel");
    require_equal(user, sim, k, "LOOM_CPU=user");
  }
  std::printf("%s{\"elements\": %u, \"links\": %u, \"loop\": %s, ",
              first ? "" : ", ", k.elements, k.links,
              k.loop ? "true" : "false");
  print_times("kernel", times[0]);
  std::printf(", ");
  print_times("user", times[1]);
  std::printf("}");
}

void require_refusal(const loom_cpp::device &on) {
  const kind k{64, 1, false};
  try {
    runner(on, program_of(on.target(), k), k, "nobody");
  } catch (const loom_cpp::error &e) {
    if (std::string(e.what()).find("LOOM_CPU=nobody") != std::string::npos)
      return;
  }
  std::fprintf(stderr, "loom_cpu_where: LOOM_CPU=nobody is taken\n");
  std::exit(1);
}

[[noreturn]] void fail(const char *what) {
  std::fprintf(stderr, "loom_cpu_where: %s\n", what);
  std::exit(1);
}

// A CPU operation that fails here is named, makes the instance LOST, and stops
// the loop; RESET revives it, state and all.
void require_failure(const loom_cpp::device &on) {
  const kind k{64, 2, true};
  setenv("LOOM_CPU_FAIL", "3.0", 1);
  runner user(on, program_of(on.target(), k), k, "user");
  unsetenv("LOOM_CPU_FAIL");
  user.run();
  const std::string why = user.result.message;
  if (user.result.status != -EIO || user.result.segment != 3 ||
      why.find("CPU operation 0 (MAP)") == std::string::npos)
    fail("an injected failure is not reported");
  try {
    user.run();
    fail("a LOST instance takes a job");
  } catch (const loom_cpp::error &e) {
    if (e.code != -EIO || std::string(e.what()).find(why) == std::string::npos)
      fail("a LOST instance does not say why");
  }
  user.instance.reset();
  user.once();
  if (user.result.segments != 2 + 4 * 5)
    fail("RESET does not give state its first value");
}

// Nobody's condition has to become false; whoever runs CPU segments, libloom
// walks through the loop.
void require_deadline(const loom_cpp::device &on, const char *who) {
  const kind k{64, 1, true, 1u << 30};
  setenv("LOOM_LOOP_SECONDS", "0.2", 1);
  runner endless(on, program_of(on.target(), k), k, who);
  unsetenv("LOOM_LOOP_SECONDS");
  endless.run();
  if (endless.result.status != -ETIME ||
      !std::strstr(endless.result.message, "LOOM_LOOP_SECONDS"))
    fail("a loop without an end is not ended");
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: loom_cpu_where DEVICE PAIRS\n");
    return 1;
  }
  try {
    const loom_cpp::device on(argv[1]);
    int failures = 0;
    for (const auto &require :
         {std::function(require_refusal), std::function(require_failure)}) {
      require(on);
      failures++;
    }
    for (const char *who : {"kernel", "user"}) {
      require_deadline(on, who);
      failures++;
    }
    std::printf("{\"failures\": %d, \"cases\": [", failures);
    bool first = true;
    for (const kind &k :
         {kind{64, 1, false}, kind{64, 8, false}, kind{4096, 8, false},
          kind{262144, 2, false}, kind{64, 2, true}}) {
      measure(on, k, std::atoi(argv[2]), first);
      first = false;
    }
    std::printf("]}\n");
  } catch (const std::exception &e) {
    std::fprintf(stderr, "loom_cpu_where: %s\n", e.what());
    return 1;
  }
}
