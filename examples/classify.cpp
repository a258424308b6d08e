// Labels texts: example_classify MODEL_DIRECTORY TEXT…
#include <fnet/engine.h>

#include <iostream>

int main(int argc, char** argv) try {
  const fnet::Engine engine = fnet::Engine::load(argc > 1 ? argv[1] : "model");
  const std::vector<fnet::TextInput> texts(argv + std::min(argc, 2), argv + argc);
  const auto answers = engine.classify(texts, /*top_k=*/2);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::cout << texts[i].text << '\n';
    for (const fnet::Prediction& p : answers[i])
      std::cout << "  " << p.label << ' ' << p.score << '\n';
  }
  return 0;
} catch (const fnet::Error& error) {
  std::cerr << "example_classify: " << error.what() << '\n';
  return fnet::exit_code(error.kind());
}
