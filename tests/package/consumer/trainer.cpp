// Makes a model with fnet_train and runs it with fnet: the same numbers. Catches both libraries'
// errors.
#include <fnet/engine.h>
#include <fnet/train.h>

#include <cstdio>

int main(int, char** argv) {
  int caught = 0;
  try {
    fnet::nn::FNetModel::load("no such model");
  } catch (const fnet::Error& error) {
    caught += error.kind() == fnet::Error::Kind::input;
  }
  try {
    fnet::Engine::load("no such model");
  } catch (const fnet::Error& error) {
    caught += error.kind() == fnet::Error::Kind::input;
  }
  if (caught != 2) return 1;

  fnet::Config config = fnet::Config::preset("tiny");
  config.vocab_size = 50;
  fnet::nn::FNetModel model(config, /*seed=*/1);
  model->eval();
  const std::string directory = std::string(argv[0]) + ".model";
  model->save(directory);
  const fnet::Engine engine = fnet::Engine::load(directory);
  fnet::Encoding encoding;
  encoding.input_ids = {4, 10, 11, 12, 5};
  encoding.token_type_ids.assign(5, 0);
  const fnet::Matrix rows = engine.forward(std::vector{encoding})[0];
  const torch::Tensor ids = torch::tensor({{4, 10, 11, 12, 5}}, torch::kLong);
  const torch::NoGradGuard no_gradients;
  const torch::Tensor expected = model->forward(ids).last_hidden_state[0];
  const torch::Tensor found =
      torch::from_blob(const_cast<float*>(rows.data.data()),
                       {static_cast<long>(rows.rows), static_cast<long>(rows.cols)});
  const double error = (found - expected).abs().max().item<double>();
  std::printf("largest difference %g\n", error);
  return error < 1e-4 ? 0 : 1;
}
