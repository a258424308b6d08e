#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/permutation.h"
#include "text/corpus_texts.h"
#include "text/masking.h"
#include "train/source.h"

namespace fnet {

/// What a masked language model learns beside masked tokens, from pairs of texts. Label 0: the
/// second goes on from the first.
enum class PairObjective : std::uint8_t {
  none,
  order,  ///< label 1: they are swapped. Source: google-research/f_net's pipeline; ALBERT's SOP
  next,   ///< label 1: the second is of another document. Source: Devlin et al. 2019, §3.1
};

/// How texts of a corpus become samples.
struct SampleOptions {
  PairObjective pairs = PairObjective::none;
  std::int64_t max_length = 512;  ///< tokens of a sample at most, special ones included
  std::uint64_t seed = 1;
};

/// Samples of a corpus by their position in a run: masked, in another order in each pass. What
/// stands at a position is a function of (seed, position) alone: not of batches, of how many
/// processes share them, or of what was asked for before.
///
/// A sample has one text with its masked rows as picks and the tokens that stood there as targets;
/// of a pair its label, 0 or 1, is the one value.
class CorpusSamples {
 public:
  /// What of a sample's length its text or two texts have, without special tokens.
  static std::uint64_t room(const SampleOptions& options) {
    return static_cast<std::uint64_t>(options.max_length) -
           (options.pairs == PairObjective::none ? 2 : 3);
  }

  /// The fewest tokens of a document that is read: a pair needs one for each text.
  static constexpr std::uint64_t kLeast = 2;

  /// All must outlive this object.
  CorpusSamples(const CorpusTexts& texts, const Tokenizer& tokenizer, const Masker& masker,
                const SampleOptions& options);

  Sample at(std::uint64_t position) const;

  /// The text that stands at a position.
  std::uint64_t text_at(std::uint64_t position) const;

 private:
  std::size_t split(const Corpus::Piece& piece, Philox& random) const;
  Encoding joined(const CorpusTexts::Text& text, float& label, Philox& random) const;
  CorpusTexts::Text other_than(std::uint64_t document, Philox& random) const;

  const CorpusTexts& texts_;
  const Tokenizer& tokenizer_;
  const Masker& masker_;
  SampleOptions options_;
};

/// The samples of a run's steps, so many a step.
class CorpusSource : public Source {
 public:
  CorpusSource(const CorpusTexts& texts, const CorpusSamples& samples, std::int64_t batch_size,
               std::int64_t eval_steps)
      : texts_(texts), samples_(samples), batch_size_(batch_size), eval_steps_(eval_steps) {}

  std::int64_t epoch_steps() const override { return eval_steps_; }
  std::vector<Sample> batch(std::int64_t step) override;
  std::string place(std::int64_t step) override;

 private:
  const CorpusTexts& texts_;
  const CorpusSamples& samples_;
  std::int64_t batch_size_, eval_steps_;
};

}  // namespace fnet
