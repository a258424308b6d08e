// Norms of sums as layers train them, forward and back.
#include <gtest/gtest.h>

#include <vector>

#include "kernels/rows.h"
#include "reference.h"

namespace fnet::kernels {
namespace {

using reference::normals;
using reference::relative_error;

constexpr std::size_t kRows = 150;  // more than are summed one after the other
constexpr std::size_t kWidths[] = {1, 2, 7, 37, 100, 768};

struct Inputs {
  std::size_t n;
  std::vector<float> x = normals(kRows * n, 1), residual = normals(kRows * n, 2),
                     grad = normals(kRows * n, 3), weight = normals(n, 4), bias = normals(n, 5);

  explicit Inputs(std::size_t width) : n(width) {}
  SumNorm layer(NormKind kind, double p) const {
    return {.norm = {.kind = kind,
                     .weight = weight.data(),
                     .bias = kind == NormKind::layer_norm ? bias.data() : nullptr,
                     .eps = 1e-2F},
            .p = p,
            .seed = 9};
  }
};

TEST(sum_norm, is_dropout_then_sum_then_norm_for_every_width_and_table) {
  ThreadPool pool(2);
  for (const std::size_t n : kWidths) {
    const Inputs in(n);
    for (const Table* isa : tables()) {
      for (const double p : {0.0, 0.25}) {
        for (const bool added : {false, true}) {
          const SumNorm layer = in.layer(NormKind::layer_norm, p);
          std::vector<float> want_sum = in.x, want(want_sum.size());
          if (p > 0) dropout(9, p, in.x.data(), in.x.size(), want_sum.data(), pool, *isa);
          for (std::size_t i = 0; added && i < want_sum.size(); ++i) want_sum[i] += in.residual[i];
          add_norm(want_sum.data(), nullptr, kRows, n, layer.norm, want.data(), pool, *isa);
          std::vector<float> sum = in.x, y(in.x.size());
          sum_norm(layer, sum.data(), added ? in.residual.data() : nullptr, kRows, n, sum.data(),
                   y.data(), pool, *isa);
          EXPECT_EQ(sum, want_sum) << isa->name << " width " << n;
          EXPECT_EQ(y, want) << isa->name << " width " << n;
        }
      }
    }
  }
}

// The gradient of Σ grad · norm(x), whose slope over a short step float64 tells well enough.
TEST(sum_norm_back, is_the_slope_for_every_width_table_and_number_of_threads) {
  Workspace workspace;
  for (const std::size_t n : kWidths) {
    const Inputs in(n);
    for (const NormKind kind : {NormKind::layer_norm, NormKind::rms_norm}) {
      const SumNorm layer = in.layer(kind, 0);
      const auto loss = [&](std::vector<double> x, std::size_t row) {
        reference::normalize(x, n, layer.norm);
        double sum = 0;
        for (std::size_t i = 0; i < n; ++i) sum += x[i] * in.grad[row * n + i];
        return sum;
      };
      // Of some rows, the first and last ones among them.
      std::vector<double> want;
      const std::vector<std::size_t> some = {0, 1, 64, kRows - 1};
      for (const std::size_t row : some) {
        const std::vector<double> x(in.x.begin() + static_cast<std::ptrdiff_t>(row * n),
                                    in.x.begin() + static_cast<std::ptrdiff_t>((row + 1) * n));
        for (std::size_t i = 0; i < n; ++i) {
          const double step = 1e-5;
          auto up = x, down = x;
          up[i] += step, down[i] -= step;
          want.push_back((loss(up, row) - loss(down, row)) / (2 * step));
        }
      }
      std::vector<double> unit(in.x.begin(), in.x.end()), weight(n, 0.0), bias(n, 0.0);
      reference::normalize(unit, n, {.kind = kind, .eps = layer.norm.eps});
      for (std::size_t i = 0; i < unit.size(); ++i) {
        weight[i % n] += unit[i] * in.grad[i];
        bias[i % n] += in.grad[i];
      }
      for (const Table* isa : tables()) {
        SCOPED_TRACE(std::string(isa->name) + " width " + std::to_string(n));
        std::vector<float> first;
        for (const int threads : {1, 2, 3}) {
          ThreadPool pool(threads);
          std::vector<float> dx(in.x.size()), d_weight(n), d_bias(n), got;
          sum_norm_back(layer, in.x.data(), in.grad.data(), kRows, n, dx.data(), nullptr,
                        d_weight.data(), d_bias.data(), pool, workspace, *isa);
          for (const std::size_t row : some) {
            got.insert(got.end(), dx.begin() + static_cast<std::ptrdiff_t>(row * n),
                       dx.begin() + static_cast<std::ptrdiff_t>((row + 1) * n));
          }
          // One column without its mean is 0, and so is its slope.
          if (n > 1 || kind == NormKind::rms_norm) {
            EXPECT_LE(relative_error(got, want), 3e-6);
            EXPECT_LE(relative_error(d_weight, weight), 2e-6);
          }
          EXPECT_LE(relative_error(d_bias, bias), 2e-6);
          dx.insert(dx.end(), d_weight.begin(), d_weight.end());
          dx.insert(dx.end(), d_bias.begin(), d_bias.end());
          if (first.empty()) first = dx;
          EXPECT_EQ(dx, first) << threads << " threads";
        }
      }
    }
  }
}

TEST(sum_norm_back, drops_what_the_way_there_dropped) {
  Workspace workspace;
  ThreadPool pool(2);
  const std::size_t n = 37;
  const Inputs in(n);
  for (const Table* isa : tables()) {
    const SumNorm layer = in.layer(NormKind::layer_norm, 0.25);
    std::vector<float> d_sum = in.grad, d_x(in.x.size()), want(in.x.size());
    sum_norm_back(layer, in.x.data(), d_sum.data(), kRows, n, d_sum.data(), d_x.data(), nullptr,
                  nullptr, pool, workspace, *isa);
    dropout(9, 0.25, d_sum.data(), d_sum.size(), want.data(), pool, *isa);
    EXPECT_EQ(d_x, want) << isa->name;
  }
}

}  // namespace
}  // namespace fnet::kernels
