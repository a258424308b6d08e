#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/bags.h"
#include "fnet/tokenizer.h"

namespace fnet {

/// Words and pairs of neighbouring words of a text, or of a pair of texts, by ascending key. A word
/// is a run of characters in lower case; marks, symbols and the characters of scripts that are
/// written without spaces stand alone. In a pair of texts, the second one's words are others than
/// the first one's, each word counts once more as one that both have or only the first or second
/// does, and so do the shares of words in common, in tenths. `text`, `pair`: UTF-8.
std::vector<NgramCount> count_ngrams(std::string_view text,
                                     std::optional<std::string_view> pair = {});

/// Which n-grams count, and how much: rows of a table, with TF-IDF values.
class NgramTable {
 public:
  static constexpr std::uint32_t kKeys = std::uint32_t{1} << 24;  ///< exact as float32

  NgramTable() = default;

  /// Keys as they are stored, with the weight of each. Throws: input unless the keys are ascending
  /// whole numbers below kKeys.
  NgramTable(std::span<const float> keys, std::span<const float> idf);

  /// Of texts: their n-grams that occur in at least two, and of those the `most` frequent.
  /// idf = ln((1 + texts) / (1 + texts that have it)) + 1. Source: scikit-learn, TfidfVectorizer.
  NgramTable(std::span<const std::vector<NgramCount>> texts, std::size_t most);

  const std::vector<float>& keys() const noexcept { return keys_; }  ///< [F]
  const std::vector<float>& idf() const noexcept { return idf_; }    ///< [F]

  /// Appends a text: (1 + ln count) · idf, of length 1 over the n-grams that the table has.
  void add(std::span<const NgramCount> text, Bags& bags) const;

 private:
  std::vector<float> keys_, idf_;
};

}  // namespace fnet
