// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every table of a container, damaged one field at a time, is refused by name;
// nothing else is.
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loom/loom.hpp"
#include "prog_check.h"
#include "program_builder.h"

namespace {

using namespace loom_test;
using testing::HasSubstr;

class Container : public testing::Test {
protected:
  Container() {
    program_builder b;
    b.constants.assign(5000, 1);
    b.slot("weights", LOOM_SLOT_CONST, 4096, LOOM_RIGHT_READ);
    b.slot("x", LOOM_SLOT_ARG, 256, LOOM_RIGHT_READ);
    b.tensor("x", 1, LOOM_F32, LOOM_ROLE_INPUT, 64, 256);
    b.loc(b.scope("Dense_0"), "m.py", 3, "add");
    b.add(halt());
    b.segment();
    file = b.build(device.target());
  }
  template <class T> T &row(int section, uint32_t index = 0) {
    const auto &s = head().sections[section];
    return *reinterpret_cast<T *>(file.data() + s.offset +
                                  size_t{index} * sizeof(T));
  }
  loom_prog_header &head() {
    return *reinterpret_cast<loom_prog_header *>(file.data());
  }
  // Edits a copy of the file, seals it again, and expects a refusal with these
  // words.
  void refused(const std::function<void()> &edit, const char *words) {
    const auto saved = file;
    edit();
    program_builder::seal(file, head());
    expect(words);
    file = saved;
  }
  void expect(const char *words) {
    loom_program *p = nullptr;
    loom_error e{};
    EXPECT_EQ(loom_program_load(device.get(), file.data(), file.size(), &p, &e),
              -ENOEXEC)
        << words;
    EXPECT_THAT(e.message, HasSubstr(words));
    loom_program_destroy(p);
  }
  loom_cpp::device device{"sim:npu16"};
  std::vector<uint8_t> file;
};

TEST_F(Container, GoodOneLoads) {
  loom_cpp::program p(device.get(), file.data(), file.size());
  EXPECT_EQ(p.view().n_slots, 2u);
  EXPECT_EQ(p.describe_loc(1), "Dense_0 (m.py:3, add)");
  EXPECT_EQ(p.describe_loc(77), "unknown place");
  EXPECT_EQ(p.entry("main"), 0u);
  EXPECT_THROW(p.entry("train"), loom_cpp::error);
}

TEST_F(Container, HeaderFields) {
  refused([&] { head().magic ^= 1; }, "not a Loom program");
  refused([&] { head().version = 9; }, "version 9");
  refused([&] { head().flags = 1; }, "reserved field");
  refused([&] { head().target_hash ^= 1; }, "hash differs");
  refused([&] { head().producer = 1u << 30; }, "producer");
  refused([&] { head().sections[14].count = 1; }, "unknown section");
  refused([&] { head().sections[LOOM_SEC_SLOTS].stride = 32; }, "bytes a row");
  refused([&] { head().sections[LOOM_SEC_SLOTS].offset += 4; }, "misaligned");
  refused([&] { head().sections[LOOM_SEC_SLOTS].offset = 1ull << 40; },
          "past the end");
  refused([&] { head().sections[LOOM_SEC_SLOTS].count = 4097; },
          "number of rows");
  refused([&] { head().sections[LOOM_SEC_TARGET].count = 0; },
          "number of rows");
}

TEST_F(Container, Slots) {
  auto &w = row<loom_prog_slot>(LOOM_SEC_SLOTS, 0);
  refused([&] { w.kind = 4; }, "unknown kind");
  refused([&] { w.rights = 3; }, "constant may only be read");
  refused([&] { w.rights = 0; }, "rights");
  refused([&] { w.mem_class = 2; }, "memory class");
  refused([&] { w.bytes = 0; }, "bytes are 0");
  refused([&] { w.bytes = 1ull << 31; }, "above 1 GiB");
  refused([&] { w.const_offset = 32; }, "misaligned");
  refused([&] { w.const_offset = 64 * 70; }, "past their end");
  refused([&] { w.const_offset = ~0ull - 63; }, "past their end");
  refused([&] { w.flags = LOOM_SLOT_INIT; }, "INIT on what is not state");
  refused([&] { w.name = 1u << 20; }, "name is not a string");
  refused([&] { row<loom_prog_slot>(LOOM_SEC_SLOTS, 1).const_offset = 64; },
          "without constants");
}

TEST_F(Container, Tensors) {
  auto &t = row<loom_prog_tensor>(LOOM_SEC_TENSORS);
  refused([&] { t.slot = 2; }, "slot does not exist");
  refused([&] { t.rank = 9; }, "unknown type, rank or role");
  refused([&] { t.dtype = 99; }, "unknown type, rank or role");
  refused([&] { t.dims[1] = 1; }, "past the rank");
  refused([&] { t.dims[0] = 65; }, "dims times element");
  refused([&] { t.offset = 4; }, "past the end of its slot");
  refused([&] { t.offset = ~0ull; }, "past the end of its slot");
  refused([&] { t.donated_to = 5; }, "donated");
  refused(
      [&] {
        t.rank = 2;
        t.dims[0] = t.dims[1] = 0xffffffff;
      },
      "larger than 1 GiB");
}

TEST_F(Container, EntriesSegmentsPlaces) {
  refused([&] { row<loom_prog_entry>(LOOM_SEC_ENTRIES).n_segments = 2; },
          "segments that do not exist");
  refused([&] { row<loom_prog_entry>(LOOM_SEC_ENTRIES).n_segments = 0; },
          "segments that do not exist");
  refused([&] { row<loom_prog_entry>(LOOM_SEC_ENTRIES).first_tensor = 2; },
          "tensors that do not exist");
  refused([&] { row<loom_prog_entry>(LOOM_SEC_ENTRIES).n_steps = 1; },
          "steps that do not exist");
  refused([&] { row<loom_prog_segment>(LOOM_SEC_SEGMENTS).count = 99; },
          "code that does not exist");
  refused([&] { row<loom_prog_segment>(LOOM_SEC_SEGMENTS).first = ~0u; },
          "code that does not exist");
  refused([&] { row<loom_prog_segment>(LOOM_SEC_SEGMENTS).engine = 2; },
          "unknown engine");
  refused([&] { row<loom_prog_segment>(LOOM_SEC_SEGMENTS).cycle_budget = 0; },
          "budget is 0");
  refused([&] { row<loom_prog_scope>(LOOM_SEC_SCOPES, 1).parent = 2; },
          "parent comes later");
  refused([&] { row<loom_prog_loc>(LOOM_SEC_LOCS, 1).scope = 7; },
          "scope does not exist");
  refused([&] { row<loom_prog_loc>(LOOM_SEC_LOCS, 1).file = ~0u; },
          "not a string");
}

TEST_F(Container, Damage) {
  const auto whole = file;
  file[head().sections[LOOM_SEC_NPU_CODE].offset] ^= 4;
  expect("checksum of the tables and code");
  file = whole;
  file.back() ^= 1;
  expect("checksum of the constants");
  for (size_t n :
       {size_t{0}, size_t{3}, sizeof(loom_prog_header), whole.size() - 1}) {
    file.assign(whole.begin(), whole.begin() + static_cast<long>(n));
    expect(n < 4 ? "too few" : "cut off");
  }
}

TEST_F(Container, EveryBitFlipIsRefused) {
  for (size_t bit = 0; bit < head().meta_bytes * 8; bit += 7) {
    file[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    loom_program *p = nullptr;
    EXPECT_NE(
        loom_program_load(device.get(), file.data(), file.size(), &p, nullptr),
        0)
        << "bit " << bit;
    loom_program_destroy(p);
    file[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
  }
}

TEST_F(Container, AnotherDevice) {
  loom_cpp::device small("sim:npu8");
  loom_program *p = nullptr;
  loom_error e{};
  EXPECT_EQ(loom_program_load(small.get(), file.data(), file.size(), &p, &e),
            -ENOEXEC);
  EXPECT_THAT(e.message, HasSubstr("SRAM"));
  EXPECT_THAT(e.message, HasSubstr("loomc --target"));
  loom_cpp::device large("sim:npu64");
  loom_cpp::program runs(large.get(), file.data(), file.size());
}

TEST_F(Container, CpuSegmentWithoutCpuCode) {
  program_builder b;
  b.add(halt());
  b.segment();
  b.segments[0].engine = LOOM_ENGINE_CPU;
  file = b.build(device.target());
  expect("segment 0: code that does not exist");
}

TEST(TargetCheck, EachKnob) {
  loom_cpp::device device("sim:npu16");
  const loom_target have = device.target();
  const auto lacks = [&](auto edit, const char *words) {
    loom_target need = have;
    loom_prog_error e{};
    edit(need);
    EXPECT_EQ(loom_prog_check_target(&need, &have, &e), LOOM_PROG_BAD_TARGET)
        << words;
    EXPECT_THAT(e.what, HasSubstr(words));
  };
  lacks([](auto &t) { t.features |= 1ull << LOOM_FEAT_CODEC; }, "features");
  lacks([](auto &t) { t.sram_bytes *= 2; }, "SRAM");
  lacks([](auto &t) { t.acc_bytes *= 2; }, "accumulator");
  lacks([](auto &t) { t.rows *= 2; }, "array");
  lacks([](auto &t) { t.mem_classes = 3; }, "memory classes");
  lacks([](auto &t) { t.isa_minor++; }, "instruction set");
}

} // namespace
