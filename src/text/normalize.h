#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fnet {

/// U+2581, which stands for a space in SentencePiece's pieces.
inline constexpr std::string_view kSpaceSymbol = "\xe2\x96\x81";

/// A text made from another one, and where each of its bytes comes from.
struct AlignedText {
  std::string text;
  std::vector<std::size_t>
      origin;  ///< [text.size() + 1]: byte of the original; the last is its end

  /// The text itself.
  explicit AlignedText(std::string_view original);
  AlignedText() = default;

  /// Appends `piece`, made from what begins at `from`.
  void append(std::string_view piece, std::size_t from);
};

/// White_Space of Unicode, as Python's str.isspace without the four separators U+001C to U+001F.
bool is_space(char32_t c) noexcept;

/// A UTF-8 text without the white space at its start, or at its end.
std::string_view lstrip(std::string_view text) noexcept;
std::string_view rstrip(std::string_view text) noexcept;

/// Python's str.isdigit: Numeric_Type Digit or Decimal.
bool is_digit(char32_t c) noexcept;

/// Python's `\w`: letters, digits and the underscore.
bool is_word(char32_t c) noexcept;

/// Whether a piece is a number's end and a comma, as "▁2005,".
bool is_digit_comma(std::string_view piece) noexcept;

/// What Hugging Face's converter takes from the score of such pieces, so that they form last.
constexpr float kDigitCommaPenalty = 100.0F;

/// ``` `` ``` and `''` become `"`.
AlignedText replace_quotes(const AlignedText& in);

/// Canonical decomposition of a text in NFKC, combining marks dropped: "é" becomes "e".
AlignedText strip_accents(const AlignedText& in);

/// Each character by Unicode's lower-case mapping, without the rules that look at neighbours.
AlignedText lower_case(const AlignedText& in);

/// Appends a character of NFKC without its accents, decomposed; a mark by itself stays.
void append_stripped(char32_t c, std::u32string& out);

/// Appends a character in lower case.
void append_lower(char32_t c, std::u32string& out);

/// Runs of white space become one space; none is left at the start and the end.
AlignedText strip_and_collapse(const AlignedText& in);

/// Runs of spaces (U+0020 only) become one.
AlignedText collapse_spaces(const AlignedText& in);

}  // namespace fnet
