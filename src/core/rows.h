#pragma once

#include <cstdint>
#include <vector>

namespace fnet {

/// Where each text lies in packed rows [T, H]: text i owns rows [offsets[i], offsets[i+1]), of
/// which the first length(i) are its tokens and the rest padding (none unless the length policy
/// pads).
struct Rows {
  std::vector<std::int64_t> offsets = {0};
  std::vector<std::int64_t> tokens = {0};  ///< of all texts before, like offsets

  /// Appends a text of `rows` rows, `length` of them tokens.
  void add(std::int64_t rows, std::int64_t length) {
    offsets.push_back(offsets.back() + rows);
    tokens.push_back(tokens.back() + length);
  }
  void add(std::int64_t rows) { add(rows, rows); }
  void clear() {
    offsets.resize(1);
    tokens.resize(1);
  }

  std::int64_t texts() const { return static_cast<std::int64_t>(offsets.size()) - 1; }
  std::int64_t total() const { return offsets.back(); }
  std::int64_t begin(std::int64_t text) const { return offsets[static_cast<std::size_t>(text)]; }
  std::int64_t rows(std::int64_t text) const { return begin(text + 1) - begin(text); }
  std::int64_t tokens_before(std::int64_t text) const {
    return tokens[static_cast<std::size_t>(text)];
  }
  std::int64_t length(std::int64_t text) const {
    return tokens_before(text + 1) - tokens_before(text);
  }

  /// The position of each row in its text, 0-based: [T].
  template <class Int>
  std::vector<Int> positions() const {
    std::vector<Int> result;
    result.reserve(static_cast<std::size_t>(total()));
    for (std::int64_t text = 0; text < texts(); ++text) {
      for (std::int64_t i = 0; i < rows(text); ++i) result.push_back(static_cast<Int>(i));
    }
    return result;
  }
};

}  // namespace fnet
