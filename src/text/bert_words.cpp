#include "text/bert_words.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "core/utf8.h"
#include "text/normalize.h"
#include "text/unicode_table.h"

namespace fnet {
namespace {

// Marks that a stripped text loses, or that are ordered by `order`, their combining class.
struct MarkRange {
  char32_t first, last;
  int order;
  bool dropped;
};
#include "text/bert_tables.inl"

/// Marks side by side that are put in order: more than a word that is known has letters.
constexpr std::size_t kMostMarks = 128;

enum class Class : unsigned char { letter, capital, space, alone, removed };

constexpr Class class_of(unsigned c) {
  if (c == '\t' || c == '\n' || c == '\r' || c == ' ') return Class::space;
  if (c < 0x20 || c == 0x7F) return Class::removed;
  if (c >= 'A' && c <= 'Z') return Class::capital;
  const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  return plain ? Class::letter : Class::alone;
}

constexpr std::array<Class, 128> kAscii = [] {
  std::array<Class, 128> classes{};
  for (unsigned c = 0; c < classes.size(); ++c) classes[c] = class_of(c);
  return classes;
}();

template <std::size_t N>
bool in_table(const char32_t (&table)[N], char32_t first, char32_t c, std::u32string& out) {
  if (c < first || c - first >= N) return false;
  out += table[c - first];
  return true;
}

}  // namespace

void BertWord::clear() { text.clear(), origin.clear(), letters = 0, reordered = false; }

Span BertWord::bytes_of(std::size_t first, std::size_t last) const {
  Span bytes{origin[first].begin, origin[last - 1].end};
  for (std::size_t i = first; reordered && i < last; ++i) {
    bytes.begin = std::min(bytes.begin, origin[i].begin);
    bytes.end = std::max(bytes.end, origin[i].end);
  }
  return bytes;
}

/// What a character becomes without accents, marks that go not yet left out, into parts_.
void BertWords::decompose(char32_t c) {
  parts_.clear();
  if (in_table(kCompatibleBmp, kCompatibleBmpFirst, c, parts_) ||
      in_table(kCompatible, kCompatibleFirst, c, parts_) || map(kCanonical, c, parts_) ||
      expand(kCanonicalExpansions, kCanonicalText, c, parts_))
    return;
  append_stripped(c, parts_);
}

void BertWords::append(char32_t c, Span origin, BertWord& word) {
  append_utf8(word.text, c);
  word.origin.resize(word.text.size(), origin);
  ++word.letters;
}

void BertWords::append_in_order(char32_t c, int order, Span origin, BertWord& word) {
  const auto after = std::ranges::upper_bound(marks_, order, {}, &Mark::order);
  const std::size_t at = after == marks_.end() ? word.text.size() : after->at;
  std::string bytes;
  append_utf8(bytes, c);
  word.text.insert(at, bytes);
  word.origin.insert(word.origin.begin() + static_cast<std::ptrdiff_t>(at), bytes.size(), origin);
  ++word.letters;
  word.reordered = word.reordered || after != marks_.end();
  for (auto later = after; later != marks_.end(); ++later) later->at += bytes.size();
  marks_.insert(after, {order, at});
}

/// Takes the character at `at_`, which is not ASCII; true where the word ends before or after it.
bool BertWords::next_letter(BertWord& word) {
  const CodePoint c = decode_utf8(text_.substr(at_));
  const Span origin{at_, at_ + c.length};
  if (contains(kRemoved, c.value)) {
    at_ = origin.end;
    return false;
  }
  if (is_space(c.value)) {
    marks_.clear();
    at_ = origin.end;
    return !word.text.empty();
  }
  bool alone = rules_.chinese && contains(kChinese, c.value);
  letters_.assign(1, c.value);
  if (rules_.strip_accents) {
    decompose(c.value);
    std::swap(letters_, parts_);
  }
  if (rules_.lower_case) {
    parts_.clear();
    for (const char32_t letter : letters_)
      if (!map(kNewLower, letter, parts_)) append_lower(letter, parts_);
    std::swap(letters_, parts_);
  }
  alone = alone || (letters_.size() == 1 && contains(kPunctuation, letters_[0]));
  if (alone && !word.text.empty()) return true;
  at_ = origin.end;
  for (const char32_t letter : letters_) {
    const MarkRange* mark = rules_.strip_accents ? range_of(kMarkRanges, letter) : nullptr;
    if (mark == nullptr || mark->order == 0) marks_.clear();
    if (mark != nullptr && mark->dropped) continue;
    if (mark == nullptr || mark->order == 0 || marks_.size() == kMostMarks) {
      append(letter, origin, word);
    } else {
      append_in_order(letter, mark->order, origin, word);
    }
  }
  return alone;
}

bool BertWords::next(BertWord& word) {
  word.clear();
  marks_.clear();
  while (at_ < text_.size()) {
    const auto byte = static_cast<unsigned char>(text_[at_]);
    if (byte >= 0x80) {
      if (next_letter(word)) return true;
      continue;
    }
    switch (kAscii[byte]) {
      case Class::letter:
      case Class::capital: {
        const bool lower = rules_.lower_case && kAscii[byte] == Class::capital;
        word.text += static_cast<char>(lower ? byte + ('a' - 'A') : byte);
        word.origin.push_back({at_, at_ + 1});
        ++word.letters;
        marks_.clear();
        break;
      }
      case Class::alone:
        if (!word.text.empty()) return true;
        word.text = text_[at_];
        word.origin.push_back({at_, at_ + 1});
        word.letters = 1;
        ++at_;
        return true;
      case Class::space:
        marks_.clear();
        if (!word.text.empty()) {
          ++at_;
          return true;
        }
        break;
      case Class::removed:
        break;
    }
    ++at_;
  }
  return !word.text.empty();
}

}  // namespace fnet
