// The encoder as a torch module against its formula, written out: what stands between its parts,
// and what of it is there in training alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "blocks/model.h"
#include "fnet/train.h"
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

Weights<TorchTensor>::Map tensors_of(const torch::nn::Module& module) {
  Weights<TorchTensor>::Map map;
  for (const auto& item : module.named_parameters()) map[item.key()] = item.value();
  for (const auto& item : module.named_buffers()) map[item.key()] = item.value();
  return map;
}

at::Tensor some_ids(std::int64_t texts, std::int64_t length) {
  torch::manual_seed(5);
  return at::randint(4, 100, {texts, length}, at::kLong);
}

// Without rates, training adds nothing to N2(h + F(h)), h = N1(x + mix(x)), or to its pre-norm
// form.
TEST(Encoder, in_training_without_rates_is_its_formula_to_the_bit) {
  const at::NoGradGuard no_grad;
  for (const bool pre : {false, true}) {
    Config config = small_config();
    config.norm_position = pre ? "pre" : "post";
    config.hidden_dropout_prob = config.drop_path_rate = 0;
    nn::FNetModel model(config, 3);
    model->train();
    const at::Tensor ids = some_ids(2, 9);
    const auto map = tensors_of(*model);
    Rows rows;
    rows.add(9), rows.add(9);
    const Context<TorchTensor> root{
        .w = Weights<TorchTensor>(map), .config = config, .rows = rows, .layer = -1};
    const auto norm = [&](const at::Tensor& x, const Context<TorchTensor>& c, const char* place) {
      return fnet::apply(LayerNorm(), TorchTensor(x), c.under(place)).value;
    };
    const at::Tensor position = at::arange(9).repeat({2});
    at::Tensor x = at::embedding(map.at("embeddings.word_embeddings.weight"), ids.reshape({-1})) +
                   map.at("embeddings.token_type_embeddings.weight").value[0] +
                   at::embedding(map.at("embeddings.position_embeddings.weight"), position);
    const auto embeddings = root.under("embeddings");
    x = linear(TorchTensor(norm(x, embeddings, "LayerNorm")), embeddings, "projection").value;
    for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
      Context<TorchTensor> block = root.under("encoder.layer." + std::to_string(layer));
      block.layer = layer;
      block.activation = Parts(config).activation;
      const auto feed_forward = [&](const at::Tensor& v) {
        return fnet::apply(Mlp(), TorchTensor(v), block).value;
      };
      const auto mix = [&](const at::Tensor& v) { return fourier_mix(v, rows, false).value; };
      if (pre) {
        const at::Tensor h = x + mix(norm(x, block, "fourier.output.LayerNorm"));
        x = h + feed_forward(norm(h, block, "output.LayerNorm"));
      } else {
        const at::Tensor h = norm(x + mix(x), block, "fourier.output.LayerNorm");
        x = norm(h + feed_forward(h), block, "output.LayerNorm");
      }
    }
    if (pre) {
      Context<TorchTensor> last = root;
      last.layer = config.num_hidden_layers;
      x = norm(x, last, "encoder.LayerNorm");
    }
    EXPECT_TRUE(at::equal(model->forward(ids).last_hidden_state, x.view({2, 9, 48}))) << pre;
  }
}

TEST(Encoder, differs_in_training_by_its_dropout_alone) {
  const at::NoGradGuard no_grad;
  const at::Tensor ids = some_ids(3, 7);
  for (const double p : {0.0, 0.1}) {
    Config config = small_config();
    config.hidden_dropout_prob = p;
    nn::FNetModel model(config, 3);
    const auto run = [&](bool training) {
      model->train(training);
      return model->forward(ids).last_hidden_state;
    };
    const at::Tensor at_rest = run(false);
    EXPECT_TRUE(at::equal(run(false), at_rest));
    EXPECT_EQ(difference(run(true), at_rest) > 1e-3, p > 0);
    EXPECT_EQ(difference(run(true), run(true)) > 1e-3, p > 0);
    EXPECT_TRUE(at::equal(run(false), at_rest));
  }
}

TEST(Embeddings, are_dropped_in_training_and_scaled_to_keep_the_mean) {
  Config config = small_config();
  config.hidden_dropout_prob = 0.25;
  config.embedding_projection = false;
  const nn::FNetModel model(config, 3);
  const auto map = tensors_of(*model);
  Rows rows;
  rows.add(150);
  const auto run = [&](bool training) {
    const Context<TorchTensor> c{.w = Weights<TorchTensor>(map).under("embeddings"),
                                 .config = config,
                                 .rows = rows,
                                 .layer = -1,
                                 .dropout = {training, 1, 0}};
    const at::Tensor ids = some_ids(1, 150).view(-1);
    return Embeddings::apply(lookup(map.at("embeddings.word_embeddings.weight"), ids),
                             at::arange(150), at::zeros({150}, at::kLong), c, Parts(config))
        .value;
  };
  const at::Tensor whole = run(false), dropped = run(true);
  const at::Tensor gone = dropped == 0;
  EXPECT_NEAR(gone.to(at::kFloat).mean().item<double>(), 0.25, 0.02);
  EXPECT_LT(difference(dropped, at::where(gone, 0, whole / 0.75)), 1e-3);
}

TEST(FNetModules, lengths_that_are_whole_change_no_bit) {
  const at::NoGradGuard no_grad;
  nn::FNetModel model(small_config(), 3);
  model->eval();
  const at::Tensor ids = some_ids(4, 12);
  const auto plain = model->forward(ids), given = model->forward(ids, {12, 12, 12, 12});
  EXPECT_TRUE(at::equal(plain.last_hidden_state, given.last_hidden_state));
  EXPECT_TRUE(at::equal(plain.pooler_output, given.pooler_output));
  EXPECT_EQ(plain.last_hidden_state.sizes(), (std::vector<std::int64_t>{4, 12, 48}));
  EXPECT_GT(plain.last_hidden_state.std().item<double>(), 0.1) << "no constant answer";
}

TEST(FNetModules, name_ids_and_types_that_have_no_row) {
  nn::FNetModel model(small_config(), 3);
  nn::Inputs inputs;
  inputs.input_ids = at::tensor({5, 100, -1}, at::kLong).view({1, 3});
  EXPECT_THAT(message_of([&] { model->forward(inputs); }),
              HasSubstr("input_ids: expected 0 to 99 (vocab_size - 1), found -1"));
  inputs.lengths = {2};  // what stands past a text is not read
  EXPECT_THAT(message_of([&] { model->forward(inputs); }), HasSubstr("found 100"));
  inputs.lengths = {1};
  EXPECT_EQ(message_of([&] { model->forward(inputs); }), "no error");
  inputs.token_type_ids = at::tensor({4, 0, 0}, at::kLong).view({1, 3});
  const Error error = error_of([&] { model->forward(inputs); });
  EXPECT_EQ(error.kind(), Error::Kind::input);
  EXPECT_THAT(error.what(), HasSubstr("token_type_ids: expected 0 to 3"));
}

TEST(FNetModules, blocks_and_mixing_want_three_axes) {
  nn::FNetEncoderBlock block(small_config());
  nn::FourierMixing mixing;
  const std::vector<std::vector<std::int64_t>> shapes = {{16, 48}, {2, 2, 8, 48}};
  for (const auto& shape : shapes) {
    const at::Tensor x = at::zeros(shape);
    const Error error = error_of([&] { block->forward(x); });
    EXPECT_EQ(error.kind(), Error::Kind::usage);
    EXPECT_THAT(error.what(), HasSubstr("expected [B, N, H]"));
    EXPECT_EQ(error_of([&] { mixing->forward(x); }).kind(), Error::Kind::usage);
  }
}

TEST(FourierMixing, is_torchs_fft_of_each_texts_own_rows_in_value_and_gradient) {
  for (const std::string norm : {"backward", "ortho"}) {
    nn::FourierMixing mixing(norm);
    for (const std::int64_t rows : {1, 2, 13, 24}) {
      torch::manual_seed(6);
      const at::Tensor x = at::randn({2, rows, 37}, at::kDouble).requires_grad_();
      const std::vector<std::int64_t> lengths = {rows, (rows + 1) / 2};
      const at::Tensor y = mixing->forward(x, lengths);
      const at::Tensor direction = at::randn({2, rows, 37}, at::kDouble);
      const at::Tensor ours = torch::autograd::grad({y}, {x}, {direction})[0];
      std::vector<at::Tensor> wanted;
      for (std::int64_t i = 0; i < 2; ++i) {
        const std::int64_t length = lengths[static_cast<std::size_t>(i)];
        const at::Tensor own =
            at::real(at::fft_fft2(x[i].narrow(0, 0, length), {}, {-2, -1}, norm));
        wanted.push_back(at::constant_pad_nd(own, {0, 0, 0, rows - length}));
      }
      const at::Tensor theirs = at::stack(wanted);
      const at::Tensor slope = torch::autograd::grad({theirs}, {x}, {direction})[0];
      EXPECT_LT(difference(y, theirs), 1e-10) << norm << rows;
      EXPECT_LT(difference(ours, slope), 1e-10) << norm << rows;
      const at::Tensor in_float = mixing->forward(x.detach().to(at::kFloat), lengths);
      EXPECT_LT(difference(in_float, theirs), 1e-6 * theirs.abs().max().item<double>()) << rows;
    }
    EXPECT_TRUE(mixing->parameters().empty());
    EXPECT_TRUE(mixing->buffers().empty());
  }
}

// The feed-forward is the constant 1 and the mixing is x = 10, so that a sum tells which was kept.
TEST(DropPath, of_each_layer_has_its_own_rate_in_both_branches_apart) {
  const at::NoGradGuard no_grad;
  Config config = small_config();
  config.num_hidden_layers = 4;
  config.drop_path_rate = 0.3;
  config.hidden_dropout_prob = 0;
  config.norm_type = "none";
  config.mixers = {"identity"};
  for (std::int64_t layer = 0; layer < 4; ++layer) {
    nn::FNetEncoderBlock block(config, layer);
    block->named_parameters()["output.dense.weight"].zero_();
    block->named_parameters()["output.dense.bias"].fill_(1);
    torch::manual_seed(static_cast<std::uint64_t>(layer));
    const double p = 0.1 * static_cast<double>(layer);
    const at::Tensor added = block->forward(at::full({6000, 2, 48}, 10.0)) - 10;
    const at::Tensor one = added.select(2, 0).select(1, 0);
    EXPECT_TRUE(at::equal(added, one.view({-1, 1, 1}).expand_as(added))) << "whole texts";
    const at::Tensor no_mixing = one < 5;
    const at::Tensor rest = one - at::where(no_mixing, 0.0, 10 / (1 - p));
    const at::Tensor no_feed_forward = rest < 0.5;
    const auto share = [](const at::Tensor& which) {
      return which.to(at::kDouble).mean().item<double>();
    };
    EXPECT_NEAR(share(no_mixing), p, 0.02) << layer;
    EXPECT_NEAR(share(no_feed_forward), p, 0.02) << layer;
    EXPECT_NEAR(share(no_mixing & no_feed_forward), p * p, 0.02) << "independent, " << layer;
    EXPECT_LT(difference(rest, at::where(no_feed_forward, 0.0, 1 / (1 - p))), 0.01);
  }
}

TEST(FNetModules, blocks_of_different_parts_stand_in_one_sequential) {
  Config config = small_config();
  config.hidden_size = 128;
  config.hidden_dropout_prob = 0;
  torch::nn::Sequential model;
  std::vector<nn::FNetEncoderBlock> blocks;
  for (const auto& [norm, ffn, position] :
       {std::tuple("layer_norm", "mlp", "post"), std::tuple("rms_norm", "swiglu", "pre"),
        std::tuple("band_rms", "geglu", "post")}) {
    config.norm_type = norm;
    config.ffn_type = ffn;
    config.norm_position = position;
    blocks.emplace_back(config, 0, blocks.size());
    model->push_back(blocks.back());
  }
  torch::manual_seed(7);
  const at::Tensor x = at::randn({2, 64, 128});
  at::Tensor by_hand = x;
  for (nn::FNetEncoderBlock& block : blocks) by_hand = block->forward(by_hand);
  const at::Tensor y = model->forward(x);
  EXPECT_TRUE(at::equal(y, by_hand));
  EXPECT_EQ(y.sizes(), x.sizes());
  (y * at::randn_like(y)).sum().backward();
  for (const auto& item : model->named_parameters()) {
    ASSERT_TRUE(item.value().grad().defined()) << item.key();
    EXPECT_GT(item.value().grad().abs().max().item<double>(), 1e-8) << item.key();
  }
}

}  // namespace
}  // namespace fnet
