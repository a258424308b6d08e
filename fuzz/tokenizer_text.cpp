#include <array>

#include "core/file.h"
#include "fnet/tokenizer.h"
#include "input.h"
#include "text/wordpiece_json.h"

namespace {

using namespace fnet;

// BERT's tokenizer with some pieces, folding case or not.
Tokenizer make_wordpiece(bool lower_case) {
  TokenizerConfig config = wordpiece_config();
  config.do_lower_case = lower_case;
  config.keep_accents = !lower_case;
  config.added_tokens = {{.content = "<x>", .lstrip = true, .rstrip = true},
                         {.content = "re", .special = false, .normalized = true}};
  return Tokenizer::parse(
      "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nmodel\nread\n##s\n##e\ne\ncaf\n##\u00e9\n1\n##0\n,"
      "\n",
      config);
}

// A small model of our own, in each mode, and BERT's.
std::array<Tokenizer, 5> make_tokenizers() {
  TokenizerTraining training;
  training.vocab_size = 290;
  training.model = "bpe";
  training.byte_fallback = true;
  training.next_text = [i = 0](std::string& text) mutable {
    text = "The model reads 1,000 words in 2005, and caf\xc3\xa9 tables too.";
    return i++ < 2;
  };
  char directory[] = "/tmp/fnet_fuzz_XXXXXX";
  if (mkdtemp(directory) == nullptr) abort();
  train_tokenizer(training).save(directory);
  const std::string model = read_file(std::string(directory) + "/spiece.model", 1 << 20);
  std::filesystem::remove_all(directory);
  return {Tokenizer::parse(model),
          Tokenizer::parse(model, {.normalization = Normalization::hf_slow, .keep_accents = false}),
          Tokenizer::parse(model, {.normalization = Normalization::hf_fast, .do_lower_case = true}),
          make_wordpiece(true), make_wordpiece(false)};
}

}  // namespace

/// In every mode: ids in range, a token for each id, ranges inside the text, lengths as asked.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::array<Tokenizer, 5> tokenizers = make_tokenizers();
  const std::string_view text = input_text(data, size);
  for (const Tokenizer& tokenizer : tokenizers) {
    may_refuse([&] {
      const Encoding all = tokenizer.encode(text, text.substr(0, 3));
      if (all.offsets.size() != all.input_ids.size()) abort();
      for (const Span& span : all.offsets)
        if (span.begin > span.end || span.end > text.size()) abort();
      tokenizer.decode(all.input_ids, false);
      const EncodeOptions few{.max_length = 8, .truncation = Truncation::left};
      if (tokenizer.encode(text, {}, few).input_ids.size() > 8) abort();
      const std::string words[] = {std::string(text), "a"};
      if (tokenizer.encode_words(words).word_ids.size() < 4) abort();
    });
  }
  return 0;
}
