#include "kernels/fourier.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "fnet/error.h"
#include "reference.h"
#include "unit/kernels/fourier_reference.h"

namespace fnet::kernels {
namespace {

using Values = std::vector<float>;

Values mixed(const FourierPlan& plan, const Values& x, const Table& isa, const NormArgs& norm = {},
             const float* residual = nullptr) {
  Values y(x.size());
  Workspace workspace;
  fourier_mix({.plan = &plan, .x = x.data(), .residual = residual, .y = y.data()}, norm, workspace,
              isa);
  return y;
}

std::vector<std::size_t> first_rows(std::size_t count) {
  std::vector<std::size_t> rows(count);
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  return rows;
}

/// The largest error relative to the largest value wanted.
double error(const Values& y, std::size_t hidden, const std::vector<std::size_t>& rows,
             const std::vector<double>& wanted, double largest = 1e-30) {
  double worst = 0.0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const double got = y[rows[i / hidden] * hidden + i % hidden];
    if (!std::isfinite(got)) return INFINITY;
    largest = std::max(largest, std::abs(wanted[i]));
    worst = std::max(worst, std::abs(got - wanted[i]));
  }
  return worst / largest;
}

// An FFT's error grows with the square root of its log2(L·H) levels, each of half a unit in the
// last place (6e-8) of the output's size, which is a third to a fifth of the largest output's.
constexpr double kBound = 3e-7;

TEST(Fourier, is_the_dft_by_definition_for_every_length_1_to_64) {
  for (const std::size_t hidden : {1, 2, 3, 5, 8, 16, 37, 64, 96}) {
    for (std::size_t length = 1; length <= 64; ++length) {
      const Values x = reference::normals(length * hidden, length);
      const FourierPlan plan(length, hidden, false);
      const auto rows = first_rows(length);
      const auto wanted = reference::fourier_rows(x, length, hidden, rows);
      for (const Table* isa : tables()) {
        EXPECT_LE(error(mixed(plan, x, *isa), hidden, rows, wanted), kBound)
            << length << " × " << hidden << ", " << isa->name;
      }
    }
  }
}

TEST(Fourier, is_the_dft_by_definition_for_long_texts) {
  // 67, 509: primes, by convolution; 121 and 488: butterflies of 11 and 61 points.
  for (const std::size_t hidden : {67, 256, 768, 1024}) {
    for (const std::size_t length : {67, 100, 121, 127, 128, 488, 509, 512, 1000, 1024}) {
      const Values x = reference::normals(length * hidden, length);
      const FourierPlan plan(length, hidden, false);
      const std::vector<std::size_t> rows = {0, 1, length / 2, length - 1};
      const auto wanted = reference::fourier_rows(x, length, hidden, rows);
      for (const Table* isa : tables()) {
        EXPECT_LE(error(mixed(plan, x, *isa), hidden, rows, wanted), kBound)
            << length << " × " << hidden << ", " << isa->name;
      }
    }
  }
}

TEST(Hartley, is_the_real_minus_the_imaginary_part_for_every_length_1_to_64) {
  for (const std::size_t hidden : {1, 2, 3, 5, 8, 16, 37, 64, 96}) {
    for (std::size_t length = 1; length <= 64; ++length) {
      const Values x = reference::normals(length * hidden, length);
      const FourierPlan plan(length, hidden, false, SpectrumPart::hartley);
      const auto rows = first_rows(length);
      const auto wanted = reference::fourier_rows(x, length, hidden, rows, true);
      for (const Table* isa : tables()) {
        EXPECT_LE(error(mixed(plan, x, *isa), hidden, rows, wanted), kBound)
            << length << " × " << hidden << ", " << isa->name;
      }
    }
  }
}

TEST(Hartley, is_the_real_minus_the_imaginary_part_for_long_texts) {
  for (const std::size_t hidden : {67, 256, 768}) {
    for (const std::size_t length : {100, 121, 127, 509, 512}) {
      const Values x = reference::normals(length * hidden, length);
      const FourierPlan plan(length, hidden, false, SpectrumPart::hartley);
      const std::vector<std::size_t> rows = {0, 1, length / 2, length - 1};
      const auto wanted = reference::fourier_rows(x, length, hidden, rows, true);
      for (const Table* isa : tables()) {
        EXPECT_LE(error(mixed(plan, x, *isa), hidden, rows, wanted), kBound)
            << length << " × " << hidden << ", " << isa->name;
      }
    }
  }
}

/// Both operators of a text.
constexpr SpectrumPart kParts[] = {SpectrumPart::real, SpectrumPart::hartley};

class FourierIsa : public testing::TestWithParam<const Table*> {};

TEST_P(FourierIsa, of_a_hartley_transform_is_the_text_again) {
  for (const std::size_t length : {1, 2, 31, 48}) {
    const std::size_t hidden = 40;
    const FourierPlan plan(length, hidden, true, SpectrumPart::hartley);
    const Values x = reference::normals(length * hidden, 1);
    const Values twice = mixed(plan, mixed(plan, x, *GetParam()), *GetParam());
    EXPECT_LE(reference::relative_error(twice, x), 1e-6) << length;
  }
}

TEST_P(FourierIsa, scales_orthonormal_plans) {
  const std::size_t length = 12, hidden = 10;
  const Values x = reference::normals(length * hidden, 1);
  const Values plain = mixed(FourierPlan(length, hidden, false), x, *GetParam());
  const Values ortho = mixed(FourierPlan(length, hidden, true), x, *GetParam());
  for (std::size_t i = 0; i < x.size(); ++i)
    EXPECT_NEAR(ortho[i], plain[i] / std::sqrt(120.0), 1e-6);
}

// The complex transform is unitary: of its real part and its imaginary part, which is the real part
// less the Hartley transform, the energies add up to the text's.
TEST_P(FourierIsa, of_an_orthonormal_plan_keeps_the_energy) {
  for (const std::size_t hidden : {1, 8, 37, 64}) {
    for (const std::size_t length : {1, 2, 9, 31, 48, 127}) {
      const Values x = reference::normals(length * hidden, 10);
      const Values real = mixed(FourierPlan(length, hidden, true), x, *GetParam());
      const Values hartley =
          mixed(FourierPlan(length, hidden, true, SpectrumPart::hartley), x, *GetParam());
      double energy = 0.0, kept = 0.0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double imaginary = static_cast<double>(real[i]) - hartley[i];
        energy += static_cast<double>(x[i]) * x[i];
        kept += static_cast<double>(real[i]) * real[i] + imaginary * imaginary;
      }
      EXPECT_NEAR(kept / energy, 1.0, 1e-6) << length << " × " << hidden;
    }
  }
}

TEST_P(FourierIsa, scales_with_its_input_to_the_bit_from_tiny_to_huge) {
  for (const std::size_t length : {48, 127}) {
    const std::size_t hidden = 40;
    const FourierPlan plan(length, hidden, true);
    const Values x = reference::normals(length * hidden, 11);
    const Values y = mixed(plan, x, *GetParam());
    for (const float scale : {0x1p-27F, 0x1p7F, 0x1p60F}) {  // 7e-9 to 1e18
      Values scaled = x, wanted = y;
      for (float& v : scaled) v *= scale;
      for (float& v : wanted) v *= scale;
      EXPECT_EQ(mixed(plan, scaled, *GetParam()), wanted) << length << ", " << scale;
    }
  }
}

TEST_P(FourierIsa, of_another_plan_of_the_size_has_equal_bits) {
  const Values x = reference::normals(100 * 67, 12);
  EXPECT_EQ(mixed(FourierPlan(100, 67, false), x, *GetParam()),
            mixed(FourierPlan(100, 67, false), x, *GetParam()));
}

TEST_P(FourierIsa, sees_the_order_of_rows_and_moves_them_all) {
  const std::size_t order[] = {3, 1, 7, 0, 5, 2, 6, 4};  // no reversal, no shift
  const std::size_t hidden = 16;
  const FourierPlan plan(8, hidden, false);
  const Values x = reference::normals(8 * hidden, 13);
  const Values y = mixed(plan, x, *GetParam());
  Values permuted(x.size()), changed = x;
  for (std::size_t i = 0; i < x.size(); ++i)
    permuted[i] = x[order[i / hidden] * hidden + i % hidden];
  for (std::size_t k = 0; k < hidden; ++k) changed[k] += 0.5F;
  const Values of_permuted = mixed(plan, permuted, *GetParam());
  const Values of_changed = mixed(plan, changed, *GetParam());
  float far = 0.0F;
  for (std::size_t n = 0; n < 8; ++n) {
    float moved = 0.0F;
    for (std::size_t k = 0; k < hidden; ++k) {
      const std::size_t i = n * hidden + k;
      far = std::max(far, std::abs(of_permuted[i] - y[order[n] * hidden + k]));
      moved = std::max(moved, std::abs(of_changed[i] - y[i]));
    }
    EXPECT_GT(moved, 1.0F) << n;
  }
  EXPECT_GT(far, 1.0F);
}

TEST_P(FourierIsa, is_its_own_transpose_and_linear) {
  for (const std::size_t length : {1, 6, 33, 100, 127}) {
    for (const SpectrumPart part : kParts) {
      const std::size_t hidden = 96;
      const FourierPlan plan(length, hidden, true, part);
      const Values a = reference::normals(length * hidden, 1),
                   b = reference::normals(length * hidden, 2);
      const Values mixed_a = mixed(plan, a, *GetParam()), mixed_b = mixed(plan, b, *GetParam());
      double left = 0.0, right = 0.0;
      for (std::size_t i = 0; i < a.size(); ++i) {
        left += static_cast<double>(mixed_a[i]) * b[i];
        right += static_cast<double>(a[i]) * mixed_b[i];
      }
      EXPECT_NEAR(left, right, 1e-6 * static_cast<double>(a.size()));
      Values sum(a.size());
      for (std::size_t i = 0; i < a.size(); ++i) sum[i] = 2.0F * a[i] - b[i];
      const Values mixed_sum = mixed(plan, sum, *GetParam());
      for (std::size_t i = 0; i < a.size(); ++i) {
        EXPECT_NEAR(mixed_sum[i], 2.0F * mixed_a[i] - mixed_b[i], 1e-5);
      }
    }
  }
}

TEST_P(FourierIsa, mirrors_are_equal_bits) {
  const std::size_t length = 45, hidden = 80;
  const Values y = mixed(FourierPlan(length, hidden, false), reference::normals(length * hidden, 3),
                         *GetParam());
  for (std::size_t n = 1; n < length; ++n) {
    for (std::size_t k = 1; k < hidden; ++k) {
      EXPECT_EQ(y[n * hidden + k], y[(length - n) * hidden + hidden - k]);
    }
  }
}

TEST_P(FourierIsa, adds_the_residual_and_normalises) {
  for (const std::size_t hidden : {5, 37, 64, 200}) {
    const std::size_t length = 21;
    const FourierPlan plan(length, hidden, false, kParts[hidden % 2]);
    const Values x = reference::normals(length * hidden, 4),
                 residual = reference::normals(length * hidden, 5);
    const Values weight = reference::normals(hidden, 6), bias = reference::normals(hidden, 7);
    const Values plain = mixed(plan, x, *GetParam());
    const Values added = mixed(plan, x, *GetParam(), {}, residual.data());
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(added[i], plain[i] + residual[i], 1e-4);
    for (const NormKind kind : {NormKind::layer_norm, NormKind::rms_norm}) {
      const bool rms = kind == NormKind::rms_norm;
      const NormArgs norm = {
          .kind = kind, .weight = weight.data(), .bias = rms ? nullptr : bias.data(), .eps = 0.25F};
      const Values y = mixed(plan, x, *GetParam(), norm, residual.data());
      for (std::size_t n = 0; n < length; ++n) {
        const float* row = added.data() + n * hidden;
        double mean = 0.0, variance = 0.0;
        for (std::size_t k = 0; k < hidden && !rms; ++k)
          mean += row[k] / static_cast<double>(hidden);
        for (std::size_t k = 0; k < hidden; ++k)
          variance += (row[k] - mean) * (row[k] - mean) / static_cast<double>(hidden);
        for (std::size_t k = 0; k < hidden; ++k) {
          const double wanted =
              (row[k] - mean) / std::sqrt(variance + 0.25) * weight[k] + (rms ? 0.0F : bias[k]);
          EXPECT_NEAR(y[n * hidden + k], wanted, 2e-6) << hidden << " " << n << " " << k;
        }
      }
    }
  }
}

TEST_P(FourierIsa, may_write_over_its_input) {
  for (const SpectrumPart part : kParts) {
    const std::size_t length = 50, hidden = 96;
    const FourierPlan plan(length, hidden, false, part);
    Values x = reference::normals(length * hidden, 8);
    Workspace workspace;
    const Values wanted = mixed(plan, x, *GetParam(), {}, x.data());
    fourier_mix({.plan = &plan, .x = x.data(), .residual = x.data(), .y = x.data()}, {}, workspace,
                *GetParam());
    EXPECT_EQ(x, wanted);
  }
}

TEST_P(FourierIsa, gives_the_first_row_alone) {
  for (const std::size_t hidden : {1, 2, 37, 67, 768}) {
    for (const std::size_t length : {1, 2, 63, 65, 300}) {
      for (const SpectrumPart part : kParts) {
        const FourierPlan plan(length, hidden, false, part);
        const Values x = reference::normals(length * hidden, 9);
        Values y(hidden);
        Workspace workspace;
        fourier_first_row(plan, x.data(), y.data(), workspace, *GetParam());
        // A Hartley transform has twice the energy, and so twice the error's square.
        const double bound = part == SpectrumPart::hartley ? 1.5 * kBound : kBound;
        // Of a few values the largest may be small by chance: the typical size counts too.
        const double typical = std::sqrt(static_cast<double>(length * hidden));
        const auto wanted =
            reference::fourier_rows(x, length, hidden, {0}, part == SpectrumPart::hartley);
        EXPECT_LE(error(y, hidden, {0}, wanted, typical), bound) << length << " × " << hidden;
      }
    }
  }
}

// Lengths, and which texts all threads share, differ with the batch; the bytes do not. The text of
// infinities spoils nobody else's.
TEST_P(FourierIsa, bytes_do_not_depend_on_batch_or_threads) {
  const std::size_t hidden = 96;
  for (const SpectrumPart part : kParts) {
    FourierPlans plans(hidden, true, part);
    const Values weight(hidden, 1.5F), bias(hidden, 0.5F);
    const NormArgs norm = {
        .kind = NormKind::layer_norm, .weight = weight.data(), .bias = bias.data()};
    const std::vector<std::vector<std::size_t>> batches = {
        {300}, {64, 64}, {1, 2, 3, 500}, {7, 7, 7, 7, 90, 12, 33, 509}, {128, 128, 128, 128, 128}};
    for (const auto& lengths : batches) {
      std::vector<Values> x, y, wanted;
      std::vector<std::shared_ptr<const FourierPlan>> held;
      std::vector<FourierText> texts;
      for (const std::size_t length : lengths) {
        held.push_back(plans.get(length));
        x.push_back(reference::normals(length * hidden, x.size()));
        if (x.size() == 3) x.back()[5] = INFINITY;
        wanted.push_back(mixed(*held.back(), x.back(), *GetParam(), norm, x.back().data()));
        y.emplace_back(length * hidden);
      }
      for (std::size_t i = 0; i < x.size(); ++i) {
        texts.push_back(
            {.plan = held[i].get(), .x = x[i].data(), .residual = x[i].data(), .y = y[i].data()});
      }
      for (const int threads : {1, 2, 3}) {
        ThreadPool pool(threads);
        Workspace workspace;
        fourier_mix(texts, norm, pool, workspace, *GetParam());
        EXPECT_EQ(workspace.size(), fourier_bytes(texts, threads, *GetParam()));
        for (std::size_t i = 0; i < x.size(); ++i) {
          EXPECT_EQ(std::memcmp(y[i].data(), wanted[i].data(), y[i].size() * sizeof(float)), 0)
              << "text " << i << " of " << x.size() << ", " << threads << " threads";
          EXPECT_EQ(std::isfinite(y[i][0]), i != 2);
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(on, FourierIsa, testing::ValuesIn(tables().begin(), tables().end()),
                         [](const auto& isa) { return std::string(isa.param->name); });

TEST(FourierPlan, refuses_sizes_it_cannot_hold) {
  EXPECT_THROW(FourierPlan(0, 8, false), Error);
  EXPECT_THROW(FourierPlan(8, 0, false), Error);
  EXPECT_THROW(FourierPlan(std::size_t{1} << 25, 8, false), Error);
}

TEST(FourierPlan, holds_no_matrix) {
  for (const std::size_t length : {512, 1000, 1021, 4096}) {
    const FourierPlan plan(length, 768, false);
    EXPECT_LT(plan.bytes(), 64 * length * sizeof(float)) << length;  // a matrix: length² of them
  }
}

TEST(FourierPlans, keeps_the_latest_within_its_budget) {
  const FourierPlan probe(100, 8, false);
  FourierPlans plans(8, false, SpectrumPart::real, 5 * probe.bytes() / 2);
  const auto first = plans.get(100);
  const FourierPlan* second = plans.get(99).get();
  EXPECT_EQ(plans.get(100), first);  // now 99 is the oldest
  EXPECT_EQ(plans.get(99).get(), second);
  EXPECT_EQ(plans.get(100), first);
  const auto large = plans.get(2000);  // alone over the budget: kept, all others dropped
  EXPECT_EQ(plans.get(2000), large);
  EXPECT_NE(plans.get(100), first);
  EXPECT_EQ(first->length(), 100U);
}

}  // namespace
}  // namespace fnet::kernels
