#include <string>

#include "fnet/tokenizer.h"
#include "input.h"
#include "text/wordpiece_json.h"

/// A tokenizer.json ("{") or a vocabulary is refused with an input error, or it tokenizes, comes
/// back as text, and as a tokenizer.json that does the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fnet;
  may_refuse([&] {
    const std::string_view input = input_text(data, size);
    WordPieceFile file{std::string(input), wordpiece_config(), {}};
    if (input.starts_with('{')) file = parse_wordpiece_json(input, "tokenizer.json");
    const Tokenizer tokenizer = Tokenizer::parse(file.vocabulary, file.config);
    const std::string text = "The caf\xc3\xa9 reads 1,000 words [MASK]." + file.vocabulary;
    const EncodeOptions plain{.add_special_tokens = false};
    const Encoding encoding = tokenizer.encode(text, {}, plain);
    for (const Span& span : encoding.offsets)
      if (span.begin > span.end || span.end > text.size()) abort();
    tokenizer.decode(encoding.input_ids, false);
    const WordPieceFile again = parse_wordpiece_json(
        wordpiece_json(file.vocabulary, file.config, tokenizer.special()), "again");
    const Tokenizer other = Tokenizer::parse(again.vocabulary, again.config);
    if (other.encode(text, {}, plain).input_ids != encoding.input_ids) abort();
  });
  return 0;
}
