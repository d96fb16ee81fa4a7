// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "thread_pool.h"

#include <array>
#include <set>

#include <gtest/gtest.h>

namespace {

using loom::thread_pool;
using std::chrono::milliseconds;

// Counts how often each index came, and on which threads.
struct seen {
  std::array<std::atomic<unsigned>, 64> count{};
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::thread::id caller = std::this_thread::get_id();
  milliseconds callers_pause{}, helpers_pause{};

  static void note(void *arg, unsigned i) {
    auto &s = *static_cast<seen *>(arg);
    const auto me = std::this_thread::get_id();
    std::this_thread::sleep_for(me == s.caller ? s.callers_pause
                                               : s.helpers_pause);
    s.count[i]++;
    std::lock_guard lock(s.mutex);
    s.threads.insert(me);
  }
  void expect_once(unsigned n) const {
    for (unsigned i = 0; i < count.size(); i++)
      EXPECT_EQ(count[i], i < n ? 1u : 0u) << "index " << i << " of " << n;
  }
};

TEST(ThreadPool, EachIndexOnceInEveryRound) {
  thread_pool pool(4);
  for (unsigned round = 0; round < 20000; round++) {
    const unsigned n = round % 9;
    seen s;
    pool.run(n, seen::note, &s);
    s.expect_once(n);
  }
}

TEST(ThreadPool, HelpersThatSleepAreWoken) {
  thread_pool pool(3);
  for (int round = 0; round < 3; round++) {
    std::this_thread::sleep_for(
        milliseconds(20)); // longer than they look for work
    seen s;
    s.callers_pause = milliseconds(20);
    s.helpers_pause = milliseconds(1);
    pool.run(12, seen::note, &s);
    s.expect_once(12);
    EXPECT_GT(s.threads.size(), 1u);
    EXPECT_EQ(s.threads.count(s.caller), 1u);
  }
}

TEST(ThreadPool, TheCallerTakesTheFirstAndHelpersTheLast) {
  thread_pool pool(2);
  struct ends {
    std::thread::id caller = std::this_thread::get_id();
    std::atomic<unsigned> callers_last{0}, helpers_first{64};
    static void note(void *arg, unsigned i) {
      auto &e = *static_cast<ends *>(arg);
      std::this_thread::sleep_for(milliseconds(1));
      auto &mine = std::this_thread::get_id() == e.caller ? e.callers_last
                                                          : e.helpers_first;
      mine = i;
    }
  } e;
  pool.run(64, ends::note, &e);
  EXPECT_LT(e.callers_last, e.helpers_first);
  EXPECT_LT(e.helpers_first, 64u);
}

// As when somebody else has the helper's processor.
TEST(ThreadPool, AHeldUpHelperMakesTheCallerWorkAloneForAWhile) {
  thread_pool pool(2);
  seen slow;
  slow.callers_pause = milliseconds(1);
  slow.helpers_pause = milliseconds(100);
  pool.run(8, seen::note, &slow);
  slow.expect_once(8);
  ASSERT_EQ(slow.threads.size(), 2u);
  seen at_once;
  at_once.callers_pause = milliseconds(2);
  pool.run(8, seen::note, &at_once);
  at_once.expect_once(8);
  EXPECT_EQ(at_once.threads, std::set{at_once.caller});
  std::this_thread::sleep_for(milliseconds(60)); // the rest is over
  seen later;
  later.callers_pause = milliseconds(20);
  pool.run(8, seen::note, &later);
  later.expect_once(8);
  EXPECT_EQ(later.threads.size(), 2u);
}

TEST(ThreadPool, OneThreadIsTheCaller) {
  thread_pool pool(1);
  seen s;
  pool.run(5, seen::note, &s);
  s.expect_once(5);
  EXPECT_EQ(s.threads, std::set{s.caller});
}

} // namespace
