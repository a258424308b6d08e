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

/// Whether a byte goes on with a letter of several bytes.
inline bool goes_on_letter(char byte) noexcept {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80;
}

/// Bytes of the front of a text, at most `most`, that end between two letters.
std::size_t whole_letters(std::string_view text, std::size_t most) noexcept;

/// The same, up to a space where a longer text has one there.
std::size_t whole_words(std::string_view text, std::size_t most) noexcept;

/// Position of the first byte that is not UTF-8, or `npos`.
std::size_t invalid_utf8(std::string_view text) noexcept;

}  // namespace fnet
