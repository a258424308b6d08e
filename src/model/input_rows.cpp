#include "model/input_rows.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace fnet {
namespace {

std::string text_of(const std::vector<std::size_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

void check_finite(const Array& array) {
  std::size_t size = 1;
  for (const std::size_t axis : array.shape) size *= axis;
  require(size == array.data.size() && size > 0, Kind::input,
          "values: expected numbers for the shape {}, found {}", text_of(array.shape),
          array.data.size());
  const auto bad =
      std::ranges::find_if(array.data, [](float value) { return !std::isfinite(value); });
  if (bad == array.data.end()) return;
  std::vector<std::size_t> place(array.shape.size());
  auto rest = static_cast<std::size_t>(bad - array.data.begin());
  for (std::size_t axis = place.size(); axis-- > 0; rest /= array.shape[axis]) {
    place[axis] = rest % array.shape[axis];
  }
  fail(Kind::input, "values{}: expected a finite number, found {}", text_of(place), *bad);
}

/// Row after row of patches, each patch row after row of its pixels.
Matrix patches_of(const Array& image, const InputShape& shape) {
  const std::size_t pixels = shape.height * shape.width, across = shape.width / shape.patch,
                    line = shape.patch * shape.step;
  const std::vector<std::size_t> whole = {shape.height, shape.width, shape.step},
                                 grey = {shape.height, shape.width}, flat = {pixels * shape.step};
  require(image.shape == whole || image.shape == flat || (shape.step == 1 && image.shape == grey),
          Kind::input, "values: expected an image of the shape {}, found {}",
          text_of(shape.step == 1 ? grey : whole), text_of(image.shape));
  Matrix rows(rows_in(image, shape), shape.row_size());
  auto out = rows.data.begin();
  for (std::size_t patch = 0; patch < rows.rows; ++patch) {
    const std::size_t top = patch / across * shape.patch, left = patch % across * shape.patch;
    for (std::size_t y = top; y < top + shape.patch; ++y) {
      const std::size_t at = (y * shape.width + left) * shape.step;
      out = std::copy_n(image.data.begin() + static_cast<std::ptrdiff_t>(at), line, out);
    }
  }
  return rows;
}

/// Windows over the steps, from the first on until they have all been read.
Matrix frames_of(const Array& sequence, const InputShape& shape) {
  const std::size_t axes = sequence.shape.size();
  const bool fits = axes == 2 ? sequence.shape[1] == shape.step
                              : axes == 1 && sequence.shape[0] % shape.step == 0;
  require(fits, Kind::input,
          "values: expected steps of {} numbers (input_size), found the shape {}", shape.step,
          text_of(sequence.shape));
  const std::size_t steps = sequence.data.size() / shape.step;
  Matrix rows(rows_in(sequence, shape), shape.row_size());
  auto out = rows.data.begin();
  for (std::size_t row = 0; row < rows.rows; ++row) {
    for (std::size_t i = 0; i < shape.length; ++i) {
      const std::size_t step = std::min(row * shape.stride + i, steps - 1);
      const auto from = sequence.data.begin() + static_cast<std::ptrdiff_t>(step * shape.step);
      out = std::copy_n(from, shape.step, out);
    }
  }
  return rows;
}

}  // namespace

std::size_t rows_in(const Array& array, const InputShape& shape) {
  if (shape.image()) return (shape.height / shape.patch) * (shape.width / shape.patch);
  const std::size_t steps = array.data.size() / shape.step;
  const std::size_t more = steps - std::min(steps, shape.length);
  return 1 + (more + shape.stride - 1) / shape.stride;
}

Encoding sample_rows(const Config& config, std::int64_t rows) {
  Encoding encoding;
  encoding.vectors = Matrix(static_cast<std::size_t>(rows), config.input_shape().row_size());
  float angle = 0;
  for (float& value : encoding.vectors.data) value = std::sin(angle += 0.7F);
  return encoding;
}

Encoding encode_array(const Array& array, const EncodeOptions& options) {
  const InputShape& shape = options.numbers;
  require(shape.numbers(), Kind::usage,
          "input: expected a text, found numbers: the model reads tokens (input_type)");
  check_finite(array);
  Encoding encoding;
  Matrix& rows = encoding.vectors;
  rows = shape.image() ? patches_of(array, shape) : frames_of(array, shape);
  const std::size_t most = options.max_length;
  if (most == 0 || rows.rows <= most) return encoding;
  require(options.truncation != Truncation::error, Kind::input,
          "values: expected at most {} rows, found {}; raise max_length or choose a truncation",
          most, rows.rows);
  encoding.truncated = true;
  const auto width = static_cast<std::ptrdiff_t>(rows.cols);
  const auto cut = static_cast<std::ptrdiff_t>(rows.rows - most) * width;
  if (options.truncation == Truncation::left) {
    rows.data.erase(rows.data.begin(), rows.data.begin() + cut);
  } else {
    rows.data.erase(rows.data.end() - cut, rows.data.end());
  }
  rows.rows = most;
  return encoding;
}

}  // namespace fnet
