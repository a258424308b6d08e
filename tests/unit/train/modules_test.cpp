#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "blocks/model.h"
#include "core/error.h"
#include "fnet/train.h"
#include "models.h"
#include "temporary.h"
#include "train/algebra.h"
#include "train/optimizer.h"

namespace fnet {
namespace {

using namespace testing_models;

double difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

TEST(FNetModules, parameters_carry_hugging_faces_names) {
  Config config = small_config();
  config.task = "text-classification";
  config.labels = {"a", "b"};
  const nn::FNetForSequenceClassification model(config);
  std::set<std::string> ours, expected;
  for (const auto& item : model->named_parameters()) ours.insert(item.key());
  for (const WeightSpec& spec : model_weights(config)) expected.insert(spec.name);
  EXPECT_EQ(ours, expected);
  EXPECT_TRUE(ours.contains("fnet.encoder.layer.0.fourier.output.LayerNorm.weight"));
}

// bfloat16 is of the factors alone: what torch makes of rounded factors in float32 is the same, up
// to the order of sums.
TEST(ProductsIn, rounds_the_factors_of_products_and_of_their_gradients) {
  const auto rounded = [](const at::Tensor& v) { return v.to(at::kBFloat16).to(at::kFloat); };
  at::manual_seed(1);
  const at::Tensor x = at::randn({37, 70}).requires_grad_(true);
  const at::Tensor weight = at::randn({45, 70}).requires_grad_(true);
  const at::Tensor bias = at::randn({45}).requires_grad_(true);
  const at::Tensor grad = at::randn({37, 45});
  at::Tensor y;
  {
    const ProductsIn products({at::kBFloat16});
    y = dense(TorchTensor(x), TorchTensor(weight), TorchTensor(bias)).value;
  }
  y.backward(grad);  // the guard is gone: the gradients go the way that the product went
  const at::NoGradGuard no_grad;
  EXPECT_LT(difference(y, at::matmul(rounded(x), rounded(weight).t()) + bias), 2e-5);
  EXPECT_LT(difference(x.grad(), at::matmul(rounded(grad), rounded(weight))), 2e-5);
  EXPECT_LT(difference(weight.grad(), at::matmul(rounded(grad).t(), rounded(x))), 2e-5);
  EXPECT_LT(difference(bias.grad(), grad.sum(0)), 2e-5);
  EXPECT_GT(difference(y, at::matmul(x, weight.t()) + bias), 1e-3);
  const at::Tensor plain = dense(TorchTensor(x), TorchTensor(weight), TorchTensor(bias)).value;
  EXPECT_LT(difference(plain, at::matmul(x, weight.t()) + bias), 2e-5);
}

TEST(FNetModules, a_texts_answer_does_not_see_its_batch) {
  const at::NoGradGuard no_grad;
  nn::FNetModel model(small_config(), 3);
  model->eval();
  const at::Tensor ids = at::randint(0, 100, {3, 9}, at::kLong);
  const auto together = model->forward(ids, {9, 4, 1});
  EXPECT_EQ(together.last_hidden_state.sizes(), (std::vector<std::int64_t>{3, 9, 48}));
  const auto alone = model->forward(ids.narrow(0, 1, 1).narrow(1, 0, 4));
  EXPECT_LT(difference(together.last_hidden_state[1].narrow(0, 0, 4), alone.last_hidden_state[0]),
            1e-5);
  EXPECT_LT(difference(together.pooler_output[1], alone.pooler_output[0]), 1e-5);
  EXPECT_EQ(together.last_hidden_state[1].narrow(0, 4, 5).abs().max().item<double>(), 0);
}

TEST(FNetModules, keep_their_answers_when_positions_are_added_or_left_out) {
  const at::NoGradGuard no_grad;
  for (const char* mixer : {"fourier", "linear", "random", "gfilter"}) {
    const TemporaryDirectory directory;
    Config config = small_config();
    config.mixers = {mixer};
    config.max_position_embeddings = 16;
    nn::FNetModel model(config, 3);
    model->eval();
    model->save(directory.path());
    const at::Tensor ids = at::randint(4, 100, {2, 8}, at::kLong);
    const at::Tensor before = model->forward(ids).last_hidden_state;
    // A filter's curve is the same at twice as many points, not at half of them.
    for (const int positions : {32, 9}) {
      if (positions < 16 && std::string(mixer) == "gfilter") continue;
      config.max_position_embeddings = positions;
      nn::FNetModel other(config, 4);
      other->eval();
      EXPECT_GT(difference(other->forward(ids).last_hidden_state, before), 0.1);
      other->load_weights(directory.path());
      EXPECT_LT(difference(other->forward(ids).last_hidden_state, before), 1e-5) << mixer;
    }
    config.hidden_size = 24;  // of another model
    nn::FNetModel narrow(config, 4);
    EXPECT_THAT(message_of([&] { narrow->load_weights(directory.path()); }),
                testing::HasSubstr("of wrong shape"));
  }
}

TEST(FNetModules, attention_drops_weights_by_place_and_keeps_their_mean) {
  const at::NoGradGuard no_grad;
  Rows rows;
  for (const std::int64_t length : {3, 3, 5}) rows.add(length);
  torch::manual_seed(4);
  const at::Tensor q = at::randn({11, 8}), k = at::randn({11, 8}), v = at::randn({11, 8});
  const auto answer = [&](double p, std::uint64_t step) {
    const DropoutAt<TorchTensor> drop{{true, 7, step}, p, 1};
    return attention(TorchTensor(q), TorchTensor(k), TorchTensor(v), rows, 2, drop).value;
  };
  const at::Tensor whole = answer(0, 0);
  EXPECT_TRUE(at::equal(answer(0.25, 1), answer(0.25, 1)));
  EXPECT_GT(difference(answer(0.25, 1), answer(0.25, 2)), 0.01);
  at::Tensor mean = at::zeros_like(whole);
  constexpr int kSteps = 2000;
  for (int step = 0; step < kSteps; ++step) mean += answer(0.25, step) / kSteps;
  EXPECT_LT(difference(mean, whole), 0.1);  // some five deviations of the mean
}

TEST(FNetModules, a_fixed_length_mixes_over_pad_tokens) {
  const at::NoGradGuard no_grad;
  Config config = small_config();
  nn::FNetModel exact(config, 3);
  config.length_policy = "fixed:12";
  nn::FNetModel fixed(config, 3);
  exact->eval(), fixed->eval();
  const at::Tensor ids = at::randint(4, 100, {2, 7}, at::kLong);
  const at::Tensor padded = at::cat({ids, at::full({2, 5}, config.pad_token_id, at::kLong)}, 1);
  EXPECT_LT(
      difference(fixed->forward(ids).last_hidden_state, exact->forward(padded).last_hidden_state),
      1e-5);
  nn::Inputs vectors;
  vectors.inputs_embeds = fixed->word_embeddings(ids.reshape({-1})).view({2, 7, -1});
  EXPECT_LT(
      difference(fixed->forward(vectors).last_hidden_state, fixed->forward(ids).last_hidden_state),
      1e-5);
}

TEST(FNetModules, blocks_train_in_a_plain_torch_program) {
  // Which of two waves is it? Own input vectors, no tokens.
  torch::manual_seed(1);
  Config config = small_config();
  config.fourier_norm = "ortho";
  config.hidden_dropout_prob = 0;
  torch::nn::Sequential model(torch::nn::Linear(1, 48), nn::FNetEncoderBlock(config, 0),
                              nn::FNetEncoderBlock(config, 1), torch::nn::Linear(48, 2));
  torch::optim::Adam optimizer(model->parameters(), 3e-3);
  const at::Tensor label = at::arange(32, at::kLong) % 2;
  double loss_value = 1;
  for (int step = 0; step < 60; ++step) {
    const at::Tensor time = at::arange(16, at::kFloat).view({1, 16}) + at::rand({32, 1}) * 6;
    const at::Tensor x = at::sin(time * (0.5 + label.view({32, 1}).to(at::kFloat)));
    const at::Tensor scores = model->forward(x.unsqueeze(-1)).mean(1);
    const at::Tensor loss = at::cross_entropy_loss(scores, label);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    loss_value = loss.item<double>();
  }
  EXPECT_LT(loss_value, 0.1);
}

TEST(FNetModules, an_encoder_is_read_out_of_a_model_with_a_head) {
  Config config = small_config();
  config.task = "token-classification";
  config.labels = {"O", "B-X"};
  const TemporaryDirectory directory;
  const nn::FNetForTokenClassification model(config, 5);
  model->save(directory.path());
  const nn::FNetModel loaded = nn::FNetModel::load(directory.path());
  const auto saved = model->fnet->named_parameters();
  for (const auto& item : loaded->named_parameters()) {
    EXPECT_TRUE(at::equal(item.value(), saved[item.key()])) << item.key();
  }
  // Another task's head is no head of ours.
  EXPECT_EQ(error_of([&] { nn::FNetForSequenceClassification::load(directory.path()); }).kind(),
            Error::Kind::input);
}

TEST(FNetModules, wrong_shapes_are_errors_of_the_caller) {
  nn::FNetModel model(small_config());
  const at::Tensor ids = at::zeros({2, 4}, at::kLong);
  EXPECT_EQ(error_of([&] { model->forward(ids, {4}); }).kind(), Error::Kind::usage);
  EXPECT_EQ(error_of([&] { model->forward(ids, {4, 5}); }).kind(), Error::Kind::usage);
  EXPECT_EQ(error_of([&] { model->forward(nn::Inputs{}); }).kind(), Error::Kind::usage);
  EXPECT_EQ(error_of([&] { model->forward(at::zeros({1, 999}, at::kLong)); }).kind(),
            Error::Kind::input);
  EXPECT_EQ(error_of([&] { nn::FourierMixing("forward"); }).kind(), Error::Kind::usage);
}

TEST(Dropout, keeps_the_mean_and_drops_the_same_elements_of_the_gradient) {
  const at::Tensor x = at::ones({1000, 37}).requires_grad_();
  const at::Tensor y = fnet::dropout(x, 0.3, 5);
  EXPECT_NEAR(y.mean().item<double>(), 1.0, 0.01);
  EXPECT_NEAR((y == 0).to(at::kFloat).mean().item<double>(), 0.3, 0.01);
  y.sum().backward();
  EXPECT_TRUE(at::equal(x.grad(), y.detach()));
  const int threads = at::get_num_threads();
  at::set_num_threads(threads == 1 ? 2 : 1);
  EXPECT_TRUE(at::equal(fnet::dropout(x, 0.3, 5), y));
  at::set_num_threads(threads);
  EXPECT_FALSE(at::equal(fnet::dropout(x, 0.3, 6), y));
  EXPECT_TRUE(at::allclose(fnet::dropout(x.to(at::kDouble), 0.3, 5), y.to(at::kDouble)))
      << "the formula has the kernel's mask";
}

TEST(Dropout, of_a_model_is_a_function_of_seed_step_and_place_not_of_a_generator) {
  Config config = testing_models::small_config();
  config.hidden_dropout_prob = 0.3;
  nn::FNetModel model(config, 1);
  const at::Tensor ids = at::ones({1, 5}, at::kLong);
  const auto run = [&](std::optional<nn::DropoutPlace> place, std::uint64_t torch_seed) {
    torch::manual_seed(torch_seed);
    model->set_dropout_place(place);
    return model->forward(ids).last_hidden_state;
  };
  EXPECT_TRUE(at::equal(run(nn::DropoutPlace{1, 7}, 1), run(nn::DropoutPlace{1, 7}, 2)));
  EXPECT_FALSE(at::equal(run(nn::DropoutPlace{1, 7}, 1), run(nn::DropoutPlace{1, 8}, 1)));
  EXPECT_FALSE(at::equal(run(nn::DropoutPlace{1, 7}, 1), run(nn::DropoutPlace{2, 7}, 1)));
  EXPECT_TRUE(at::equal(run(std::nullopt, 1), run(std::nullopt, 1)));
  EXPECT_FALSE(at::equal(run(std::nullopt, 1), run(std::nullopt, 2)));
}

TEST(AdamW, steps_as_torchs_and_clips_by_the_norm_of_all) {
  torch::manual_seed(3);
  const at::Tensor matrix = at::randn({4, 3}), vector = at::randn({3});
  const at::Tensor a1 = matrix.clone().requires_grad_(), b1 = vector.clone().requires_grad_();
  const at::Tensor a2 = matrix.clone().requires_grad_(), b2 = vector.clone().requires_grad_();
  AdamW ours({a1, b1}, {.weight_decay = 0.1, .max_grad_norm = 1});
  torch::optim::AdamW theirs(
      {torch::optim::OptimizerParamGroup({a2}), torch::optim::OptimizerParamGroup({b2})},
      torch::optim::AdamWOptions(0.05).weight_decay(0.1));
  static_cast<torch::optim::AdamWOptions&>(theirs.param_groups()[1].options()).weight_decay(0);
  for (int step = 0; step < 5; ++step) {
    ((a1 * a1).sum() * 3 + b1.exp().sum()).backward();
    EXPECT_TRUE(ours.step(0.05));
    ((a2 * a2).sum() * 3 + b2.exp().sum()).backward();
    torch::nn::utils::clip_grad_norm_(std::vector<at::Tensor>{a2, b2}, 1.0);
    theirs.step();
    theirs.zero_grad();
  }
  EXPECT_LT(difference(a1, a2), 1e-5);
  EXPECT_LT(difference(b1, b2), 1e-5);
}

TEST(AdamW, leaves_everything_as_it_is_where_a_gradient_is_not_finite) {
  const at::Tensor p = at::ones({3}).requires_grad_();
  AdamW optimizer({p}, {});
  (p * std::numeric_limits<float>::infinity()).sum().backward();
  EXPECT_FALSE(optimizer.step(0.1));
  EXPECT_TRUE(at::equal(p, at::ones({3})));
  EXPECT_FALSE(p.grad().defined());
}

TEST(AdamW, the_average_is_swapped_in_and_out) {
  const at::Tensor p = at::zeros({2}).requires_grad_();
  AdamW optimizer({p}, {.average = 0.9});
  for (int step = 0; step < 16; ++step) {
    (p.sum() * -1).backward();
    optimizer.step(0.1);
  }
  const double last = p[0].item<double>();
  optimizer.swap_average();
  const double average = p[0].item<double>();
  EXPECT_GT(average, 0.1);
  EXPECT_LT(average, last);
  optimizer.swap_average();
  EXPECT_EQ(p[0].item<double>(), last);
}

TEST(AdamW, the_average_is_that_of_its_formula) {
  const at::Tensor p = at::zeros({3}).requires_grad_();
  AdamW optimizer({p}, {.average = 0.95});
  // Each 8 steps; a young average forgets faster.
  std::vector<double> average(3, 0.0);
  for (int step = 1; step <= 400; ++step) {
    ((p - at::tensor({1.0F, -2.0F, 3.0F})) * at::tensor({1.0F, 0.5F, 2.0F}))
        .square()
        .sum()
        .backward();
    optimizer.step(0.05);
    if (step % 8 != 0) continue;
    const double decay = std::min(0.95, (1.0 + step) / (10.0 + step));
    for (int i = 0; i < 3; ++i) {
      double& mean = average[static_cast<std::size_t>(i)];
      mean = std::pow(decay, 8) * mean + (1 - std::pow(decay, 8)) * p[i].item<double>();
    }
  }
  optimizer.swap_average();
  for (int i = 0; i < 3; ++i)
    EXPECT_NEAR(p[i].item<double>(), average[static_cast<std::size_t>(i)], 1e-5);
}

/// Of transformers 5.23's get_linear_, get_cosine_ and get_constant_schedule_with_warmup, 4 steps
/// of 20 warm-up. Ours begins with its second one, so that no step is one of rate 0.
TEST(Schedules, are_those_of_transformers) {
  const std::vector<double> up = {0.25, 0.5, 0.75};
  const std::vector<double> linear = {1,   0.9375, 0.875, 0.8125, 0.75, 0.6875, 0.625, 0.5625,
                                      0.5, 0.4375, 0.375, 0.3125, 0.25, 0.1875, 0.125, 0.0625};
  const std::vector<double> cosine = {1,
                                      0.990392640202,
                                      0.961939766256,
                                      0.915734806151,
                                      0.853553390593,
                                      0.77778511651,
                                      0.691341716183,
                                      0.597545161008,
                                      0.5,
                                      0.402454838992,
                                      0.308658283817,
                                      0.22221488349,
                                      0.146446609407,
                                      0.0842651938487,
                                      0.0380602337444,
                                      0.00960735979838};
  for (std::int64_t step = 0; step < 20; ++step) {
    const auto at = static_cast<std::size_t>(step);
    const bool rises = step < 3;
    const auto rate = [&](Schedule schedule) { return rate_at(schedule, step, 20, 0.2); };
    EXPECT_NEAR(rate(Schedule::linear), rises ? up[at] : step == 3 ? 1 : linear[at - 4], 1e-11);
    EXPECT_NEAR(rate(Schedule::cosine), rises ? up[at] : step == 3 ? 1 : cosine[at - 4], 1e-11);
    EXPECT_NEAR(rate(Schedule::constant), rises ? up[at] : 1, 1e-11);
  }
  EXPECT_NEAR(rate_at(Schedule::linear, 0, 10, 0), 1.0, 1e-12);
  EXPECT_THROW(schedule_named("steps"), Error);
}

}  // namespace
}  // namespace fnet
