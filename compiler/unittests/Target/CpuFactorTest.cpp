// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Factors and triangular systems: what comes out is multiplied again.

#include "CompileAndRun.h"

#include <cmath>
#include <complex>

using namespace mlir;
using namespace mlir::loom;
using namespace loom_test;

using Pair = std::complex<float>;

namespace {
class CpuFactor : public CompileAndRun {
protected:
  CpuFactor() { loops = Loops::Keep; }

  std::vector<std::vector<uint8_t>>
  once(StringRef text, const std::vector<std::vector<uint8_t>> &inputs) {
    auto outputs = CompileAndRun::once(text, inputs);
    EXPECT_GT(result.cpuSegments, 0u);
    return outputs;
  }
};

/// Numbers that are none of another's multiple.
template <typename T> std::vector<T> some(size_t n, double seed) {
  std::vector<T> v(n);
  for (size_t i = 0; i < n; ++i)
    v[i] = T(std::sin(double(i) * 1.3 + seed));
  return v;
}
template <> std::vector<Pair> some(size_t n, double seed) {
  std::vector<Pair> v(n);
  for (size_t i = 0; i < n; ++i)
    v[i] = {float(std::sin(double(i) * 1.3 + seed)),
            float(std::cos(double(i) * 2.1 + seed))};
  return v;
}

/// Rows of so many columns; what is asked for a row or column at a time.
template <typename T> struct Matrix {
  std::vector<T> v;
  int rows, columns;
  T at(int i, int j) const { return v[i * columns + j]; }
};

template <typename T> T conjugate(T v) { return v; }
Pair conjugate(Pair v) { return std::conj(v); }

template <typename T> Matrix<T> adjoint(const Matrix<T> &a) {
  Matrix<T> t{std::vector<T>(a.v.size()), a.columns, a.rows};
  for (int i = 0; i < a.rows; ++i)
    for (int j = 0; j < a.columns; ++j)
      t.v[j * t.columns + i] = conjugate(a.at(i, j));
  return t;
}

template <typename T>
Matrix<T> operator*(const Matrix<T> &a, const Matrix<T> &b) {
  Matrix<T> p{std::vector<T>(a.rows * b.columns), a.rows, b.columns};
  for (int i = 0; i < a.rows; ++i)
    for (int j = 0; j < b.columns; ++j)
      for (int k = 0; k < a.columns; ++k)
        p.v[i * b.columns + j] += a.at(i, k) * b.at(k, j);
  return p;
}

template <typename T>
void expectNear(const Matrix<T> &a, const Matrix<T> &b, double by) {
  ASSERT_EQ(a.v.size(), b.v.size());
  for (size_t i = 0; i < a.v.size(); ++i)
    EXPECT_LE(std::abs(a.v[i] - b.v[i]), by) << i;
}

template <typename T> Matrix<T> identity(int n) {
  Matrix<T> one{std::vector<T>(n * n), n, n};
  for (int i = 0; i < n; ++i)
    one.v[i * n + i] = 1;
  return one;
}
} // namespace

/// L of A = L L^T, then A x = b by two triangular systems.
TEST_F(CpuFactor, SolvesByAFactor) {
  const int n = 5;
  std::vector<double> m(n * n), a(n * n, 0), b(n * 2);
  for (int i = 0; i < n * n; ++i)
    m[i] = std::sin(i * 1.3 + 0.2);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) {
      for (int k = 0; k < n; ++k)
        a[i * n + j] += m[i * n + k] * m[j * n + k];
      a[i * n + j] += i == j ? 2 : 0;
    }
  for (int i = 0; i < n * 2; ++i)
    b[i] = i - 3.5;
  auto out = once(R"mlir(
func.func @main(%a: tensor<5x5xf64>, %b: tensor<5x2xf64>) -> (tensor<5x2xf64>, tensor<2x5xf64>) {
  %l = "stablehlo.cholesky"(%a) <{lower = true}> : (tensor<5x5xf64>) -> tensor<5x5xf64>
  %0 = "stablehlo.triangular_solve"(%l, %b) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = "NO_TRANSPOSE"}> : (tensor<5x5xf64>, tensor<5x2xf64>) -> tensor<5x2xf64>
  %1 = "stablehlo.triangular_solve"(%l, %0) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = "TRANSPOSE"}> : (tensor<5x5xf64>, tensor<5x2xf64>) -> tensor<5x2xf64>
  %u = "stablehlo.cholesky"(%a) <{lower = false}> : (tensor<5x5xf64>) -> tensor<5x5xf64>
  %t = "stablehlo.transpose"(%b) <{permutation = array<i64: 1, 0>}> : (tensor<5x2xf64>) -> tensor<2x5xf64>
  %2 = "stablehlo.triangular_solve"(%u, %t) <{left_side = false, lower = false, unit_diagonal = false, transpose_a = "NO_TRANSPOSE"}> : (tensor<5x5xf64>, tensor<2x5xf64>) -> tensor<2x5xf64>
  %3 = "stablehlo.triangular_solve"(%u, %2) <{left_side = false, lower = false, unit_diagonal = false, transpose_a = "ADJOINT"}> : (tensor<5x5xf64>, tensor<2x5xf64>) -> tensor<2x5xf64>
  return %1, %3 : tensor<5x2xf64>, tensor<2x5xf64>
})mlir",
                  {bytes(a), bytes(b)});
  ASSERT_EQ(out.size(), 2u);
  const auto x = as<double>(out[0]), y = as<double>(out[1]);
  for (int i = 0; i < n; ++i)
    for (int c = 0; c < 2; ++c) {
      double left = 0, right = 0; // A x, and y A
      for (int k = 0; k < n; ++k) {
        left += a[i * n + k] * x[k * 2 + c];
        right += y[c * n + k] * a[k * n + i];
      }
      EXPECT_NEAR(left, b[i * 2 + c], 1e-12);
      EXPECT_NEAR(right, b[i * 2 + c], 1e-12);
    }
}

/// Factors of pairs, and systems on either side with what the factor's adjoint
/// is.
TEST_F(CpuFactor, ComplexSystems) {
  const Matrix<Pair> m{some<Pair>(25, 0.2), 5, 5}, b{some<Pair>(10, 3), 5, 2};
  Matrix<Pair> a = m * adjoint(m);
  for (int i = 0; i < 5; ++i)
    a.v[i * 6] += 1;
  auto out = once(R"mlir(
func.func @main(%a: tensor<5x5xcomplex<f32>>, %b: tensor<5x2xcomplex<f32>>) -> (tensor<5x2xcomplex<f32>>, tensor<2x5xcomplex<f32>>) {
  %l = "stablehlo.cholesky"(%a) <{lower = true}> : (tensor<5x5xcomplex<f32>>) -> tensor<5x5xcomplex<f32>>
  %0 = "stablehlo.triangular_solve"(%l, %b) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = "NO_TRANSPOSE"}> : (tensor<5x5xcomplex<f32>>, tensor<5x2xcomplex<f32>>) -> tensor<5x2xcomplex<f32>>
  %1 = "stablehlo.triangular_solve"(%l, %0) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = "ADJOINT"}> : (tensor<5x5xcomplex<f32>>, tensor<5x2xcomplex<f32>>) -> tensor<5x2xcomplex<f32>>
  %u = "stablehlo.cholesky"(%a) <{lower = false}> : (tensor<5x5xcomplex<f32>>) -> tensor<5x5xcomplex<f32>>
  %t = "stablehlo.transpose"(%b) <{permutation = array<i64: 1, 0>}> : (tensor<5x2xcomplex<f32>>) -> tensor<2x5xcomplex<f32>>
  %2 = "stablehlo.triangular_solve"(%u, %t) <{left_side = false, lower = false, unit_diagonal = false, transpose_a = "NO_TRANSPOSE"}> : (tensor<5x5xcomplex<f32>>, tensor<2x5xcomplex<f32>>) -> tensor<2x5xcomplex<f32>>
  %3 = "stablehlo.triangular_solve"(%u, %2) <{left_side = false, lower = false, unit_diagonal = false, transpose_a = "ADJOINT"}> : (tensor<5x5xcomplex<f32>>, tensor<2x5xcomplex<f32>>) -> tensor<2x5xcomplex<f32>>
  return %1, %3 : tensor<5x2xcomplex<f32>>, tensor<2x5xcomplex<f32>>
})mlir",
                  {bytes(a.v), bytes(b.v)});
  ASSERT_EQ(out.size(), 2u);
  Matrix<Pair> rows{std::vector<Pair>(10), 2, 5};
  for (int i = 0; i < 10; ++i)
    rows.v[i] = b.at(i % 5, i / 5);
  expectNear(a * Matrix<Pair>{as<Pair>(out[0]), 5, 2}, b, 1e-4);
  expectNear(Matrix<Pair>{as<Pair>(out[1]), 2, 5} * a, rows, 1e-4);
}

/// bf16 goes through f32.
TEST_F(CpuFactor, SystemOfBF16) {
  // 2, 1/2 and 4, and what is not read: x = 2 / 2, (-1/2 - x / 2) / 4.
  const std::vector<uint16_t> a = {0x4000, 0x7fc0, 0x3f00, 0x4080},
                              b = {0x4000, 0xbf00};
  auto out = once(R"mlir(
func.func @main(%a: tensor<2x2xbf16>, %b: tensor<2x1xbf16>) -> tensor<2x1xbf16> {
  %0 = "stablehlo.triangular_solve"(%a, %b) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = "NO_TRANSPOSE"}> : (tensor<2x2xbf16>, tensor<2x1xbf16>) -> tensor<2x1xbf16>
  return %0 : tensor<2x1xbf16>
})mlir",
                  {bytes(a), bytes(b)});
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(as<uint16_t>(out[0]), (std::vector<uint16_t>{0x3f80, 0xbe80}));
}

/// Q of A = Q R by as many columns as it has, and the rest of the space; R is
/// what is left on and above the diagonal.
template <typename T>
static void expectFactors(const Matrix<T> &a, const std::vector<T> &packed,
                          const std::vector<T> &product, int columns,
                          double by) {
  const Matrix<T> q{product, a.rows, columns};
  Matrix<T> r{std::vector<T>(columns * a.columns), columns, a.columns};
  for (int i = 0; i < columns; ++i)
    for (int j = i; j < a.columns; ++j)
      r.v[i * a.columns + j] = packed[i * a.columns + j];
  expectNear(q * r, a, by);
  expectNear(adjoint(q) * q, identity<T>(columns), by);
}

TEST_F(CpuFactor, Qr) {
  const Matrix<double> a{some<double>(21, 0.4), 7, 3};
  auto out = once(R"mlir(
func.func @main(%a: tensor<7x3xf64>) -> (tensor<7x3xf64>, tensor<7x3xf64>, tensor<3xf64>) {
  %0:2 = "stablehlo.custom_call"(%a) <{call_target_name = "Qr"}> : (tensor<7x3xf64>) -> (tensor<7x3xf64>, tensor<3xf64>)
  %1 = "stablehlo.custom_call"(%0#0, %0#1) <{call_target_name = "ProductOfElementaryHouseholderReflectors"}> : (tensor<7x3xf64>, tensor<3xf64>) -> tensor<7x3xf64>
  return %0#0, %1, %0#1 : tensor<7x3xf64>, tensor<7x3xf64>, tensor<3xf64>
})mlir",
                  {bytes(a.v)});
  ASSERT_EQ(out.size(), 3u);
  expectFactors(a, as<double>(out[0]), as<double>(out[1]), 3, 1e-14);
  // As LAPACK: the diagonal's sign is the other one, tau is from 1 to 2.
  EXPECT_LT(as<double>(out[0])[0] * a.v[0], 0);
  for (double tau : as<double>(out[2])) {
    EXPECT_GE(tau, 1);
    EXPECT_LE(tau, 2);
  }
}

/// A batch, and fewer rows than columns.
TEST_F(CpuFactor, ComplexQr) {
  const std::vector<Pair> all = some<Pair>(2 * 3 * 5, 0.7);
  auto out = once(R"mlir(
func.func @main(%a: tensor<2x3x5xcomplex<f32>>) -> (tensor<2x3x5xcomplex<f32>>, tensor<2x3x3xcomplex<f32>>) {
  %0:2 = "stablehlo.custom_call"(%a) <{call_target_name = "Qr"}> : (tensor<2x3x5xcomplex<f32>>) -> (tensor<2x3x5xcomplex<f32>>, tensor<2x3xcomplex<f32>>)
  %s = "stablehlo.slice"(%0#0) <{start_indices = array<i64: 0, 0, 0>, limit_indices = array<i64: 2, 3, 3>, strides = array<i64: 1, 1, 1>}> : (tensor<2x3x5xcomplex<f32>>) -> tensor<2x3x3xcomplex<f32>>
  %1 = "stablehlo.custom_call"(%s, %0#1) <{call_target_name = "ProductOfElementaryHouseholderReflectors"}> : (tensor<2x3x3xcomplex<f32>>, tensor<2x3xcomplex<f32>>) -> tensor<2x3x3xcomplex<f32>>
  return %0#0, %1 : tensor<2x3x5xcomplex<f32>>, tensor<2x3x3xcomplex<f32>>
})mlir",
                  {bytes(all)});
  ASSERT_EQ(out.size(), 2u);
  const auto packed = as<Pair>(out[0]), q = as<Pair>(out[1]);
  for (int i = 0; i < 2; ++i)
    expectFactors<Pair>(
        {{all.begin() + i * 15, all.begin() + (i + 1) * 15}, 3, 5},
        {packed.begin() + i * 15, packed.begin() + (i + 1) * 15},
        {q.begin() + i * 9, q.begin() + (i + 1) * 9}, 3, 1e-5);
}
