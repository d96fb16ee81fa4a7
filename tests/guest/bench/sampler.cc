// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "sampler.h"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>

#include <dirent.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

extern "C" const char __executable_start, etext; // by the linker

namespace loom_bench {
namespace {

constexpr size_t most_samples = size_t{1} << 20;
constexpr int stack_words = 96; // looked through for the caller of a library

struct sample {
  int32_t thread;
  int64_t place;
};

sample *samples;
std::atomic<size_t> n_samples;

bool in_text(uintptr_t pc) {
  return pc >= reinterpret_cast<uintptr_t>(&__executable_start) &&
         pc < reinterpret_cast<uintptr_t>(&etext);
}

int64_t offset_of(uintptr_t pc) {
  return static_cast<int64_t>(pc -
                              reinterpret_cast<uintptr_t>(&__executable_start));
}

// A copy in libc counts where it was called: its return address is the first
// word of the stack that points into this executable.
int64_t place_of(const ucontext_t *context) {
  const auto pc = static_cast<uintptr_t>(context->uc_mcontext.gregs[REG_RIP]);
  if (in_text(pc))
    return offset_of(pc);
  const auto *stack =
      reinterpret_cast<const uintptr_t *>(context->uc_mcontext.gregs[REG_RSP]);
  for (int i = 0; i < stack_words; i++)
    if (in_text(stack[i]))
      return offset_of(stack[i] - 1); // within the call
  return -1;
}

void note(int, siginfo_t *info, void *context) {
  const size_t at = n_samples.fetch_add(1, std::memory_order_relaxed);
  if (at < most_samples)
    samples[at] = {info->si_value.sival_int,
                   place_of(static_cast<const ucontext_t *>(context))};
}

std::vector<pid_t> other_threads() {
  std::vector<pid_t> all;
  DIR *dir = opendir("/proc/self/task");
  if (!dir)
    throw std::runtime_error("/proc/self/task: " +
                             std::string(std::strerror(errno)));
  const pid_t own = static_cast<pid_t>(syscall(SYS_gettid));
  while (const dirent *e = readdir(dir))
    if (const int tid = std::atoi(e->d_name); tid > 0 && tid != own)
      all.push_back(tid);
  closedir(dir);
  return all;
}

} // namespace

sampler::sampler(unsigned per_second) {
  if (!samples)
    samples = new sample[most_samples];
  n_samples = 0;
  struct sigaction action {};
  action.sa_sigaction = note;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGPROF, &action, nullptr);
  for (const pid_t tid : other_threads()) {
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGPROF;
    event.sigev_value.sival_int = static_cast<int>(timers.size());
    event._sigev_un._tid = tid;
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer))
      throw std::runtime_error(std::string("timer_create: ") +
                               std::strerror(errno));
    timers.push_back(timer);
    itimerspec every{};
    every.it_interval.tv_nsec = every.it_value.tv_nsec =
        1000000000l / static_cast<long>(per_second);
    timer_settime(timer, 0, &every, nullptr);
  }
}

void sampler::stop() {
  for (const timer_t t : timers)
    timer_delete(t);
  timers.clear();
}

void sampler::print(std::FILE *out, double seconds) const {
  std::map<int32_t, std::map<int64_t, uint64_t>> threads;
  const size_t n = std::min(n_samples.load(), most_samples);
  for (size_t i = 0; i < n; i++)
    threads[samples[i].thread][samples[i].place]++;
  std::fprintf(out, "{\"seconds\": %.6f, \"threads\": [", seconds);
  const char *comma = "";
  for (const auto &[thread, places] : threads) {
    std::fprintf(out, "%s{", comma);
    const char *inner = "";
    for (const auto &[place, times] : places) {
      std::fprintf(out, "%s\"%lld\": %llu", inner,
                   static_cast<long long>(place),
                   static_cast<unsigned long long>(times));
      inner = ", ";
    }
    std::fprintf(out, "}");
    comma = ", ";
  }
  std::fprintf(out, "]}\n");
}

} // namespace loom_bench
