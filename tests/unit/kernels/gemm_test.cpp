#include "kernels/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/rows.h"
#include "reference.h"

namespace fnet::kernels {
namespace {

using reference::normals;

struct Case {
  std::size_t m, n, k;
};

float rounded(Dtype dtype, float v) {
  return dtype == Dtype::float32 ? v : reference::rounded_to_bf16(v);
}

// A row's sum of k products of deviation 1 has deviation sqrt(k); rounding stays below 1e-6 of the
// largest one. Factors that bfloat16 holds are as good there: sums are float32, if longer ones.
TEST(gemm, is_the_naive_product_for_every_table_transposition_and_size) {
  Workspace workspace;
  for (const Table* isa : tables()) {
    for (const auto& [m, n, k] :
         {Case{1, 1, 1},
          {7, 37, 64},
          {37, 7, 1100},
          {130, 64, 37},
          {5, 1700, 65},
          {64, 33, 513},
          {26, 17, 9000}}) {  // so long that a row's chunks do not lie in L2 all at once
      for (int variant = 0; variant < 16; ++variant) {
        const bool ta = (variant & 1) != 0, tb = (variant & 2) != 0, biased = (variant & 4) != 0;
        const Dtype dtype = (variant & 8) != 0 ? Dtype::bfloat16 : Dtype::float32;
        const std::size_t gap = 3;  // rows need not be dense
        const std::size_t a_stride = (ta ? m : k) + gap, b_stride = (tb ? k : n) + gap;
        auto a = normals(a_stride * (ta ? k : m), 1), b = normals(b_stride * (tb ? n : k), 2);
        for (float& v : a) v = rounded(dtype, v);
        for (float& v : b) v = rounded(dtype, v);
        const auto bias = normals(n, 4);
        const auto before = normals(m * (n + gap), 3);
        std::vector<double> want(before.begin(), before.end());
        for (std::size_t i = 0; i < m; ++i) {
          for (std::size_t j = 0; j < n; ++j) {
            double sum = biased ? bias[j] : 0;
            for (std::size_t l = 0; l < k; ++l) {
              sum += static_cast<double>(ta ? a[l * a_stride + i] : a[i * a_stride + l]) *
                     (tb ? b[j * b_stride + l] : b[l * b_stride + j]);
            }
            want[i * (n + gap) + j] = sum;
          }
        }
        std::vector<float> first;
        for (const int threads : {1, 2, 3}) {
          ThreadPool pool(threads);
          auto c = before;
          gemm(dtype, m, n, k, {a.data(), a_stride, ta}, {b.data(), b_stride, tb},
               {.bias = biased ? bias.data() : nullptr}, c.data(), n + gap, pool, workspace, *isa);
          EXPECT_LE(reference::relative_error(c, want), dtype == Dtype::float32 ? 1e-6 : 2e-6)
              << isa->name << ' ' << m << ' ' << n << ' ' << k << " variant " << variant;
          if (first.empty()) first = c;
          EXPECT_EQ(c, first) << isa->name << " threads " << threads;
        }
      }
    }
  }
}

// One row times a unit matrix: the sums are exact, so only what is made of them is seen.
TEST(gemm, finishes_with_activation_and_with_its_slope_for_every_table) {
  Workspace workspace;
  ThreadPool pool(2);
  const std::size_t m = 30, n = 41;
  std::vector<float> unit(n * n, 0.0F);
  for (std::size_t i = 0; i < n; ++i) unit[i * n + i] = 1;
  auto x = normals(m * n, 1, 3.0F);
  x[0] = 1e30F, x[1] = -1e30F;  // no NaN from a power of it
  const auto bias = normals(n, 2), grad = normals(m * n, 3);
  for (const Table* isa : tables()) {
    for (const Activation act :
         {Activation::none, Activation::gelu, Activation::gelu_tanh, Activation::relu,
          Activation::sigmoid, Activation::silu, Activation::tanh}) {
      SCOPED_TRACE(static_cast<int>(act));
      std::vector<float> y(m * n), before(m * n), back(m * n);
      gemm(Dtype::float32, m, n, n, {x.data(), n}, {unit.data(), n},
           {.bias = bias.data(), .activation = act, .before = before.data()}, y.data(), n, pool,
           workspace, *isa);
      gemm(Dtype::float32, m, n, n, {grad.data(), n}, {unit.data(), n},
           {.activation = act, .slope_at = before.data()}, back.data(), n, pool, workspace, *isa);
      for (std::size_t i = 0; i < m * n; ++i) {
        EXPECT_EQ(before[i], x[i] + bias[i % n]);
        if (i < 2) {
          EXPECT_TRUE(std::isfinite(back[i])) << isa->name;
          continue;
        }
        EXPECT_NEAR(y[i], reference::activate(act, before[i]), 1e-6) << isa->name;
        EXPECT_NEAR(back[i], grad[i] * reference::slope(act, before[i]), 2e-6)
            << isa->name << " at " << before[i];
      }
    }
  }
}

// Where A is a gradient [k, m], transposed, the sums of its columns are a bias's.
TEST(gemm, adds_a_matrix_and_sums_the_rows_of_a_transposed_factor_for_every_table) {
  Workspace workspace;
  for (const auto& [m, n, k] : {Case{1, 5, 1}, {37, 41, 70}, {100, 3, 2100}}) {
    const std::size_t gap = 2;
    const auto a = normals(k * (m + gap), 1), b = normals(k * n, 2), add = normals(m * n, 3);
    std::vector<double> sums(m, 0.0);
    for (std::size_t i = 0; i < k * m; ++i)
      sums[i % m] += static_cast<double>(a[i / m * (m + gap) + i % m]);
    for (const Table* isa : tables()) {
      for (const Dtype dtype : {Dtype::float32, Dtype::bfloat16}) {
        std::vector<float> first;
        for (const int threads : {1, 2, 3}) {
          ThreadPool pool(threads);
          std::vector<float> plain(m * n), c(m * n), row_sums(m, 7.0F);
          gemm(dtype, m, n, k, {a.data(), m + gap, true}, {b.data(), n}, {}, plain.data(), n, pool,
               workspace, *isa);
          gemm(dtype, m, n, k, {a.data(), m + gap, true}, {b.data(), n},
               {.add = add.data(), .row_sums = row_sums.data()}, c.data(), n, pool, workspace,
               *isa);
          for (std::size_t i = 0; i < m * n; ++i) EXPECT_EQ(c[i], plain[i] + add[i]) << isa->name;
          EXPECT_LE(reference::relative_error(row_sums, sums), 1e-6) << isa->name;
          std::vector<float> dense(k * m), alone(m);
          for (std::size_t i = 0; i < k * m; ++i) dense[i] = a[i / m * (m + gap) + i % m];
          column_sums(dense.data(), k, m, alone.data(), pool, *isa);
          EXPECT_EQ(row_sums, alone) << isa->name;
          if (first.empty()) first = row_sums;
          EXPECT_EQ(row_sums, first) << isa->name << " threads " << threads;
        }
      }
    }
  }
}

}  // namespace
}  // namespace fnet::kernels
