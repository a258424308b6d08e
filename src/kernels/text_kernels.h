#pragma once

#include <cstddef>

#include "kernels/fourier_kernels.h"

namespace fnet::kernels {

/// A softmax that sees its rows a block of keys at a time. For each row: the largest score times
/// `scale` so far and the sum of the weights 2^(scale·score − most) so far, [rows].
struct SoftmaxState {
  float* most;
  float* total;
  float scale;  ///< of the scores, times log2(e): above 0
};

/// A filter of the spectrum along a text, [frequencies, hidden] from 0 to half a turn a row.
/// Between two of its frequencies it is a straight line.
struct Filter {
  const float* re;
  const float* im;
  std::size_t frequencies;
  std::size_t hidden;
};

/// Steps of what looks at a whole text, on one thread; attention.h and filter.h put them together.
struct TextKernels {
  /// From the scores of `rows` queries and `keys` keys, [panels][rows][panel], to their weights,
  /// [rows], `stride` floats apart. Where the state is not that of the `first` keys, it is brought
  /// up to date, and `sums` [sum_panels][rows][panel], what the weights of the keys before have
  /// summed, with it.
  void (*softmax)(const float* scores, std::size_t rows, std::size_t keys, bool first,
                  const SoftmaxState& state, float* weights, std::size_t stride, float* sums,
                  std::size_t sum_panels) noexcept;
  /// y = sums / total for `columns` columns; rows of y `stride` apart.
  void (*finish_softmax)(const float* sums, const float* total, std::size_t rows,
                         std::size_t columns, float* y, std::size_t stride) noexcept;
  /// Columns 2·lanes·task … of y [L, H], those of x with their spectrum times the filter. `dft`: of
  /// length L. `work`: L + dft.scratch elements, aligned to vectors.
  void (*filter)(const DftTables& dft, const Filter& filter, const float* x, std::size_t task,
                 float* y, float* work) noexcept;
};

}  // namespace fnet::kernels
