#pragma once

#include <torch/torch.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/error.h"
#include "core/rows.h"
#include "fnet/train.h"
#include "model/batch.h"
#include "train/device.h"

// From the batches of torch's users, [B, N, …], to packed rows, and back.
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
  at::Tensor unpack(const at::Tensor& packed) const;
};

/// Throws usage where there are lengths, and not one in 1 … `rows` for each text.
void check_lengths(const std::vector<std::int64_t>& lengths, std::int64_t texts, std::int64_t rows);

/// Packs x [B, N, H] by `lengths`, applies `use(rows [T, H], Rows)`, and unpacks to [B, N, H].
template <class Use>
at::Tensor through_rows(const at::Tensor& x, const std::vector<std::int64_t>& lengths, Use&& use) {
  require(x.dim() == 3, Kind::usage, "x: expected [B, N, H], found {} axes", x.dim());
  check_lengths(lengths, x.size(0), x.size(1));
  Packing packing(x.size(0), x.size(1), lengths, 0, [](std::int64_t length) { return length; });
  packing.most = x.size(1);
  at::Tensor flat = x.reshape({-1, x.size(2)});
  if (!packing.whole) flat = flat.index_select(0, on_device(packing.source, at::kLong, x.device()));
  return packing.unpack(use(flat, packing.rows));
}

/// What a model's forward makes of its inputs.
struct PackedInputs {
  Packing packing;
  at::Tensor vectors, types, positions;  // [T, H], [T], [T]
};

/// Throws: usage where the shapes do not fit each other, input where ids, types, positions or
/// lengths do not fit the model.
PackedInputs pack_inputs(const FNetModelImpl& model, const Inputs& in);

/// The last hidden state [T, H] of texts that are packed already; `states` as in forward_rows.
at::Tensor hidden_of(FNetModelImpl& model, const Batch& batch,
                     std::vector<at::Tensor>* states = nullptr);

}  // namespace fnet::nn
