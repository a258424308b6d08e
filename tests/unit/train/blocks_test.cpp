// What blocks do in training alone: statistics of batches, dropout of paths and inside
// feed-forwards.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "blocks/model.h"
#include "fnet/engine.h"
#include "fnet/train.h"
#include "model/init.h"
#include "models.h"
#include "temporary.h"
#include "train/algebra.h"

namespace fnet {
namespace {

using namespace testing_models;
using testing::HasSubstr;

double difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

/// A part alone: its weights, and a context in training or not.
struct Alone {
  Config config;
  Rows rows;
  Weights<TorchTensor>::Map map;

  template <class Part>
  Alone(const Part& part, Config with) : config(std::move(with)) {
    Specs specs;
    part.weights(specs, config);
    for (const WeightSpec& spec : specs.list()) {
      map[spec.name] = at::tensor(initial_values(spec, 0.2, 1), at::kFloat).view(spec.shape);
    }
  }

  template <class Part>
  at::Tensor apply(const Part& part, const at::Tensor& x, bool training, std::uint64_t step = 0) {
    const Context<TorchTensor> c{.w = Weights<TorchTensor>(map),
                                 .config = config,
                                 .rows = rows,
                                 .dropout = {training, 1, step}};
    return fnet::apply(part, TorchTensor(x), c);
  }
};

TEST(BatchNorm, in_training_is_torchs_over_the_rows_that_are_no_padding) {
  Alone norm(BatchNorm(), small_config());
  norm.config.layer_norm_eps = 1e-5;
  norm.rows.add(5, 3), norm.rows.add(4);
  torch::manual_seed(1);
  const at::Tensor x = at::randn({9, 48}) * 3 + 1;
  const at::Tensor y = norm.apply(BatchNorm(), x, true);
  const at::Tensor own = at::cat({x.slice(0, 0, 3), x.slice(0, 5)});
  const at::Tensor mean = at::zeros({48}), var = at::ones({48});
  const at::Tensor theirs =
      at::batch_norm(own, at::ones({48}), at::zeros({48}), mean, var, true, 0.01, 1e-5, false);
  EXPECT_LT(difference(at::cat({y.slice(0, 0, 3), y.slice(0, 5)}), theirs), 1e-5);
  EXPECT_LT(difference(norm.map["running_mean"].value, mean), 1e-6);
  // Torch keeps the unbiased variance, Keras and we that which is used.
  const at::Tensor biased = 0.99 + (var - 0.99) * (6.0 / 7.0);
  EXPECT_LT(difference(norm.map["running_var"].value, biased), 1e-6);

  const at::Tensor kept = norm.map["running_mean"].value.clone();
  const at::Tensor after = norm.apply(BatchNorm(), x, false);
  EXPECT_TRUE(at::equal(norm.map["running_mean"].value, kept));
  EXPECT_LT(difference(after, at::batch_norm(x, at::ones({48}), at::zeros({48}), kept,
                                             norm.map["running_var"].value, false, 0, 1e-5, false)),
            1e-5);
}

TEST(BatchNorm, without_bias_scales_as_its_input_does_once_trained) {
  Alone norm(BiasFreeBatchNorm(), small_config());
  norm.rows.add(6);
  torch::manual_seed(2);
  const at::Tensor x = at::randn({6, 48}) + 2;
  const at::Tensor y = norm.apply(BiasFreeBatchNorm(), x, true);
  const at::Tensor centred = x - x.mean(0, true);
  EXPECT_LT(difference(y, x / (centred * centred).mean(0, true).sqrt()), 1e-4);
  EXPECT_LT(difference(norm.apply(BiasFreeBatchNorm(), x * 3, false),
                       norm.apply(BiasFreeBatchNorm(), x, false) * 3),
            1e-4);
}

TEST(BatchNorm, of_a_model_learns_in_training_only_and_is_saved) {
  Config config = small_config();
  config.norm_type = "batch_norm";
  nn::FNetModel model(config, 1);
  const std::string name = "encoder.layer.1.output.LayerNorm.running_mean";
  const at::Tensor ids = at::randint(0, 100, {3, 9}, at::kLong);
  model->eval();
  model->forward(ids);
  EXPECT_EQ(model->named_buffers()[name].abs().max().item<double>(), 0);
  model->train();
  model->forward(ids).last_hidden_state.sum().backward();
  EXPECT_GT(model->named_buffers()[name].abs().max().item<double>(), 0);
  const TemporaryDirectory directory;
  model->save(directory.path());
  const nn::FNetModel loaded = nn::FNetModel::load(directory.path());
  EXPECT_TRUE(at::equal(loaded->named_buffers()[name], model->named_buffers()[name]));
}

TEST(FfnDropout, stands_where_the_config_has_it) {
  Config config = small_config();
  config.hidden_dropout_prob = 0.5;
  torch::manual_seed(3);
  const at::Tensor x = at::randn({7, 48});
  Alone mlp(Mlp(), config);
  mlp.rows.add(7);
  const at::Tensor plain = mlp.apply(Mlp(), x, false);
  EXPECT_TRUE(at::equal(mlp.apply(Mlp(), x, true), plain)) << "after it, in the block";
  for (const char* place : {"inner", "both"}) {
    mlp.config.ffn_dropout = place;
    EXPECT_GT(difference(mlp.apply(Mlp(), x, true), plain), 1e-3);
    EXPECT_LT(difference(mlp.apply(Mlp(), x, false), plain), 1e-5);
  }
  EXPECT_EQ(mlp.config.output_dropout(), 0.5);
  mlp.config.ffn_dropout = "inner";
  EXPECT_EQ(mlp.config.output_dropout(), 0);
}

TEST(DropPath, drops_whole_texts_and_keeps_the_mean) {
  Rows rows;
  for (int i = 0; i < 2000; ++i) rows.add(1 + i % 3);
  const at::Tensor x = at::ones({rows.total(), 2});
  const Dropout<TorchTensor> dropout{true, 1, 5};
  const at::Tensor y = dropout.path(TorchTensor(x), rows, 0.25, 7);
  const at::Tensor first = first_rows(TorchTensor(y), rows);
  EXPECT_TRUE(at::equal(repeat_rows(TorchTensor(first), rows), y)) << "one decision a text";
  EXPECT_NEAR((first == 0).to(at::kFloat).mean().item<double>(), 0.25, 0.03);
  EXPECT_NEAR(first.max().item<double>(), 1 / 0.75, 1e-3);
  EXPECT_TRUE(at::equal(dropout.path(TorchTensor(x), rows, 0, 7), x));
  EXPECT_TRUE(at::equal(Dropout<TorchTensor>{}.path(TorchTensor(x), rows, 0.25, 7), x));
}

TEST(DropPath, of_a_block_of_a_model_of_one_layer_leaves_the_norms_alone) {
  Config config = small_config();
  config.num_hidden_layers = 1;
  config.hidden_dropout_prob = 0;
  config.drop_path_rate = 0.999;
  nn::FNetEncoderBlock block(config);
  torch::manual_seed(4);
  const at::Tensor x = at::randn({64, 3, 48});
  const at::Tensor y = block->forward(x);
  const auto norm = [](const at::Tensor& v) { return at::layer_norm(v, {48}, {}, {}, 1e-12); };
  const at::Tensor far = (y - norm(norm(x))).abs().amax({1, 2});
  EXPECT_GE((far < 1e-5).sum().item<std::int64_t>(), 60);
  block->eval();
  config.drop_path_rate = 0;
  nn::FNetEncoderBlock other(config);
  other->train();
  EXPECT_TRUE(at::equal(block->forward(x), other->forward(x))) << "no path is dropped afterwards";
}

TEST(Positions, given_by_the_caller_are_those_of_the_runtime) {
  const at::NoGradGuard no_grad;
  for (const char* kind : {"learned", "sinusoidal"}) {
    Config config = small_config();
    config.position_embedding = kind;
    nn::FNetModel model(config, 3);
    model->eval();
    nn::Inputs inputs;
    inputs.input_ids = at::randint(4, 100, {2, 5}, at::kLong);
    inputs.lengths = {5, 3};
    const at::Tensor plain = model->forward(inputs).last_hidden_state;
    inputs.position_ids = at::arange(5);
    EXPECT_TRUE(at::equal(model->forward(inputs).last_hidden_state, plain));
    inputs.position_ids = at::tensor({9, 4, 159, 0, 2}, at::kLong);
    const at::Tensor moved = model->forward(inputs).last_hidden_state;
    EXPECT_GT(difference(moved, plain), 1e-3);
    inputs.position_ids = inputs.position_ids.expand({2, 5});
    EXPECT_TRUE(at::equal(model->forward(inputs).last_hidden_state, moved));

    const TemporaryDirectory directory;
    model->save(directory.path());
    const Engine engine = Engine::load(directory.path());
    Encoding text;
    for (int i = 0; i < 3; ++i) {
      text.input_ids.push_back(inputs.input_ids[1][i].item<std::int32_t>());
      text.position_ids.push_back(inputs.position_ids[1][i].item<std::int32_t>());
    }
    const Matrix answer = engine.forward(std::span(&text, 1)).front();
    const at::Tensor own = moved[1].slice(0, 0, 3).contiguous();
    EXPECT_LT(relative_error(answer.data, {own.const_data_ptr<float>(), 3 * 48}), 1e-5);

    inputs.position_ids = at::tensor({0, 1, 2, 3, 160}, at::kLong);
    EXPECT_THAT(message_of([&] { model->forward(inputs); }), HasSubstr("found 160"));
    inputs.position_ids = at::zeros({3}, at::kLong);
    EXPECT_EQ(error_of([&] { model->forward(inputs); }).kind(), Error::Kind::usage);
  }
}

}  // namespace
}  // namespace fnet
