#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/random.h"
#include "fnet/tokenizer.h"

namespace fnet {

/// Which tokens of a text a masked language model has to tell.
struct MaskingOptions {
  /// token: each by itself; whole-word: all pieces of a word; span: words that follow each other.
  std::string masking = "token";
  double mask_prob = 0.15;           ///< share of the tokens
  std::int64_t max_predictions = 0;  ///< of a text at most; 0: any number
};

/// Chooses tokens and hides them: of those chosen, 80 % become [MASK], 10 % another token at random
/// and 10 % stay. Special tokens are never chosen and never put in place of another.
/// Source: Devlin et al. 2019, §3.1; spans: Joshi et al. 2020 (SpanBERT), §3.1.
class Masker {
 public:
  /// Throws: usage where an option has no such value, input where the tokenizer has no [MASK].
  Masker(const Tokenizer& tokenizer, MaskingOptions options);

  /// The rows that were chosen, ascending, and the tokens that stood there.
  struct Masked {
    std::vector<std::int32_t> rows, ids;
  };

  /// Hides tokens of `ids`; at least one where there is any. What is chosen follows from `random`
  /// alone.
  Masked mask(std::span<std::int32_t> ids, Philox& random) const;

  /// Whether a token begins a word.
  bool begins_word(std::int32_t id) const { return begins_word_[static_cast<std::size_t>(id)]; }

 private:
  using Choice = std::vector<std::vector<std::int32_t>>;  // what is hidden in one way, together

  std::size_t wanted(std::size_t tokens, Philox& random) const;
  Choice choose_words(std::vector<std::vector<std::int32_t>> words, std::size_t wanted,
                      Philox& random) const;
  Choice choose_spans(const std::vector<std::vector<std::int32_t>>& words, std::size_t wanted,
                      Philox& random) const;
  void hide(std::span<std::int32_t> ids, std::span<const std::int32_t> rows, bool alike,
            Philox& random) const;

  MaskingOptions options_;
  std::int32_t mask_;
  std::vector<bool> special_, begins_word_;
};

}  // namespace fnet
