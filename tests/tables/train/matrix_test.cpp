// Every norm with every feed-forward, mixer and position of norms: parts compose, and the runtime
// and torch answer alike.
#include <gtest/gtest.h>

#include "blocks/model.h"
#include "fnet/engine.h"
#include "fnet/train.h"
#include "models.h"

namespace fnet {
namespace {

using namespace testing_models;

/// Two texts, of three rows and of one.
std::vector<Encoding> two_texts() {
  std::vector<Encoding> texts(2);
  texts[0].input_ids = {4, 9, 2};
  texts[1].input_ids = {7};
  return texts;
}

std::vector<float> by_torch(const Config& config) {
  const at::NoGradGuard no_grad;
  nn::FNetModel model(config);
  auto tensors = model->named_parameters();
  for (auto& item : model->named_buffers()) tensors.insert(item.key(), item.value());
  for (const WeightSpec& spec : model_weights(config)) {
    const auto values = lively_weights()(spec.name, spec.shape);
    tensors[spec.name].copy_(at::tensor(values, at::kFloat).view(spec.shape));
  }
  model->eval();
  Rows rows;
  rows.add(3), rows.add(1);
  const at::Tensor ids = at::tensor({4, 9, 2, 7}, at::kLong);
  const at::Tensor y = model->forward_rows(model->word_embeddings(ids), {}, rows).contiguous();
  return {y.const_data_ptr<float>(), y.const_data_ptr<float>() + y.numel()};
}

std::vector<float> by_runtime(const Config& config) {
  EngineOptions options;
  options.threads = 1;
  std::vector<float> values;
  for (const Matrix& text : Engine(config, lively_weights(), options).forward(two_texts())) {
    values.insert(values.end(), text.data.begin(), text.data.end());
  }
  return values;
}

TEST(Matrix, every_norm_feed_forward_mixer_and_position_answer_alike_in_both_libraries) {
  Config config;
  config.vocab_size = 12;
  config.hidden_size = 8;
  config.intermediate_size = 8;
  config.num_hidden_layers = 2;
  config.max_position_embeddings = 4;
  config.pooler = false;
  config.pooling = "mean";
  std::size_t combinations = 0;
  for (const KindRow& norm : norm_kinds()) {
    for (const KindRow& ffn : ffn_kinds()) {
      for (const KindRow& mixer : mixer_kinds()) {
        for (const char* position : {"post", "pre"}) {
          config.norm_type = norm.name;
          config.ffn_type = ffn.name;
          config.mixers = {std::string(mixer.name)};
          config.norm_position = position;
          const auto ours = by_runtime(config), theirs = by_torch(config);
          ASSERT_EQ(ours.size(), theirs.size());
          // Not below: a number that is none compares to nothing.
          EXPECT_FALSE(!(relative_error(ours, theirs) < 2e-5))
              << norm.name << " " << ffn.name << " " << mixer.name << " " << position << ": "
              << relative_error(ours, theirs);
          ++combinations;
        }
      }
    }
  }
  EXPECT_EQ(combinations, 2 * norm_kinds().size() * ffn_kinds().size() * mixer_kinds().size());
}

}  // namespace
}  // namespace fnet
