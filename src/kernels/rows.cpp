#include "kernels/rows.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace fnet::kernels {
namespace {

// Enough work for a task that handing it out costs nothing.
constexpr std::size_t kNumbers = 16384;

/// Calls work(first, count) for parts of `total` items of `size` numbers.
void share(std::size_t total, std::size_t size, ThreadPool& pool, const auto& work) {
  const std::size_t most = std::max<std::size_t>(1, kNumbers / std::max<std::size_t>(1, size));
  const auto task = [&](std::size_t part, int) {
    const std::size_t first = part * most;
    work(first, std::min(most, total - first));
  };
  pool.run((total + most - 1) / most, std::ref(task));
}

/// Dropout's threshold for 16 random bits, and its factor.
struct Mask {
  std::uint32_t threshold;
  float scale;
  explicit Mask(double p)
      : threshold(static_cast<std::uint32_t>(std::lround(p * 65536.0))),
        scale(static_cast<float>(65536.0 / (65536.0 - threshold))) {}
};
constexpr std::size_t kMaskBlock = 8;  // numbers that one block of random bits decides

/// Rows of a task: a block of random bits begins with each.
constexpr std::size_t kRows = 16;
/// Rows whose gradients of weight and bias are added up one after the other.
constexpr std::size_t kSummedRows = 4 * kRows;

}  // namespace

void add_norm(const float* x, const float* residual, std::size_t rows, std::size_t n,
              const NormArgs& norm, float* y, ThreadPool& pool, const Table& isa) {
  share(rows, n, pool, [&](std::size_t first, std::size_t count) {
    isa.rows.add_norm(x + first * n, residual == nullptr ? nullptr : residual + first * n, count, n,
                      norm, y + first * n);
  });
}

void embed(const Embedding& tables, const std::int32_t* ids, const std::int32_t* positions,
           const std::int32_t* types, std::size_t rows, float* y, ThreadPool& pool,
           const Table& isa) {
  share(rows, tables.hidden, pool, [&](std::size_t first, std::size_t count) {
    isa.rows.embed(tables, ids + first, positions == nullptr ? nullptr : positions + first,
                   types == nullptr ? nullptr : types + first, count, y + first * tables.hidden);
  });
}

void activate(Activation activation, const float* x, std::size_t n, float* y, ThreadPool& pool,
              const Table& isa) {
  share(n, 1, pool, [&](std::size_t first, std::size_t count) {
    isa.rows.activate(activation, x + first, count, y + first);
  });
}

void combine(Binary binary, const Operand& a, const Operand& b, std::size_t rows,
             std::size_t columns, float* y, ThreadPool& pool, const Table& isa) {
  share(rows, columns, pool, [&](std::size_t first, std::size_t count) {
    const Operand p = {a.data + first * a.stride, a.stride, a.one_column};
    const Operand q = {b.data + first * b.stride, b.stride, b.one_column};
    isa.rows.combine(binary, p, q, count, columns, y + first * columns);
  });
}

void row_means(const float* x, std::size_t rows, std::size_t n, float* y, ThreadPool& pool,
               const Table& isa) {
  share(rows, n, pool, [&](std::size_t first, std::size_t count) {
    isa.rows.row_means(x + first * n, count, n, y + first);
  });
}

void column_sums(const float* x, std::size_t rows, std::size_t n, float* y, ThreadPool& pool,
                 const Table& isa) {
  std::fill_n(y, n, 0.0F);
  share(n, rows, pool, [&](std::size_t first, std::size_t count) {
    isa.rows.add_columns(x + first, n, rows, count, y + first);
  });
}

void cross_entropy(const float* scores, const std::int64_t* targets, std::size_t rows,
                   std::size_t n, double* losses, double* logs, ThreadPool& pool,
                   const Table& isa) {
  share(rows, n, pool, [&](std::size_t first, std::size_t count) {
    for (std::size_t r = first; r < first + count; ++r) {
      logs[r] = isa.rows.log_sum_exp(scores + r * n, n);
      losses[r] = logs[r] - scores[r * n + static_cast<std::size_t>(targets[r])];
    }
  });
}

void cross_entropy_back(const std::int64_t* targets, const double* logs, float scale,
                        std::size_t rows, std::size_t n, float* scores, ThreadPool& pool,
                        const Table& isa) {
  share(rows, n, pool, [&](std::size_t first, std::size_t count) {
    for (std::size_t r = first; r < first + count; ++r) {
      isa.rows.scaled_exp(logs[r], scale, n, scores + r * n);
      scores[r * n + static_cast<std::size_t>(targets[r])] -= scale;
    }
  });
}

void dropout(std::uint64_t seed, double p, const float* x, std::size_t n, float* y,
             ThreadPool& pool, const Table& isa) {
  const Mask mask(p);
  share(n, 1, pool, [&](std::size_t first, std::size_t count) {
    static_assert(kNumbers % kMaskBlock == 0, "a part begins with a block");
    isa.rows.dropout(seed, first / kMaskBlock, mask.threshold, mask.scale, x + first, count,
                     y + first);
  });
}

void sum_norm(const SumNorm& layer, const float* x, const float* residual, std::size_t rows,
              std::size_t n, float* sum, float* y, ThreadPool& pool, const Table& isa) {
  static_assert(kRows % kMaskBlock == 0);
  const Mask mask(layer.p);
  const auto task = [&](std::size_t part, int) {
    const std::size_t first = part * kRows * n, count = std::min(kRows, rows - part * kRows);
    const float* from = x + first;
    if (layer.p > 0) {
      isa.rows.dropout(layer.seed, first / kMaskBlock, mask.threshold, mask.scale, from, count * n,
                       sum + first);
      from = sum + first;
    }
    if (residual != nullptr) {
      isa.rows.combine(Binary::add, {from, n, false}, {residual + first, n, false}, count, n,
                       sum + first);
      from = sum + first;
    }
    isa.rows.add_norm(from, nullptr, count, n, layer.norm, y + first);
  };
  pool.run((rows + kRows - 1) / kRows, std::ref(task));
}

void sum_norm_back(const SumNorm& layer, const float* sum, const float* grad, std::size_t rows,
                   std::size_t n, float* d_sum, float* d_x, float* d_weight, float* d_bias,
                   ThreadPool& pool, Workspace& workspace, const Table& isa) {
  const Mask mask(layer.p);
  const std::size_t groups = (rows + kSummedRows - 1) / kSummedRows;
  auto* sums = reinterpret_cast<float*>(workspace.take(2 * groups * n * sizeof(float)));
  const auto task = [&](std::size_t group, int) {
    float* weight_sums = d_weight == nullptr ? nullptr : sums + group * n;
    float* bias_sums = d_bias == nullptr ? nullptr : sums + (groups + group) * n;
    for (float* zero : {weight_sums, bias_sums})
      if (zero != nullptr) std::fill_n(zero, n, 0.0F);
    const std::size_t end = std::min(rows, (group + 1) * kSummedRows);
    for (std::size_t row = group * kSummedRows; row < end; row += kRows) {
      const std::size_t first = row * n, count = std::min(kRows, end - row);
      isa.rows.norm_back(layer.norm, sum + first, grad + first, count, n, d_sum + first,
                         weight_sums, bias_sums);
      if (d_x == nullptr) continue;
      isa.rows.dropout(layer.seed, first / kMaskBlock, mask.threshold, mask.scale, d_sum + first,
                       count * n, d_x + first);
    }
  };
  pool.run(groups, std::ref(task));
  const auto total = [&](const float* from, float* to) {
    if (to == nullptr) return;
    std::fill_n(to, n, 0.0F);
    isa.rows.add_columns(from, n, groups, n, to);
  };
  total(sums, d_weight);
  total(sums + groups * n, d_bias);
}

}  // namespace fnet::kernels
