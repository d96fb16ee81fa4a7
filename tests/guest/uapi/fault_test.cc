// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Two contexts that keep jobs queued and running while the host injects faults
// into the device (faults.py). Each fault hits one of them, whichever is next;
// the culprit's fence must carry its errno, its queued siblings -ECANCELED, and
// the other context must not notice: every output is compared.
//
//   loom_fault_test KIND HITS PROGRESS-FILE   (KIND: hang, lost-irq, dma-fail)
//
// Ends after HITS faults with one line of JSON, or with exit code 1 and a line
// that says what was wrong. The host learns from PROGRESS-FILE when to go on.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"

using namespace loom_test;

namespace {

constexpr unsigned kDepth = 4; // jobs that a context has in flight
constexpr std::uint32_t kBytes = 4096;

[[noreturn]] void wrong(const std::string &what) {
  throw std::runtime_error(what);
}

void require(bool ok, const std::string &what) {
  if (!ok)
    wrong(what);
}

struct Kind {
  const char *name;
  int error; // of the culprit's fence; 0: the fault heals
  bool guilty;
};

const Kind kKinds[] = {
    {"hang", -ETIME, true}, {"lost-irq", 0, false}, {"dma-fail", -EIO, false}};

class Client {
public:
  Client(const Device &dev, unsigned seed) : dev_(dev), seed_(seed) {
    for (unsigned i = 0; i < kDepth; i++) {
      in_[i] = dev.bo(kBytes);
      out_[i] = dev.bo(kBytes);
      sync_[i] = dev.syncobj();
      src_[i] = static_cast<std::uint32_t *>(dev.map(in_[i], kBytes));
      dst_[i] = static_cast<std::uint32_t *>(dev.map(out_[i], kBytes));
    }
    prog_ = dev.prog(copy_program(dev.target(), kBytes));
    renew();
  }

  // A context cannot be freed of guilt; a new one takes its place.
  void renew() {
    if (ctx_) {
      drm_loom_ctx_destroy d{ctx_, 0};
      require(!dev_.call(DRM_IOCTL_LOOM_CTX_DESTROY, &d), "CTX_DESTROY");
    }
    ctx_ = dev_.ctx();
    inst_ = dev_.inst(ctx_, prog_);
  }

  void queue(unsigned round) {
    std::vector<Job> jobs;
    for (unsigned i = 0; i < kDepth; i++) {
      for (unsigned w = 0; w < kBytes / 4; w++) {
        src_[i][w] = (seed_ + round * kDepth + i) * 2654435761u + w;
        dst_[i][w] = 0x5a5a5a5a;
      }
      Job job(inst_);
      job.bind(0, job.use(in_[i], DRM_LOOM_ACCESS_READ), 0, kBytes);
      job.bind(1, job.use(out_[i], DRM_LOOM_ACCESS_WRITE), 0, kBytes);
      job.signal(sync_[i]);
      jobs.push_back(job);
    }
    const int error = submit(dev_, jobs);
    require(!error, "SUBMIT: " + std::to_string(error));
  }

  // Index of the job that failed, or kDepth; all others are checked.
  unsigned collect(const Kind &kind) {
    unsigned culprit = kDepth;
    for (unsigned i = 0; i < kDepth; i++) {
      const int waited = dev_.wait(sync_[i]);
      require(!waited, "waiting for a job: " + std::to_string(waited));
      const int status = dev_.fence_status(sync_[i]);
      if (status == 1) {
        require(culprit == kDepth, "a job ran behind a failed one");
        require(!std::memcmp(src_[i], dst_[i], kBytes), "wrong output");
        done++;
      } else if (culprit == kDepth) {
        require(status == kind.error,
                "a fence carries " + std::to_string(status));
        culprit = i;
      } else {
        require(status == -ECANCELED,
                "a sibling's fence carries " + std::to_string(status));
      }
    }
    return culprit;
  }

  void recover(const Kind &kind) {
    const auto inst = dev_.inst_state(inst_);
    const auto ctx = dev_.ctx_state(ctx_);
    require(inst.state == DRM_LOOM_INST_LOST, "the instance is not LOST");
    require(inst.error == static_cast<unsigned>(-kind.error), "its errno");
    Job job(inst_);
    require(submit(dev_, job) == EIO, "SUBMIT on it is not EIO");
    require((ctx.state == DRM_LOOM_CTX_GUILTY) == kind.guilty, "guilt");
    require(ctx.resets_guilty == kind.guilty, "resets_guilty");
    if (kind.guilty) {
      renew();
      return;
    }
    require(inst.fault == LOOM_FAULT_DMA,
            "fault " + std::to_string(inst.fault));
    drm_loom_inst_reset reset{inst_, 0};
    require(!dev_.call(DRM_IOCTL_LOOM_INST_RESET, &reset), "INST_RESET");
  }

  void innocent() const {
    require(dev_.ctx_state(ctx_).state == 0, "an innocent context is guilty");
    require(dev_.inst_state(inst_).state == 0, "an innocent instance is LOST");
  }

  std::uint64_t done = 0;

private:
  const Device &dev_;
  unsigned seed_;
  std::uint32_t prog_ = 0, ctx_ = 0, inst_ = 0;
  std::uint32_t in_[kDepth], out_[kDepth], sync_[kDepth];
  std::uint32_t *src_[kDepth], *dst_[kDepth];
};

void tell(const char *path, unsigned hits) {
  const std::string next = std::string(path) + ".new";
  if (FILE *f = std::fopen(next.c_str(), "w")) {
    std::fprintf(f, "%u\n", hits);
    std::fclose(f);
    std::rename(next.c_str(), path);
  }
}

// One round; true if a fault hit it.
bool round_of(const Device &dev, Client &a, Client &b, const Kind &kind,
              unsigned round) {
  const auto before = dev.stats();
  a.queue(round);
  b.queue(round);
  const bool hit_a = a.collect(kind) < kDepth, hit_b = b.collect(kind) < kDepth;
  const auto after = dev.stats();
  require(!(hit_a && hit_b), "one fault hit two contexts");
  require(after.resets - before.resets == (kind.guilty && (hit_a || hit_b)),
          "resets: " + std::to_string(after.resets - before.resets));
  if (!kind.error)
    return after.irqs_lost > before.irqs_lost;
  if (hit_a || hit_b) {
    (hit_a ? b : a).innocent();
    (hit_a ? a : b).recover(kind);
  }
  return hit_a || hit_b;
}

int run(const Kind &kind, unsigned hits, const char *progress) {
  Device dev;
  Client a(dev, 1), b(dev, 1u << 20);
  unsigned seen = 0, round = 0;
  tell(progress, 0);
  while (seen < hits)
    if (round_of(dev, a, b, kind, round++))
      tell(progress, ++seen);
  const auto s = dev.stats();
  std::printf("{\"kind\": \"%s\", \"hits\": %u, \"jobs_right\": %llu, "
              "\"resets\": %llu, \"irqs_lost\": %llu, \"killed\": %llu}\n",
              kind.name, seen, static_cast<unsigned long long>(a.done + b.done),
              static_cast<unsigned long long>(s.resets),
              static_cast<unsigned long long>(s.irqs_lost),
              static_cast<unsigned long long>(s.jobs_killed));
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  if (argc == 4)
    for (const Kind &kind : kKinds)
      if (!std::strcmp(kind.name, argv[1])) {
        try {
          return run(kind, static_cast<unsigned>(std::atoi(argv[2])), argv[3]);
        } catch (const std::exception &e) {
          std::printf("FAIL %s: %s\n", kind.name, e.what());
          return 1;
        }
      }
  std::fprintf(stderr, "usage: %s hang|lost-irq|dma-fail HITS FILE\n", argv[0]);
  return 2;
}
