#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/utf8.h"
#include "text/normalize.h"

namespace fnet {

/// A piece that a text has by its name, "[MASK]".
struct SpecialPiece {
  std::string text;
  std::int32_t id = 0;
  bool strips_left = false, strips_right = false;  ///< white space beside it goes
};

/// Finds such pieces in a text: the first one, of several there the longest.
class SpecialPieces {
 public:
  SpecialPieces() = default;
  explicit SpecialPieces(std::vector<SpecialPiece> pieces) : pieces_(std::move(pieces)) {
    std::erase_if(pieces_, [](const SpecialPiece& piece) { return piece.text.empty(); });
    std::ranges::stable_sort(pieces_, std::greater<>(),
                             [](const SpecialPiece& piece) { return piece.text.size(); });
    for (const SpecialPiece& piece : pieces_)
      begins_[static_cast<unsigned char>(piece.text[0])] = true;
  }

  /// Calls section(begin, end) for each part of the text between them that is not empty, and
  /// special(piece, begin) for each of them.
  void cut(std::string_view text, auto&& section, auto&& special) const {
    std::size_t begin = 0;
    for (std::size_t i = 0; i < text.size() && !pieces_.empty();) {
      const SpecialPiece* found = at(text, i);
      if (found == nullptr) {
        ++i;
        continue;
      }
      const std::size_t end =
          found->strips_left ? begin + rstrip(text.substr(begin, i - begin)).size() : i;
      if (end > begin) section(begin, end);
      special(*found, i);
      i += found->text.size();
      if (found->strips_right) i = text.size() - lstrip(text.substr(i)).size();
      begin = i;
    }
    if (begin < text.size()) section(begin, text.size());
  }

 private:
  const SpecialPiece* at(std::string_view text, std::size_t i) const {
    if (!begins_[static_cast<unsigned char>(text[i])]) return nullptr;
    const auto found = std::ranges::find_if(
        pieces_, [&](const SpecialPiece& piece) { return text.substr(i).starts_with(piece.text); });
    return found == pieces_.end() ? nullptr : &*found;
  }

  std::vector<SpecialPiece> pieces_;  // the longest first
  std::array<bool, 256> begins_{};    // bytes that one of them begins with
};

}  // namespace fnet
