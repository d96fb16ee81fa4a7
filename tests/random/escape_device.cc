// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Through the driver: the neighbour is another process with a context of its
// own, which keeps the device full of its canary while this one runs programs
// that aim outside.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <sys/wait.h>
#include <unistd.h>

#include "escape_runs.h"
#include "runner.h"

namespace loom_random {

namespace {

volatile sig_atomic_t stop;

// Runs jobs until told to stop; 0 if its memory is as it was. Says through
// `ready` that it has begun.
int neighbour(const std::string &node, int ready) {
  const loom_cpp::device device(node.c_str());
  const program p = make_neighbour(device.target(), true);
  loom_cpp::program loaded(device.get(), p.file.data(), p.file.size());
  std::vector<loom_cpp::buffer> buffers;
  for (int i = 0; i < 8; i++) {
    buffers.emplace_back(device.get(), p.contents[0].size());
    std::memcpy(buffers.back().data(), p.contents[0].data(),
                p.contents[0].size());
  }
  const loom_binding binding = {0, 0, buffers[4].get(), 0};
  loom_job_desc desc{};
  desc.n_bindings = 1;
  desc.bindings = &binding;
  while (!stop) {
    loom_cpp::instance instance(loaded.get()); // it is lost with every SEM_LEFT
    if (instance.submit(desc).wait().end.fault != LOOM_FAULT_SEM_LEFT)
      return 3;
    if (ready >= 0 && write(ready, "x", 1) != 1)
      return 6;
    ready = -1;
    usleep(1000);
  }
  for (const auto &b : buffers)
    if (std::memcmp(b.data(), p.contents[0].data(), p.contents[0].size()))
      return 4;
  return 0;
}

// Returns when its memory is in place, or when it has failed.
pid_t start_neighbour(const std::string &node) {
  int ready[2];
  if (pipe(ready))
    return -1;
  const pid_t child = fork();
  if (child) {
    char c;
    close(ready[1]);
    while (read(ready[0], &c, 1) < 0 && errno == EINTR)
      ;
    close(ready[0]);
    return child;
  }
  signal(SIGTERM, [](int) { stop = 1; });
  int code = 5;
  try {
    code = neighbour(node, ready[1]);
  } catch (const std::exception &e) {
    std::fprintf(stderr, "neighbour: %s\n", e.what());
  }
  _exit(code);
}

std::string judge(const escape &e, const outcome &o) {
  const auto &end = o.result.end;
  for (size_t i = 0; i < o.args.size(); i++)
    if (has_canary(o.args[i].data(), o.args[i].size()))
      return "a canary in argument " + std::to_string(i);
  if (o.args[0] != e.p.contents[0])
    return "the read-only argument changed";
  if (e.expected != any_fault && end.fault != e.expected)
    return std::string("fault ") + loom_fault_name(end.fault) + ", expected " +
           loom_fault_name(static_cast<uint32_t>(e.expected));
  if (!end.fault)
    return o.result.status ? "status without a fault" : "";
  if (o.result.status != -EIO)
    return "status " + std::to_string(o.result.status) + " instead of -EIO";
  return missing_in_message(end, o.result.message);
}

} // namespace

int escape_on_device(const std::string &node, uint64_t seed, uint64_t count) {
  const pid_t child = start_neighbour(node);
  tally t;
  const loom_cpp::device device(node.c_str());
  for (uint64_t i = 0; i < count; i++) {
    const escape e = make_escape(seed, i, "device", device.target());
    t.kind(e);
    const auto o = run(device, e.p.file, {S_IN, S_OUT, S_INOUT},
                       {e.p.contents[0], e.p.contents[1], e.p.contents[2]});
    t.fault(o.result.end.fault);
    const std::string why = judge(e, o);
    if (!why.empty())
      t.fail(e, i, why);
  }
  int status = 0;
  if (child > 0)
    kill(child, SIGTERM);
  if (waitpid(child, &status, 0) != child || status)
    t.fail({}, count,
           "the neighbour ended with status " + std::to_string(status));
  return t.close(false);
}

} // namespace loom_random
