// Ids of each line of standard input under a model file, for tokenizer_ids.py.
#include <cstdio>
#include <iostream>
#include <string>

#include "fnet/error.h"
#include "fnet/tokenizer.h"

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw fnet::Error(fnet::Error::Kind::usage, "expected a model file");
    const fnet::Tokenizer tokenizer = fnet::Tokenizer::load(argv[1]);
    std::string line, out;
    while (std::getline(std::cin, line)) {
      out.clear();
      for (const auto id : tokenizer.encode(line, {}, {.add_special_tokens = false}).input_ids)
        out += std::to_string(id) + ' ';
      std::puts(out.c_str());
    }
  } catch (const fnet::Error& error) {
    std::cerr << error.what() << '\n';
    return fnet::exit_code(error.kind());
  }
}
