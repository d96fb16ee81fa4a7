// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Records to text and back, and every way in which a line is refused.
#include <cerrno>
#include <cstring>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loom/loom.h"
#include "loom_isa.h"

namespace {

using testing::HasSubstr;

struct assembled {
  int units = 0;
  std::string why;
  uint8_t bytes[LOOM_MAX_RECORD_BYTES] = {};
};

assembled assemble(const std::string &line, unsigned room = LOOM_MAX_UNITS) {
  assembled result;
  char why[256] = "";
  result.units =
      loom_assemble(line.c_str(), result.bytes, room, why, sizeof(why));
  result.why = why;
  return result;
}

std::string text_of(const void *record) {
  char text[8192];
  EXPECT_NE(loom_disassemble(record, LOOM_MAX_UNITS, text, sizeof(text)), 0u);
  return text;
}

template <class T> void round_trip(const T &record, unsigned units) {
  uint8_t padded[LOOM_MAX_RECORD_BYTES] = {};
  std::memcpy(padded, &record, sizeof(record));
  const std::string text = text_of(padded);
  const assembled back = assemble(text);
  EXPECT_EQ(back.units, static_cast<int>(units)) << text << ": " << back.why;
  EXPECT_EQ(std::memcmp(back.bytes, padded, units * LOOM_UNIT_BYTES), 0)
      << text << "\n"
      << text_of(back.bytes);
}

TEST(Assemble, ScalarRecord) {
  loom_seq r{};
  r.h.op = LOOM_OP_LOOP;
  r.h.units = 1;
  r.rd = 3;
  r.ra = 2;
  r.target = 900;
  r.imm = -5;
  round_trip(r, 1);
}

TEST(Assemble, CopyWithEveryField) {
  loom_dma r{};
  r.h = {LOOM_OP_LD_COPY, 3, 0x4321, 7, {{2, 1}, {9, 3}}, {{4, 1}, {5, 255}}};
  r.src = uint64_t{12} << 48 | 0x123456789abc;
  r.dst = uint64_t{LOOM_SLOT_SRAM} << 48 | 64;
  r.inner_bytes = 4294967295u;
  for (int d = 0; d < 4; d++) {
    r.n[d] = static_cast<uint32_t>(d + 1);
    r.sstride[d] = -d;
    r.dstride[d] = d * 1000;
  }
  round_trip(r, 3);
}

TEST(Assemble, MacroTileWithEpilogue) {
  struct {
    loom_mxu m;
    loom_epi e;
  } r{};
  r.m.h.op = LOOM_OP_MXU;
  r.m.h.units = 6;
  r.m.flags = LOOM_MXU_DRAIN | LOOM_MXU_EPI;
  r.m.px = -3;
  r.m.a_sh = -4096;
  r.m.out_type = LOOM_BF16;
  r.e.bias = r.e.scale = LOOM_EPI_NONE;
  r.e.hi = 0x7f800000;
  r.e.s1 = -7;
  round_trip(r, 6);
}

// Nothing of an epilogue of zeros is printed but the flag.
TEST(Assemble, MacroTileWithEmptyEpilogue) {
  struct {
    loom_mxu m;
    loom_epi e;
  } r{};
  r.m.h.op = LOOM_OP_MXU;
  r.m.h.units = 6;
  r.m.flags = LOOM_MXU_DRAIN | LOOM_MXU_EPI;
  round_trip(r, 6);
}

TEST(Assemble, VectorChain) {
  const char *line =
      "VPU wait=2:1 loc=4 n=1x1x1x2x3x65535 mask=0x10 "
      "view0=bf16@0x40[0,0,0,-8,4,2] view1=out:f32@0x100/flags0x3[0,0,0,4,0,0] "
      "#0=0x3f800000 {LOAD 0,v0; FFMA 15,v0,#0,v0; RADD_F 1,v15}";
  const assembled r = assemble(line);
  ASSERT_GT(r.units, 0) << r.why;
  EXPECT_EQ(text_of(r.bytes), line);
}

TEST(Assemble, EveryMicroOperation){
#define CHECK_UOP(num, name, count, cls, text)                                 \
  {                                                                            \
    const char *operands[] = {"", ",v1", ",v1,v2", ",v1,v2,#3"};               \
    const std::string line = std::string("VPU n=1x1x1x1x1x1 {") + #name +      \
                             " 5" + operands[count] + "}";                     \
    EXPECT_EQ(text_of(assemble(line).bytes), line);                            \
  }
    LOOM_UOPS(CHECK_UOP)
#undef CHECK_UOP
}

TEST(Assemble, RefusesWithReason) {
  const struct {
    const char *line, *why;
  } cases[] = {
      {"", "'' is not an instruction"},
      {"JUMP", "'JUMP' is not an instruction"},
      {"LDI rd", "'rd' is not NAME=VALUE"},
      {"LDI re=3", "has no field 're'"},
      {"LDI rd=256", "'256' does not fit"},
      {"LDI imm=1x", "'1x' is not a number"},
      {"LDI imm=", "'' is not a number"},
      {"LD_COPY src=5", "'5' is not an address"},
      {"LD_COPY src=65536:0x0", "'65536:0x0' is not an address"},
      {"LD_COPY src=0:0x1000000000000", "is not an address"},
      {"MXU wait=3", "'3' is not SEMAPHORE:COUNT"},
      {"MXU wait=1:1 wait=2:1 wait=3:1", "at most two of wait"},
      {"MXU epi.banana=1", "has no field 'epi.banana'"},
      {"LDI epi.bias=1", "has no field 'epi.bias'"},
      {"VPU n=1x1x1x1x1x1", "in braces"},
      {"VPU n=1x1 {MOV 0,v0}", "not six counts"},
      {"VPU n=1x1x1x1x1x1 view0=f32 {MOV 0,v0}", "is not TYPE@ADDRESS"},
      {"VPU n=1x1x1x1x1x1 view0=f99@0x0[0,0,0,0,0,0] {MOV 0,v0}",
       "'f99' is not a type"},
      {"VPU n=1x1x1x1x1x1 view0=f32@0x0[0,0] {MOV 0,v0}", "six strides"},
      {"VPU n=1x1x1x1x1x1 {JUMP 0,v0}", "is not a micro-operation"},
      {"VPU n=1x1x1x1x1x1 {MOV 0}", "has not the operands of MOV"},
      {"VPU n=1x1x1x1x1x1 {MOV 0,x0}", "'x0' is not an operand"},
      {"VPU n=1x1x1x1x1x1 {MOV 0,v16}", "'v16' is not an operand"},
      {"VPU speed=9 {MOV 0,v0}", "has no field 'speed'"},
  };
  for (const auto &c : cases) {
    const assembled r = assemble(c.line);
    EXPECT_EQ(r.units, -EINVAL) << c.line;
    EXPECT_THAT(r.why, HasSubstr(c.why)) << c.line;
  }
}

TEST(Assemble, RefusesWhatHasNoRoom) {
  const assembled r = assemble("LD_COPY inner_bytes=4", 2);
  EXPECT_EQ(r.units, -EINVAL);
  EXPECT_THAT(r.why, HasSubstr("takes 3 units"));
}

} // namespace
