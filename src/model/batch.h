#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/rows.h"
#include "fnet/config.h"
#include "fnet/tokenizer.h"

namespace fnet {

/// Texts packed end to end: what a forward pass reads. All vectors [T].
struct Batch {
  Rows rows;
  std::vector<std::int32_t> ids, types, positions;
  /// [T, F] of a model that reads numbers. Its ids are the rows' own numbers: what is made of the
  /// values stands in place of a table of word embeddings.
  std::vector<float> values;
};

/// Rows that a text of `tokens` tokens takes under the model's length policy; `longest` counts for
/// `batch` only. Throws: input where the text has no token or does not fit.
std::int64_t rows_of(std::size_t tokens, const Config& config, std::int64_t longest);

/// Tokens of a text that a model reads: as many as its positions, or fewer where its tokenizer says
/// how many it was trained with (`model_max_length`), or, in place of that, the caller `wanted`; 0
/// says nothing.
std::size_t most_tokens(const Config& config, std::int64_t model_max_length,
                        std::size_t wanted = 0);

/// Packs texts into `batch`, whose old contents go and whose memory is used again; padding rows
/// hold pad_token_id, or numbers that are 0, with type 0. `longest`: the most tokens of a text in
/// the caller's whole batch. Throws: input where an id, a type or a length does not fit the model.
void pack(std::span<const Encoding> texts, const Config& config, std::int64_t longest,
          Batch& batch);

/// The same of texts that are the whole batch.
void pack(std::span<const Encoding> texts, const Config& config, Batch& batch);

}  // namespace fnet
