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

/// Numbers in an array of any number of axes, row-major.
struct Array {
  std::vector<std::size_t> shape;
  std::vector<float> data;  ///< [product of shape]

  Array() = default;
  Array(std::vector<std::size_t> shape_, std::vector<float> data_)
      : shape(std::move(shape_)), data(std::move(data_)) {}
  Array(Matrix rows) : shape{rows.rows, rows.cols}, data(std::move(rows.data)) {}  // NOLINT

  bool operator==(const Array&) const = default;
};

/// How the numbers of an example become the rows that a model reads: a sequence of steps, some of
/// them a row; or an image, cut into square patches from left to right, then down.
struct InputShape {
  std::size_t step = 0;                ///< numbers in a step or pixel; 0: the model reads tokens
  std::size_t length = 1, stride = 1;  ///< of a sequence: steps in a row, and from row to row
  std::size_t height = 0, width = 0;   ///< of an image, in pixels; 0: a sequence
  std::size_t patch = 0;               ///< of an image: pixels along a side of a patch

  bool numbers() const { return step > 0; }
  bool image() const { return height > 0; }

  /// Numbers in a row: its steps or pixels one after the other.
  std::size_t row_size() const { return step * (image() ? patch * patch : length); }
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
  bool numbers = false;  ///< the examples are numbers, not texts
};

}  // namespace fnet
