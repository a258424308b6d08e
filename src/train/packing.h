#pragma once

#include <torch/torch.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/rows.h"

namespace fnet::nn {

/// Where packed rows come from in a flat [B·N, …]: entry t is the row's index there, or `padding`.
struct Packing {
  Rows rows;
  std::vector<std::int64_t> source;
  std::int64_t most = 0;  // rows of a text
  bool whole = true;      // the packed rows are the flat ones as they are

  /// `rows_of(length)`: the rows that a text takes.
  template <class RowsOf>
  Packing(std::int64_t texts, std::int64_t columns, const std::vector<std::int64_t>& lengths,
          std::int64_t padding, RowsOf&& rows_of) {
    for (std::int64_t text = 0; text < texts; ++text) {
      const std::int64_t length =
          lengths.empty() ? columns : lengths[static_cast<std::size_t>(text)];
      const std::int64_t count = rows_of(length);
      rows.add(count, length);
      most = std::max(most, count);
      whole = whole && count == columns && length == columns;
      for (std::int64_t i = 0; i < count; ++i) {
        source.push_back(i < length ? text * columns + i : padding);
      }
    }
  }

  /// [T, …] → [B, most, …], 0 past a text's rows.
  at::Tensor unpack(const at::Tensor& packed) const {
    std::vector<std::int64_t> shape = packed.sizes().vec();
    shape[0] = most;
    shape.insert(shape.begin(), rows.texts());
    if (rows.total() == rows.texts() * most) return packed.view(shape);
    std::vector<std::int64_t> places;
    for (std::int64_t text = 0; text < rows.texts(); ++text) {
      for (std::int64_t i = 0; i < rows.rows(text); ++i) places.push_back(text * most + i);
    }
    shape[1] = packed.size(-1);
    const at::Tensor index = at::tensor(places, at::kLong).to(packed.device());
    at::Tensor flat = at::zeros({rows.texts() * most, packed.size(-1)}, packed.options());
    flat = flat.index_copy(0, index, packed);
    return flat.view({rows.texts(), most, packed.size(-1)});
  }
};

}  // namespace fnet::nn
