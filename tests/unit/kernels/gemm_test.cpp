#include "kernels/gemm.h"

#include <gtest/gtest.h>

#include <vector>

#include "reference.h"

namespace fnet::kernels {
namespace {

using reference::normals;

struct Case {
  std::size_t m, n, k;
};

// A row's sum of k products of deviation 1 has deviation sqrt(k); rounding stays below 1e-6 of the
// largest one.
TEST(gemm, is_the_naive_product_for_every_table_transposition_and_size) {
  Workspace workspace;
  for (const Table* isa : tables()) {
    for (const auto& [m, n, k] :
         {Case{1, 1, 1}, {7, 37, 64}, {37, 7, 1100}, {130, 64, 37}, {5, 1700, 65}, {64, 33, 513}}) {
      for (int variant = 0; variant < 8; ++variant) {
        const bool ta = (variant & 1) != 0, tb = (variant & 2) != 0;
        const float beta = (variant & 4) != 0 ? 0.5F : 0.0F;
        const std::size_t gap = 3;  // rows need not be dense
        const std::size_t a_stride = (ta ? m : k) + gap, b_stride = (tb ? k : n) + gap;
        const auto a = normals(a_stride * (ta ? k : m), 1);
        const auto b = normals(b_stride * (tb ? n : k), 2);
        const auto before = normals(m * (n + gap), 3);
        std::vector<double> want(before.begin(), before.end());
        for (std::size_t i = 0; i < m; ++i) {
          for (std::size_t j = 0; j < n; ++j) {
            double sum = beta * static_cast<double>(before[i * (n + gap) + j]);
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
          gemm(m, n, k, {a.data(), a_stride, ta}, {b.data(), b_stride, tb}, beta, c.data(), n + gap,
               pool, workspace, *isa);
          EXPECT_LE(reference::relative_error(c, want), 1e-6)
              << isa->name << ' ' << m << ' ' << n << ' ' << k << " variant " << variant;
          if (first.empty()) first = c;
          EXPECT_EQ(c, first) << isa->name << " threads " << threads;
        }
      }
    }
  }
}

}  // namespace
}  // namespace fnet::kernels
