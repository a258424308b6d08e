#include "kernels/rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "reference.h"

namespace fnet::kernels {
namespace {

using reference::normals;
using reference::relative_error;

constexpr std::size_t kWidths[] = {1, 2, 7, 37, 64, 100, 768, 1000, 3072};

// Every float exponent, many mantissas, both signs.
std::vector<float> magnitudes() {
  std::vector<float> values = {0.0F, -0.0F};
  Philox random(3, 0);
  for (int exponent = -126; exponent <= 127; ++exponent) {
    for (int i = 0; i < (exponent < -30 || exponent > 20 ? 20 : 2000); ++i) {
      const float v = std::ldexp(1.0F + random.uniform(), exponent);
      values.push_back(v);
      values.push_back(-v);
    }
  }
  return values;
}

TEST(activate, stays_within_its_stated_errors_for_all_magnitudes) {
  const auto x = magnitudes();
  std::vector<float> y(x.size());
  ThreadPool pool(2);
  for (const Table* isa : tables()) {
    for (const Activation act :
         {Activation::none, Activation::gelu, Activation::gelu_tanh, Activation::relu,
          Activation::sigmoid, Activation::silu, Activation::squared_relu, Activation::tanh}) {
      activate(act, x.data(), x.size(), y.data(), pool, *isa);
      const bool gelu = act == Activation::gelu || act == Activation::gelu_tanh;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double want = reference::activate(act, x[i]);
        const auto rounded = static_cast<float>(want);
        const double ulp =
            std::nextafter(std::abs(rounded), std::numeric_limits<float>::infinity()) -
            std::abs(static_cast<double>(rounded));
        const bool exact = act == Activation::none || act == Activation::relu;
        const double allowed = std::max(
            {exact ? 0.0 : 4 * ulp, exact ? 0.0 : 1e-38 * std::abs(x[i]), gelu ? 2e-7 : 0.0,
             // denormals are zero in a pool's tasks
             std::abs(want) < std::numeric_limits<float>::min() ? std::abs(want) : 0.0});
        if (std::isinf(rounded)) {  // a square may be
          ASSERT_EQ(y[i], rounded) << isa->name << " activation " << static_cast<int>(act);
          continue;
        }
        ASSERT_LE(std::abs(y[i] - want), allowed)
            << isa->name << " activation " << static_cast<int>(act) << " of " << x[i];
      }
      const float nan = NAN;
      activate(act, &nan, 1, y.data(), pool, *isa);
      EXPECT_TRUE(std::isnan(y[0])) << isa->name << " activation " << static_cast<int>(act);
    }
  }
}

// float32 sums of a row lose less than 1e-6 of its deviation, even where the mean is 1000 times it:
// that loses log2(1000) of the 24 bits of the input itself, which is exact here.
TEST(add_norm, is_its_formula_for_every_width) {
  ThreadPool pool(2);
  for (const Table* isa : tables()) {
    for (const std::size_t n : kWidths) {
      const std::size_t rows = 40;
      const auto weight = normals(n, 1), bias = normals(n, 2);
      auto x = normals(rows * n, 3);
      const auto residual = normals(rows * n, 4, 0.25F);
      std::vector<double> sums(x.size());
      for (std::size_t i = 0; i < x.size(); ++i) {
        sums[i] = static_cast<double>(x[i] + residual[i]);
      }
      for (const NormKind kind : {NormKind::none, NormKind::layer_norm, NormKind::rms_norm}) {
        NormArgs norm{.kind = kind, .weight = weight.data(), .bias = bias.data(), .eps = 1e-3F};
        if (kind == NormKind::rms_norm) norm.bias = nullptr;
        auto want = sums;
        reference::normalize(want, n, norm);
        std::vector<float> y = x;  // in place
        add_norm(y.data(), residual.data(), rows, n, norm, y.data(), pool, *isa);
        EXPECT_LE(relative_error(y, want), 1e-6) << isa->name << " width " << n;
      }
    }
  }
}

TEST(add_norm, keeps_its_digits_where_the_mean_is_large) {
  ThreadPool pool(1);
  const std::size_t n = 768;
  auto x = normals(n, 3);
  for (float& v : x) v += 1000.0F;
  std::vector<double> want(x.begin(), x.end());
  const NormArgs norm{.kind = NormKind::layer_norm};
  reference::normalize(want, n, norm);
  for (const Table* isa : tables()) {
    std::vector<float> y(n);
    add_norm(x.data(), nullptr, 1, n, norm, y.data(), pool, *isa);
    // The mean itself rounds to half an ulp of 1000, 3e-5 of a deviation of 1.
    EXPECT_LE(relative_error(y, want), 5e-5) << isa->name;
  }
}

TEST(embed, gathers_adds_and_normalizes) {
  ThreadPool pool(2);
  for (const Table* isa : tables()) {
    for (const std::size_t n : kWidths) {
      const std::size_t rows = 50;
      const auto word = normals(11 * n, 1), position = normals(7 * n, 2), type = normals(2 * n, 3);
      const auto weight = normals(n, 4), bias = normals(n, 5);
      const NormArgs norm{
          .kind = NormKind::layer_norm, .weight = weight.data(), .bias = bias.data(), .eps = 1e-3F};
      std::vector<std::int32_t> ids(rows), positions(rows), types(rows);
      std::vector<double> want, words;
      for (std::size_t r = 0; r < rows; ++r) {
        ids[r] = static_cast<std::int32_t>(r * 5 % 11);
        positions[r] = static_cast<std::int32_t>(r % 7);
        types[r] = static_cast<std::int32_t>(r % 2);
        for (std::size_t i = 0; i < n; ++i) {
          words.push_back(word[static_cast<std::size_t>(ids[r]) * n + i]);
          want.push_back(static_cast<double>(words.back()) +
                         position[static_cast<std::size_t>(positions[r]) * n + i] +
                         type[static_cast<std::size_t>(types[r]) * n + i]);
        }
      }
      reference::normalize(want, n, norm);
      std::vector<float> y(rows * n);
      embed({.word = word.data(),
             .position = position.data(),
             .type = type.data(),
             .hidden = n,
             .norm = norm},
            ids.data(), positions.data(), types.data(), rows, y.data(), pool, *isa);
      // The sums round before the mean is taken away: two that nearly agree lose digits.
      EXPECT_LE(relative_error(y, want), n < 8 ? 1e-5 : 1e-6) << isa->name << " width " << n;
      embed({.word = word.data(), .hidden = n, .norm = {}}, ids.data(), nullptr, nullptr, rows,
            y.data(), pool, *isa);
      EXPECT_EQ(relative_error(y, words), 0.0) << isa->name << " width " << n;
    }
  }
}

TEST(dropout, keeps_by_the_half_words_of_philox) {
  const std::size_t n = 20'011;
  const auto x = normals(n, 1);
  const std::uint64_t seed = 0x1234'5678'9ABC'DEF0;
  const Philox random(seed, 0);
  for (const Table* isa : tables()) {
    for (const int threads : {1, 3}) {
      ThreadPool pool(threads);
      std::vector<float> y(n);
      dropout(seed, 0.25, x.data(), n, y.data(), pool, *isa);
      for (std::size_t i = 0; i < n; ++i) {
        const std::uint32_t bits = random.block(i / 8)[i % 8 / 2] >> 16 * (i % 2) & 0xFFFFU;
        ASSERT_EQ(y[i], bits < 16384 ? 0.0F : x[i] * (4.0F / 3.0F)) << isa->name << ' ' << i;
      }
    }
  }
}

TEST(cross_entropy, is_its_formula_and_slope_for_every_width) {
  for (const Table* isa : tables()) {
    for (const std::size_t n :
         {std::size_t{1}, std::size_t{5}, std::size_t{37}, std::size_t{5000}}) {
      const std::size_t rows = 9;
      auto x = normals(rows * n, 1, 4.0F);
      for (std::size_t i = 0; i < n; ++i) x[i] += 1000.0F;  // no e^x of it is finite
      if (n > 1) x[2 * n] = -1e30F;
      std::vector<std::int64_t> targets(rows);
      for (std::size_t r = 0; r < rows; ++r) targets[r] = static_cast<std::int64_t>(r * 7 % n);
      std::vector<double> want(rows), want_back(rows * n);
      for (std::size_t r = 0; r < rows; ++r) {
        const float* row = x.data() + r * n;
        const double most = *std::max_element(row, row + n);
        double sum = 0;
        for (std::size_t i = 0; i < n; ++i) sum += std::exp(row[i] - most);
        want[r] = most + std::log(sum) - row[targets[r]];
        for (std::size_t i = 0; i < n; ++i)
          want_back[r * n + i] = 0.5 * (std::exp(row[i] - most) / sum -
                                        (i == static_cast<std::size_t>(targets[r]) ? 1 : 0));
      }
      std::vector<float> first;
      for (const int threads : {1, 2, 3}) {
        ThreadPool pool(threads);
        std::vector<double> losses(rows), logs(rows);
        auto back = x;
        cross_entropy(x.data(), targets.data(), rows, n, losses.data(), logs.data(), pool, *isa);
        cross_entropy_back(targets.data(), logs.data(), 0.5F, rows, n, back.data(), pool, *isa);
        for (std::size_t r = 0; r < rows; ++r)
          EXPECT_NEAR(losses[r], want[r], 1e-6 * (1 + std::abs(want[r]))) << isa->name << ' ' << n;
        EXPECT_LE(relative_error(back, want_back), 1e-6) << isa->name << ' ' << n;
        if (first.empty()) first = back;
        EXPECT_EQ(back, first) << isa->name << " threads " << threads;
      }
      std::vector<float> strange(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(n));
      strange[0] = NAN;
      ThreadPool pool(1);
      double loss = 0, log = 0;
      cross_entropy(strange.data(), targets.data(), 1, n, &loss, &log, pool, *isa);
      EXPECT_TRUE(std::isnan(loss)) << isa->name;
    }
  }
}

}  // namespace
}  // namespace fnet::kernels
