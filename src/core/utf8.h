#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fnet {

/// A code point and how many bytes it takes; `length` 0 where the bytes are not UTF-8.
struct CodePoint {
  char32_t value = 0;
  std::size_t length = 0;
};

/// The first code point of `text`, which is not empty. Overlong forms, surrogates and values above
/// U+10FFFF are refused. Source: RFC 3629, section 4.
CodePoint decode_utf8(std::string_view text) noexcept;

/// Appends a code point.
void append_utf8(std::string& out, char32_t value);

/// Position of the first byte that is not UTF-8, or `npos`.
std::size_t invalid_utf8(std::string_view text) noexcept;

}  // namespace fnet
