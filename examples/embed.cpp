// How alike each two texts are: example_embed MODEL_DIRECTORY TEXT TEXT…
#include <fnet/engine.h>

#include <iomanip>
#include <iostream>
#include <numeric>

int main(int argc, char** argv) try {
  const fnet::Engine engine = fnet::Engine::load(argc > 1 ? argv[1] : "model");
  const std::vector<fnet::TextInput> texts(argv + std::min(argc, 2), argv + argc);
  // Vectors of length 1: their inner product is the cosine of the angle between them.
  const fnet::Matrix vectors = engine.embed(texts, "mean", /*normalize=*/true);
  std::cout << std::fixed << std::setprecision(3);
  for (std::size_t i = 0; i < vectors.rows; ++i) {
    for (std::size_t j = 0; j < vectors.rows; ++j) {
      const auto a = vectors.row(i), b = vectors.row(j);
      std::cout << std::inner_product(a.begin(), a.end(), b.begin(), 0.0F) << ' ';
    }
    std::cout << ' ' << texts[i].text << '\n';
  }
  return 0;
} catch (const fnet::Error& error) {
  std::cerr << "example_embed: " << error.what() << '\n';
  return fnet::exit_code(error.kind());
}
