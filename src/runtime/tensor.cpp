#include "runtime/tensor.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "core/error.h"

namespace fnet {
namespace {

template <class F>
Tensor map(const Tensor& x, F f) {
  Tensor y(x.rows(), x.cols());
  std::ranges::transform(x.values(), y.fill().begin(), f);
  return y;
}

/// f(a, b) with [T, 1] and [1, H] repeated.
template <class F>
Tensor zip(const Tensor& a, const Tensor& b, F f) {
  const auto fits = [](std::int64_t m, std::int64_t n) { return m == n || m == 1 || n == 1; };
  require(fits(a.rows(), b.rows()) && fits(a.cols(), b.cols()), Kind::internal,
          "shapes [{}, {}] and [{}, {}] do not fit", a.rows(), a.cols(), b.rows(), b.cols());
  Tensor y(std::max(a.rows(), b.rows()), std::max(a.cols(), b.cols()));
  const std::size_t a_step = a.cols() == 1 ? 0 : 1;
  const std::size_t b_step = b.cols() == 1 ? 0 : 1;
  float* out = y.fill().data();
  for (std::int64_t i = 0; i < y.rows(); ++i) {
    const float* p = a.row(a.rows() == 1 ? 0 : i).data();
    const float* q = b.row(b.rows() == 1 ? 0 : i).data();
    for (std::int64_t j = 0; j < y.cols(); ++j, p += a_step, q += b_step) *out++ = f(*p, *q);
  }
  return y;
}

float logistic(float v) { return 1.0F / (1.0F + std::exp(-v)); }

/// Σ a[i] b[i] in sixteen partial sums: fast, and in an order that depends on n alone.
float dot(const float* a, const float* b, std::int64_t n) {
  constexpr int lanes = 16;
  float sums[lanes] = {};
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (int k = 0; k < lanes; ++k) sums[k] += a[i + k] * b[i + k];
  }
  for (int k = 0; i < n; ++i, ++k) sums[k] += a[i] * b[i];
  for (int half = lanes / 2; half > 0; half /= 2) {
    for (int k = 0; k < half; ++k) sums[k] += sums[k + half];
  }
  return sums[0];
}

}  // namespace

Tensor::Tensor(std::int64_t rows, std::int64_t cols)
    : Tensor(rows, cols, std::vector<float>(static_cast<std::size_t>(rows * cols))) {}

Tensor::Tensor(std::int64_t rows, std::int64_t cols, std::vector<float> values)
    : rows_(rows), cols_(cols), values_(std::make_shared<std::vector<float>>(std::move(values))) {
  require(values_->size() == static_cast<std::size_t>(rows * cols), Kind::internal,
          "tensor [{}, {}] of {} values", rows, cols, values_->size());
}

Tensor operator+(const Tensor& a, const Tensor& b) { return zip(a, b, std::plus<>()); }
Tensor operator-(const Tensor& a, const Tensor& b) { return zip(a, b, std::minus<>()); }
Tensor operator*(const Tensor& a, const Tensor& b) { return zip(a, b, std::multiplies<>()); }
Tensor operator+(const Tensor& a, double b) {
  return map(a, [s = static_cast<float>(b)](float v) { return v + s; });
}
Tensor operator*(const Tensor& a, double b) {
  return map(a, [s = static_cast<float>(b)](float v) { return v * s; });
}

Tensor rsqrt(const Tensor& x) {
  return map(x, [](float v) { return 1.0F / std::sqrt(v); });
}
Tensor tanh(const Tensor& x) {
  return map(x, [](float v) { return std::tanh(v); });
}
Tensor sigmoid(const Tensor& x) { return map(x, logistic); }
Tensor relu(const Tensor& x) {
  return map(x, [](float v) { return std::max(v, 0.0F); });
}
Tensor silu(const Tensor& x) {
  return map(x, [](float v) { return v * logistic(v); });
}
Tensor gelu(const Tensor& x) {
  return map(x, [](float v) { return 0.5F * v * (1.0F + std::erf(v * 0.70710678F)); });
}
Tensor gelu_tanh(const Tensor& x) {
  return map(x, [](float v) {
    return 0.5F * v * (1.0F + std::tanh(0.79788456F * (v + 0.044715F * v * v * v)));
  });
}

Tensor mean_last(const Tensor& x) {
  Tensor y(x.rows(), 1);
  for (std::int64_t i = 0; i < x.rows(); ++i) {
    double sum = 0;
    for (const float v : x.row(i)) sum += v;
    y.fill()[static_cast<std::size_t>(i)] = static_cast<float>(sum / static_cast<double>(x.cols()));
  }
  return y;
}

Tensor dense(const Tensor& x, const Tensor& weight) {
  require(x.cols() == weight.cols(), Kind::internal, "dense: x has {} columns, the weight {}",
          x.cols(), weight.cols());
  Tensor y(x.rows(), weight.rows());
  float* out = y.fill().data();
  for (std::int64_t i = 0; i < x.rows(); ++i) {
    for (std::int64_t j = 0; j < weight.rows(); ++j) {
      *out++ = dot(x.row(i).data(), weight.row(j).data(), x.cols());
    }
  }
  return y;
}
Tensor dense(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return dense(x, weight) + bias;
}

Tensor lookup(const Tensor& table, std::span<const std::int32_t> ids) {
  Tensor y(static_cast<std::int64_t>(ids.size()), table.cols());
  auto out = y.fill().begin();
  for (const std::int32_t id : ids) out = std::ranges::copy(table.row(id), out).out;
  return y;
}

Tensor first_rows(const Tensor& x, const Rows& rows) {
  Tensor y(rows.texts(), x.cols());
  auto out = y.fill().begin();
  for (std::int64_t i = 0; i < rows.texts(); ++i) {
    out = std::ranges::copy(x.row(rows.begin(i)), out).out;
  }
  return y;
}

Tensor mean_rows(const Tensor& x, const Rows& rows) {
  Tensor y(rows.texts(), x.cols());
  std::vector<double> sum(static_cast<std::size_t>(x.cols()));
  float* out = y.fill().data();
  for (std::int64_t i = 0; i < rows.texts(); ++i) {
    std::ranges::fill(sum, 0.0);
    for (std::int64_t r = 0; r < rows.length(i); ++r) {
      const auto row = x.row(rows.begin(i) + r);
      for (std::size_t c = 0; c < sum.size(); ++c) sum[c] += row[c];
    }
    for (const double s : sum) *out++ = static_cast<float>(s / static_cast<double>(rows.length(i)));
  }
  return y;
}

Tensor max_rows(const Tensor& x, const Rows& rows) {
  Tensor y = first_rows(x, rows);
  for (std::int64_t i = 0; i < rows.texts(); ++i) {
    const auto best = y.fill().subspan(static_cast<std::size_t>(i * x.cols()));
    for (std::int64_t r = 1; r < rows.length(i); ++r) {
      const auto row = x.row(rows.begin(i) + r);
      for (std::size_t c = 0; c < row.size(); ++c) best[c] = std::max(best[c], row[c]);
    }
  }
  return y;
}

Tensor fourier_mix(const Tensor& x, const Rows& rows, bool ortho) {
  // Re(F_L X F_H) = C_L X C_H − S_L X S_H, by definition.
  Tensor y(x.rows(), x.cols());
  const std::int64_t h = x.cols();
  const auto table = [](std::int64_t n) {
    std::vector<std::pair<double, double>> t(static_cast<std::size_t>(n));
    for (std::int64_t k = 0; k < n; ++k) {
      const double a = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n);
      t[static_cast<std::size_t>(k)] = {std::cos(a), std::sin(a)};
    }
    return t;
  };
  const auto th = table(h);
  for (std::int64_t text = 0; text < rows.texts(); ++text) {
    const std::int64_t l = rows.rows(text), begin = rows.begin(text);
    const auto tl = table(l);
    std::vector<double> c(static_cast<std::size_t>(l * h)), s(c.size());
    for (std::int64_t i = 0; i < l; ++i)
      for (std::int64_t k = 0; k < h; ++k)
        for (std::int64_t j = 0; j < h; ++j) {
          const auto& [co, si] = th[static_cast<std::size_t>(k * j % h)];
          const double v = x.row(begin + i)[static_cast<std::size_t>(j)];
          c[static_cast<std::size_t>(i * h + k)] += v * co;
          s[static_cast<std::size_t>(i * h + k)] += v * si;
        }
    const double scale = ortho ? 1 / std::sqrt(static_cast<double>(l * h)) : 1;
    for (std::int64_t n = 0; n < l; ++n)
      for (std::int64_t k = 0; k < h; ++k) {
        double sum = 0;
        for (std::int64_t i = 0; i < l; ++i) {
          const auto& [co, si] = tl[static_cast<std::size_t>(n * i % l)];
          sum += co * c[static_cast<std::size_t>(i * h + k)] - si * s[static_cast<std::size_t>(i * h + k)];
        }
        y.fill()[static_cast<std::size_t>((begin + n) * h + k)] = static_cast<float>(sum * scale);
      }
  }
  return y;
}

}  // namespace fnet
