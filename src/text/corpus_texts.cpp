#include "text/corpus_texts.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace fnet {

CorpusTexts::CorpusTexts(const Corpus& corpus, std::uint64_t room, std::uint64_t least, Takes takes)
    : corpus_(corpus), room_(room), least_(least), takes_(std::move(takes)) {
  for (std::uint64_t group = 0; group < corpus.groups(); ++group) {
    std::uint64_t texts = 0, document = group * Corpus::kGroup;
    for (const std::uint64_t length : corpus.lengths(group)) {
      const std::uint64_t here = texts_of(document++, length);
      if (here == 0) continue;
      texts += here;
      tokens_ += length;
      ++documents_;
    }
    before_.push_back(before_.back() + texts);
  }
}

std::uint64_t CorpusTexts::texts_of(std::uint64_t document, std::uint64_t length) const {
  if (length < least_ || (takes_ && !takes_(document))) return 0;
  return (length + room_ - 1) / room_;
}

CorpusTexts::Place CorpusTexts::find(std::uint64_t index) const {
  require(index < size(), Kind::internal, "corpus: text {} of {}", index, size());
  const auto after = std::ranges::upper_bound(before_, index);
  const auto group = static_cast<std::uint64_t>(after - before_.begin()) - 1;
  std::uint64_t left = index - before_[group], begin = 0, document = group * Corpus::kGroup;
  for (const std::uint64_t length : corpus_.lengths(group)) {
    const std::uint64_t texts = texts_of(document, length);
    if (left < texts) {
      // The first `longer` of them have one token more.
      const std::uint64_t each = length / texts, longer = length % texts;
      return {group, document, begin + left * each + std::min(left, longer),
              each + (left < longer ? 1 : 0)};
    }
    left -= texts;
    begin += length;
    ++document;
  }
  fail(Kind::internal, "corpus: text {} is in no document", index);
}

CorpusTexts::Text CorpusTexts::at(std::uint64_t index) const {
  const Place place = find(index);
  return {place.document, corpus_.read(place.group, place.begin, place.count)};
}

}  // namespace fnet
