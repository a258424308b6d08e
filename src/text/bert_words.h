#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "fnet/tokenizer.h"

namespace fnet {

/// A word as BERT's basic tokenizer makes it of a text.
struct BertWord {
  std::string text;
  std::vector<Span> origin;  ///< [text.size()]: bytes of the letter that each byte was made from
  std::size_t letters = 0;
  bool reordered = false;  ///< some origins do not ascend

  void clear();

  /// The original's bytes that bytes [first, last) come from; there is at least one.
  Span bytes_of(std::size_t first, std::size_t last) const;
};

/// What is done to a text beside its cleaning and the cuts at white space and punctuation.
struct BertRules {
  bool lower_case = true;
  bool strip_accents = true;  ///< canonical decomposition, marks (Mn) dropped
  bool chinese = true;        ///< each Chinese character is a word
};

/// The words of a UTF-8 text, one after another; punctuation characters are words. Character
/// classes are those of the tokenizers package.
/// Source: Devlin et al. 2019, tokenization.py; BertNormalizer, BertPreTokenizer of tokenizers.
class BertWords {
 public:
  BertWords(std::string_view text, BertRules rules) : text_(text), rules_(rules) {}

  /// The next word; false at the end, with an empty one.
  bool next(BertWord& word);

 private:
  /// A mark that stays, of the combining class by which such marks that follow each other are
  /// ordered, and where it stands in the word.
  struct Mark {
    int order;
    std::size_t at;
  };

  bool next_letter(BertWord& word);
  void decompose(char32_t c);
  void append(char32_t c, Span origin, BertWord& word);
  void append_in_order(char32_t c, int order, Span origin, BertWord& word);

  std::string_view text_;
  BertRules rules_;
  std::size_t at_ = 0;
  std::u32string letters_, parts_;  // what one character becomes
  std::vector<Mark> marks_;         // side by side, at the end of the word
};

}  // namespace fnet
