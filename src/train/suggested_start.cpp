#include <algorithm>
#include <cctype>

#include "core/error.h"
#include "core/utf8.h"
#include "fnet/box.h"
#include "fnet/finetune.h"
#include "train/task_setup.h"

namespace fnet {
namespace {

/// Examples that are looked at.
constexpr std::size_t kLookedAt = 500;
/// English has 0.85 to 0.97 of its letters in words of one piece of an English vocabulary, Nigerian
/// Pidgin 0.80, Scots 0.55, French 0.38, most others less.
constexpr double kFamiliar = 0.7;

bool is_letter(char32_t c) { return c < 0x80 ? std::isalpha(static_cast<int>(c)) != 0 : c >= 0xC0; }

/// Of the letters of words how many stand in words of one piece.
class Familiarity {
 public:
  explicit Familiarity(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  void add(std::string_view text) {
    std::vector<std::string> words;
    std::vector<std::size_t> sizes;
    bool inside = false;
    for (std::size_t at = 0; at < text.size();) {
      const CodePoint c = decode_utf8(text.substr(at));
      const bool letter = is_letter(c.value);
      if (letter && !inside) words.emplace_back(), sizes.push_back(0);
      if (letter) words.back() += text.substr(at, c.length), ++sizes.back();
      inside = letter;
      at += c.length;
    }
    const Encoding pieces = tokenizer_.encode_words(words, {.add_special_tokens = false});
    std::vector<std::size_t> counts(words.size());
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const std::int32_t word = pieces.word_ids[i];
      if (word < 0) continue;
      const bool unknown = pieces.input_ids[i] == tokenizer_.special().unk;
      counts[static_cast<std::size_t>(word)] += unknown ? 2 : 1;
    }
    for (std::size_t w = 0; w < words.size(); ++w) {
      letters_ += sizes[w];
      if (counts[w] == 1 && sizes[w] > 1) whole_ += sizes[w];
    }
  }

  double share() const {
    return letters_ > 0 ? static_cast<double>(whole_) / static_cast<double>(letters_) : 0;
  }

 private:
  const Tokenizer& tokenizer_;
  std::size_t letters_ = 0, whole_ = 0;
};

}  // namespace

std::filesystem::path suggested_start(const FinetuneOptions& options,
                                      const std::function<void(std::string_view)>& log) {
  const auto box = find_box();
  if (!box) {
    if (log && !box_declined())
      log("model: a new one; the one in the box was not found (FNET_BOX may name its directory)");
    return {};
  }
  const Tokenizer tokenizer = Tokenizer::load(*box);
  Familiarity familiarity(tokenizer);
  const std::vector<NamedTask> tasks = tasks_of(options);
  for (const NamedTask& task : tasks) {
    for (const Example& example : first_examples(task, kLookedAt)) {
      for (const std::string& text : example.texts) familiarity.add(text);
      for (const std::string& word : example.words) familiarity.add(word);
    }
  }
  if (familiarity.share() >= kFamiliar) return *box;
  if (log) {
    log(
        fmt::format("model: a new one, not the one in the box, which knows English: only {:.0f} % "
                    "of the texts' "
                    "letters stand in words that it knows (of English texts some 90 %)",
                    100 * familiarity.share()));
  }
  return {};
}

}  // namespace fnet
