#include "text/masking.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"

namespace fnet {
namespace {

// Words of a span: geometric, of which the longest are drawn again. Source: SpanBERT, §3.1.
constexpr float kSpanEnds = 0.2F;
constexpr std::size_t kLongestSpan = 10;
/// Spans that are tried before a text has as many as fit.
constexpr std::size_t kTries = 10;

std::size_t span_words(Philox& random) {
  for (;;) {
    std::size_t words = 1;
    while (words <= kLongestSpan && random.uniform() >= kSpanEnds) ++words;
    if (words <= kLongestSpan) return words;
  }
}

}  // namespace

Masker::Masker(const Tokenizer& tokenizer, MaskingOptions options)
    : options_(std::move(options)), mask_(tokenizer.special().mask) {
  const auto known = {"token", "whole-word", "span"};
  require(std::ranges::find(known, options_.masking) != known.end(), Kind::usage,
          "masking: expected token, whole-word or span, found '{}'", printable(options_.masking));
  require(options_.mask_prob > 0 && options_.mask_prob <= 1, Kind::usage,
          "mask_prob: expected more than 0 and at most 1, found {}", options_.mask_prob);
  require(mask_ >= 0, Kind::input, "tokenizer: expected the piece '{}', found none",
          tokenizer.config().mask_token);
  std::size_t ordinary = 0;
  for (std::int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    special_.push_back(tokenizer.is_special(id));
    begins_word_.push_back(tokenizer.begins_word(id));
    ordinary += special_.back() ? 0 : 1;
  }
  require(ordinary > 0, Kind::input, "tokenizer: expected pieces of text, found none");
}

/// The share of so many tokens, rounded up or down by chance so that it holds over many texts.
std::size_t Masker::wanted(std::size_t tokens, Philox& random) const {
  const double share = options_.mask_prob * static_cast<double>(tokens);
  auto count = static_cast<std::size_t>(std::floor(share + random.uniform()));
  count = std::clamp<std::size_t>(count, 1, tokens);
  return options_.max_predictions > 0
             ? std::min(count, static_cast<std::size_t>(options_.max_predictions))
             : count;
}

/// Whole words until there are enough tokens; those that would be too many are passed over.
Masker::Choice Masker::choose_words(std::vector<std::vector<std::int32_t>> words,
                                    std::size_t wanted, Philox& random) const {
  random.shuffle(words);
  Choice chosen;
  std::size_t count = 0;
  for (std::vector<std::int32_t>& word : words) {
    if (count + word.size() > wanted) continue;
    count += word.size();
    chosen.push_back(std::move(word));
    if (count == wanted) break;
  }
  return chosen;
}

Masker::Choice Masker::choose_spans(const std::vector<std::vector<std::int32_t>>& words,
                                    std::size_t wanted, Philox& random) const {
  Choice chosen;
  std::vector<bool> taken(words.size(), false);
  std::size_t count = 0;
  for (std::size_t tries = 0; count < wanted && tries < kTries * wanted; ++tries) {
    const std::size_t length = span_words(random);
    const auto first = static_cast<std::size_t>(random.below(words.size()));
    std::vector<std::int32_t> span;
    std::size_t last = first;
    for (; last < std::min(words.size(), first + length) && !taken[last]; ++last) {
      if (count + span.size() + words[last].size() > wanted) break;
      // A span is of words side by side: no special token stands between them.
      if (!span.empty() && words[last].front() != span.back() + 1) break;
      span.insert(span.end(), words[last].begin(), words[last].end());
    }
    if (span.empty()) continue;
    std::fill(taken.begin() + static_cast<std::ptrdiff_t>(first),
              taken.begin() + static_cast<std::ptrdiff_t>(last), true);
    count += span.size();
    chosen.push_back(std::move(span));
  }
  return chosen;
}

/// `alike`: all rows in the same way, each token with one of its own where it is another one.
void Masker::hide(std::span<std::int32_t> ids, std::span<const std::int32_t> rows, bool alike,
                  Philox& random) const {
  float way = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i == 0 || !alike) way = random.uniform();
    std::int32_t& id = ids[static_cast<std::size_t>(rows[i])];
    if (way < 0.8F) {
      id = mask_;
    } else if (way < 0.9F) {
      do id = static_cast<std::int32_t>(random.below(special_.size()));
      while (special_[static_cast<std::size_t>(id)]);
    }
  }
}

Masker::Masked Masker::mask(std::span<std::int32_t> ids, Philox& random) const {
  const bool words = options_.masking != "token";
  std::vector<std::vector<std::int32_t>> units;
  std::size_t tokens = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (special_[static_cast<std::size_t>(ids[i])]) continue;
    ++tokens;
    const auto row = static_cast<std::int32_t>(i);
    const bool goes_on =
        words && !units.empty() && units.back().back() == row - 1 && !begins_word(ids[i]);
    if (goes_on) {
      units.back().push_back(row);
    } else {
      units.push_back({row});
    }
  }
  Masked masked;
  if (tokens == 0) return masked;
  const std::size_t count = wanted(tokens, random);
  const bool spans = options_.masking == "span";
  Choice chosen = spans ? choose_spans(units, count, random) : choose_words(units, count, random);
  if (chosen.empty()) {  // every word has more tokens than are wanted: a part of one
    std::vector<std::int32_t>& unit = units[random.below(units.size())];
    unit.resize(std::min(unit.size(), count));
    chosen.push_back(unit);
  }
  for (const std::vector<std::int32_t>& rows : chosen)
    masked.rows.insert(masked.rows.end(), rows.begin(), rows.end());
  std::ranges::sort(masked.rows);
  for (const std::int32_t row : masked.rows)
    masked.ids.push_back(ids[static_cast<std::size_t>(row)]);
  for (const std::vector<std::int32_t>& rows : chosen) hide(ids, rows, spans, random);
  return masked;
}

}  // namespace fnet
