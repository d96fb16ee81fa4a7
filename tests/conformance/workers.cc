// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "workers.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <poll.h>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace conformance {

namespace {

constexpr rlim_t kMemory = rlim_t{6} << 30; // that one process may map

// A child: the cases it has, of which `done` have been reported.
struct child {
  pid_t pid;
  int pipe;
  size_t first, count, done = 0;
  std::string buffer;
};

[[noreturn]] void serve(const pool &how, int out, size_t first, size_t count,
                        const std::function<std::string(size_t)> &work) {
  const rlimit memory{kMemory, kMemory}, core{0, 0};
  setrlimit(RLIMIT_AS, &memory);
  setrlimit(RLIMIT_CORE, &core);
  const int null = open("/dev/null", O_WRONLY);
  dup2(null, STDERR_FILENO); // stack traces of a crash
  for (size_t i = first; i < first + count; i++) {
    alarm(how.seconds);
    const std::string line = work(i) + "\n";
    for (size_t at = 0; at < line.size();) {
      const ssize_t n = write(out, line.data() + at, line.size() - at);
      if (n < 0)
        _exit(2);
      at += static_cast<size_t>(n);
    }
  }
  _exit(0);
}

child start(const pool &how, size_t first, size_t count,
            const std::function<std::string(size_t)> &work) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC))
    throw std::runtime_error(std::string("no pipe: ") + strerror(errno));
  const pid_t pid = fork();
  if (pid < 0)
    throw std::runtime_error(std::string("no process: ") + strerror(errno));
  if (pid == 0) {
    close(ends[0]);
    serve(how, ends[1], first, count, work);
  }
  close(ends[1]);
  return {pid, ends[0], first, count, 0, ""};
}

std::string end_of(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  if (WIFSIGNALED(status))
    return WTERMSIG(status) == SIGALRM
               ? "it did not end in time"
               : std::string("signal ") + strsignal(WTERMSIG(status));
  return WIFEXITED(status) && WEXITSTATUS(status)
             ? "its process left with an error"
             : "";
}

} // namespace

void run_all(
    const pool &how, size_t cases,
    const std::function<std::string(size_t)> &work,
    const std::function<std::string(size_t, const std::string &)> &lost,
    const std::function<void(const std::string &)> &take) {
  std::vector<std::pair<size_t, size_t>> todo;
  for (size_t i = 0; i < cases; i += how.batch)
    todo.emplace_back(i, std::min<size_t>(how.batch, cases - i));
  std::map<int, child> running;
  while (!todo.empty() || !running.empty()) {
    while (!todo.empty() && running.size() < how.workers) {
      const auto [first, count] = todo.back();
      todo.pop_back();
      child c = start(how, first, count, work);
      running.emplace(c.pipe, std::move(c));
    }
    std::vector<pollfd> fds;
    for (const auto &[fd, c] : running)
      fds.push_back({fd, POLLIN, 0});
    if (poll(fds.data(), fds.size(), -1) < 0)
      throw std::runtime_error(std::string("poll: ") + strerror(errno));
    for (const pollfd &p : fds) {
      if (!p.revents)
        continue;
      child &c = running.at(p.fd);
      char bytes[65536];
      const ssize_t n = read(p.fd, bytes, sizeof(bytes));
      if (n > 0) {
        c.buffer.append(bytes, static_cast<size_t>(n));
        for (size_t end; (end = c.buffer.find('\n')) != std::string::npos;) {
          take(c.buffer.substr(0, end));
          c.buffer.erase(0, end + 1);
          c.done++;
        }
        continue;
      }
      const std::string why = end_of(c.pid);
      close(p.fd);
      if (c.done < c.count) {
        take(lost(c.first + c.done, why));
        if (c.done + 1 < c.count)
          todo.emplace_back(c.first + c.done + 1, c.count - c.done - 1);
      }
      running.erase(p.fd);
    }
  }
}

} // namespace conformance
