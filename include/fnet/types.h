#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace fnet {

/// Rows of floats, row-major.
struct Matrix {
  std::size_t rows = 0, cols = 0;
  std::vector<float> data;

  Matrix() = default;
  Matrix(std::size_t row_count, std::size_t col_count)
      : rows(row_count), cols(col_count), data(row_count * col_count) {}

  std::span<float> row(std::size_t i) { return std::span(data).subspan(i * cols, cols); }
  std::span<const float> row(std::size_t i) const {
    return std::span(data).subspan(i * cols, cols);
  }
};

/// A text to classify or embed, perhaps one of a pair.
struct TextInput {
  std::string text;
  std::optional<std::string> pair;

  TextInput(std::string text_, std::optional<std::string> pair_ = {})  // NOLINT: a text is an input
      : text(std::move(text_)), pair(std::move(pair_)) {}
  TextInput(const char* text_) : text(text_) {}  // NOLINT
};

/// A label and its probability among the model's labels; of a regression the number itself; of a
/// question the answer and where it stands; of a [MASK] the text of a token.
struct Prediction {
  std::string label;
  float score = 0;
  std::size_t begin = 0, end = 0;  ///< of an answer: its bytes in the context
  std::int32_t token = -1;         ///< of a [MASK]: the token's id
  std::string sequence = {};       ///< of a [MASK]: the text with the token in its place
};

/// Names of a data file's columns, or of the fields of its records.
struct Columns {
  std::string text = "text", text_pair = "text_pair", label = "label";
  std::string tokens = "tokens", tags = "tags";
};

}  // namespace fnet
