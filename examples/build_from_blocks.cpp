// Not text: an FNet over vectors of one's own, trained by a plain libtorch loop. It learns which of
// two waves a noisy series of 32 points holds.
#include <fnet/train.h>

#include <iostream>

int main() try {
  torch::manual_seed(1);
  fnet::Config config = fnet::Config::preset("tiny");
  config.hidden_size = 32;
  config.intermediate_size = 64;
  config.num_hidden_layers = 2;
  config.vocab_size = 4;  // no tokens here
  config.max_position_embeddings = 32;
  config.fourier_norm = "ortho";
  fnet::nn::FNetModel model(config);
  torch::nn::Linear input(1, config.hidden_size), output(config.hidden_size, 2);
  auto parameters = model->parameters();
  for (const auto& part : {input, output}) {
    for (const auto& p : part->parameters()) parameters.push_back(p);
  }
  torch::optim::AdamW optimizer(parameters, torch::optim::AdamWOptions(3e-3));

  const auto time = torch::arange(32) * 0.4;
  for (int step = 1; step <= 160; ++step) {
    const auto label = torch::randint(2, {64}, torch::kLong);
    const auto wave = torch::sin(time * (label + 1).unsqueeze(1) + 6 * torch::rand({64, 1}));
    fnet::nn::Inputs series;
    series.inputs_embeds = input((wave + 0.3 * torch::randn({64, 32})).unsqueeze(2));  // [B, N, H]
    const auto scores = output(model->forward(series).last_hidden_state.mean(1));
    torch::nn::functional::cross_entropy(scores, label).backward();
    optimizer.step();
    optimizer.zero_grad();
    const double accuracy = (scores.argmax(1) == label).to(torch::kDouble).mean().item<double>();
    if (step % 40 == 0) std::cout << "step " << step << ": accuracy " << accuracy << '\n';
  }
} catch (const fnet::Error& error) {
  std::cerr << "example_build_from_blocks: " << error.what() << '\n';
  return fnet::exit_code(error.kind());
}
