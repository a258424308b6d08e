#include "text/normalize.h"

#include "core/utf8.h"
#include "text/unicode_table.h"

namespace fnet {
namespace {

#include "text/unicode_tables.inl"
#include "text/word_table.inl"

// Calls each(code point, bytes, place) over a text that is UTF-8.
template <class Each>
void for_each_character(const AlignedText& in, Each each) {
  const std::string_view text = in.text;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text.substr(i));
    each(c.value, text.substr(i, c.length), i);
    i += c.length;
  }
}

template <class Change>
AlignedText map_characters(const AlignedText& in, Change change) {
  AlignedText out;
  std::u32string now;
  std::string bytes;
  for_each_character(in, [&](char32_t c, std::string_view, std::size_t i) {
    now.clear(), bytes.clear();
    change(c, now);
    for (const char32_t x : now) append_utf8(bytes, x);
    out.append(bytes, in.origin[i]);
  });
  out.origin.push_back(in.origin.back());
  return out;
}

}  // namespace

AlignedText::AlignedText(std::string_view original) : text(original), origin(original.size() + 1) {
  for (std::size_t i = 0; i < origin.size(); ++i) origin[i] = i;
}

void AlignedText::append(std::string_view piece, std::size_t from) {
  text += piece;
  origin.insert(origin.end(), piece.size(), from);
}

bool is_space(char32_t c) noexcept {
  return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

std::string_view lstrip(std::string_view text) noexcept {
  while (!text.empty()) {
    const CodePoint c = decode_utf8(text);
    if (!is_space(c.value)) break;
    text.remove_prefix(c.length);
  }
  return text;
}

std::string_view rstrip(std::string_view text) noexcept {
  std::size_t end = 0;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text.substr(i));
    i += c.length;
    if (!is_space(c.value)) end = i;
  }
  return text.substr(0, end);
}

bool is_digit(char32_t c) noexcept { return contains(kDigits, c); }

bool is_word(char32_t c) noexcept { return contains(kWords, c); }

bool is_digit_comma(std::string_view piece) noexcept {
  if (!piece.ends_with(',')) return false;
  char32_t before = 0;
  for (std::size_t i = 0; i + 1 < piece.size();) {
    const CodePoint c = decode_utf8(piece.substr(i));
    if (c.length == 0) return false;
    before = c.value, i += c.length;
  }
  return is_digit(before);
}

AlignedText replace_quotes(const AlignedText& in) {
  AlignedText out;
  const std::string_view text = in.text;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view two = text.substr(i, 2);
    if (two == "``" || two == "''") {
      out.append("\"", in.origin[i++]);
    } else {
      out.append(text.substr(i, 1), in.origin[i]);
    }
  }
  out.origin.push_back(in.origin.back());
  return out;
}

void append_stripped(char32_t c, std::u32string& out) {
  if (c >= 0xAC00 && c <= 0xD7A3) {  // Hangul. Source: Unicode 15, section 3.12
    const char32_t s = c - 0xAC00;
    out.push_back(0x1100 + s / 588);
    out.push_back(0x1161 + s % 588 / 28);
    if (s % 28 != 0) out.push_back(0x11A7 + s % 28);
  } else {
    map(kStripped, kStrippedExpansions, kStrippedText, c, out);
  }
}

void append_lower(char32_t c, std::u32string& out) {
  map(kLower, kLowerExpansions, kLowerText, c, out);
}

AlignedText strip_accents(const AlignedText& in) {
  return map_characters(in, [](char32_t c, std::u32string& out) {
    if (!contains(kMarks, c)) append_stripped(c, out);
  });
}

AlignedText lower_case(const AlignedText& in) { return map_characters(in, append_lower); }

AlignedText strip_and_collapse(const AlignedText& in) {
  AlignedText out;
  std::size_t space = 0;
  bool pending = false;
  for_each_character(in, [&](char32_t c, std::string_view bytes, std::size_t i) {
    if (is_space(c)) {
      if (!pending) space = i;
      pending = true;
      return;
    }
    if (pending && !out.text.empty()) out.append(" ", in.origin[space]);
    pending = false;
    for (std::size_t k = 0; k < bytes.size(); ++k) out.append(bytes.substr(k, 1), in.origin[i + k]);
  });
  out.origin.push_back(pending ? in.origin[space] : in.origin.back());
  return out;
}

AlignedText collapse_spaces(const AlignedText& in) {
  AlignedText out;
  for (std::size_t i = 0; i < in.text.size(); ++i)
    if (in.text[i] != ' ' || i == 0 || in.text[i - 1] != ' ')
      out.append(std::string_view(in.text).substr(i, 1), in.origin[i]);
  out.origin.push_back(in.origin.back());
  return out;
}

}  // namespace fnet
