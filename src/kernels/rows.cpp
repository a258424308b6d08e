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

void dropout(std::uint64_t seed, double p, const float* x, std::size_t n, float* y,
             ThreadPool& pool, const Table& isa) {
  const auto threshold = static_cast<std::uint32_t>(std::lround(p * 65536.0));
  const auto scale = static_cast<float>(65536.0 / (65536.0 - threshold));
  share(n, 1, pool, [&](std::size_t first, std::size_t count) {
    static_assert(kNumbers % 8 == 0, "a part begins with a block");
    isa.rows.dropout(seed, first / 8, threshold, scale, x + first, count, y + first);
  });
}

}  // namespace fnet::kernels
