// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the checks refuse, by which fault, and that the last byte that fits
// still passes.
#include "machine.h"
#include "vpu_record.h"
#include <functional>
#include <gtest/gtest.h>

namespace loom::test {
namespace {

// A 2 x 3 matrix product that passes: A at 0, B at 1024, OUT at 2048.
loom_dispatched product() {
  loom_dispatched r{};
  loom_mxu &m = r.mxu;
  m.h.op = LOOM_OP_MXU;
  m.h.units = 4;
  m.flags = LOOM_MXU_DRAIN;
  m.ih = m.kh = m.kw = m.oh = m.sy = m.sx = m.dy = m.dx = m.outer[0] =
      m.outer[1] = 1;
  m.iw = m.ow = 2;
  m.kc = 5;
  m.n = 3;
  m.a_sc = 4;
  m.a_sw = 20;
  m.b_base = 1024;
  m.b_sk = 12;
  m.b_sn = 4;
  m.acc_pitch = 3;
  m.out_base = 2048;
  m.o_sx = 12;
  m.o_sn = 4;
  return r;
}

loom_epi &epi(loom_dispatched &r) {
  return *reinterpret_cast<loom_epi *>(r.bytes + sizeof(loom_mxu));
}

loom_dispatched product_epi() {
  loom_dispatched r = product();
  r.mxu.h.units = 6;
  r.mxu.flags |= LOOM_MXU_EPI;
  epi(r).bias = epi(r).scale = epi(r).residual = epi(r).lut = LOOM_EPI_NONE;
  return r;
}

loom_dispatched int_epi() {
  loom_dispatched r = product_epi();
  r.mxu.type = LOOM_MXU_INT8;
  r.mxu.out_type = LOOM_I8;
  epi(r).rq = LOOM_RQ_SINGLE;
  epi(r).scale_imm = 1 << 30;
  return r;
}

struct wrong {
  const char *what;
  int fault;
  std::function<void(loom_dispatched &)> edit;
};

class refusal : public testing::Test {
protected:
  void expect(const std::vector<wrong> &cases, loom_dispatched (*good)()) {
    machine m;
    loom_dispatched ok = good();
    ASSERT_EQ(m.check(ok), LOOM_FAULT_NONE);
    for (const wrong &w : cases) {
      loom_dispatched r = good();
      w.edit(r);
      EXPECT_EQ(m.check(r), w.fault) << w.what;
      EXPECT_EQ(m.why.fault, w.fault) << w.what;
    }
  }
};

#define EDIT [](loom_dispatched & r)

TEST_F(refusal, MxuFields) {
  expect(
      {
          {"mode 2", LOOM_FAULT_FIELD, EDIT { r.mxu.mode = 2;
}
} // namespace
, {"type 3", LOOM_FAULT_FIELD, EDIT{r.mxu.type = 3;
} // namespace loom::test
}
, {"acc 3", LOOM_FAULT_FIELD, EDIT{r.mxu.acc = 3;
}
}
, {"flag 3", LOOM_FAULT_FIELD, EDIT{r.mxu.flags |= 8;
}
}
, {"too long", LOOM_FAULT_UNITS, EDIT{r.h.units = 5;
}
}
, {"epilogue missing", LOOM_FAULT_UNITS, EDIT{r.mxu.flags |= LOOM_MXU_EPI;
}
}
, {"reserved", LOOM_FAULT_RESERVED, EDIT{r.mxu.rsvd[2] = 1;
}
}
, {"OUT without DRAIN", LOOM_FAULT_RESERVED, EDIT{r.mxu.flags = 0;
}
}
, {"no rows", LOOM_FAULT_FIELD, EDIT{r.mxu.oh = 0;
}
}
, {"no channels", LOOM_FAULT_FIELD, EDIT{r.mxu.kc = 0;
}
}
, {"no columns", LOOM_FAULT_FIELD, EDIT{r.mxu.n = 0;
}
}
, {"stride 0", LOOM_FAULT_FIELD, EDIT{r.mxu.sx = 0;
}
}
, {"dilation 0", LOOM_FAULT_FIELD, EDIT{r.mxu.dy = 0;
}
}
, {"outer 0", LOOM_FAULT_FIELD, EDIT{r.mxu.outer[1] = 0;
}
}
, {"pitch below n", LOOM_FAULT_FIELD, EDIT{r.mxu.acc_pitch = 2;
}
}
, {"wide padding", LOOM_FAULT_FIELD, EDIT{r.mxu.type = LOOM_MXU_BF16;
r.mxu.pad_value = 0x10000;
}
}
, {"i32 from floats", LOOM_FAULT_FIELD, EDIT{r.mxu.out_type = LOOM_I32;
}
}
, {"f32 from integers", LOOM_FAULT_FIELD, EDIT{r.mxu.type = LOOM_MXU_INT8;
}
}
, {"i8 without requantisation", LOOM_FAULT_FIELD,
   EDIT{r.mxu.type = LOOM_MXU_INT8;
r.mxu.out_type = LOOM_I8;
}
}
, {"bias without epilogue", LOOM_FAULT_FIELD, EDIT{r.mxu.acc = LOOM_ACC_BIAS;
}
}
, {"channels in depthwise mode", LOOM_FAULT_FIELD,
   EDIT{r.mxu.mode = LOOM_MXU_DW;
}
}
, {"A of the last channel", LOOM_FAULT_SRAM_BOUNDS,
   EDIT{r.mxu.mode = LOOM_MXU_DW;
r.mxu.kc = 1;
r.mxu.a_sc = 1 << 20;
}
}
, {"cap", LOOM_FAULT_CAP, EDIT{r.mxu.kc = 60000;
r.mxu.ow = 60000;
}
}
, {"cap with every field full", LOOM_FAULT_CAP,
   EDIT{r.mxu.kh = r.mxu.kw = r.mxu.kc = r.mxu.oh = r.mxu.ow = r.mxu.n =
            r.mxu.outer[0] = r.mxu.outer[1] = 0xffff;
r.mxu.acc_pitch = 0xffff;
}
}
, {"A odd", LOOM_FAULT_ALIGN, EDIT{r.mxu.a_base = 2;
}
}
, {"A's stride odd", LOOM_FAULT_ALIGN, EDIT{r.mxu.a_sw = 18;
}
}
, {"B odd by register", LOOM_FAULT_ALIGN, EDIT{r.base[1] = 1;
}
}
, {"OUT odd", LOOM_FAULT_ALIGN, EDIT{r.mxu.out_base = 2050;
}
}
,
},
      product);
}

TEST_F(refusal, EpilogueFields) {
  expect(
      {
          {"no DRAIN", LOOM_FAULT_FIELD, EDIT { r.mxu.flags = LOOM_MXU_EPI; r.mxu.out_base = 0; r.mxu.o_sx = r.mxu.o_sn = 0;
}
}
, {"requantisation 4", LOOM_FAULT_FIELD, EDIT{epi(r).rq = 4;
}
}
, {"integer requantisation of floats", LOOM_FAULT_FIELD,
   EDIT{epi(r).rq = LOOM_RQ_DOUBLE;
}
}
, {"scale without requantisation", LOOM_FAULT_RESERVED, EDIT{epi(r).scale = 64;
}
}
, {"scale_imm without requantisation", LOOM_FAULT_RESERVED,
   EDIT{epi(r).scale_imm = 1;
}
}
, {"shift of a float", LOOM_FAULT_RESERVED, EDIT{epi(r).rq = LOOM_RQ_F32;
epi(r).shift_imm = 1;
}
}
, {"activation 3", LOOM_FAULT_FIELD, EDIT{epi(r).act = 3;
}
}
, {"bounds without clamp", LOOM_FAULT_RESERVED, EDIT{epi(r).hi = 1;
}
}
, {"table without LUT256", LOOM_FAULT_RESERVED, EDIT{epi(r).lut = 0;
}
}
, {"table of floats", LOOM_FAULT_FIELD, EDIT{epi(r).act = LOOM_ACT_LUT256;
epi(r).lut = 0;
}
}
, {"zero point of floats", LOOM_FAULT_RESERVED, EDIT{epi(r).zp = 1;
}
}
, {"residual strides without residual", LOOM_FAULT_RESERVED,
   EDIT{epi(r).r_sn = 4;
}
}
, {"ADD without residual", LOOM_FAULT_RESERVED, EDIT{epi(r).mo = 4;
}
}
, {"residual of integers", LOOM_FAULT_FIELD, EDIT{epi(r).residual = 0;
epi(r).res_type = LOOM_I8;
}
}
, {"residual with outer", LOOM_FAULT_FIELD, EDIT{epi(r).residual = 0;
r.mxu.outer[0] = 2;
}
}
, {"ACC_BIAS without bias", LOOM_FAULT_FIELD, EDIT{r.mxu.acc = LOOM_ACC_BIAS;
}
}
, {"bias outside", LOOM_FAULT_SRAM_BOUNDS, EDIT{epi(r).bias = (256 << 10) - 8;
}
}
, {"bias odd", LOOM_FAULT_ALIGN, EDIT{epi(r).bias = 2;
}
}
, {"scale outside", LOOM_FAULT_SRAM_BOUNDS, EDIT{epi(r).rq = LOOM_RQ_F32;
epi(r).scale = 0xfffffffc;
}
}
, {"residual outside", LOOM_FAULT_SRAM_BOUNDS, EDIT{epi(r).residual = 0;
epi(r).r_sx = -4;
}
}
, {"residual outside by register", LOOM_FAULT_SRAM_BOUNDS,
   EDIT{epi(r).residual = 0;
r.base[3] = INT64_MIN;
}
}
,
},
      product_epi);
  expect(
      {
          {"i8 without requantisation", LOOM_FAULT_FIELD, EDIT { epi(r).rq = 0; epi(r).scale_imm = 0;
  }
  }
  , {"shift 31", LOOM_FAULT_FIELD, EDIT{epi(r).shift_imm = 31;
  }
  }
  , {"table missing", LOOM_FAULT_FIELD, EDIT{epi(r).act = LOOM_ACT_LUT256;
  }
  }
  , {"table outside", LOOM_FAULT_SRAM_BOUNDS, EDIT{epi(r).act = LOOM_ACT_LUT256;
  epi(r).lut = (256 << 10) - 255;
  }
  }
  , {"float residual", LOOM_FAULT_FIELD, EDIT{epi(r).residual = 0;
  }
  }
  , {"left 31", LOOM_FAULT_FIELD, EDIT{epi(r).residual = 0;
  epi(r).res_type = LOOM_I8;
  epi(r).left = 31;
  }
  }
  ,
  },
      int_epi);
  }

  TEST_F(refusal, MxuFeatures) {
    const auto without = [](loom_feature f, loom_dispatched r) {
      machine m;
      m.target.features &= ~(1ull << f);
      return m.check(r);
    };
    loom_dispatched conv = product(), padded = product(), moved = product(),
                    bf16 = product(), int8 = product(), depthwise = product(),
                    transposing = product();
    conv.mxu.kw = 2;
    depthwise.mxu.mode = LOOM_MXU_DW;
    depthwise.mxu.kc = 1;
    transposing.mxu.flags |= LOOM_MXU_TRANSPOSE;
    padded.mxu.px = 1;
    moved.h.regsel = LOOM_REGSEL(0, 3, 0, 0);
    bf16.mxu.type = LOOM_MXU_BF16;
    int8.mxu.type = LOOM_MXU_INT8;
    int8.mxu.out_type = LOOM_I32;
    EXPECT_EQ(without(LOOM_FEAT_CONV, product()), LOOM_FAULT_NONE);
    EXPECT_EQ(without(LOOM_FEAT_CONV, conv), LOOM_FAULT_FEATURE);
    EXPECT_EQ(without(LOOM_FEAT_CONV, padded), LOOM_FAULT_FEATURE);
    EXPECT_EQ(without(LOOM_FEAT_CONV, depthwise), LOOM_FAULT_NONE);
    EXPECT_EQ(without(LOOM_FEAT_DW, product()), LOOM_FAULT_NONE);
    EXPECT_EQ(without(LOOM_FEAT_DW, depthwise), LOOM_FAULT_FEATURE);
    EXPECT_EQ(without(LOOM_FEAT_TRANSPOSE, product()), LOOM_FAULT_NONE);
    EXPECT_EQ(without(LOOM_FEAT_TRANSPOSE, transposing), LOOM_FAULT_FEATURE);
    EXPECT_EQ(without(LOOM_FEAT_REG, moved), LOOM_FAULT_FEATURE);
    EXPECT_EQ(without(LOOM_FEAT_F32, product()), LOOM_FAULT_FEATURE);
    EXPECT_EQ(without(LOOM_FEAT_BF16, bf16), LOOM_FAULT_FEATURE);
    EXPECT_EQ(without(LOOM_FEAT_INT8, int8), LOOM_FAULT_FEATURE);
    EXPECT_EQ(without(LOOM_FEAT_EPI, product_epi()), LOOM_FAULT_FEATURE);
  }

  // Each operand at the last address that fits, and one element further.
  TEST_F(refusal, MxuBounds) {
    machine m;
    const uint32_t end = m.target.sram_bytes;
    loom_dispatched r = product();
    r.mxu.a_base = end - 40;
    EXPECT_EQ(m.check(r), LOOM_FAULT_NONE);
    r.mxu.a_base += 4;
    EXPECT_EQ(m.check(r), LOOM_FAULT_SRAM_BOUNDS);
    EXPECT_EQ(m.why.slot, LOOM_SLOT_SRAM);
    EXPECT_EQ(m.why.offset, int64_t(end));
    EXPECT_EQ(m.why.limit, end);

    r = product();
    r.mxu.b_base = end - 60;
    EXPECT_EQ(m.check(r), LOOM_FAULT_NONE);
    r.mxu.b_base += 4;
    EXPECT_EQ(m.check(r), LOOM_FAULT_SRAM_BOUNDS);

    r = product();
    r.mxu.out_base = 12;
    r.mxu.o_sx = -12;
    EXPECT_EQ(m.check(r), LOOM_FAULT_NONE);
    r.base[2] = -4;
    EXPECT_EQ(m.check(r), LOOM_FAULT_SRAM_BOUNDS);
    EXPECT_EQ(m.why.offset, -4);

    for (const int64_t far :
         {INT64_MAX, INT64_MIN, int64_t(1) << 40, -(int64_t(1) << 33)})
      for (int i = 0; i < 3; ++i) {
        r = product();
        r.base[i] = far & ~int64_t(3);
        EXPECT_EQ(m.check(r), LOOM_FAULT_SRAM_BOUNDS) << i << " " << far;
      }

    r = product();
    const uint32_t granules = m.target.acc_bytes / LOOM_ACC_GRANULE;
    r.mxu.acc_base = uint16_t(granules - 1);
    EXPECT_EQ(m.check(r), LOOM_FAULT_NONE);
    r.mxu.acc_pitch = 14;
    EXPECT_EQ(m.check(r), LOOM_FAULT_ACC_BOUNDS);
    r.mxu.acc_base = 0xffff;
    EXPECT_EQ(m.check(r), LOOM_FAULT_ACC_BOUNDS);
  }

  // Rows and columns of the map that only padding stands for are not accesses.
  TEST_F(refusal, PaddingIsNotAnAccess) {
    machine m;
    loom_dispatched r = product();
    r.mxu.px = 1;
    r.mxu.iw = 1; // pixels -1 (padding) and 0
    r.mxu.a_base = m.target.sram_bytes - 20;
    EXPECT_EQ(m.check(r), LOOM_FAULT_NONE);
    r.mxu.a_base += 4; // pixel 0 is touched, though the window begins before it
    EXPECT_EQ(m.check(r), LOOM_FAULT_SRAM_BOUNDS);
    r.mxu.a_base -= 4;
    r.mxu.px = 0;
    r.mxu.iw = 2; // pixels 0 and 1
    EXPECT_EQ(m.check(r), LOOM_FAULT_SRAM_BOUNDS);
    r.mxu.px = 100; // padding only
    r.mxu.a_base = 0xfffffffc;
    EXPECT_EQ(m.check(r), LOOM_FAULT_NONE);
    EXPECT_EQ(m.run(r), LOOM_FAULT_NONE);
  }

  vpu_record chain() {
    vpu_record r({4, 8});
    r.view(0, LOOM_F32, {32, 4});
    r.view(1024, LOOM_F32, {32, 4}, LOOM_VIEW_OUT);
    return r;
  }

  int checked(vpu_record r) {
    machine m;
    return m.check(r.finish());
  }

  TEST_F(refusal, VpuChains) {
    const auto good = [] {
      return chain().op(LOOM_UOP_LOAD, 0, 0).op(LOOM_UOP_STORE, 1, 0);
    };
    EXPECT_EQ(checked(good()), LOOM_FAULT_NONE);
    EXPECT_EQ(checked(good().word(0)), LOOM_FAULT_OPCODE);
    EXPECT_EQ(checked(good().op(LOOM_UOP_FADD, 0, 0, 0, 1)),
              LOOM_FAULT_RESERVED);
    EXPECT_EQ(
        checked(good().word(LOOM_UOP(LOOM_UOP_MOV, 0, 0, 0, 0) | 1u << 27)),
        LOOM_FAULT_RESERVED);
    EXPECT_EQ(checked(chain().op(LOOM_UOP_STORE, 1, 3)), LOOM_FAULT_FIELD)
        << "register without a value";
    EXPECT_EQ(checked(good().op(LOOM_UOP_FADD, 1, 0, 9)), LOOM_FAULT_FIELD)
        << "register without a value";
    EXPECT_EQ(checked(good().op(LOOM_UOP_MOV, 1, LOOM_UOP_IMM(0))),
              LOOM_FAULT_FIELD)
        << "no such immediate";
    EXPECT_EQ(checked(good().op(LOOM_UOP_LOAD, 1, 2)), LOOM_FAULT_FIELD)
        << "no such view";
    EXPECT_EQ(checked(good().op(LOOM_UOP_LOAD, 1, 1)), LOOM_FAULT_FIELD)
        << "load from an OUT view";
    EXPECT_EQ(checked(good().op(LOOM_UOP_STORE, 0, 0)), LOOM_FAULT_FIELD)
        << "store to an input view";
    EXPECT_EQ(checked(good().op(LOOM_UOP_STORE, 1, 0)), LOOM_FAULT_FIELD)
        << "two writers";
    EXPECT_EQ(checked(good().op(LOOM_UOP_STORE, 2, 0)), LOOM_FAULT_FIELD)
        << "no such view";
    EXPECT_EQ(checked(good().op(LOOM_UOP_IOTA, 1, 6)), LOOM_FAULT_FIELD)
        << "no such dimension";
    EXPECT_EQ(checked(good().mask(2)), LOOM_FAULT_FIELD)
        << "a mask without a reducer";
    EXPECT_EQ(checked(good().mask(0x40)), LOOM_FAULT_RESERVED);
    EXPECT_EQ(checked(good().mask(LOOM_VPU_SCAN)), LOOM_FAULT_FIELD)
        << "a scan without a reducer";
    EXPECT_EQ(checked(chain()), LOOM_FAULT_FIELD) << "no micro-operation";
  }

  vpu_record reduction(uint32_t op, uint32_t dtype, uint32_t flags,
                       int32_t inner = 0) {
    vpu_record r({4, 8});
    r.view(0, LOOM_F32, {32, 4});
    r.view(1024, dtype, {64, inner}, LOOM_VIEW_OUT | flags);
    r.mask(2);
    r.op(LOOM_UOP_LOAD, 0, 0).op(op, 1, 0);
    return r;
  }

  TEST_F(refusal, VpuReducers) {
    EXPECT_EQ(checked(reduction(LOOM_UOP_RADD_F, LOOM_BF16, 0)),
              LOOM_FAULT_NONE);
    EXPECT_EQ(checked(reduction(LOOM_UOP_RADD_F, LOOM_F32, 0, 4)),
              LOOM_FAULT_FIELD)
        << "the view moves along what is reduced";
    EXPECT_EQ(checked(reduction(LOOM_UOP_RADD_F, LOOM_I32, 0)),
              LOOM_FAULT_FIELD);
    EXPECT_EQ(checked(reduction(LOOM_UOP_RADD_I, LOOM_F32, 0)),
              LOOM_FAULT_FIELD);
    EXPECT_EQ(checked(reduction(LOOM_UOP_RARGMAX_F, LOOM_F32, 0)),
              LOOM_FAULT_FIELD);
    EXPECT_EQ(
        checked(reduction(LOOM_UOP_RARGMAX_F, LOOM_U32, LOOM_VIEW_PARTIAL)),
        LOOM_FAULT_FIELD);
    EXPECT_EQ(checked(reduction(LOOM_UOP_RADD_F, LOOM_BF16, LOOM_VIEW_PARTIAL)),
              LOOM_FAULT_FIELD)
        << "partials take 4 bytes";
    EXPECT_EQ(checked(reduction(LOOM_UOP_RADD_F, LOOM_F32,
                                LOOM_VIEW_PARTIAL | LOOM_VIEW_RESUME)),
              LOOM_FAULT_NONE);
    vpu_record three = reduction(LOOM_UOP_RADD_F, LOOM_F32, 0);
    for (int i = 0; i < 2; ++i)
      three.op(LOOM_UOP_RMAX_F,
               three.view(4096, LOOM_F32, {4, 0}, LOOM_VIEW_OUT), 0);
    EXPECT_EQ(checked(three), LOOM_FAULT_FIELD) << "three reducers";
  }

  TEST_F(refusal, VpuViews) {
    const auto with = [](uint32_t base, uint32_t dtype, int32_t stride,
                         uint32_t flags, int64_t reg) {
      vpu_record r({4, 8});
      r.view(base, dtype, {0, stride}, flags);
      r.base(0, reg);
      r.op(LOOM_UOP_IOTA, 0, 0);
      return checked(r);
    };
    const uint32_t end = 256 << 10;
    EXPECT_EQ(with(end - 32, LOOM_F32, 4, 0, 0), LOOM_FAULT_NONE);
    EXPECT_EQ(with(end - 28, LOOM_F32, 4, 0, 0), LOOM_FAULT_SRAM_BOUNDS);
    EXPECT_EQ(with(24, LOOM_F32, -4, 0, 0), LOOM_FAULT_SRAM_BOUNDS);
    EXPECT_EQ(with(24, LOOM_F32, -4, 0, 4), LOOM_FAULT_NONE);
    EXPECT_EQ(with(0, LOOM_F32, 4, 0, INT64_MIN), LOOM_FAULT_SRAM_BOUNDS);
    EXPECT_EQ(with(0, LOOM_F32, 4, 0, INT64_MAX & ~3ll),
              LOOM_FAULT_SRAM_BOUNDS);
    EXPECT_EQ(with(2, LOOM_F32, 4, 0, 0), LOOM_FAULT_ALIGN);
    EXPECT_EQ(with(0, LOOM_F16, 3, 0, 0), LOOM_FAULT_ALIGN);
    EXPECT_EQ(with(0, LOOM_NUM_NPU_DTYPES, 4, 0, 0), LOOM_FAULT_FIELD);
    EXPECT_EQ(with(0, LOOM_F32, 4, 8, 0), LOOM_FAULT_FIELD);
    EXPECT_EQ(with(0, LOOM_F32, 4, LOOM_VIEW_PARTIAL, 0), LOOM_FAULT_FIELD)
        << "partials of an input";
    EXPECT_EQ(with(0, LOOM_F32, 4, LOOM_VIEW_OUT | LOOM_VIEW_PARTIAL, 0),
              LOOM_FAULT_FIELD)
        << "partials without a reducer";
  }

  TEST_F(refusal, VpuShape) {
    machine m;
    const auto good = [] {
      return chain().op(LOOM_UOP_LOAD, 0, 0).op(LOOM_UOP_STORE, 1, 0).finish();
    };
    const std::vector<wrong> cases = {
        {"a count of 0", LOOM_FAULT_FIELD, EDIT{r.vpu.n[3] = 0;
  }
  }
  , {"no view", LOOM_FAULT_FIELD, EDIT{r.vpu.nviews = 0;
  }
  }
  , {"seven views", LOOM_FAULT_FIELD, EDIT{r.vpu.nviews = 7;
  }
  }
  , {"65 micro-operations", LOOM_FAULT_FIELD, EDIT{r.vpu.nops = 65;
  }
  }
  , {"17 immediates", LOOM_FAULT_FIELD, EDIT{r.vpu.nimms = 17;
  }
  }
  , {"too long", LOOM_FAULT_UNITS, EDIT{r.h.units++;
  }
  }
  , {"padding", LOOM_FAULT_RESERVED,
     EDIT{r.bytes[r.h.units * LOOM_UNIT_BYTES - 1] = 1;
  }
  }
  , {"view's reserved", LOOM_FAULT_RESERVED,
     EDIT{r.bytes[sizeof(loom_vpu) + 6] = 1;
  }
  }
  , {"cap", LOOM_FAULT_CAP,
     EDIT{r.vpu.n[0] = r.vpu.n[1] = r.vpu.n[2] = r.vpu.n[3] = r.vpu.n[4] =
              r.vpu.n[5] = 0xffff;
  }
  }
  ,
  }
  ;
  ASSERT_EQ(m.check(good()), LOOM_FAULT_NONE);
  for (const wrong &w : cases) {
    loom_dispatched r = good();
    w.edit(r);
    EXPECT_EQ(m.check(r), w.fault) << w.what;
  }
  m.target.features &= ~(1ull << LOOM_FEAT_VPU);
  EXPECT_EQ(m.check(good()), LOOM_FAULT_FEATURE);
  }

  TEST(Demand, CountsWork) {
    machine m;
    loom_dispatched p = product();
    ASSERT_EQ(m.check(p), LOOM_FAULT_NONE);
    EXPECT_EQ(m.demand.macs, 2u * 5 * 3);
    // One tile of 16 x 16: loading 1024 bytes of weights takes 16 cycles, more
    // than two rows of four.
    EXPECT_EQ(m.demand.cost.busy + m.demand.cost.edge, 16u);
    EXPECT_EQ(m.demand.cost.fill, 16u + 16 + 32 + 16);
    loom_dispatched v = chain()
                            .op(LOOM_UOP_LOAD, 0, 0)
                            .op(LOOM_UOP_FDIV, 0, 0, 0)
                            .op(LOOM_UOP_STORE, 1, 0)
                            .finish();
    ASSERT_EQ(m.check(v), LOOM_FAULT_NONE);
    EXPECT_EQ(m.demand.elem_ops, 32u * 3);
    EXPECT_EQ(m.demand.cost.busy, 32u * 10 / 16);
  }

  uint64_t busy(uint32_t op, uint32_t b = 0) {
    machine m;
    vpu_record r = chain();
    r.imm(0);
    EXPECT_EQ(m.check(r.op(LOOM_UOP_LOAD, 0, 0).op(op, 1, 0, b).finish()),
              LOOM_FAULT_NONE);
    return m.demand.cost.busy * 16 / 32 - 1;
  }

  TEST(Demand, ElementaryFunctionsTakeSeveralPasses) {
    for (uint32_t op = LOOM_UOP_EXP; op <= LOOM_UOP_CBRT; ++op)
      EXPECT_EQ(busy(op), 8u) << op;
    EXPECT_EQ(busy(LOOM_UOP_ATAN2, 0), 16u);
    EXPECT_EQ(busy(LOOM_UOP_POW, 0), 16u);
    EXPECT_EQ(busy(LOOM_UOP_LUT8, LOOM_UOP_IMM(0)), 2u);
  }

  // Cycles of a depthwise product of 4 x 8 pixels, busy and edge, on 16 x 16.
  uint64_t depthwise_cycles(int kh, int kw, int stride, int channels) {
    machine m;
    loom_dispatched r = product();
    r.mxu.mode = LOOM_MXU_DW;
    r.mxu.kc = 1;
    r.mxu.kh = uint16_t(kh);
    r.mxu.kw = uint16_t(kw);
    r.mxu.sy = r.mxu.sx = uint8_t(stride);
    r.mxu.n = r.mxu.acc_pitch = uint16_t(channels);
    r.mxu.oh = 4;
    r.mxu.ow = 8;
    EXPECT_EQ(m.check(r), LOOM_FAULT_NONE);
    EXPECT_EQ(m.demand.macs, uint64_t(4 * 8 * kh * kw * channels));
    EXPECT_EQ(m.demand.cost.fill, 16u + 16 + 32 + 16);
    return m.demand.cost.busy + m.demand.cost.edge;
  }

  TEST(Demand, DepthwiseIsAPixelAStep) {
    // f32: a step takes 4 cycles. 9 of 16 rows are taps.
    EXPECT_EQ(depthwise_cycles(3, 3, 1, 16), 4u * 8 * 4);
    EXPECT_EQ(depthwise_cycles(3, 3, 2, 16), 4u * 8 * 4 * 2);
    // A stride beyond the kernel's width brings in no more than the window.
    EXPECT_EQ(depthwise_cycles(1, 2, 3, 16), 4u * 8 * 4 * 2);
    // 25 taps are two passes, 17 channels two.
    EXPECT_EQ(depthwise_cycles(5, 5, 1, 16), 4u * 8 * 4 * 2);
    EXPECT_EQ(depthwise_cycles(3, 3, 1, 17), 4u * 8 * 4 * 2);
    // 4 channels: 4 pixels abreast; 3: 5, and 8 pixels are two steps; no less
    // than the weights take to load.
    EXPECT_EQ(depthwise_cycles(3, 3, 1, 4), 4u * 2 * 4);
    EXPECT_EQ(depthwise_cycles(3, 3, 1, 3), 4u * 2 * 4);
    EXPECT_EQ(depthwise_cycles(3, 3, 1, 1), 4u * 1 * 4);
  }

  // Loads of every stride run at full rate, with the flag or without.
  TEST(Demand, TransposingLoadsCostNothing) {
    machine m;
    loom_dispatched r = product();
    ASSERT_EQ(m.check(r), LOOM_FAULT_NONE);
    const loom_cost plain = m.demand.cost;
    r.mxu.flags |= LOOM_MXU_TRANSPOSE;
    ASSERT_EQ(m.check(r), LOOM_FAULT_NONE);
    EXPECT_EQ(m.demand.cost.busy, plain.busy);
    EXPECT_EQ(m.demand.cost.edge, plain.edge);
    EXPECT_EQ(m.demand.cost.fill, plain.fill);
  }

  } // namespace
  } // namespace loom::test
