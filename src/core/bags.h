#pragma once

#include <cstdint>
#include <vector>

namespace fnet {

/// A sparse row for each text: text i has the entries [offsets[i], offsets[i+1]) of ids and values.
struct Bags {
  std::vector<std::int64_t> offsets = {0};
  std::vector<std::int32_t> ids;  ///< rows of a table
  std::vector<float> values;      ///< how much of each

  std::int64_t texts() const { return static_cast<std::int64_t>(offsets.size()) - 1; }
};

}  // namespace fnet
