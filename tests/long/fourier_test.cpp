#include "kernels/fourier.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <vector>

#include "reference.h"
#include "unit/kernels/fourier_reference.h"

namespace fnet::kernels {
namespace {

// No length is worse than the others: 1e-6·log2(n) bounds the root mean square error of each, and
// what is measured is ten times smaller. Sixteen rows of each length stand for all.
TEST(FourierEveryLength, errs_by_less_than_1e_6_a_level_up_to_4096) {
  constexpr std::size_t kHidden = 4;
  Workspace workspace;
  for (std::size_t length = 1; length <= 4096; ++length) {
    const FourierPlan plan(length, kHidden, false);
    const std::vector<float> x = reference::normals(length * kHidden, length);
    std::vector<std::size_t> rows;
    for (std::size_t i = 0; i < 16; ++i) rows.push_back(i * length / 16);
    const std::vector<double> wanted = reference::fourier_rows(x, length, kHidden, rows);
    for (const Table* isa : tables()) {
      std::vector<float> y(x.size());
      fourier_mix({.plan = &plan, .x = x.data(), .y = y.data()}, {}, workspace, *isa);
      double errors = 0.0;
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        const double error = y[rows[i / kHidden] * kHidden + i % kHidden] - wanted[i];
        errors += error * error / static_cast<double>(wanted.size());
      }
      // The mean square of an output is L·H times that of an input.
      const double relative = std::sqrt(errors / static_cast<double>(length * kHidden));
      ASSERT_LE(relative, 1e-6 * std::log2(static_cast<double>(length + 1)))
          << length << ", " << isa->name;
    }
  }
}

}  // namespace
}  // namespace fnet::kernels
