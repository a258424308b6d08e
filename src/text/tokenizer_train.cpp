#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "core/error.h"
#include "core/file.h"
#include "core/utf8.h"
#include "fnet/tokenizer.h"
#include "text/spm_check.h"

namespace fnet {
namespace {

namespace spm = sentencepiece;

constexpr std::size_t kMaxSentence = 4096;  // bytes; the library drops longer ones, so they are cut
constexpr std::string_view kReserved = "\xe2\x96\x85";  // ▅, the trainer's own mark for unknown
constexpr std::int32_t kSpecials = 7;                   // <unk> <s> </s> <pad> [CLS] [SEP] [MASK]

constexpr std::size_t kMaxCorpus =
    (std::size_t{1} << 31) - 1;  // bytes; its suffix array counts in int

// Feeds the library from files or from a function, long texts in parts that end at white space.
// Texts of which its normalisation leaves nothing stay away: it aborts where it finds no others.
class Texts final : public spm::SentenceIterator {
 public:
  Texts(const TokenizerTraining& training, const std::string& rules) : training_(training) {
    require(rules_.LoadFromRuleName(rules).ok(), Kind::internal, "no normalisation rules '{}'",
            rules);
    Next();
  }

  bool done() const override { return done_; }
  const std::string& value() const override { return value_; }
  spm::util::Status status() const override { return {}; }

  void Next() override {
    do next_part();
    while (!done_ && !has_content());
    bytes_ += value_.size();
    require(training_.max_texts > 0 || bytes_ <= kMaxCorpus, Kind::input,
            "training the tokenizer: expected at most {} bytes of text, found more; set max_texts",
            kMaxCorpus);
  }

 private:
  void next_part() {
    while (begin_ >= text_.size()) {
      if (!next_text()) {
        done_ = true;
        return;
      }
      begin_ = 0;
    }
    const std::size_t size = whole_words(std::string_view(text_).substr(begin_), kMaxSentence);
    value_.assign(text_, begin_, size);
    begin_ += size;
  }

  bool has_content() const {
    const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    if (value_.find(kReserved) != std::string::npos) return false;  // the library skips it
    return std::any_of(value_.begin(), value_.end(), plain) ||
           rules_.Normalize(value_).find_first_not_of(std::string("\0\xe2\x96\x81", 4)) !=
               std::string::npos;
  }

  bool next_text() {
    if (training_.next_text) {
      if (!training_.next_text(text_)) return false;
      ++texts_;
      check(fmt::format("text {}", texts_));
      return true;
    }
    for (; file_ < training_.inputs.size(); ++file_, reader_.reset()) {
      if (!reader_)
        reader_ = std::make_unique<LineReader>(training_.inputs[file_], std::size_t{16} << 20);
      std::string_view line;
      if (!reader_->next(line)) continue;
      text_ = line;
      check(fmt::format("{}:{}", reader_->name(), reader_->line_number()));
      return true;
    }
    return false;
  }

  void check(const std::string& place) const {
    const std::size_t bad = invalid_utf8(text_);
    require(bad == std::string::npos, Kind::input, "{}: byte {}: expected UTF-8, found 0x{:02x}",
            place, bad, bad < text_.size() ? static_cast<unsigned char>(text_[bad]) : 0);
  }

  const TokenizerTraining& training_;
  std::unique_ptr<LineReader> reader_;
  spm::SentencePieceNormalizer rules_;
  std::size_t file_ = 0, begin_ = 0, texts_ = 0, bytes_ = 0;
  std::string text_, value_;
  bool done_ = false;
};

// The library's messages "Vocabulary size too high (9). Please set it to a value <= 8." and
// "Vocabulary size is smaller than required_chars. 9 vs 10." end in the number that would do.
std::size_t number_after(std::string_view message, std::string_view words) {
  const std::size_t at = message.rfind(words);
  std::size_t value = 0;
  if (at != std::string_view::npos)
    std::from_chars(message.data() + at + words.size(), message.data() + message.size(), value);
  return value;
}

[[noreturn]] void fail_training(const std::string& message, const TokenizerTraining& training) {
  if (message.find("too high") != std::string::npos)
    fail(Kind::input,
         "vocab_size: expected at most {} for these texts, found {}; lower it or give more "
         "text",
         number_after(message, "<= "), training.vocab_size);
  if (message.find("smaller than required_chars") != std::string::npos)
    fail(Kind::input,
         "vocab_size: expected at least {} for the characters of these texts, found {}; "
         "raise it or lower character_coverage",
         number_after(message, " vs "), training.vocab_size);
  fail(Kind::input, "training the tokenizer: {}", printable(message));
}

void check_options(const TokenizerTraining& t) {
  require(t.model == "unigram" || t.model == "bpe", Kind::usage,
          "model: expected unigram or bpe, found '{}'", printable(t.model));
  const std::int32_t least = kSpecials + (t.byte_fallback ? 256 : 0) + 1;
  require(t.vocab_size >= least && t.vocab_size <= 1 << 20, Kind::usage,
          "vocab_size: expected {} to {}, found {}", least, 1 << 20, t.vocab_size);
  require(t.character_coverage >= 0.98 && t.character_coverage <= 1, Kind::usage,
          "character_coverage: expected 0.98 to 1, found {}", t.character_coverage);
  require(t.max_texts == 0 || t.max_texts > 100, Kind::usage,
          "max_texts: expected 0 or more than 100, found {}", t.max_texts);
  require(t.inputs.empty() != !t.next_text, Kind::usage,
          "inputs: expected files or texts, found {}", t.inputs.empty() ? "neither" : "both");
}

/// Scores become multiples of 2^-10: their sums are exact, so that a word is cut alike wherever it
/// stands in a text and in whichever precision a program adds (SentencePiece float32, Hugging
/// Face's tokenizers float64).
void round_scores(std::string& model) {
  const SpmSummary summary = check_sentencepiece(model, "the trained model");
  for (const SpmSummary::Piece& piece : summary.pieces) {
    if (piece.score_offset == 0) continue;
    const float score = std::round(piece.score * 1024.0F) / 1024.0F;
    std::memcpy(model.data() + piece.score_offset, &score, sizeof score);
  }
}

}  // namespace

Tokenizer train_tokenizer(const TokenizerTraining& training) {
  check_options(training);
  static std::mutex one_at_a_time;  // the library's random numbers and log level are global
  const std::scoped_lock lock(one_at_a_time);
  spm::SetRandomGeneratorSeed(static_cast<unsigned>(training.seed));

  const std::string rules = training.lower_case ? "nmt_nfkc_cf" : "nmt_nfkc";
  Texts texts(training, rules);
  const auto flag = [](bool on) { return on ? "true" : "false"; };
  // The count of threads decides in which order floats are added, so it is no option.
  const std::unordered_map<std::string, std::string> options = {
      {"model_type", training.model},
      {"vocab_size", std::to_string(training.vocab_size)},
      {"hard_vocab_limit", flag(!training.fewer_pieces)},
      {"character_coverage", fmt::format("{}", training.character_coverage)},
      {"byte_fallback", flag(training.byte_fallback)},
      {"normalization_rule_name", rules},
      {"unk_id", "0"},
      {"bos_id", "1"},
      {"eos_id", "2"},
      {"pad_id", "3"},
      {"control_symbols", "[CLS],[SEP]"},
      {"user_defined_symbols", "[MASK]"},
      {"input_sentence_size", std::to_string(training.max_texts)},
      {"shuffle_input_sentence", flag(training.max_texts > 0)},
      {"max_sentence_length", std::to_string(kMaxSentence)},
      {"num_threads", "16"},
      {"minloglevel", "3"}};
  std::string model;
  require(!texts.done(), Kind::input,
          "training the tokenizer: expected texts, found none but white space");
  const spm::util::Status status = spm::SentencePieceTrainer::Train(options, &texts, &model);
  if (!status.ok()) fail_training(status.message(), training);
  if (training.model == "unigram") round_scores(model);
  return Tokenizer::parse(std::move(model), {}, "the trained model");
}

}  // namespace fnet
