#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/rows.h"

namespace fnet {

/// Rows of packed texts that a head scores.
struct PickedRows {
  std::vector<std::int32_t> rows;
  std::vector<std::size_t> counts;  ///< how many of each text
};

/// `picks`: a list for each text, counted from its first row; empty: all of its tokens.
/// Throws: usage where a row is not of the text.
PickedRows picked_rows(const Rows& rows, std::span<const std::vector<std::int32_t>> picks);

}  // namespace fnet
