#include "runtime/tensor.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "core/error.h"
#include "kernels/fourier.h"
#include "kernels/workspace.h"

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

thread_local ThreadPool* workers = nullptr;

ThreadPool& current_pool() {
  if (workers != nullptr) return *workers;
  thread_local ThreadPool alone(1);
  return alone;
}

kernels::Workspace& workspace() {
  thread_local kernels::Workspace space;
  return space;
}

Tensor product(const Tensor& x, const Tensor& weight, const float* bias) {
  require(x.cols() == weight.cols(), Kind::internal, "dense: x has {} columns, the weight {}",
          x.cols(), weight.cols());
  Tensor y(x.rows(), weight.rows());
  kernels::linear(x.values().data(), static_cast<std::size_t>(x.rows()), weight.packed(), bias,
                  kernels::Activation::none, y.fill().data(), current_pool(), workspace());
  return y;
}

}  // namespace

Tensor::Tensor(std::int64_t rows, std::int64_t cols)
    : Tensor(rows, cols, std::vector<float>(static_cast<std::size_t>(rows * cols))) {}

Tensor::Tensor(std::int64_t rows, std::int64_t cols, std::vector<float> values)
    : rows_(rows), cols_(cols), storage_(std::make_shared<Storage>()) {
  storage_->values = std::move(values);
  require(storage_->values.size() == static_cast<std::size_t>(rows * cols), Kind::internal,
          "tensor [{}, {}] of {} values", rows, cols, storage_->values.size());
}

void Tensor::resize(std::int64_t rows, std::int64_t cols) {
  rows_ = rows;
  cols_ = cols;
  if (!storage_) storage_ = std::make_shared<Storage>();
  if (storage_->values.size() < size()) storage_->values.resize(size());
}

std::size_t Tensor::capacity_bytes() const {
  return storage_ ? storage_->values.capacity() * sizeof(float) : 0;
}

const kernels::PackedMatrix& Tensor::packed() const {
  std::call_once(storage_->once, [this] {
    storage_->packed = kernels::pack(values().data(), static_cast<std::size_t>(rows_),
                                     static_cast<std::size_t>(cols_), kernels::Dtype::float32);
  });
  return storage_->packed;
}

UseThreads::UseThreads(ThreadPool& pool) : outer_(std::exchange(workers, &pool)) {}
UseThreads::~UseThreads() { workers = outer_; }

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

Tensor dense(const Tensor& x, const Tensor& weight) { return product(x, weight, nullptr); }
Tensor dense(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return product(x, weight, bias.values().data());
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
  Tensor y(x.rows(), x.cols());
  auto& cache = kernels::fourier_plans(static_cast<std::size_t>(x.cols()), ortho);
  std::vector<std::shared_ptr<const kernels::FourierPlan>> held;
  std::vector<kernels::FourierText> texts;
  for (std::int64_t i = 0; i < rows.texts(); ++i) {
    held.push_back(cache.get(static_cast<std::size_t>(rows.rows(i))));
    const std::int64_t begin = rows.begin(i) * x.cols();
    texts.push_back(
        {held.back().get(), x.values().data() + begin, nullptr, y.fill().data() + begin});
  }
  kernels::fourier_mix(texts, kernels::NormArgs{}, current_pool(), workspace());
  return y;
}

}  // namespace fnet
