#include "kernels/filter.h"

#include <gtest/gtest.h>

#include <complex>
#include <string>
#include <vector>

#include "reference.h"
#include "unit/kernels/fourier_reference.h"

namespace fnet::kernels {
namespace {

using Values = std::vector<float>;
using Complex = std::complex<double>;

/// By definition, in double: the spectrum of each column, the filter between its two nearest
/// frequencies, and the sum back, of which the real part counts.
std::vector<double> by_definition(const Values& x, std::size_t length, const Values& re,
                                  const Values& im, std::size_t frequencies, std::size_t hidden) {
  const auto roots = reference::roots_of_unity(length);
  const std::size_t last = frequencies - 1;
  std::vector<double> y(x.size());
  for (std::size_t c = 0; c < hidden; ++c) {
    for (std::size_t n = 0; n < length; ++n) {
      const bool conjugate = 2 * n > length;
      const double place = static_cast<double>(2 * last * (conjugate ? length - n : n)) /
                           static_cast<double>(length);
      const auto below = std::min(static_cast<std::size_t>(place), last);
      const std::size_t above = std::min(below + 1, last);
      const double share = place - static_cast<double>(below);
      const auto at = [&](std::size_t k) {
        return Complex(re[k * hidden + c], im[k * hidden + c]);
      };
      Complex w = at(below) * (1 - share) + at(above) * share;
      if (conjugate) w = std::conj(w);
      if (n == 0 || 2 * n == length) w = w.real();
      Complex spectrum = 0;
      for (std::size_t l = 0; l < length; ++l) {
        spectrum += static_cast<double>(x[l * hidden + c]) * roots[n * l % length];
      }
      for (std::size_t l = 0; l < length; ++l) {
        y[l * hidden + c] +=
            (spectrum * w * std::conj(roots[n * l % length])).real() / static_cast<double>(length);
      }
    }
  }
  return y;
}

class FilterIsa : public testing::TestWithParam<const Table*> {};

TEST_P(FilterIsa, is_the_product_of_the_spectra_by_definition_for_any_length) {
  for (const std::size_t hidden : {1, 16, 37, 70}) {
    for (const std::size_t frequencies : {1, 2, 9, 17}) {
      const Values re = reference::normals(frequencies * hidden, 1);
      const Values im = reference::normals(frequencies * hidden, 2);
      Rows rows;
      for (const std::int64_t length : {1, 2, 3, 16, 32, 45, 67, 128}) rows.add(length);
      const Values x = reference::normals(static_cast<std::size_t>(rows.total()) * hidden, 3);
      Values y(x.size());
      ThreadPool pool(2);
      Workspace workspace;
      filter(rows, {re.data(), im.data(), frequencies, hidden}, x.data(), y.data(), pool, workspace,
             *GetParam());
      for (std::int64_t text = 0; text < rows.texts(); ++text) {
        const auto begin =
            static_cast<std::ptrdiff_t>(rows.begin(text) * static_cast<std::int64_t>(hidden));
        const auto end =
            static_cast<std::ptrdiff_t>(rows.begin(text + 1) * static_cast<std::int64_t>(hidden));
        const auto length = static_cast<std::size_t>(rows.rows(text));
        const Values own(x.begin() + begin, x.begin() + end);
        const auto want = by_definition(own, length, re, im, frequencies, hidden);
        EXPECT_LE(reference::relative_error(Values(y.begin() + begin, y.begin() + end), want), 1e-6)
            << length << " × " << hidden << ", " << frequencies;
      }
    }
  }
}

TEST_P(FilterIsa, of_ones_changes_nothing) {
  Rows rows;
  rows.add(50);
  const Values ones(7 * 20, 1.0F), zeros(7 * 20, 0.0F), x = reference::normals(50 * 20, 4);
  Values y(x.size());
  ThreadPool pool(1);
  Workspace workspace;
  filter(rows, {ones.data(), zeros.data(), 7, 20}, x.data(), y.data(), pool, workspace,
         *GetParam());
  EXPECT_LE(reference::relative_error(y, x), 3e-7);
}

INSTANTIATE_TEST_SUITE_P(on, FilterIsa, testing::ValuesIn(tables().begin(), tables().end()),
                         [](const auto& isa) { return std::string(isa.param->name); });

}  // namespace
}  // namespace fnet::kernels
