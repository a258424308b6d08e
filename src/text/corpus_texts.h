#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "text/corpus.h"

namespace fnet {

/// A corpus cut into the texts that a model reads, which are found by number: memory holds a number
/// for each group of documents. A text is a piece of one document; a document of more tokens than
/// fit is cut into as few pieces of about equal length as will do.
class CorpusTexts {
 public:
  /// Which documents are taken, by their number.
  using Takes = std::function<bool(std::uint64_t document)>;

  /// `room`: tokens of a text at most; documents of fewer than `least` are left out. Reads the
  /// lengths of all documents once. The corpus must outlive this object.
  CorpusTexts(const Corpus& corpus, std::uint64_t room, std::uint64_t least, Takes takes = {});

  std::uint64_t size() const noexcept { return before_.back(); }
  std::uint64_t documents() const noexcept { return documents_; }  ///< that are taken
  std::uint64_t tokens() const noexcept { return tokens_; }        ///< of them

  struct Text {
    std::uint64_t document = 0;
    Corpus::Piece piece;
  };

  /// Throws: as Corpus::read.
  Text at(std::uint64_t index) const;

  /// The number of the document that a text belongs to.
  std::uint64_t document_of(std::uint64_t index) const { return find(index).document; }

 private:
  struct Place {
    std::uint64_t group, document, begin, count;
  };
  std::uint64_t texts_of(std::uint64_t document, std::uint64_t length) const;
  Place find(std::uint64_t index) const;

  const Corpus& corpus_;
  std::uint64_t room_, least_;
  Takes takes_;
  std::uint64_t documents_ = 0, tokens_ = 0;
  std::vector<std::uint64_t> before_ = {0};  // texts of the groups before, and of all
};

}  // namespace fnet
