// two_sentencepieces MODEL…: fnet's SentencePiece and the program's own give the same ids.
#include <fnet/tokenizer.h>
#include <sentencepiece_processor.h>

#include <cstdio>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  const std::string text = "The quick brown fox jumps over 12 lazy dogs.";
  for (int i = 1; i < argc; ++i) {
    sentencepiece::SentencePieceProcessor processor;
    if (!processor.Load(argv[i]).ok()) return 1;
    const fnet::Tokenizer tokenizer = fnet::Tokenizer::load(argv[i]);
    fnet::EncodeOptions options;
    options.add_special_tokens = false;
    const auto ids = tokenizer.encode(text, {}, options).input_ids;
    const std::vector<int> expected = processor.EncodeAsIds(text);
    if (expected.empty() || !std::equal(ids.begin(), ids.end(), expected.begin(), expected.end()))
      return 1;
    std::printf("%s: %zu ids\n", argv[i], ids.size());
  }
  return argc > 1 ? 0 : 1;
}
