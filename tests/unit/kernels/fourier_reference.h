#pragma once

#include <cmath>
#include <complex>
#include <cstddef>
#include <numbers>
#include <vector>

namespace fnet::reference {

/// exp(-2πi·k/n) for k = 0 … n-1.
inline std::vector<std::complex<double>> roots_of_unity(std::size_t n) {
  std::vector<std::complex<double>> roots(n);
  for (std::size_t k = 0; k < n; ++k) {
    roots[k] =
        std::polar(1.0, -2.0 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n));
  }
  return roots;
}

/// Fourier mixing by its definition, in double: all columns of the rows `rows`; `hartley`: Re − Im.
/// Returns [rows.size(), H].
inline std::vector<double> fourier_rows(const std::vector<float>& x, std::size_t length,
                                        std::size_t hidden, const std::vector<std::size_t>& rows,
                                        bool hartley = false) {
  const auto along_text = roots_of_unity(length), along_row = roots_of_unity(hidden);
  std::vector<double> out;
  std::vector<std::complex<double>> sum(hidden);
  for (const std::size_t n : rows) {
    sum.assign(hidden, 0.0);
    for (std::size_t l = 0; l < length; ++l) {
      const std::complex<double> w = along_text[n * l % length];
      for (std::size_t h = 0; h < hidden; ++h) sum[h] += w * static_cast<double>(x[l * hidden + h]);
    }
    for (std::size_t k = 0; k < hidden; ++k) {
      std::complex<double> total = 0.0;
      for (std::size_t h = 0; h < hidden; ++h) {
        const std::complex<double> w = along_row[k * h % hidden];
        total += sum[h] * w;
      }
      out.push_back(hartley ? total.real() - total.imag() : total.real());
    }
  }
  return out;
}

}  // namespace fnet::reference
