// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operations that become others before an engine is chosen, run on the model:
// against published answers of the generators, sorting and sums written out
// here.

#include "CompileAndRun.h"

#include "loom_num.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numeric>

using namespace mlir;
using namespace mlir::loom;
using namespace loom_test;

namespace {
class Expand : public CompileAndRun {
protected:
  Expand() { loops = Loops::Keep; }

  /// Numbers of one type and shape ("3xui32"), and the next state.
  std::vector<std::vector<uint8_t>> random(const std::string &algorithm,
                                           const std::vector<uint64_t> &state,
                                           const std::string &numbers) {
    const std::string s = "tensor<" + std::to_string(state.size()) + "xui64>",
                      n = "tensor<" + numbers + ">";
    return once("func.func @main(%s: " + s + ") -> (" + s + ", " + n +
                    R"mlir() {
  %0:2 = "stablehlo.rng_bit_generator"(%s) <{rng_algorithm = ")mlir" +
                    algorithm + "\"}> : (" + s + ") -> (" + s + ", " + n +
                    ")\n  return %0#0, %0#1 : " + s + ", " + n + "\n}",
                {bytes(state)});
  }
};
using Numbers = std::vector<uint32_t>;
using State = std::vector<uint64_t>;
} // namespace

//===----------------------------------------------------------------------===//
// Random bits; the answers are those of Random123's kat_vectors
//===----------------------------------------------------------------------===//

TEST_F(Expand, ThreefryGivesTheKnownAnswers) {
  const struct {
    uint64_t counter, key;
    uint32_t first, second;
  } known[] = {
      {0, 0, 0x6b200159, 0x99ba4efe},
      {~0ull, ~0ull, 0x1cb996fc, 0xbb002be7},
      {0x85a308d3243f6a88, 0x0370734413198a2e, 0xc4923a9c, 0x483df7a0},
  };
  for (const auto &k : known) {
    auto out = random("THREE_FRY", {k.key, k.counter}, "2xui32");
    ASSERT_EQ(out.size(), 2u);
    EXPECT_EQ(as<uint64_t>(out[0]), (State{k.key, k.counter + 1}));
    EXPECT_EQ(as<uint32_t>(out[1]), (Numbers{k.first, k.second}));
    out = random("THREE_FRY", {k.key, k.counter}, "1xui64");
    ASSERT_EQ(out.size(), 2u);
    EXPECT_EQ(as<uint32_t>(out[1]), (Numbers{k.first, k.second}));
  }
}

TEST_F(Expand, PhiloxGivesTheKnownAnswers) {
  const struct {
    uint64_t low, high, key;
    Numbers numbers;
  } known[] = {
      {0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {~0ull, ~0ull, ~0ull, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {0x85a308d3243f6a88,
       0x0370734413198a2e,
       0x299f31d0a4093822,
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (const auto &k : known)
    for (const char *numbers : {"4xui32", "2xui64", "2x2xi32"}) {
      auto out = random("PHILOX", {k.key, k.low, k.high}, numbers);
      ASSERT_EQ(out.size(), 2u);
      EXPECT_EQ(as<uint64_t>(out[0]),
                (State{k.key, k.low + 1, k.high + (k.low == ~0ull)}));
      EXPECT_EQ(as<uint32_t>(out[1]), k.numbers);
    }
}

/// Blocks one by one are the blocks of one call, also where counters wrap; a
/// block's two words are the halves of the dimension that has such.
TEST_F(Expand, CountersCarry) {
  const uint64_t key = 0x0123456789abcdef, first = 0xfffffffffffffffe;
  auto all = random("THREE_FRY", {key, first}, "3x2x3xui32");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(as<uint64_t>(all[0]), (State{key, first + 9}));
  const auto numbers = as<uint32_t>(all[1]);
  for (uint64_t i = 0; i < 9; ++i) {
    auto one = random("THREE_FRY", {key, first + i}, "2xui32");
    ASSERT_EQ(one.size(), 2u);
    for (size_t half = 0; half < 2; ++half)
      EXPECT_EQ(as<uint32_t>(one[1])[half],
                numbers[i / 3 * 6 + half * 3 + i % 3])
          << i;
  }
  all = random("PHILOX", {key, first, 5}, "17xui32");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(as<uint64_t>(all[0]), (State{key, first + 5, 6}));
  for (uint64_t i = 0; i < 4; ++i) {
    auto one =
        random("PHILOX", {key, first + i, 5 + uint64_t(i > 1)}, "4xui32");
    ASSERT_EQ(one.size(), 2u);
    for (size_t word = 0; word < 4; ++word)
      EXPECT_EQ(as<uint32_t>(one[1])[word], as<uint32_t>(all[1])[4 * i + word]);
  }
}

/// Of no even dimension the longest is halved, and a number is left over; of
/// narrow numbers the upper bits are; the default is Philox, whose short state
/// has the key for its counter's upper half.
TEST_F(Expand, FormsOfNumbersAndStates) {
  const State state{0x1111222233334444, 0x5555666677778888};
  auto odd = random("THREE_FRY", state, "3x5xui32"),
       even = random("THREE_FRY", state, "3x6xui32");
  ASSERT_EQ(odd.size() + even.size(), 4u);
  EXPECT_EQ(odd[0], even[0]);
  for (int i = 0; i < 15; ++i)
    EXPECT_EQ(as<uint32_t>(odd[1])[i],
              as<uint32_t>(even[1])[i / 5 * 6 + i % 5]);
  auto narrow = random("THREE_FRY", state, "3x6xui8"),
       half = random("THREE_FRY", state, "3x6xui16"),
       scalar = random("THREE_FRY", state, "ui32");
  ASSERT_EQ(narrow.size() + half.size() + scalar.size(), 6u);
  for (int i = 0; i < 18; ++i) {
    EXPECT_EQ(narrow[1][i], uint8_t(as<uint32_t>(even[1])[i]));
    EXPECT_EQ(as<uint16_t>(half[1])[i], uint16_t(as<uint32_t>(even[1])[i]));
  }
  EXPECT_EQ(as<uint32_t>(scalar[1])[0], as<uint32_t>(even[1])[0]);
  EXPECT_EQ(as<uint64_t>(scalar[0]), (State{state[0], state[1] + 1}));

  auto few = random("DEFAULT", state, "5xui32"),
       full = random("PHILOX", {state[0], state[1], state[0]}, "5xui32");
  ASSERT_EQ(few.size() + full.size(), 4u);
  EXPECT_EQ(few[1], full[1]);
  EXPECT_EQ(as<uint64_t>(few[0]), (State{state[0], state[1] + 2}));
}

/// A key of 32-bit words, as jax.random keeps it, stays on the NPU.
TEST_F(Expand, WordsOfAKeyStayOnTheNpu) {
  auto out = once(R"mlir(
func.func @main(%k: tensor<4xui32>) -> (tensor<2x2xui32>, tensor<8xui32>) {
  %r = "stablehlo.reshape"(%k) : (tensor<4xui32>) -> tensor<2x2xui32>
  %s = "stablehlo.bitcast_convert"(%r) : (tensor<2x2xui32>) -> tensor<2xui64>
  %0:2 = "stablehlo.rng_bit_generator"(%s) <{rng_algorithm = "THREE_FRY"}> : (tensor<2xui64>) -> (tensor<2xui64>, tensor<8xui32>)
  %n = "stablehlo.bitcast_convert"(%0#0) : (tensor<2xui64>) -> tensor<2x2xui32>
  return %n, %0#1 : tensor<2x2xui32>, tensor<8xui32>
})mlir",
                  {bytes(Numbers{1, 2, 3, 4})});
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(result.cpuSegments, 0u);
  EXPECT_EQ(as<uint32_t>(out[0]), (Numbers{1, 2, 7, 4}));
}

//===----------------------------------------------------------------------===//
// The largest
//===----------------------------------------------------------------------===//

TEST_F(Expand, ApproximateTopKIsExact) {
  std::vector<float> x = values(3 * 40, 7);
  auto out = once(R"mlir(
func.func @greater(%a: tensor<f32>, %b: tensor<f32>, %i: tensor<i32>, %j: tensor<i32>) -> tensor<i1> {
  %0 = "stablehlo.compare"(%a, %b) <{comparison_direction = #stablehlo<comparison_direction GT>}> : (tensor<f32>, tensor<f32>) -> tensor<i1>
  return %0 : tensor<i1>
}
func.func @main(%x: tensor<3x40xf32>) -> (tensor<3x6xf32>, tensor<3x6xi32>) {
  %i = "stablehlo.iota"() <{iota_dimension = 1 : i64}> : () -> tensor<3x40xi32>
  %z = "stablehlo.constant"() <{value = dense<0xFF800000> : tensor<f32>}> : () -> tensor<f32>
  %n = "stablehlo.constant"() <{value = dense<-1> : tensor<i32>}> : () -> tensor<i32>
  %0:2 = "stablehlo.custom_call"(%x, %i, %z, %n) <{call_target_name = "ApproxTopK", called_computations = [@greater]}> {mhlo.backend_config = {aggregate_to_topk = true, reduction_dim = 1 : i64, top_k = 6 : i64}} : (tensor<3x40xf32>, tensor<3x40xi32>, tensor<f32>, tensor<i32>) -> (tensor<3x6xf32>, tensor<3x6xi32>)
  return %0#0, %0#1 : tensor<3x6xf32>, tensor<3x6xi32>
})mlir",
                  {bytes(x)});
  ASSERT_EQ(out.size(), 2u);
  for (int row = 0; row < 3; ++row) {
    std::vector<int32_t> order(40);
    std::iota(order.begin(), order.end(), 0);
    const float *line = x.data() + row * 40;
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return line[a] > line[b]; });
    for (int k = 0; k < 6; ++k) {
      EXPECT_EQ(as<int32_t>(out[1])[row * 6 + k], order[k]);
      EXPECT_EQ(as<float>(out[0])[row * 6 + k], line[order[k]]);
    }
  }
}

//===----------------------------------------------------------------------===//
// Complex numbers and transforms
//===----------------------------------------------------------------------===//

using Line = std::vector<std::complex<double>>;

/// Along both dimensions of [a, b]; `sign` of the exponent.
static Line transform(const Line &x, int a, int b, double sign) {
  Line y(x.size());
  for (int k = 0; k < a; ++k)
    for (int l = 0; l < b; ++l)
      for (int i = 0; i < a; ++i)
        for (int j = 0; j < b; ++j)
          y[k * b + l] +=
              x[i * b + j] *
              std::polar(1.0, sign * 2 * M_PI *
                                  (double(k * i) / a + double(l * j) / b));
  return y;
}

TEST_F(Expand, TransformsOfTwoDimensions) {
  const int a = 6, b = 8;
  std::vector<float> x = values(a * b * 2, 3);
  auto out = once(R"mlir(
func.func @main(%x: tensor<6x8xcomplex<f32>>) -> (tensor<6x8xcomplex<f32>>, tensor<6x8xcomplex<f32>>, tensor<6x5xcomplex<f32>>, tensor<6x8xf32>, tensor<6x8xf32>) {
  %0 = "stablehlo.fft"(%x) <{fft_type = "FFT", fft_length = array<i64: 6, 8>}> : (tensor<6x8xcomplex<f32>>) -> tensor<6x8xcomplex<f32>>
  %1 = "stablehlo.fft"(%0) <{fft_type = "IFFT", fft_length = array<i64: 6, 8>}> : (tensor<6x8xcomplex<f32>>) -> tensor<6x8xcomplex<f32>>
  %r = "stablehlo.real"(%x) : (tensor<6x8xcomplex<f32>>) -> tensor<6x8xf32>
  %2 = "stablehlo.fft"(%r) <{fft_type = "RFFT", fft_length = array<i64: 6, 8>}> : (tensor<6x8xf32>) -> tensor<6x5xcomplex<f32>>
  %3 = "stablehlo.fft"(%2) <{fft_type = "IRFFT", fft_length = array<i64: 6, 8>}> : (tensor<6x5xcomplex<f32>>) -> tensor<6x8xf32>
  return %0, %1, %2, %3, %r : tensor<6x8xcomplex<f32>>, tensor<6x8xcomplex<f32>>, tensor<6x5xcomplex<f32>>, tensor<6x8xf32>, tensor<6x8xf32>
})mlir",
                  {bytes(x)});
  ASSERT_EQ(out.size(), 5u);
  Line z(a * b), real(a * b);
  for (int i = 0; i < a * b; ++i) {
    z[i] = {x[2 * i], x[2 * i + 1]};
    real[i] = x[2 * i];
  }
  const Line whole = transform(z, a, b, -1), half = transform(real, a, b, -1);
  auto near = [&](const std::vector<uint8_t> &have, size_t at,
                  std::complex<double> want) {
    EXPECT_NEAR(as<float>(have)[2 * at], want.real(), 1e-4) << at;
    EXPECT_NEAR(as<float>(have)[2 * at + 1], want.imag(), 1e-4) << at;
  };
  for (int i = 0; i < a * b; ++i) {
    near(out[0], i, whole[i]);
    near(out[1], i, z[i]);
    EXPECT_NEAR(as<float>(out[3])[i], as<float>(out[4])[i], 1e-5);
  }
  for (int k = 0; k < a; ++k)
    for (int l = 0; l < b / 2 + 1; ++l)
      near(out[2], k * 5 + l, half[k * b + l]);
}

/// Products of complex numbers at places that indices name.
TEST_F(Expand, UpdatesOfPairs) {
  const std::vector<float> x{1, 2, 3, 4, 5, 6}, u{0, 1, 2, -1};
  auto out = once(R"mlir(
func.func @main(%x: tensor<3xcomplex<f32>>, %i: tensor<2x1xi32>, %u: tensor<2xcomplex<f32>>) -> tensor<3xcomplex<f32>> {
  %0 = "stablehlo.scatter"(%x, %i, %u) <{update_window_dims = array<i64>, inserted_window_dims = array<i64: 0>, input_batching_dims = array<i64>, scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 0>, index_vector_dim = 1 : i64}> ({
  ^bb0(%a: tensor<complex<f32>>, %b: tensor<complex<f32>>):
    %m = "stablehlo.multiply"(%a, %b) : (tensor<complex<f32>>, tensor<complex<f32>>) -> tensor<complex<f32>>
    "stablehlo.return"(%m) : (tensor<complex<f32>>) -> ()
  }) : (tensor<3xcomplex<f32>>, tensor<2x1xi32>, tensor<2xcomplex<f32>>) -> tensor<3xcomplex<f32>>
  return %0 : tensor<3xcomplex<f32>>
})mlir",
                  {bytes(x), bytes(std::vector<int32_t>{2, 2}), bytes(u)});
  ASSERT_EQ(out.size(), 1u);
  // (5 + 6i) i (2 - i)
  EXPECT_EQ(as<float>(out[0]), (std::vector<float>{1, 2, 3, 4, -7, 16}));
}

//===----------------------------------------------------------------------===//
// The rest
//===----------------------------------------------------------------------===//

/// A triangular system of bf16 is that of f32, rounded.
TEST_F(Expand, SystemsOfBf16) {
  auto out = once(R"mlir(
func.func @main(%a: tensor<2x2xbf16>, %b: tensor<2x1xbf16>) -> (tensor<2x1xbf16>, tensor<2x1xf32>) {
  %0 = "stablehlo.triangular_solve"(%a, %b) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = "NO_TRANSPOSE"}> : (tensor<2x2xbf16>, tensor<2x1xbf16>) -> tensor<2x1xbf16>
  %c = "stablehlo.convert"(%a) : (tensor<2x2xbf16>) -> tensor<2x2xf32>
  %d = "stablehlo.convert"(%b) : (tensor<2x1xbf16>) -> tensor<2x1xf32>
  %1 = "stablehlo.triangular_solve"(%c, %d) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = "NO_TRANSPOSE"}> : (tensor<2x2xf32>, tensor<2x1xf32>) -> tensor<2x1xf32>
  return %0, %1 : tensor<2x1xbf16>, tensor<2x1xf32>
})mlir",
                  {bytes(std::vector<uint16_t>{0x4040, 0, 0x3f80, 0x40e0}),
                   bytes(std::vector<uint16_t>{0x3f80, 0x4000})});
  ASSERT_EQ(out.size(), 2u);
  const auto wide = as<float>(out[1]);
  EXPECT_NEAR(wide[0], 1.0 / 3, 1e-7); // 3 x = 1, x + 7 y = 2
  EXPECT_NEAR(wide[1], 5.0 / 21, 1e-7);
  EXPECT_EQ(as<uint16_t>(out[0]),
            (std::vector<uint16_t>{loom_num_to_bf16(bits(wide[0])),
                                   loom_num_to_bf16(bits(wide[1]))}));
}

/// Without an index a window is updated, or taken, where the array begins.
TEST_F(Expand, PlacesWithoutAnIndex) {
  std::vector<double> x{1, 2, 3, 4, 5, 6}, u{10, 20};
  auto out = once(R"mlir(
func.func @main(%x: tensor<2x3xf64>, %u: tensor<1x2xf64>) -> (tensor<2x3xf64>, tensor<2x2xf64>) {
  %i = "stablehlo.constant"() <{value = dense<> : tensor<0xi32>}> : () -> tensor<0xi32>
  %0 = "stablehlo.scatter"(%x, %i, %u) <{update_window_dims = array<i64: 0, 1>, inserted_window_dims = array<i64>, input_batching_dims = array<i64>, scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64>, index_vector_dim = 0 : i64}> ({
  ^bb0(%a: tensor<f64>, %b: tensor<f64>):
    %m = "stablehlo.add"(%a, %b) : (tensor<f64>, tensor<f64>) -> tensor<f64>
    "stablehlo.return"(%m) : (tensor<f64>) -> ()
  }) : (tensor<2x3xf64>, tensor<0xi32>, tensor<1x2xf64>) -> tensor<2x3xf64>
  %1 = "stablehlo.gather"(%x, %i) <{offset_dims = array<i64: 0, 1>, collapsed_slice_dims = array<i64>, operand_batching_dims = array<i64>, start_indices_batching_dims = array<i64>, start_index_map = array<i64>, index_vector_dim = 0 : i64, slice_sizes = array<i64: 2, 2>}> : (tensor<2x3xf64>, tensor<0xi32>) -> tensor<2x2xf64>
  return %0, %1 : tensor<2x3xf64>, tensor<2x2xf64>
})mlir",
                  {bytes(x), bytes(u)});
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(as<double>(out[0]), (std::vector<double>{11, 22, 3, 4, 5, 6}));
  EXPECT_EQ(as<double>(out[1]), (std::vector<double>{1, 2, 4, 5}));
}

/// Of 64 bits, too, there may be nothing.
TEST_F(Expand, NoElementsOf64Bits) {
  std::vector<double> x{1, 2, 3, 4, 5, 6};
  auto out = once(R"mlir(
func.func @main(%x: tensor<2x3xf64>) -> (tensor<2x0xf64>, tensor<2x1xf64>, tensor<2xf64>) {
  %z = "stablehlo.constant"() <{value = dense<2.5> : tensor<f64>}> : () -> tensor<f64>
  %0 = "stablehlo.pad"(%x, %z) <{edge_padding_low = array<i64: 0, 0>, edge_padding_high = array<i64: 0, -3>, interior_padding = array<i64: 0, 0>}> : (tensor<2x3xf64>, tensor<f64>) -> tensor<2x0xf64>
  %1 = "stablehlo.add"(%0, %0) : (tensor<2x0xf64>, tensor<2x0xf64>) -> tensor<2x0xf64>
  %2 = "stablehlo.pad"(%1, %z) <{edge_padding_low = array<i64: 0, 1>, edge_padding_high = array<i64: 0, 0>, interior_padding = array<i64: 0, 0>}> : (tensor<2x0xf64>, tensor<f64>) -> tensor<2x1xf64>
  %3 = "stablehlo.reduce"(%1, %z) <{dimensions = array<i64: 1>}> ({
  ^bb0(%a: tensor<f64>, %b: tensor<f64>):
    %m = "stablehlo.add"(%a, %b) : (tensor<f64>, tensor<f64>) -> tensor<f64>
    "stablehlo.return"(%m) : (tensor<f64>) -> ()
  }) : (tensor<2x0xf64>, tensor<f64>) -> tensor<2xf64>
  return %1, %2, %3 : tensor<2x0xf64>, tensor<2x1xf64>, tensor<2xf64>
})mlir",
                  {bytes(x)});
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(as<double>(out[1]), (std::vector<double>{2.5, 2.5}));
  EXPECT_EQ(as<double>(out[2]), (std::vector<double>{2.5, 2.5}));
}

/// Two arrays together, along no dimension: as they are combined with what they
/// begin at.
TEST_F(Expand, ReductionsAlongNoDimension) {
  const std::vector<double> x{1, -2, 3}, y{10, 20, 30};
  auto out = once(R"mlir(
func.func @main(%x: tensor<3xf64>, %y: tensor<3xf64>) -> (tensor<3xf64>, tensor<3xf64>) {
  %a = "stablehlo.constant"() <{value = dense<0.5> : tensor<f64>}> : () -> tensor<f64>
  %b = "stablehlo.constant"() <{value = dense<100.0> : tensor<f64>}> : () -> tensor<f64>
  %0:2 = "stablehlo.reduce"(%x, %y, %a, %b) <{dimensions = array<i64>}> ({
  ^bb0(%p: tensor<f64>, %q: tensor<f64>, %r: tensor<f64>, %s: tensor<f64>):
    %m = "stablehlo.maximum"(%p, %r) : (tensor<f64>, tensor<f64>) -> tensor<f64>
    %n = "stablehlo.subtract"(%q, %s) : (tensor<f64>, tensor<f64>) -> tensor<f64>
    "stablehlo.return"(%m, %n) : (tensor<f64>, tensor<f64>) -> ()
  }) : (tensor<3xf64>, tensor<3xf64>, tensor<f64>, tensor<f64>) -> (tensor<3xf64>, tensor<3xf64>)
  return %0#0, %0#1 : tensor<3xf64>, tensor<3xf64>
})mlir",
                  {bytes(x), bytes(y)});
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(as<double>(out[0]), (std::vector<double>{1, 0.5, 3}));
  EXPECT_EQ(as<double>(out[1]), (std::vector<double>{90, 80, 70}));
}

/// The gradient of a pooling of booleans: sums are whether there is any.
TEST_F(Expand, SelectAndScatterOfBooleans) {
  auto out = once(R"mlir(
func.func @main(%x: tensor<4xi1>, %s: tensor<3xi1>) -> tensor<4xi1> {
  %z = "stablehlo.constant"() <{value = dense<false> : tensor<i1>}> : () -> tensor<i1>
  %0 = "stablehlo.select_and_scatter"(%x, %s, %z) <{window_dimensions = array<i64: 2>, window_strides = array<i64: 1>, padding = array<i64: 0, 0>}> ({
  ^bb0(%a: tensor<i1>, %b: tensor<i1>):
    %c = "stablehlo.compare"(%a, %b) <{comparison_direction = #stablehlo<comparison_direction GE>}> : (tensor<i1>, tensor<i1>) -> tensor<i1>
    "stablehlo.return"(%c) : (tensor<i1>) -> ()
  }, {
  ^bb0(%a: tensor<i1>, %b: tensor<i1>):
    %c = "stablehlo.add"(%a, %b) : (tensor<i1>, tensor<i1>) -> tensor<i1>
    "stablehlo.return"(%c) : (tensor<i1>) -> ()
  }) : (tensor<4xi1>, tensor<3xi1>, tensor<i1>) -> tensor<4xi1>
  return %0 : tensor<4xi1>
})mlir",
                  {{0, 1, 0, 1}, {1, 1, 0}});
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0], (std::vector<uint8_t>{0, 1, 0, 0}));
}
