#include "core/utf8.h"

#include <cstring>

namespace fnet {

CodePoint decode_utf8(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return {};
  char32_t value = first & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if (!goes_on_letter(text[i])) return {};
    value = value << 6 | (byte(i) & 0x3FU);
  }
  const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  if (overlong || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return {};
  return {value, length};
}

void append_utf8(std::string& out, char32_t value) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80U | (value >> shift & 0x3FU)); };
  if (value < 0x80) {
    out += static_cast<char>(value);
  } else if (value < 0x800) {
    out += static_cast<char>(0xC0U | value >> 6), tail(0);
  } else if (value < 0x10000) {
    out += static_cast<char>(0xE0U | value >> 12), tail(6), tail(0);
  } else {
    out += static_cast<char>(0xF0U | value >> 18), tail(12), tail(6), tail(0);
  }
}

std::size_t whole_letters(std::string_view text, std::size_t most) noexcept {
  if (text.size() <= most) return text.size();
  while (most > 0 && goes_on_letter(text[most])) --most;
  return most;
}

std::size_t whole_words(std::string_view text, std::size_t most) noexcept {
  const std::size_t space = text.size() <= most ? text.npos : text.rfind(' ', most);
  return space != text.npos && space > 0 ? space : whole_letters(text, most);
}

std::size_t invalid_utf8(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size();) {
    std::uint64_t word;  // eight ASCII bytes at a time
    if (i + sizeof word <= text.size()) {
      std::memcpy(&word, text.data() + i, sizeof word);
      if ((word & 0x8080808080808080U) == 0) {
        i += sizeof word;
        continue;
      }
    }
    const std::size_t length = decode_utf8(text.substr(i)).length;
    if (length == 0) return i;
    i += length;
  }
  return std::string_view::npos;
}

}  // namespace fnet
