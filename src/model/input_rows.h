#pragma once

#include "fnet/config.h"
#include "fnet/tokenizer.h"
#include "fnet/types.h"

namespace fnet {

/// An array as a model reads it, cut into rows as `options.numbers` says; where these are more than
/// `options.max_length`, the first so many, or the last with Truncation::left. Of a sequence that
/// ends inside a row, the row's other steps repeat the last one.
///
/// A sequence is [steps, numbers in a step], or [numbers], one step after the other; an image
/// [height, width, channels], without the last axis where there is one, or [numbers] likewise.
/// Throws: input where the shape is another or a number is not finite, usage of a model that reads
/// tokens.
Encoding encode_array(const Array& array, const EncodeOptions& options);

/// How many rows that is, without a limit, of an array of a shape that fits.
std::size_t rows_in(const Array& array, const InputShape& shape);

/// Some rows for a model that reads numbers, the same each time.
Encoding sample_rows(const Config& config, std::int64_t rows);

}  // namespace fnet
