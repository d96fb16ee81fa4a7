// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Orders the records of a segment. For each record: which earlier records of
// other queues touch the same bytes, and the fewest semaphores that make it
// wait for them.
#pragma once

#include <array>
#include <vector>

#include "program_builder.h"
#include "rng.h"

namespace loom_random {

// Bytes lo to hi - 1 of a slot (or SRAM) that a record may touch.
struct span {
  uint32_t space;
  int64_t lo, hi;
  bool write;
};

inline bool overlap(const span &a, const span &b) {
  return a.space == b.space && a.lo < b.hi && b.lo < a.hi;
}

class tracker {
public:
  tracker(loom_test::program_builder &b, rng &random) : b(b), random(random) {
    new_segment();
  }

  // A cold machine: new semaphores, nothing in flight.
  void new_segment() {
    std::array<uint8_t, LOOM_NUM_SEMS> all;
    for (unsigned i = 0; i < all.size(); i++)
      all[i] = static_cast<uint8_t>(i);
    for (unsigned i = 0; i < all.size(); i++)
      std::swap(all[i], all[i + random.below(all.size() - i)]);
    for (unsigned from = 0; from < LOOM_NUM_QUEUES; from++)
      for (unsigned to = 0; to < LOOM_NUM_QUEUES; to++)
        if (from != to)
          pair[from][to] = {all[from * 5 + to],
                            static_cast<uint8_t>(1 + random.below(9))};
    forget();
  }
  // Everything before is complete.
  void fence() {
    b.add(loom_test::seq(LOOM_OP_FENCE));
    forget();
  }
  uint32_t add(std::vector<uint8_t> record, unsigned queue,
               const std::vector<span> &touches) {
    if (!order(record, queue, touches)) {
      fence();
      order(record, queue, touches);
    }
    node n{b.code.size(), touches, 0};
    const uint32_t unit = b.add_bytes(record);
    if (queue != LOOM_Q_SEQ)
      queues[queue].push_back(n);
    return unit;
  }
  template <class T>
  uint32_t add(const T &record, unsigned queue,
               const std::vector<span> &touches) {
    const auto *p = reinterpret_cast<const uint8_t *>(&record);
    return add(std::vector<uint8_t>(p, p + sizeof(record)), queue, touches);
  }
  // A scalar record that touches no memory. Now and then it signals, and the
  // next record of a queue waits.
  uint32_t add_scalar(const loom_seq &record) {
    loom_seq s = record;
    const unsigned to = 1 + random.below(4);
    if (random.chance(10) && !owed[to]) {
      s.h.signal[0] = pair[LOOM_Q_SEQ][to];
      owed[to] = true;
    }
    return b.add(s);
  }
  // Takes back signals that no record of their queue waits for yet.
  void settle() {
    for (unsigned q = 1; q < LOOM_NUM_QUEUES; q++)
      if (owed[q]) {
        auto f = loom_test::seq(LOOM_OP_FENCE);
        f.h.wait[0] = pair[LOOM_Q_SEQ][q];
        b.add(f);
        owed[q] = false;
        forget();
      }
  }

private:
  struct node {
    size_t at; // byte of its record in the code
    std::vector<span> touches;
    unsigned signals;
  };

  void forget() {
    for (auto &q : queues)
      q.clear();
    for (auto &row : waited)
      row.fill(0);
  }
  static bool conflicts(const node &n, const std::vector<span> &touches) {
    for (const auto &x : n.touches)
      for (const auto &y : touches)
        if ((x.write || y.write) && overlap(x, y))
          return true;
    return false;
  }
  // False, with nothing changed, if the record would need more than two waits
  // or a producer has no signal left.
  bool order(std::vector<uint8_t> &record, unsigned queue,
             const std::vector<span> &touches) {
    std::vector<std::pair<unsigned, size_t>> needs;
    for (unsigned p = 1; p < LOOM_NUM_QUEUES; p++) {
      if (p == queue)
        continue;
      size_t i = queues[p].size();
      while (i > waited[queue][p] && !conflicts(queues[p][i - 1], touches))
        i--;
      if (i <= waited[queue][p])
        continue;
      // A later record of that queue serves as well.
      while (i <= queues[p].size() && queues[p][i - 1].signals == 2)
        i++;
      if (i > queues[p].size())
        return false;
      needs.emplace_back(p, i);
    }
    const bool pay = queue != LOOM_Q_SEQ && owed[queue];
    if (needs.size() + pay > 2)
      return false;
    unsigned w = 0;
    for (const auto &[p, i] : needs) {
      auto &n = queues[p][i - 1];
      put(b.code, n.at + offsetof(loom_hdr, signal) + 2 * n.signals++,
          pair[p][queue]);
      put(record, offsetof(loom_hdr, wait) + 2 * w++, pair[p][queue]);
      waited[queue][p] = i;
    }
    if (pay) {
      put(record, offsetof(loom_hdr, wait) + 2 * w, pair[LOOM_Q_SEQ][queue]);
      owed[queue] = false;
    }
    return true;
  }
  static void put(std::vector<uint8_t> &bytes, size_t at, loom_semref s) {
    bytes[at] = s.sem;
    bytes[at + 1] = s.n;
  }

  loom_test::program_builder &b;
  rng &random;
  std::array<std::vector<node>, LOOM_NUM_QUEUES> queues; // since the last fence
  // How many records of queue p every record of queue c from now on comes
  // after.
  std::array<std::array<size_t, LOOM_NUM_QUEUES>, LOOM_NUM_QUEUES> waited;
  loom_semref pair[LOOM_NUM_QUEUES][LOOM_NUM_QUEUES];
  std::array<bool, LOOM_NUM_QUEUES> owed{};
};

} // namespace loom_random
