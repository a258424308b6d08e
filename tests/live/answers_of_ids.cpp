// What a model answers to ids, for convert_checkpoints.py: answers_of_ids DIRECTORY, and on
// standard input a line a text: its ids, a comma, its types. A line of JSON a text:
// last_hidden_state, and where the model has them pooler_output, logits.
#include <iostream>
#include <iterator>
#include <sstream>

#include "fnet/engine.h"

namespace {

std::vector<std::int32_t> numbers(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::int32_t>(in), {}};
}

void print(const char* name, const fnet::Matrix& matrix) {
  std::cout << '"' << name << "\": [";
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    std::cout << (i == 0 ? "[" : ", [");
    const char* between = "";
    for (const float x : matrix.row(i)) {
      std::cout << between << x;
      between = ", ";
    }
    std::cout << ']';
  }
  std::cout << ']';
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw fnet::Error(fnet::Error::Kind::usage, "expected a model directory");
    const auto engine = fnet::Engine::load(argv[1]);
    std::cout.precision(9);
    for (std::string line; std::getline(std::cin, line);) {
      const auto comma = line.find(',');
      fnet::Encoding text;
      text.input_ids = numbers(line.substr(0, comma));
      text.token_type_ids = numbers(line.substr(comma + 1));
      const std::vector<fnet::Encoding> batch{text};
      std::cout << '{';
      print("last_hidden_state", engine.forward(batch)[0]);
      if (engine.config().pooler) {
        std::cout << ", ";
        print("pooler_output", engine.embed(batch, "pooler"));
      }
      if (engine.config().has_head()) {
        std::cout << ", ";
        print("logits", engine.scores(batch)[0]);
      }
      std::cout << "}\n";
    }
  } catch (const fnet::Error& error) {
    std::cerr << error.what() << '\n';
    return fnet::exit_code(error.kind());
  }
}
