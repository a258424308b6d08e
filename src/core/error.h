#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "fnet/error.h"

namespace fnet {

using Kind = Error::Kind;

/// Throws an Error of this kind with the formatted message.
template <class... Args>
[[noreturn]] void fail(Kind kind, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(kind, fmt::format(format, std::forward<Args>(args)...));
}

/// Throws unless `ok`; the message is formatted only on failure.
template <class... Args>
void require(bool ok, Kind kind, fmt::format_string<Args...> format, Args&&... args) {
  if (!ok) [[unlikely]]
    fail(kind, format, std::forward<Args>(args)...);
}

/// `text` fit for a message: control characters and what is not UTF-8 escaped, cut before the
/// letter that passes `limit` bytes.
std::string printable(std::string_view text, std::size_t limit = 200);

/// `text` as a field of tab-separated values: escaped like that, never cut; `_` for none.
std::string field(std::string_view text);

/// Levenshtein distance in bytes.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate closest to `word` by edit distance, or empty when none is near: for "did you
/// mean".
std::string nearest(std::string_view word, const auto& candidates) {
  std::string best;
  std::size_t best_distance = word.size() / 2 + 1;
  for (const auto& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) best_distance = distance, best = std::string(candidate);
  }
  return best;
}

}  // namespace fnet
