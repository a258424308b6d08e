#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fnet/engine.h"
#include "fnet/tokenizer.h"
#include "fnet/types.h"

namespace fnet {

/// What the program that a model comes from computed for one text.
struct GoldenCase {
  std::string text;                 ///< that `input` was made of; empty: not told
  std::optional<std::string> pair;  ///< the second text
  Encoding input;                   ///< its ids and types
  std::vector<std::int32_t> rows;   ///< of `hidden`
  Matrix hidden;                    ///< [rows, H]; empty: not told
  std::vector<float> pooled;        ///< [H] pooler_output; empty: not told
  Matrix logits;                    ///< [1, C] or [tokens, C]; empty: not told
};

/// The golden.json of a model directory: docs/model-format.md.
struct GoldenVectors {
  std::string family;
  std::string source;  ///< library and version
  double tolerance = 0;
  std::vector<GoldenCase> cases;
};

/// The largest difference of two lists of numbers, and the largest number of the second; the first
/// is no number where one of its numbers is none.
struct Deviation {
  double difference = 0, size = 0;
};
Deviation deviation_of(std::span<const float> found, std::span<const float> expected);

inline constexpr const char* kGoldenFile = "golden.json";

/// Throws: input, with the place.
GoldenVectors read_golden(const std::filesystem::path& file);

/// The largest difference of one of a model's results over all cases, as a share of the largest
/// value of its list or of 1, as the file's tolerance counts.
struct GoldenResult {
  std::string what;  ///< last_hidden_state, pooler_output, logits
  std::size_t cases = 0;
  double difference = 0;
  bool ok = true;  ///< within the tolerance
};

/// Computes the vectors again. Throws: input where they do not fit the model: another width, ids
/// that it lacks, logits of a model without a head.
std::vector<GoldenResult> check_golden(const Engine& engine, const GoldenVectors& golden);

/// The cases, by number from 1, whose texts this tokenizer makes other ids of.
std::vector<std::size_t> other_ids(const Tokenizer& tokenizer, const GoldenVectors& golden);

}  // namespace fnet
