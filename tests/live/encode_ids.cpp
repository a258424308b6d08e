// Ids of each line of standard input under a model file, for tokenizer_ids.py; with `offsets` an
// id's bytes beside it, as `id:begin:end`.
#include <cstdio>
#include <iostream>
#include <string>
#include <string_view>

#include "fnet/error.h"
#include "fnet/tokenizer.h"

int main(int argc, char** argv) {
  try {
    const bool offsets = argc == 3 && std::string_view(argv[2]) == "offsets";
    if (argc != 2 && !offsets)
      throw fnet::Error(fnet::Error::Kind::usage, "expected a model file, and perhaps: offsets");
    const fnet::Tokenizer tokenizer = fnet::Tokenizer::load(argv[1]);
    std::string line, out;
    while (std::getline(std::cin, line)) {
      out.clear();
      const fnet::Encoding encoding = tokenizer.encode(line, {}, {.add_special_tokens = false});
      for (std::size_t i = 0; i < encoding.input_ids.size(); ++i) {
        out += std::to_string(encoding.input_ids[i]);
        const fnet::Span span = encoding.offsets[i];
        if (offsets) out += ':' + std::to_string(span.begin) + ':' + std::to_string(span.end);
        out += ' ';
      }
      std::puts(out.c_str());
    }
  } catch (const fnet::Error& error) {
    std::cerr << error.what() << '\n';
    return fnet::exit_code(error.kind());
  }
}
