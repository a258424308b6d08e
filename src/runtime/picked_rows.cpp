#include "runtime/picked_rows.h"

#include "core/error.h"

namespace fnet {

PickedRows picked_rows(const Rows& rows, std::span<const std::vector<std::int32_t>> picks) {
  PickedRows result;
  for (std::int64_t i = 0; i < rows.texts(); ++i) {
    const auto start = static_cast<std::int32_t>(rows.begin(i));
    const auto length = static_cast<std::int32_t>(rows.length(i));
    const std::size_t before = result.rows.size();
    if (picks.empty()) {
      for (std::int32_t row = 0; row < length; ++row) result.rows.push_back(start + row);
    } else {
      for (const std::int32_t row : picks[static_cast<std::size_t>(i)]) {
        require(row >= 0 && row < length, Kind::usage, "picks: expected rows 0 to {}, found {}",
                length - 1, row);
        result.rows.push_back(start + row);
      }
    }
    result.counts.push_back(result.rows.size() - before);
  }
  return result;
}

}  // namespace fnet
