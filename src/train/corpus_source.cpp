#include "train/corpus_source.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace fnet {
namespace {

// Streams of random numbers; below them are the epochs, orders and dropouts of the other sources.
constexpr std::uint64_t kOrderStream = std::uint64_t{1} << 61;
constexpr std::uint64_t kSampleStream = std::uint64_t{1} << 62;

}  // namespace

CorpusSamples::CorpusSamples(const CorpusTexts& texts, const Tokenizer& tokenizer,
                             const Masker& masker, const SampleOptions& options)
    : texts_(texts), tokenizer_(tokenizer), masker_(masker), options_(options) {}

std::uint64_t CorpusSamples::text_at(std::uint64_t position) const {
  const std::uint64_t count = texts_.size();
  const Permutation order(count, options_.seed, kOrderStream | position / count);
  return order(position % count);
}

/// Where the first of two texts ends: before a line where there are several, else before a word,
/// else anywhere.
std::size_t CorpusSamples::split(const Corpus::Piece& piece, Philox& random) const {
  const std::size_t size = piece.ids.size();
  std::vector<std::size_t> lines, words;
  for (std::size_t i = 1; i < size; ++i) {
    if (piece.begins_line[i]) lines.push_back(i);
    if (masker_.begins_word(piece.ids[i])) words.push_back(i);
  }
  if (!lines.empty()) return lines[random.below(lines.size())];
  if (!words.empty()) return words[random.below(words.size())];
  return 1 + static_cast<std::size_t>(random.below(size - 1));
}

CorpusTexts::Text CorpusSamples::other_than(std::uint64_t document, Philox& random) const {
  // A corpus of one document has no other: after some tries any text will do.
  constexpr int kTries = 10;
  std::uint64_t index = 0;
  for (int i = 0; i < kTries; ++i) {
    index = random.below(texts_.size());
    if (texts_.document_of(index) != document) break;
  }
  return texts_.at(index);
}

Encoding CorpusSamples::joined(const CorpusTexts::Text& text, float& label, Philox& random) const {
  const SpecialIds& special = tokenizer_.special();
  Encoding out;
  const auto put = [&](std::int32_t id, std::int32_t type) {
    out.input_ids.push_back(id);
    out.token_type_ids.push_back(type);
  };
  const auto put_all = [&](std::span<const std::int32_t> ids, std::int32_t type) {
    for (const std::int32_t id : ids) put(id, type);
    put(special.sep, type);
  };
  const std::span<const std::int32_t> ids(text.piece.ids);
  put(special.cls, 0);
  if (options_.pairs == PairObjective::none) {
    put_all(ids, 0);
    return out;
  }
  const std::size_t at = split(text.piece, random);
  std::span<const std::int32_t> first = ids.first(at), second = ids.subspan(at);
  const bool changed = random.uniform() < 0.5F;
  label = changed ? 1 : 0;
  CorpusTexts::Text other;
  if (changed && options_.pairs == PairObjective::order) {
    std::swap(first, second);
  } else if (changed) {
    other = other_than(text.document, random);
    second = other.piece.ids;
    second = second.first(std::min<std::size_t>(second.size(), room(options_) - first.size()));
  }
  put_all(first, 0);
  put_all(second, 1);
  return out;
}

Sample CorpusSamples::at(std::uint64_t position) const {
  const CorpusTexts::Text text = texts_.at(text_at(position));
  Philox random(options_.seed, kSampleStream | position);
  Sample sample;
  float label = 0;
  sample.texts.push_back(joined(text, label, random));
  if (options_.pairs != PairObjective::none) sample.values.push_back(label);
  Masker::Masked masked = masker_.mask(sample.texts[0].input_ids, random);
  for (std::size_t i = 0; i < masked.rows.size(); ++i)
    sample.units.push_back(static_cast<std::int32_t>(i));
  sample.picks.push_back(std::move(masked.rows));
  sample.targets = std::move(masked.ids);
  return sample;
}

std::vector<Sample> CorpusSource::batch(std::int64_t step) {
  std::vector<Sample> batch;
  for (std::int64_t i = 0; i < batch_size_; ++i)
    batch.push_back(samples_.at(static_cast<std::uint64_t>(step * batch_size_ + i)));
  return batch;
}

std::string CorpusSource::place(std::int64_t step) {
  std::vector<std::uint64_t> documents;
  for (std::int64_t i = 0; i < batch_size_; ++i) {
    const auto position = static_cast<std::uint64_t>(step * batch_size_ + i);
    documents.push_back(texts_.document_of(samples_.text_at(position)) + 1);
  }
  return fmt::format("documents {} of the corpus", fmt::join(documents, ","));
}

}  // namespace fnet
