#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fnet/tokenizer.h"

namespace fnet {

/// What a model that knows one vocabulary can tell of another.
struct VocabularyMap {
  /// Of each id of the new vocabulary: the ids of the old one whose mean it starts from, one where
  /// both have the piece; none: it starts afresh.
  std::vector<std::vector<std::int32_t>> sources;
  std::size_t kept = 0;      ///< ids whose piece, or role as a special token, both have
  std::size_t composed = 0;  ///< ids whose piece the old tokenizer splits into pieces it knows

  std::size_t fresh() const { return sources.size() - kept - composed; }

  /// Whether both vocabularies have the same pieces in the same order.
  bool same() const;
};

/// Pieces of `to` in terms of those of `from`. Special tokens go by their role. A piece that `from`
/// lacks is split by it as the start of a text, or, without the mark of a word's start, as the rest
/// of a word. Source: Mosin et al. 2023, vocabulary transfer.
VocabularyMap map_vocabulary(const Tokenizer& from, const Tokenizer& to);

}  // namespace fnet
