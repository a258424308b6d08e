#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "fnet/engine.h"
#include "models.h"
#include "temporary.h"

namespace fnet {
namespace {

using namespace testing_models;

TEST(Watch, hidden_states_end_with_what_forward_gives_to_the_bit) {
  for (const Config& config : every_row()) {
    const Engine engine(config, lively_weights());
    const auto texts = random_encodings(3, 20, config, 5);
    const auto states = engine.hidden_states(texts);
    const auto last = engine.forward(texts);
    ASSERT_EQ(states.size(), texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      ASSERT_EQ(states[i].size(), static_cast<std::size_t>(config.num_hidden_layers) + 1);
      EXPECT_EQ(states[i].back().data, last[i].data) << config.to_json();
    }
  }
}

TEST(Watch, a_hidden_state_is_the_last_one_of_the_model_that_ends_there) {
  for (const char* mixer : {"fourier", "attention"}) {
    Config whole = small_config();
    whole.mixers = {mixer};
    whole.mixer_options.clear();
    if (whole.mixer(0) == "attention") whole.mixer_options["num_attention_heads"] = std::int64_t{4};
    const auto texts = random_encodings(3, 30, whole, 6);
    const auto states = Engine(whole, lively_weights()).hidden_states(texts);
    for (std::int64_t layers = 1; layers <= whole.num_hidden_layers; ++layers) {
      Config part = whole;
      part.num_hidden_layers = layers;
      const auto last = Engine(part, lively_weights()).forward(texts);
      for (std::size_t i = 0; i < texts.size(); ++i)
        EXPECT_EQ(states[i][static_cast<std::size_t>(layers)].data, last[i].data);
    }
  }
}

/// (x − mean) / sqrt(var + eps) · weight + bias of each row, in double.
std::vector<double> layer_norm(const std::vector<double>& x, const std::string& place,
                               const Config& config) {
  const std::int64_t width = config.hidden_size;
  const std::vector<float> weight = lively_weights()(place + ".weight", {{width}});
  const std::vector<float> bias = lively_weights()(place + ".bias", {{width}});
  std::vector<double> y(x.size());
  const auto columns = static_cast<std::size_t>(width);
  for (std::size_t row = 0; row < x.size(); row += columns) {
    double mean = 0, variance = 0;
    for (std::size_t i = 0; i < columns; ++i) mean += x[row + i] / static_cast<double>(width);
    for (std::size_t i = 0; i < columns; ++i)
      variance += std::pow(x[row + i] - mean, 2) / static_cast<double>(width);
    for (std::size_t i = 0; i < columns; ++i) {
      y[row + i] =
          (x[row + i] - mean) / std::sqrt(variance + config.layer_norm_eps) * weight[i] + bias[i];
    }
  }
  return y;
}

TEST(Watch, each_state_follows_from_the_one_before_and_what_is_added) {
  for (const char* position : {"post", "pre"}) {
    Config config = small_config();
    config.norm_position = position;
    config.layer_norm_eps = 1e-6;
    const bool pre = config.norm_position == "pre";
    const Engine engine(config, lively_weights());
    const auto texts = random_encodings(3, 30, config, 7);
    std::vector<std::vector<float>> before(texts.size());
    std::size_t steps = 0;
    const auto follow = [&](const HiddenState& state) {
      std::vector<float>& own = before[state.text];
      ++steps;
      if (state.stage == Stage::mixing || state.stage == Stage::feed_forward) {
        ASSERT_EQ(state.added.size(), state.rows.size());
        std::vector<double> sum(own.begin(), own.end());
        for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += state.added[i];
        if (!pre) {
          const std::string block = "encoder.layer." + std::to_string(state.layer);
          const bool mixing = state.stage == Stage::mixing;
          sum = layer_norm(sum, block + (mixing ? ".fourier" : "") + ".output.LayerNorm", config);
        }
        const std::vector<float> expected(sum.begin(), sum.end());
        EXPECT_LT(relative_error(state.rows, expected), 1e-6);
      } else {
        EXPECT_TRUE(state.added.empty());
      }
      own.assign(state.rows.begin(), state.rows.end());
    };
    engine.watch(texts, follow, true);
    EXPECT_EQ(steps, texts.size() * (1 + 2 * 3 + (pre ? 1 : 0)));
    EXPECT_LT(relative_error(before[1], engine.forward(texts)[1].data), 1e-6);
  }
}

TEST(Watch, shows_every_text_of_several_passes_without_its_padding) {
  Config config = small_config();
  config.length_policy = "fixed:160";
  const Engine engine(config, lively_weights());
  const auto texts = random_encodings(60, 20, config, 8);  // 9600 rows: three passes
  const auto states = engine.hidden_states(texts);
  for (const std::size_t i : {0, 24, 25, 26, 59}) {
    const auto alone = engine.hidden_states({&texts[i], 1}).front();
    ASSERT_EQ(states[i][1].rows, texts[i].input_ids.size());
    for (std::size_t layer = 0; layer < alone.size(); ++layer)
      EXPECT_EQ(states[i][layer].data, alone[layer].data);
  }
}

TEST(Watch, a_watcher_may_throw) {
  const Engine engine(small_config(), lively_weights());
  const auto texts = random_encodings(2, 20, engine.config(), 9);
  const auto expected = engine.forward(texts)[0].data;
  const Watcher throws = [](const HiddenState&) { throw std::runtime_error("enough"); };
  EXPECT_THROW(engine.watch(texts, throws), std::runtime_error);
  EXPECT_EQ(engine.forward(texts)[0].data, expected);
}

}  // namespace
}  // namespace fnet
