#include "runtime/tensor.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "kernels/attention.h"
#include "kernels/filter.h"
#include "kernels/fourier.h"
#include "kernels/gemm.h"
#include "kernels/rows.h"

namespace fnet {

using kernels::Activation;
using kernels::Binary;

struct TensorStorage {
  kernels::AlignedBytes memory;
  std::size_t capacity = 0;                // floats of `memory`
  std::shared_ptr<const float> elsewhere;  // keeps what lies there
  std::once_flag once;
  kernels::PackedMatrix packed;

  float* room(std::size_t values) {
    if (values > capacity) {
      memory = kernels::aligned_bytes(values * sizeof(float));
      capacity = values;
    }
    return reinterpret_cast<float*>(memory.get());
  }
};

namespace {

thread_local TensorScope* current = nullptr;

}  // namespace

/// the scope of this thread, or what stands for it where there is none.
struct TensorScopeAccess {
  static ThreadPool& pool() { return current != nullptr ? *current->pool_ : this_thread(); }
  static kernels::Workspace& workspace() {
    if (current != nullptr) return current->arena_->workspace;
    thread_local kernels::Workspace own;
    return own;
  }
  static std::shared_ptr<TensorStorage> storage(std::size_t values) {
    return current != nullptr ? current->arena_->take(values) : std::make_shared<TensorStorage>();
  }
  static kernels::Dtype dtype() {
    return current != nullptr ? current->dtype_ : kernels::Dtype::float32;
  }
};

namespace {

/// f(a, b) with [T, 1] and [1, H] repeated.
Tensor combine(Binary binary, const Tensor& a, const Tensor& b) {
  const auto fits = [](std::int64_t m, std::int64_t n) { return m == n || m == 1 || n == 1; };
  require(fits(a.rows(), b.rows()) && fits(a.cols(), b.cols()), Kind::internal,
          "shapes [{}, {}] and [{}, {}] do not fit", a.rows(), a.cols(), b.rows(), b.cols());
  Tensor y(std::max(a.rows(), b.rows()), std::max(a.cols(), b.cols()));
  const auto operand = [&](const Tensor& t) {
    return kernels::Operand{t.values().data(),
                            t.rows() == 1 ? 0 : static_cast<std::size_t>(t.cols()),
                            t.cols() == 1 && y.cols() != 1};
  };
  kernels::combine(binary, operand(a), operand(b), static_cast<std::size_t>(y.rows()),
                   static_cast<std::size_t>(y.cols()), y.fill().data(), TensorScopeAccess::pool());
  return y;
}

Tensor with_number(Binary binary, const Tensor& a, double b) {
  const auto number = static_cast<float>(b);
  Tensor y(a.rows(), a.cols());
  kernels::combine(binary, {a.values().data(), static_cast<std::size_t>(a.cols()), false},
                   {&number, 0, true}, static_cast<std::size_t>(y.rows()),
                   static_cast<std::size_t>(y.cols()), y.fill().data(), TensorScopeAccess::pool());
  return y;
}

Tensor activate(Activation activation, const Tensor& x) {
  Tensor y(x.rows(), x.cols());
  kernels::activate(activation, x.values().data(), x.values().size(), y.fill().data(),
                    TensorScopeAccess::pool());
  return y;
}

Tensor product(const Tensor& x, const Tensor& weight, const float* bias) {
  require(x.cols() == weight.cols(), Kind::internal, "dense: x has {} columns, the weight {}",
          x.cols(), weight.cols());
  Tensor y(x.rows(), weight.rows());
  kernels::linear(x.values().data(), static_cast<std::size_t>(x.rows()), weight.packed(), bias,
                  Activation::none, y.fill().data(), TensorScopeAccess::pool(),
                  TensorScopeAccess::workspace());
  return y;
}

}  // namespace

Tensor::Tensor(std::int64_t rows, std::int64_t cols) : rows_(rows), cols_(cols) {
  storage_ = TensorScopeAccess::storage(size());
  data_ = storage_->room(size());
}

Tensor::Tensor(std::int64_t rows, std::int64_t cols, std::span<const float> values)
    : Tensor(rows, cols) {
  require(values.size() == size(), Kind::internal, "tensor [{}, {}] of {} values", rows, cols,
          values.size());
  std::ranges::copy(values, fill().begin());
}

Tensor::Tensor(std::int64_t rows, std::int64_t cols, std::shared_ptr<const float> values)
    : rows_(rows), cols_(cols), data_(values.get()), storage_(TensorScopeAccess::storage(0)) {
  storage_->elsewhere = std::move(values);
}

Tensor::Tensor(kernels::PackedMatrix packed)
    : rows_(static_cast<std::int64_t>(packed.n())),
      cols_(static_cast<std::int64_t>(packed.k())),
      storage_(std::make_shared<TensorStorage>()) {
  std::call_once(storage_->once, [&] { storage_->packed = std::move(packed); });
}

void Tensor::resize(std::int64_t rows, std::int64_t cols) {
  rows_ = rows;
  cols_ = cols;
  if (!storage_) storage_ = std::make_shared<TensorStorage>();
  data_ = storage_->room(size());
}

std::size_t Tensor::bytes() const {
  if (!storage_) return 0;
  const std::size_t elsewhere = storage_->elsewhere ? size() : 0;
  return (storage_->capacity + elsewhere) * sizeof(float) + storage_->packed.stored().size();
}

const kernels::PackedMatrix& Tensor::packed() const {
  std::call_once(storage_->once, [this] {
    storage_->packed = kernels::pack(data_, static_cast<std::size_t>(rows_),
                                     static_cast<std::size_t>(cols_), TensorScopeAccess::dtype());
  });
  return storage_->packed;
}

Arena::Arena() = default;
Arena::~Arena() = default;
Arena::Arena(Arena&&) noexcept = default;
Arena& Arena::operator=(Arena&&) noexcept = default;

std::shared_ptr<TensorStorage> Arena::take(std::size_t values) {
  std::shared_ptr<TensorStorage>* best =
      nullptr;  // the smallest that is large enough, or the largest
  for (auto& block : blocks_) {
    if (block.use_count() != 1) continue;
    const std::size_t have = block->capacity;
    if (best == nullptr || (have >= values ? (*best)->capacity < values || have < (*best)->capacity
                                           : have > (*best)->capacity)) {
      best = &block;
    }
  }
  if (best == nullptr) best = &blocks_.emplace_back();
  // Values that were packed for a product would stay what they were.
  if (*best == nullptr || (*best)->packed.n() > 0) *best = std::make_shared<TensorStorage>();
  (*best)->elsewhere.reset();
  return *best;
}

std::size_t Arena::bytes() const {
  std::size_t bytes = workspace.size();
  for (const auto& block : blocks_) bytes += block->capacity * sizeof(float);
  return bytes;
}

TensorScope::TensorScope(ThreadPool& pool, Arena& arena, kernels::Dtype dtype)
    : pool_(&pool), arena_(&arena), dtype_(dtype), outer_(std::exchange(current, this)) {}
TensorScope::~TensorScope() { current = outer_; }

ThreadPool& this_thread() {
  thread_local ThreadPool alone(1);
  return alone;
}

Tensor operator+(const Tensor& a, const Tensor& b) { return combine(Binary::add, a, b); }
Tensor operator-(const Tensor& a, const Tensor& b) { return combine(Binary::subtract, a, b); }
Tensor operator*(const Tensor& a, const Tensor& b) { return combine(Binary::multiply, a, b); }
Tensor operator/(const Tensor& a, const Tensor& b) { return combine(Binary::divide, a, b); }
Tensor operator+(const Tensor& a, double b) { return with_number(Binary::add, a, b); }
Tensor operator*(const Tensor& a, double b) { return with_number(Binary::multiply, a, b); }

Tensor rsqrt(const Tensor& x) {
  Tensor y(x.rows(), x.cols());
  std::ranges::transform(x.values(), y.fill().begin(), [](float v) { return 1.0F / std::sqrt(v); });
  return y;
}
Tensor tanh(const Tensor& x) { return activate(Activation::tanh, x); }
Tensor sigmoid(const Tensor& x) { return activate(Activation::sigmoid, x); }
Tensor relu(const Tensor& x) { return activate(Activation::relu, x); }
Tensor silu(const Tensor& x) { return activate(Activation::silu, x); }
Tensor gelu(const Tensor& x) { return activate(Activation::gelu, x); }
Tensor gelu_tanh(const Tensor& x) { return activate(Activation::gelu_tanh, x); }

Tensor mean_last(const Tensor& x) {
  Tensor y(x.rows(), 1);
  kernels::row_means(x.values().data(), static_cast<std::size_t>(x.rows()),
                     static_cast<std::size_t>(x.cols()), y.fill().data(),
                     TensorScopeAccess::pool());
  return y;
}

Tensor dense(const Tensor& x, const Tensor& weight) { return product(x, weight, nullptr); }
Tensor dense(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return product(x, weight, bias.values().data());
}

Tensor lookup(const Tensor& table, Tensor::Ids ids) {
  Tensor y(static_cast<std::int64_t>(ids.size()), table.cols());
  auto out = y.fill().begin();
  for (const std::int32_t id : ids) out = std::ranges::copy(table.row(id), out).out;
  return y;
}

Tensor dense_table(const Tensor& x, const Tensor& table, const Tensor& bias) {
  constexpr std::int64_t kPart = 2048;  // rows of the table that are packed at once
  Tensor y(x.rows(), table.rows());
  const auto width = static_cast<std::size_t>(x.cols());
  const auto stride = static_cast<std::size_t>(y.cols());
  for (std::int64_t first = 0; first < table.rows(); first += kPart) {
    const auto count = static_cast<std::size_t>(std::min(kPart, table.rows() - first));
    kernels::gemm(kernels::Dtype::float32, static_cast<std::size_t>(x.rows()), count, width,
                  {x.values().data(), width},
                  {table.values().data() + first * table.cols(), width, true},
                  {.bias = bias.values().data() + first}, y.fill().data() + first, stride,
                  TensorScopeAccess::pool(), TensorScopeAccess::workspace());
  }
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
    const auto best = y.fill().subspan(static_cast<std::size_t>(i * x.cols()),
                                       static_cast<std::size_t>(x.cols()));
    for (std::int64_t r = 1; r < rows.length(i); ++r) {
      const auto row = x.row(rows.begin(i) + r);
      for (std::size_t c = 0; c < row.size(); ++c) best[c] = std::max(best[c], row[c]);
    }
  }
  return y;
}

namespace {

Tensor transform(const Tensor& x, const Rows& rows, bool ortho, kernels::SpectrumPart part) {
  Tensor y(x.rows(), x.cols());
  auto& cache = kernels::fourier_plans(static_cast<std::size_t>(x.cols()), ortho, part);
  std::vector<std::shared_ptr<const kernels::FourierPlan>> held;
  std::vector<kernels::FourierText> texts;
  for (std::int64_t i = 0; i < rows.texts(); ++i) {
    held.push_back(cache.get(static_cast<std::size_t>(rows.rows(i))));
    const std::int64_t begin = rows.begin(i) * x.cols();
    texts.push_back(
        {held.back().get(), x.values().data() + begin, nullptr, y.fill().data() + begin});
  }
  kernels::fourier_mix(texts, kernels::NormArgs{}, TensorScopeAccess::pool(),
                       TensorScopeAccess::workspace());
  return y;
}

}  // namespace

Tensor fourier_mix(const Tensor& x, const Rows& rows, bool ortho) {
  return transform(x, rows, ortho, kernels::SpectrumPart::real);
}
Tensor hartley_mix(const Tensor& x, const Rows& rows, bool ortho) {
  return transform(x, rows, ortho, kernels::SpectrumPart::hartley);
}

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Rows& rows,
                 std::int64_t heads, const DropoutAt<Tensor>&) {
  Tensor y(q.rows(), q.cols());
  kernels::attention(rows, q.values().data(), k.values().data(), v.values().data(),
                     static_cast<std::size_t>(q.cols()), static_cast<std::size_t>(heads),
                     TensorScopeAccess::dtype(), y.fill().data(), TensorScopeAccess::pool(),
                     TensorScopeAccess::workspace());
  return y;
}

Tensor mix_rows(const Tensor& matrix, const Tensor& x, const Rows& rows) {
  Tensor y(x.rows(), x.cols());
  const auto width = static_cast<std::size_t>(x.cols());
  for (std::int64_t i = 0; i < rows.texts(); ++i) {
    const auto n = static_cast<std::size_t>(rows.rows(i));
    const std::int64_t begin = rows.begin(i) * x.cols();
    kernels::gemm(kernels::Dtype::float32, n, width, n,
                  {matrix.values().data(), static_cast<std::size_t>(matrix.cols())},
                  {x.values().data() + begin, width}, {}, y.fill().data() + begin, width,
                  TensorScopeAccess::pool(), TensorScopeAccess::workspace());
  }
  return y;
}

Tensor filter_spectrum(const Tensor& x, const Rows& rows, const Tensor& real, const Tensor& imag) {
  Tensor y(x.rows(), x.cols());
  kernels::filter(rows,
                  {real.values().data(), imag.values().data(),
                   static_cast<std::size_t>(real.rows()), static_cast<std::size_t>(real.cols())},
                  x.values().data(), y.fill().data(), TensorScopeAccess::pool(),
                  TensorScopeAccess::workspace());
  return y;
}

Tensor zero_padding(const Tensor& x, const Rows& rows) {
  Tensor y(x.rows(), x.cols(), x.values());
  for (std::int64_t i = 0; i < rows.texts(); ++i) {
    const std::int64_t end = rows.begin(i) + rows.length(i);
    std::ranges::fill(
        y.fill().subspan(static_cast<std::size_t>(end * x.cols()),
                         static_cast<std::size_t>((rows.begin(i + 1) - end) * x.cols())),
        0.0F);
  }
  return y;
}

}  // namespace fnet
