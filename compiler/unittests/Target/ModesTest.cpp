// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Depthwise mode and loops of the sequencer: the same bits as without them, in
// the time that they are there for.

#include "CompileAndRun.h"

#include "loom/Target/Program/Verifier.h"
#include "loom_timing.h"

#include <cmath>

using namespace mlir;
using namespace mlir::loom;
using namespace loom_test;

namespace {
std::vector<program::Record> recordsOf(const CompiledProgram &compiled) {
  const std::vector<uint8_t> file = compiled.file.bytes();
  loom_prog_header header;
  memcpy(&header, file.data(), sizeof(header));
  const auto &code = header.sections[LOOM_SEC_NPU_CODE];
  std::vector<program::Record> records;
  EXPECT_TRUE(program::splitRecords(file.data() + code.offset,
                                    compiled.units * LOOM_UNIT_BYTES, records));
  return records;
}

size_t count(const CompiledProgram &compiled, uint8_t op) {
  return llvm::count_if(recordsOf(compiled), [&](const program::Record &r) {
    return r.header().op == op;
  });
}

size_t depthwise(const CompiledProgram &compiled) {
  return llvm::count_if(recordsOf(compiled), [](const program::Record &r) {
    return r.header().op == LOOM_OP_MXU && r.as<loom_mxu>().mode == LOOM_MXU_DW;
  });
}

/// A depthwise convolution, NHWC, of square maps and kernels.
struct Shape {
  int batch, size, channels, kernel, stride, dilation, pad, multiplier, out;
  bool epilogue; // bias, residual, clamp
};

std::string textOf(const Shape &s) {
  auto map = [](int n, int h, int c) {
    return "tensor<" + std::to_string(n) + "x" + std::to_string(h) + "x" +
           std::to_string(h) + "x" + std::to_string(c) + "xf32>";
  };
  auto pair = [](int v) {
    return std::to_string(v) + ", " + std::to_string(v);
  };
  const int o = s.channels * s.multiplier;
  const std::string x = map(s.batch, s.size, s.channels),
                    y = map(s.batch, s.out, o),
                    w = "tensor<" + std::to_string(s.kernel) + "x" +
                        std::to_string(s.kernel) + "x1x" + std::to_string(o) +
                        "xf32>",
                    c = "tensor<" + std::to_string(o) + "xf32>";
  std::string text =
      "func.func @main(%x: " + x + ", %w: " + w + ", %c: " + c + ", %r: " + y +
      ") -> " + y + " {\n  %0 = \"stablehlo.convolution\"(%x, %w) <{" +
      "window_strides = array<i64: " + pair(s.stride) +
      ">, padding = array<i64: " + pair(s.pad) + ", " + pair(s.pad) +
      ">, lhs_dilation = array<i64: 1, 1>, rhs_dilation = array<i64: " +
      pair(s.dilation) +
      ">, window_reversal = array<i1: false, false>, input_batch_dimension = 0 "
      ": i64, input_feature_dimension = 3 : i64, input_spatial_dimensions = "
      "array<i64: 1, 2>, kernel_input_feature_dimension = 2 : i64, "
      "kernel_output_feature_dimension = 3 : i64, kernel_spatial_dimensions = "
      "array<i64: 0, 1>, output_batch_dimension = 0 : i64, "
      "output_feature_dimension = 3 : i64, output_spatial_dimensions = "
      "array<i64: 1, 2>, feature_group_count = " +
      std::to_string(s.channels) + " : i64, batch_group_count = 1 : i64}> : (" +
      x + ", " + w + ") -> " + y + "\n";
  if (!s.epilogue)
    return text + "  return %0 : " + y + "\n}";
  const std::string two = " : (" + y + ", " + y + ") -> " + y + "\n";
  return text +
         "  %1 = \"stablehlo.broadcast_in_dim\"(%c) <{broadcast_dimensions = "
         "array<i64: 3>}> : (" +
         c + ") -> " + y + "\n  %2 = \"stablehlo.add\"(%0, %1)" + two +
         "  %3 = \"stablehlo.add\"(%2, %r)" + two +
         "  %lo = \"stablehlo.constant\"() <{value = dense<0.0> : " + y +
         "}> : () -> " + y +
         "\n  %hi = \"stablehlo.constant\"() <{value = dense<6.0> : " + y +
         "}> : () -> " + y + "\n  %4 = \"stablehlo.clamp\"(%lo, %3, %hi) : (" +
         y + ", " + y + ", " + y + ") -> " + y + "\n  return %4 : " + y + "\n}";
}

std::vector<float> naive(const Shape &s, const std::vector<float> &x,
                         const std::vector<float> &w,
                         const std::vector<float> &c,
                         const std::vector<float> &r) {
  const int o = s.channels * s.multiplier;
  std::vector<float> y;
  for (int n = 0; n < s.batch; ++n)
    for (int oy = 0; oy < s.out; ++oy)
      for (int ox = 0; ox < s.out; ++ox)
        for (int ch = 0; ch < o; ++ch) {
          float acc = 0;
          for (int ky = 0; ky < s.kernel; ++ky)
            for (int kx = 0; kx < s.kernel; ++kx) {
              const int iy = oy * s.stride + ky * s.dilation - s.pad,
                        ix = ox * s.stride + kx * s.dilation - s.pad;
              const bool in = iy >= 0 && iy < s.size && ix >= 0 && ix < s.size;
              acc = std::fma(
                  in ? x[((n * s.size + iy) * s.size + ix) * s.channels +
                         ch / s.multiplier]
                     : 0.0f,
                  w[(ky * s.kernel + kx) * o + ch], acc);
            }
          if (s.epilogue) {
            acc = acc + c[ch];
            acc = acc + r[y.size()];
            acc = std::min(std::max(acc, 0.0f), 6.0f);
          }
          y.push_back(acc);
        }
  return y;
}
} // namespace

TEST_F(CompileAndRun, DepthwiseModeGivesTheSameBits) {
  const Shape shapes[] = {
      {1, 14, 96, 3, 1, 1, 1, 1, 14, true},    // MobileNet's
      {2, 15, 40, 3, 2, 1, 1, 1, 8, false},    // stride, two images
      {1, 17, 19, 5, 1, 2, 4, 1, 17, true},    // dilation, odd counts
      {1, 9, 12, 3, 1, 1, 1, 3, 9, true},      // three outputs a channel
      {3, 40, 3, 7, 3, 1, 0, 2, 12, false},    // fewer channels than columns
      {1, 100, 64, 3, 1, 1, 1, 1, 100, false}, // more than SRAM holds
  };
  for (const Shape &s : shapes) {
    const int o = s.channels * s.multiplier;
    const std::vector<float> x = values(s.batch * s.size * s.size * s.channels,
                                        1),
                             w = values(s.kernel * s.kernel * o, 2),
                             c = values(o, 3),
                             r = values(s.batch * s.out * s.out * o, 4),
                             want = naive(s, x, w, c, r);
    for (const char *name : kTargets)
      for (const bool mode : {true, false}) {
        loom_target target;
        ASSERT_TRUE(program::namedTarget(name, target));
        if (!mode)
          target.features &= ~(1ull << LOOM_FEAT_DW);
        CompiledProgram compiled;
        ASSERT_TRUE(compile(textOf(s), target, compiled)) << messages;
        EXPECT_EQ(depthwise(compiled) > 0, mode);
        EXPECT_EQ(compiled.layers.back().kind, mode ? "dwconv" : "conv");
        RunResult result = runProgram(compiled.file.bytes(),
                                      {bytes(x), bytes(w), bytes(c), bytes(r)});
        ASSERT_EQ(result.error, "") << name;
        ASSERT_EQ(result.outputs.size(), 1u);
        expectBits(as<float>(result.outputs[0]), want);
      }
  }
}

namespace {
/// y = dw(dw(x)), z = dw with stride 2 of y, and y + dw(y): maps, results and a
/// residual of depthwise layers that can stay in SRAM.
std::string depthwiseChain() {
  auto conv = [](StringRef name, StringRef x, int stride, int out) {
    const std::string o = std::to_string(out), n = std::to_string(stride);
    return "  " + name.str() + " = \"stablehlo.convolution\"(" + x.str() +
           ", %w) <{window_strides = array<i64: " + n + ", " + n +
           ">, padding = array<i64: 1, 1, 1, 1>, lhs_dilation = array<i64: 1, "
           "1>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: "
           "false, false>, input_batch_dimension = 0 : i64, "
           "input_feature_dimension = 3 : i64, input_spatial_dimensions = "
           "array<i64: 1, 2>, kernel_input_feature_dimension = 2 : i64, "
           "kernel_output_feature_dimension = 3 : i64, "
           "kernel_spatial_dimensions = array<i64: 0, 1>, "
           "output_batch_dimension = 0 : i64, output_feature_dimension = 3 : "
           "i64, output_spatial_dimensions = array<i64: 1, 2>, "
           "feature_group_count = 48 : i64, batch_group_count = 1 : i64}> : "
           "(tensor<1x14x14x48xf32>, tensor<3x3x1x48xf32>) -> tensor<1x" +
           o + "x" + o + "x48xf32>\n";
  };
  return "func.func @main(%x: tensor<1x14x14x48xf32>, %w: "
         "tensor<3x3x1x48xf32>) -> (tensor<1x7x7x48xf32>, "
         "tensor<1x14x14x48xf32>) {\n" +
         conv("%0", "%x", 1, 14) + conv("%1", "%0", 1, 14) +
         conv("%2", "%1", 2, 7) + conv("%3", "%1", 1, 14) +
         "  %4 = \"stablehlo.add\"(%3, %1) : (tensor<1x14x14x48xf32>, "
         "tensor<1x14x14x48xf32>) -> tensor<1x14x14x48xf32>\n"
         "  return %2, %4 : tensor<1x7x7x48xf32>, tensor<1x14x14x48xf32>\n}";
}
} // namespace

TEST_F(CompileAndRun, MapsOfDepthwiseLayersStay) {
  const std::vector<float> x = values(14 * 14 * 48, 1), w = values(9 * 48, 2);
  const Shape same{1, 14, 48, 3, 1, 1, 1, 1, 14, false},
      half{1, 14, 48, 3, 2, 1, 1, 1, 7, false};
  auto dw = [&](const Shape &s, const std::vector<float> &in) {
    return naive(s, in, w, {}, {});
  };
  const std::vector<float> y = dw(same, dw(same, x));
  std::vector<float> sum = dw(same, y);
  for (size_t i = 0; i < sum.size(); ++i)
    sum[i] += y[i];
  for (const char *name : {"npu16", "npu64"}) {
    CompiledProgram compiled;
    ASSERT_TRUE(compile(depthwiseChain(), name, compiled)) << messages;
    EXPECT_EQ(compiled.scratchBytes, 0u) << name;
    RunResult result = runProgram(compiled.file.bytes(), {bytes(x), bytes(w)});
    ASSERT_EQ(result.error, "") << name;
    ASSERT_EQ(result.outputs.size(), 2u);
    expectBits(as<float>(result.outputs[0]), dw(half, y));
    expectBits(as<float>(result.outputs[1]), sum);
  }
}

/// The array's own time in depthwise records against the peak of the mode.
TEST_F(CompileAndRun, DepthwiseModeComesNearItsPeak) {
  const Shape shapes[] = {{1, 112, 32, 3, 1, 1, 1, 1, 112, false},
                          {1, 56, 144, 3, 2, 1, 1, 1, 28, false},
                          {1, 14, 576, 3, 1, 1, 1, 1, 14, false}};
  loom_target target;
  ASSERT_TRUE(program::namedTarget("npu16", target));
  for (const Shape &s : shapes) {
    CompiledProgram compiled;
    ASSERT_TRUE(compile(textOf(s), target, compiled)) << messages;
    uint64_t spent = 0;
    for (const program::Record &record : recordsOf(compiled))
      if (record.header().op == LOOM_OP_MXU) {
        const loom_cost cost =
            loom_cost_mxu(&target, &record.as<loom_mxu>(), nullptr);
        spent += cost.busy + cost.edge + cost.fill + cost.conflict;
      }
    const uint64_t steps = uint64_t(s.out) * s.out * s.stride * s.channels,
                   peak = steps * target.f32_div / target.cols;
    EXPECT_GE(100 * peak, 85 * spent) << s.channels << " channels";
  }
}

namespace {
/// A recurrent cell over `steps` rows: h = tanh(h * w + x[i]), y[i] = h, c = c
/// + h; with `last`, x is walked from its end.
std::string recurrent(int steps, bool last) {
  const std::string n = std::to_string(steps);
  auto with = [&](std::string text) {
    for (size_t at; (at = text.find('N')) != std::string::npos;)
      text.replace(at, 1, n);
    return text;
  };
  const std::string place = last ? R"mlir(
    %m1 = "stablehlo.constant"() <{value = dense<-1> : tensor<i32>}> : () -> tensor<i32>
    %back = "stablehlo.multiply"(%i, %m1) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    %last = "stablehlo.subtract"(%n, %one) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    %from = "stablehlo.add"(%last, %back) : (tensor<i32>, tensor<i32>) -> tensor<i32>)mlir"
                                 : R"mlir(
    %from = "stablehlo.add"(%i, %z) : (tensor<i32>, tensor<i32>) -> tensor<i32>)mlir";
  return with(R"mlir(
func.func @main(%x: tensor<3xNx20xf32>, %w: tensor<20x20xf32>, %h0: tensor<3x20xf32>) -> (tensor<Nx3x20xf32>, tensor<3x20xf32>, tensor<3x20xf32>, tensor<i32>, tensor<3x20xf32>) {
  %z = "stablehlo.constant"() <{value = dense<0> : tensor<i32>}> : () -> tensor<i32>
  %one = "stablehlo.constant"() <{value = dense<1> : tensor<i32>}> : () -> tensor<i32>
  %n = "stablehlo.constant"() <{value = dense<N> : tensor<i32>}> : () -> tensor<i32>
  %ys = "stablehlo.constant"() <{value = dense<0.0> : tensor<Nx3x20xf32>}> : () -> tensor<Nx3x20xf32>
  %e0 = "stablehlo.constant"() <{value = dense<3.0> : tensor<3x20xf32>}> : () -> tensor<3x20xf32>
  %d = "stablehlo.add"(%x, %x) : (tensor<3xNx20xf32>, tensor<3xNx20xf32>) -> tensor<3xNx20xf32>
  %t = "stablehlo.transpose"(%d) <{permutation = array<i64: 1, 0, 2>}> : (tensor<3xNx20xf32>) -> tensor<Nx3x20xf32>
  %0:8 = "stablehlo.while"(%z, %t, %h0, %h0, %ys, %z, %e0, %h0) ({
  ^bb0(%i: tensor<i32>, %a: tensor<Nx3x20xf32>, %h: tensor<3x20xf32>, %c: tensor<3x20xf32>, %b: tensor<Nx3x20xf32>, %s: tensor<i32>, %e: tensor<3x20xf32>, %f: tensor<3x20xf32>):
    %go = "stablehlo.compare"(%i, %n) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<i32>, tensor<i32>) -> tensor<i1>
    "stablehlo.return"(%go) : (tensor<i1>) -> ()
  }, {
  ^bb0(%i: tensor<i32>, %a: tensor<Nx3x20xf32>, %h: tensor<3x20xf32>, %c: tensor<3x20xf32>, %b: tensor<Nx3x20xf32>, %s: tensor<i32>, %e: tensor<3x20xf32>, %f: tensor<3x20xf32>):)mlir" +
              place + R"mlir(
    %neg = "stablehlo.compare"(%from, %z) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %wrapped = "stablehlo.add"(%from, %n) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    %at = "stablehlo.select"(%neg, %wrapped, %from) : (tensor<i1>, tensor<i32>, tensor<i32>) -> tensor<i32>
    %row = "stablehlo.dynamic_slice"(%a, %at, %z, %z) <{slice_sizes = array<i64: 1, 3, 20>}> : (tensor<Nx3x20xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x3x20xf32>
    %xi = "stablehlo.reshape"(%row) : (tensor<1x3x20xf32>) -> tensor<3x20xf32>
    %p = "stablehlo.dot_general"(%h, %w) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<3x20xf32>, tensor<20x20xf32>) -> tensor<3x20xf32>
    %q = "stablehlo.add"(%p, %xi) : (tensor<3x20xf32>, tensor<3x20xf32>) -> tensor<3x20xf32>
    %next = "stablehlo.tanh"(%q) : (tensor<3x20xf32>) -> tensor<3x20xf32>
    %sum = "stablehlo.add"(%c, %h) : (tensor<3x20xf32>, tensor<3x20xf32>) -> tensor<3x20xf32>
    %y = "stablehlo.reshape"(%next) : (tensor<3x20xf32>) -> tensor<1x3x20xf32>
    %put = "stablehlo.dynamic_update_slice"(%b, %y, %i, %z, %z) : (tensor<Nx3x20xf32>, tensor<1x3x20xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<Nx3x20xf32>
    %square = "stablehlo.multiply"(%i, %i) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    %count = "stablehlo.add"(%s, %square) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    %j = "stablehlo.add"(%i, %one) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    "stablehlo.return"(%j, %a, %next, %sum, %put, %count, %f, %e) : (tensor<i32>, tensor<Nx3x20xf32>, tensor<3x20xf32>, tensor<3x20xf32>, tensor<Nx3x20xf32>, tensor<i32>, tensor<3x20xf32>, tensor<3x20xf32>) -> ()
  }) : (tensor<i32>, tensor<Nx3x20xf32>, tensor<3x20xf32>, tensor<3x20xf32>, tensor<Nx3x20xf32>, tensor<i32>, tensor<3x20xf32>, tensor<3x20xf32>) -> (tensor<i32>, tensor<Nx3x20xf32>, tensor<3x20xf32>, tensor<3x20xf32>, tensor<Nx3x20xf32>, tensor<i32>, tensor<3x20xf32>, tensor<3x20xf32>)
  return %0#4, %0#2, %0#3, %0#5, %0#6 : tensor<Nx3x20xf32>, tensor<3x20xf32>, tensor<3x20xf32>, tensor<i32>, tensor<3x20xf32>
})mlir");
}
} // namespace

TEST_F(CompileAndRun, LoopGivesTheBitsOfTheStraightLine) {
  for (const bool last : {false, true})
    for (const char *name : kTargets) {
      const int steps = 9;
      loom_target target;
      ASSERT_TRUE(program::namedTarget(name, target));
      const std::vector<std::vector<uint8_t>> inputs = {
          bytes(values(3 * steps * 20, 5)), bytes(values(20 * 20, 6)),
          bytes(values(3 * 20, 7))};
      CompiledProgram loop, line;
      const std::string text = recurrent(steps, last);
      ASSERT_TRUE(compile(text, target, loop, Loops::Keep)) << messages;
      ASSERT_TRUE(compile(text, target, line, Loops::Unroll)) << messages;
      EXPECT_EQ(count(loop, LOOM_OP_LOOP), 1u);
      EXPECT_EQ(count(line, LOOM_OP_LOOP), 0u);
      EXPECT_EQ(loop.macs, line.macs);
      RunResult a = runProgram(loop.file.bytes(), inputs),
                b = runProgram(line.file.bytes(), inputs);
      ASSERT_EQ(a.error, "") << name;
      ASSERT_EQ(b.error, "") << name;
      EXPECT_EQ(a.outputs, b.outputs) << name;
      // 0 + 1 + 4 + ...: the counter as a number.
      EXPECT_EQ(as<int32_t>(a.outputs[3])[0], 204);
      EXPECT_EQ(a.outputs[4], inputs[2]) << "after an odd number of steps";
    }
}

TEST_F(CompileAndRun, LoopDoesNotGrowWithItsCount) {
  loom_target target;
  ASSERT_TRUE(program::namedTarget("npu16", target));
  CompiledProgram few, many;
  ASSERT_TRUE(compile(recurrent(5, false), target, few, Loops::Keep));
  ASSERT_TRUE(compile(recurrent(500, false), target, many, Loops::Keep));
  // What prepares the rows may take more tiles.
  auto body = [](const CompiledProgram &compiled) {
    uint32_t unit = 0, length = 0;
    for (const program::Record &record : recordsOf(compiled)) {
      if (record.header().op == LOOM_OP_LOOP)
        length = record.as<loom_seq>().target - unit;
      unit += record.header().units;
    }
    return length;
  };
  EXPECT_GT(body(few), 0u);
  EXPECT_EQ(body(few), body(many));
}

TEST_F(CompileAndRun, LoopNeedsItsFeatures) {
  loom_target target;
  ASSERT_TRUE(program::namedTarget("npu16", target));
  for (const unsigned feature : {LOOM_FEAT_LOOP, LOOM_FEAT_REG}) {
    loom_target less = target;
    less.features &= ~(1ull << feature);
    CompiledProgram compiled;
    ASSERT_TRUE(compile(recurrent(6, false), less, compiled, Loops::Keep))
        << messages;
    EXPECT_EQ(count(compiled, LOOM_OP_LOOP), 0u);
  }
}

/// A window of 255 x 255 pixels is more than 16 KiB of SRAM hold.
TEST_F(CompileAndRun, NamesTheTileThatDoesNotFit) {
  loom_target target;
  ASSERT_TRUE(program::namedTarget("npu8", target));
  target.sram_bytes = 16384;
  target.features &= ~(1ull << LOOM_FEAT_DW);
  CompiledProgram compiled;
  EXPECT_FALSE(compile(textOf({1, 255, 8, 255, 1, 1, 0, 1, 1, false}), target,
                       compiled));
  EXPECT_NE(messages.find("'loomt.conv' of shape 1x1x1x8 does not fit the "
                          "target: its smallest tile needs 260288 bytes of "
                          "SRAM, there are 16384"),
            std::string::npos)
      << messages;
}
