#include "kernels/fourier_dft.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <numbers>
#include <utility>

namespace fnet::kernels {
namespace {

/// Up to here a prime factor p is one butterfly of p² operations; above, Bluestein is cheaper.
constexpr std::size_t kMaxPrime = 61;
/// Up to here one short transform and its copy stay in the L1 cache.
constexpr std::size_t kMaxShort = 96;

using Complex = std::complex<double>;

/// exp(-2πi·k/n), k < n.
Complex root(std::uint64_t k, std::uint64_t n) {
  const double angle = 2.0 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n);
  return {std::cos(angle), -std::sin(angle)};
}

Factor factor(Complex c) {
  const auto re = static_cast<float>(c.real()), im = static_cast<float>(c.imag());
  return {re, im, static_cast<float>(c.real() - re), static_cast<float>(c.imag() - im)};
}

/// The radices of a short transform, best first, or prime factors where there is no codelet.
std::vector<std::size_t> radices(std::size_t n) {
  std::vector<std::size_t> out;
  for (std::size_t p = 3; p * p <= n; p += 2) {
    while (n % p == 0) out.push_back(p), n /= p;
  }
  std::size_t twos = 0;
  while (n % 2 == 0) ++twos, n /= 2;
  if (n > 1) out.push_back(n);
  std::sort(out.rbegin(), out.rend());
  for (; twos >= 3 && twos != 4; twos -= 3) out.push_back(8);
  for (; twos >= 2; twos -= 2) out.push_back(4);
  if (twos == 1) out.push_back(2);
  return out;
}

/// Operations a point of one pass, the memory traffic included: an estimate.
double pass_cost(std::size_t radix) {
  switch (radix) {
    case 2:
      return 3.0;
    case 3:
    case 4:
      return 4.5;
    case 5:
      return 6.5;
    case 7:
      return 9.0;
    case 8:
      return 6.5;
    default:
      return 4.0 + static_cast<double>(radix);
  }
}

double cost(std::size_t n) {
  double sum = n > kMaxShort ? 3.0 : 0.0;
  for (const std::size_t radix : radices(n)) sum += pass_cost(radix);
  return sum * static_cast<double>(n);
}

std::size_t largest_prime(std::size_t n) {
  std::size_t largest = 1;
  for (std::size_t p = 2; p * p <= n; ++p) {
    while (n % p == 0) largest = p, n /= p;
  }
  return std::max(largest, n);
}

/// The cheapest m ≥ least without prime factors over 7.
std::size_t smooth_length(std::size_t least) {
  std::size_t best = 0;
  double best_cost = std::numeric_limits<double>::infinity();
  for (std::size_t a = 1; a < 2 * least; a *= 7) {
    for (std::size_t b = a; b < 2 * least; b *= 5) {
      for (std::size_t c = b; c < 2 * least; c *= 3) {
        std::size_t m = c;
        while (m < least) m *= 2;
        if (const double found = cost(m); found < best_cost) best = m, best_cost = found;
      }
    }
  }
  return best;
}

/// The length of the outer transform: the divisor nearest to the square root, or 1.
std::size_t outer_length(std::size_t m) {
  if (m <= kMaxShort) return 1;
  std::size_t d = static_cast<std::size_t>(std::sqrt(static_cast<double>(m)));
  while (m % d != 0) --d;
  return d;
}

/// In double, in place, any length: only to make the chirp's spectrum. Decimation in time by the
/// smallest prime factor.
void reference_dft(std::vector<Complex>& x) {
  const std::size_t n = x.size();
  std::size_t p = 2;
  while (p * p <= n && n % p != 0) ++p;
  if (p * p > n) p = n;
  if (p <= 1) return;
  const std::size_t m = n / p;
  std::vector<std::vector<Complex>> part(p, std::vector<Complex>(m));
  for (std::size_t j = 0; j < n; ++j) part[j % p][j / p] = x[j];
  if (m > 1) {
    for (auto& sub : part) reference_dft(sub);
  }
  std::vector<Complex> roots(n);
  for (std::size_t k = 0; k < n; ++k) roots[k] = root(k, n);
  for (std::size_t k = 0; k < n; ++k) {
    Complex sum = 0.0;
    for (std::size_t j = 0; j < p; ++j) sum += part[j][k % m] * roots[j * k % n];
    x[k] = sum;
  }
}

}  // namespace

Dft::Dft(std::size_t n) {
  tables_.length = n;
  if (largest_prime(n) <= kMaxPrime) {
    build_smooth(n);
  } else {
    build_smooth(smooth_length(2 * n - 1));
    build_chirp(n);
  }
  DftTables& t = tables_;
  t.pitch = t.inner.length | 1;
  t.scratch = 3 * std::max(t.outer.length, t.inner.length);
  if (t.outer.length > 1) t.scratch += t.outer.length * t.pitch;
  if (t.chirp != nullptr) t.scratch += t.work_length;
}

std::size_t Dft::bytes() const noexcept {
  std::size_t sum = sizeof *this;
  for (const auto& table : factors_) sum += table.size() * sizeof(Factor);
  for (const auto& table : matrices_) sum += table.size() * sizeof(float);
  return sum;
}

const Factor* Dft::keep(std::vector<Factor> factors) {
  return factors_.emplace_back(std::move(factors)).data();
}

const float* Dft::keep(std::vector<float> matrix) {
  return matrices_.emplace_back(std::move(matrix)).data();
}

void Dft::build_smooth(std::size_t m) {
  tables_.work_length = m;
  const std::size_t outer = outer_length(m);
  tables_.outer = short_dft(outer);
  tables_.inner = short_dft(m / outer);
  if (outer == 1) return;
  std::vector<Factor> twiddles;
  twiddles.reserve(m);
  for (std::size_t j = 0; j < m / outer; ++j) {
    for (std::size_t k = 0; k < outer; ++k) twiddles.push_back(factor(root(j * k % m, m)));
  }
  tables_.twiddles = keep(std::move(twiddles));
}

void Dft::build_chirp(std::size_t n) {
  const std::size_t m = tables_.work_length;
  std::vector<Factor> chirp, spectrum;
  std::vector<Complex> kernel(m);
  chirp.reserve(n);
  spectrum.reserve(m);
  for (std::size_t j = 0; j < n; ++j) {
    const Complex c = root(j * j % (2 * n), 2 * n);
    chirp.push_back(factor(c));
    kernel[j] = std::conj(c) / static_cast<double>(m);
    if (j > 0) kernel[m - j] = kernel[j];
  }
  reference_dft(kernel);
  for (const Complex& c : kernel) spectrum.push_back(factor(c));
  tables_.chirp = keep(std::move(chirp));
  tables_.kernel = keep(std::move(spectrum));
}

DftShort Dft::short_dft(std::size_t n) {
  DftShort out;
  out.length = n;
  std::size_t rest = n;
  for (const std::size_t radix : radices(n)) {
    DftPass& pass = out.passes[out.count++];
    pass.radix = static_cast<std::uint32_t>(radix);
    if (radix > 8) {
      std::vector<float> matrix;
      for (std::size_t k = 1; k <= radix / 2; ++k) {
        for (std::size_t j = 1; j <= radix / 2; ++j) {
          const Complex c = root(j * k % radix, radix);
          matrix.insert(matrix.end(),
                        {static_cast<float>(c.real()), static_cast<float>(-c.imag())});
        }
      }
      pass.matrix = keep(std::move(matrix));
    }
    const std::size_t next = rest / radix;
    if (next > 1) {
      std::vector<Factor> twiddles;
      for (std::size_t p = 0; p < next; ++p) {
        for (std::size_t k = 1; k < radix; ++k) twiddles.push_back(factor(root(p * k, rest)));
      }
      pass.twiddles = keep(std::move(twiddles));
    }
    rest = next;
  }
  return out;
}

LineDft::LineDft(std::size_t n) : down_(n % kLine == 0 ? n / kLine : 1), across_(kLine) {
  if (n % kLine != 0) return;
  twiddles_.resize(4 * n);
  for (std::size_t k = 0; k < n / kLine; ++k) {
    float* const of_k = twiddles_.data() + 4 * k * kLine;
    for (std::size_t s = 0; s < kLine; ++s) {
      const Factor twiddle = factor(root(s * k % n, n));
      of_k[s] = twiddle.re;
      of_k[kLine + s] = twiddle.im;
      of_k[2 * kLine + s] = twiddle.re_rest;
      of_k[3 * kLine + s] = twiddle.im_rest;
    }
  }
}

LineTables LineDft::tables() const noexcept {
  return {down_.tables(), across_.tables(), twiddles_.empty() ? nullptr : twiddles_.data()};
}

}  // namespace fnet::kernels
