#include "model/batch.h"

#include <algorithm>

#include "core/error.h"

namespace fnet {

std::size_t most_tokens(const Config& config, std::int64_t model_max_length, std::size_t wanted) {
  const auto limit = static_cast<std::size_t>(config.longest_text());
  const std::size_t chosen = wanted > 0 ? wanted : static_cast<std::size_t>(model_max_length);
  return chosen > 0 ? std::min(limit, chosen) : limit;
}

std::int64_t rows_of(std::size_t tokens, const Config& config, std::int64_t longest) {
  const LengthPolicy policy = config.lengths();
  const auto count = static_cast<std::int64_t>(tokens);
  const std::int64_t limit =
      policy.kind == LengthPolicy::Kind::fixed ? policy.length : config.max_position_embeddings;
  require(count >= 1, Kind::input, "text: expected at least one token, found none");
  require(
      count <= limit, Kind::input,
      "text: expected at most {} tokens ({}), found {}; truncate it or raise the limit of the "
      "model",
      limit,
      policy.kind == LengthPolicy::Kind::fixed ? config.length_policy : "max_position_embeddings",
      count);
  switch (policy.kind) {
    case LengthPolicy::Kind::fixed:
      return policy.length;
    case LengthPolicy::Kind::batch:
      return longest;
    case LengthPolicy::Kind::exact:
      break;
  }
  return count;
}

namespace {

/// The ids of a text, or its numbers.
void pack_tokens(const Encoding& text, const Config& config, Batch& batch) {
  const std::size_t tokens = text.input_ids.size();
  require(text.vectors.rows == 0, Kind::usage,
          "encoding: expected token ids, found rows of numbers: the model reads tokens (input_type "
          "{})",
          config.input_type);
  for (std::size_t i = 0; i < tokens; ++i) {
    const std::int32_t id = text.input_ids[i];
    const std::int32_t type = text.token_type_ids.empty() ? 0 : text.token_type_ids[i];
    require(id >= 0 && id < config.vocab_size, Kind::input,
            "input_ids[{}]: expected an id from 0 to {} (vocab_size), found {}", i,
            config.vocab_size - 1, id);
    require(type >= 0 && type < config.type_vocab_size, Kind::input,
            "token_type_ids[{}]: expected a type from 0 to {} (type_vocab_size), found {}", i,
            config.type_vocab_size - 1, type);
    batch.ids.push_back(id);
    batch.types.push_back(type);
  }
  const auto end = static_cast<std::size_t>(batch.rows.total());
  batch.ids.resize(end, static_cast<std::int32_t>(config.pad_token_id));
  batch.types.resize(end, 0);
}

void pack_numbers(const Encoding& text, const Config& config, Batch& batch) {
  const std::size_t width = config.input_shape().row_size();
  require(
      text.input_ids.empty() && text.token_type_ids.empty(), Kind::usage,
      "encoding: expected rows of numbers, found token ids: the model reads numbers (input_type "
      "{})",
      config.input_type);
  require(text.vectors.cols == width && text.vectors.data.size() == text.vectors.rows * width,
          Kind::usage, "vectors: expected rows of {} numbers, found {} numbers in {} rows", width,
          text.vectors.data.size(), text.vectors.rows);
  batch.values.insert(batch.values.end(), text.vectors.data.begin(), text.vectors.data.end());
  const auto end = static_cast<std::size_t>(batch.rows.total());
  batch.values.resize(end * width, 0);
  for (std::size_t row = batch.ids.size(); row < end; ++row) {
    batch.ids.push_back(static_cast<std::int32_t>(row));
  }
  batch.types.resize(end, 0);
}

}  // namespace

void pack(std::span<const Encoding> texts, const Config& config, std::int64_t longest,
          Batch& batch) {
  batch.rows.clear();
  batch.values.clear();
  batch.ids.clear();
  batch.types.clear();
  batch.positions.clear();
  for (const Encoding& text : texts) {
    const std::size_t tokens = text.size();
    require(text.token_type_ids.empty() || text.token_type_ids.size() == tokens, Kind::usage,
            "encoding: expected as many token_type_ids as input_ids ({}), found {}", tokens,
            text.token_type_ids.size());
    const std::int64_t rows = rows_of(tokens, config, longest);
    batch.rows.add(rows, static_cast<std::int64_t>(tokens));
    config.reads_numbers() ? pack_numbers(text, config, batch) : pack_tokens(text, config, batch);
    require(text.position_ids.empty() || text.position_ids.size() == tokens, Kind::usage,
            "encoding: expected as many position_ids as input_ids ({}), found {}", tokens,
            text.position_ids.size());
    for (std::int32_t i = 0; i < rows; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const std::int32_t position = at < text.position_ids.size() ? text.position_ids[at] : i;
      require(position >= 0 && position < config.max_position_embeddings, Kind::input,
              "position_ids[{}]: expected 0 to {} (max_position_embeddings - 1), found {}", i,
              config.max_position_embeddings - 1, position);
      batch.positions.push_back(position);
    }
  }
}

void pack(std::span<const Encoding> texts, const Config& config, Batch& batch) {
  std::size_t longest = 0;
  for (const Encoding& text : texts) longest = std::max(longest, text.size());
  pack(texts, config, static_cast<std::int64_t>(longest), batch);
}

}  // namespace fnet
