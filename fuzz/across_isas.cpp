#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "input.h"
#include "kernels/fourier.h"
#include "kernels/product.h"
#include "kernels/rows.h"

namespace {

using namespace fnet;
using namespace fnet::kernels;
using Values = std::vector<float>;

constexpr double kHalfUlp = 0x1p-24;
// Below this the bfloat16 instructions of AVX-512 read and write zero.
constexpr double kLeastNormal = 0x1p-126;

/// Shapes and numbers made of the fuzzer's bytes, taken round and round.
class Source {
 public:
  Source(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

  std::size_t below(std::size_t n) {
    const std::size_t low = byte();
    return (low | byte() << 8U) % n;
  }
  std::size_t upto(std::size_t most) { return 1 + below(most); }

  /// Finite, and small enough that no sum of products overflows.
  float number() {
    std::uint32_t bits = 0;
    for (int i = 0; i < 4; ++i) bits = bits << 8U | static_cast<std::uint32_t>(byte());
    const float value = std::bit_cast<float>(bits);
    return std::abs(value) < 0x1p40F ? value : std::bit_cast<float>(bits & 0x93ffffffU);
  }
  Values numbers(std::size_t n) {
    Values values(n);
    for (float& v : values) v = number();
    return values;
  }

 private:
  std::size_t byte() { return data_[at_++ % size_]; }

  const std::uint8_t* data_;
  std::size_t size_, at_ = 0;
};

/// Runs `kernel(isa, y)` for every table; each may be off the portable result by tolerance(i).
template <class Kernel, class Tolerance>
void compare(std::size_t size, Kernel&& kernel, Tolerance&& tolerance) {
  const auto run = [&](const Table& isa) {
    Values y(size, NAN);
    kernel(isa, y.data());
    return y;
  };
  const Values portable = run(*tables().back());
  for (const Table* isa : tables()) {
    const Values y = run(*isa);
    for (std::size_t i = 0; i < size; ++i) {
      const double difference = std::abs(static_cast<double>(y[i]) - portable[i]);
      if (!(difference <= tolerance(i, portable[i]))) abort();
    }
  }
}

double largest(const float* x, std::size_t n) {
  double most = 0;
  for (std::size_t i = 0; i < n; ++i) most = std::max<double>(most, std::abs(x[i]));
  return most;
}

void products(Source& source, ThreadPool& pool, Workspace& workspace) {
  const auto dtype = static_cast<Dtype>(source.below(3));
  const std::size_t rows = source.upto(14), n = source.upto(40), k = source.upto(600);
  const Values x = source.numbers(rows * k), w = source.numbers(n * k), bias = source.numbers(n);
  const auto kernel = [&](const Table& isa, float* y) {
    const PackedMatrix packed = pack(w.data(), n, k, dtype, nullptr, isa);
    linear(x.data(), rows, packed, bias.data(), Activation::none, y, pool, workspace);
  };
  compare(rows * n, kernel, [&](std::size_t i, float) {
    const float* row = x.data() + i / n * k;
    const float* column = w.data() + i % n * k;
    const double most_x = largest(row, k), most_w = largest(column, k);
    const auto terms = static_cast<double>(k + 8);
    double sum = std::abs(bias[i % n]);
    for (std::size_t j = 0; j < k; ++j) sum += std::abs(static_cast<double>(row[j]) * column[j]);
    double allowed = terms * (8 * kHalfUlp * sum + kLeastNormal * (most_x + most_w + 1));
    // A fused multiply-add may round each number of x to the step beside.
    if (dtype == Dtype::int8) allowed += terms * most_x * most_w * (2.1 / 255);
    return allowed;
  });
}

void mixing(Source& source, Workspace& workspace) {
  const std::size_t length = source.upto(80), hidden = source.upto(70);
  const Values x = source.numbers(length * hidden);
  const FourierPlan plan(length, hidden, source.below(2) == 0);
  double squares = 0;
  for (const float v : x) squares += static_cast<double>(v) * v;
  const auto size = static_cast<double>(x.size());
  const double allowed = 16 * kHalfUlp * (2 + std::log2(size)) * std::sqrt(size * squares) + 1e-36;
  const auto same = [&](std::size_t, float) { return allowed; };
  compare(
      x.size(),
      [&](const Table& isa, float* y) {
        fourier_mix({.plan = &plan, .x = x.data(), .residual = nullptr, .y = y}, {}, workspace,
                    isa);
      },
      same);
  compare(
      hidden,
      [&](const Table& isa, float* y) { fourier_first_row(plan, x.data(), y, workspace, isa); },
      same);
}

void norms(Source& source, ThreadPool& pool) {
  const std::size_t rows = source.upto(5), n = source.upto(200);
  const Values x = source.numbers(rows * n), weight = source.numbers(n), bias = source.numbers(n);
  const NormArgs norm{.kind = static_cast<NormKind>(source.below(3)),
                      .weight = weight.data(),
                      .bias = bias.data(),
                      .eps = 1e-12F};
  compare(
      x.size(),
      [&](const Table& isa, float* y) { add_norm(x.data(), nullptr, rows, n, norm, y, pool, isa); },
      [&](std::size_t i, float) {
        if (norm.kind == NormKind::none) return 0.0;
        const float* row = x.data() + i / n * n;
        const auto count = static_cast<double>(n);
        double mean = 0, variance = 0;
        for (std::size_t j = 0; norm.kind == NormKind::layer_norm && j < n; ++j)
          mean += row[j] / count;
        for (std::size_t j = 0; j < n; ++j) variance += (row[j] - mean) * (row[j] - mean) / count;
        const double deviation = std::sqrt(variance + norm.eps);
        // The mean is off by so much of a deviation, the deviation by as much of itself.
        const double off = (count + 8) * kHalfUlp * (largest(row, n) / deviation + 1);
        const double size = (std::abs(row[i % n] - mean) / deviation + 1) * (1 + off);
        return 4 * off * size * std::abs(weight[i % n]) + 8 * kHalfUlp * std::abs(bias[i % n]) +
               1e-36;
      });
}

void activations(Source& source, ThreadPool& pool) {
  const auto activation = static_cast<Activation>(source.below(6));
  const Values x = source.numbers(source.upto(100));
  compare(
      x.size(),
      [&](const Table& isa, float* y) { activate(activation, x.data(), x.size(), y, pool, isa); },
      [&](std::size_t i, float y) {  // twice what activate() promises
        return 2 * std::max({2e-7, 8 * kHalfUlp * std::abs(y), 1e-38 * std::abs(x[i])});
      });
}

}  // namespace

/// The first byte chooses a kernel. On finite numbers every instruction set gives what the portable
/// code does, but for the rounding that the shape explains.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static ThreadPool pool(1);
  static Workspace workspace;
  if (size < 2) return 0;
  Source source(data + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      products(source, pool, workspace);
      break;
    case 1:
      mixing(source, workspace);
      break;
    case 2:
      norms(source, pool);
      break;
    default:
      activations(source, pool);
  }
  return 0;
}
