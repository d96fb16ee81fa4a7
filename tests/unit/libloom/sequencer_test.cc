// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the sequencer wants, step by step, against a plain recursive reading of
// the same schedule.
#include <random>

#include <gtest/gtest.h>

#include "sequencer.h"

namespace {

// "3+2" is a chain, "?1" a condition and what it was.
struct trace {
  std::string text;
  std::mt19937 coins{1};
  bool coin(uint32_t cond) {
    const bool value = coins() % 3 != 0;
    text += "?" + std::to_string(cond) + (value ? "y " : "n ");
    return value;
  }
  void chain(uint32_t first, uint32_t count) {
    text += std::to_string(first) + "+" + std::to_string(count) + " ";
  }
};

void read(const std::vector<loom_prog_step> &s, uint32_t at, uint32_t end,
          trace &t) {
  while (at < end) {
    const auto &step = s[at];
    const uint32_t body = at + 1, after = body + step.count;
    if (step.kind == LOOM_STEP_RUN) {
      t.chain(step.first, step.count);
      at = body;
      continue;
    }
    for (uint64_t i = 0; step.kind == LOOM_STEP_REPEAT && i < step.arg; i++)
      read(s, body, after, t);
    while (step.kind == LOOM_STEP_WHILE && t.coin(step.cond))
      read(s, body, after, t);
    at = after;
  }
}

struct schedule {
  std::vector<loom_prog_step> steps;
  loom_prog_entry entry{};
  loom_prog_view view{};
  std::string walk() {
    entry.n_steps = static_cast<uint32_t>(steps.size());
    view.steps = steps.data();
    view.entries = &entry;
    loom_sequencer s;
    loom_sequencer_begin(&s, &view, 0);
    trace t;
    bool answer = false;
    while (const auto want = loom_sequencer_next(&s, answer)) {
      if (want == LOOM_WANT_CHAIN)
        t.chain(s.first, s.count);
      else
        answer = t.coin(s.cond);
    }
    EXPECT_EQ(loom_sequencer_next(&s, true), LOOM_WANT_NOTHING);
    return t.text;
  }
};

TEST(Sequencer, ChainWithoutSchedule) {
  schedule s;
  s.entry.n_segments = 5;
  EXPECT_EQ(s.walk(), "0+5 ");
}

TEST(Sequencer, Nested) {
  schedule s;
  s.steps = {{LOOM_STEP_REPEAT, {}, 0, 3, 0, 2},
             {LOOM_STEP_RUN, {}, 0, 1, 0, 0},
             {LOOM_STEP_REPEAT, {}, 0, 1, 0, 3},
             {LOOM_STEP_RUN, {}, 1, 2, 0, 0},
             {LOOM_STEP_RUN, {}, 3, 1, 0, 0}};
  EXPECT_EQ(s.walk(), "0+1 1+2 1+2 1+2 0+1 1+2 1+2 1+2 3+1 ");
}

TEST(Sequencer, WhileReadsItsConditionBeforeEachRound) {
  schedule s;
  s.steps = {{LOOM_STEP_WHILE, {}, 0, 1, 7, 0},
             {LOOM_STEP_RUN, {}, 2, 1, 0, 0}};
  trace t;
  read(s.steps, 0, 2, t);
  EXPECT_EQ(s.walk(), t.text);
  EXPECT_EQ(t.text.find("?7"), 0u);
}

uint32_t pick(std::mt19937 &r, uint32_t below) {
  return static_cast<uint32_t>(r() % below);
}

// A random schedule of so many steps.
void grow(std::mt19937 &r, uint32_t steps, uint32_t depth,
          std::vector<loom_prog_step> &to) {
  while (steps) {
    const uint32_t kind =
        depth < LOOM_PROG_MAX_DEPTH && steps > 1 ? pick(r, 3) : 0;
    if (kind == LOOM_STEP_RUN) {
      to.push_back({LOOM_STEP_RUN, {}, pick(r, 9), 1 + pick(r, 3), 0, 0});
      steps--;
      continue;
    }
    const uint32_t body = 1 + pick(r, steps - 1);
    to.push_back({static_cast<__u8>(kind),
                  {},
                  0,
                  body,
                  kind == LOOM_STEP_WHILE ? pick(r, 5) : 0,
                  kind == LOOM_STEP_REPEAT ? 1 + pick(r, 3) : 0u});
    grow(r, body, depth + 1, to);
    steps -= 1 + body;
  }
}

TEST(Sequencer, RandomSchedules) {
  std::mt19937 r(42);
  for (int i = 0; i < 500; i++) {
    schedule s;
    grow(r, 1 + r() % 20, 0, s.steps);
    trace t;
    read(s.steps, 0, static_cast<uint32_t>(s.steps.size()), t);
    ASSERT_EQ(s.walk(), t.text) << i;
  }
}

} // namespace
