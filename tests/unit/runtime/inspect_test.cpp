#include "runtime/inspect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <numbers>
#include <numeric>

#include "models.h"
#include "temporary.h"

namespace fnet {
namespace {

using testing::HasSubstr;
using namespace testing_models;

std::vector<float> random_rows(std::size_t size) {
  Philox random(3, 0);
  std::vector<float> values(size);
  for (float& v : values) v = static_cast<float>(random.uniform() - 0.3);
  return values;
}

TEST(Inspect, energy_is_that_of_the_dft_by_definition) {
  for (const std::size_t length : {1, 2, 3, 7, 16, 61, 100}) {
    for (const std::size_t width : {1, 5, 48}) {
      const std::vector<float> x = random_rows(length * width);
      std::vector<double> expected(length / 2 + 1);
      for (std::size_t k = 0; k < length; ++k) {
        for (std::size_t h = 0; h < width; ++h) {
          std::complex<double> sum = 0;
          for (std::size_t n = 0; n < length; ++n) {
            sum += static_cast<double>(x[n * width + h]) *
                   std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(n * k % length) /
                                       static_cast<double>(length));
          }
          expected[std::min(k, length - k)] += std::norm(sum) / static_cast<double>(length);
        }
      }
      const std::vector<double> energy = energy_by_frequency(x, width);
      const double all = std::inner_product(x.begin(), x.end(), x.begin(), 0.0);
      ASSERT_EQ(energy.size(), expected.size());
      for (std::size_t k = 0; k < energy.size(); ++k)
        EXPECT_NEAR(energy[k], expected[k], 1e-5 * all) << length << ' ' << width << ' ' << k;
      EXPECT_NEAR(std::accumulate(energy.begin(), energy.end(), 0.0), all, 1e-5 * all);
    }
  }
}

TEST(Inspect, mean_frequency_leaves_the_constant_out) {
  StateView state{Stage::embeddings, -1};
  state.energy = {0.6, 0.1, 0.3};  // of 4 tokens: 0, 1/4 and 1/2 cycles a token
  EXPECT_DOUBLE_EQ(state.mean_frequency(4), (0.1 * 0.25 + 0.3 * 0.5) / 0.4);
  state.energy = {1};
  EXPECT_EQ(state.mean_frequency(1), 0);
}

Tokenizer tokenizer() {
  TokenizerTraining training;
  const std::vector<std::string> texts = {"Anna went from Oslo to Rome", "a fine warm film"};
  training.next_text = [&, i = std::size_t{0}](std::string& text) mutable {
    if (i == texts.size()) return false;
    text = texts[i++];
    return true;
  };
  training.vocab_size = 60;
  training.fewer_pieces = true;
  return train_tokenizer(training);
}

Engine engine_for(const std::string& task, const std::string& pooling = "mean") {
  Config config = small_config();
  config.task = task;
  config.pooling = pooling;
  if (config.has_head()) config.labels = {"a", "b", "c"};
  return Engine(config, lively_weights(), {}, tokenizer());
}

Example text(const std::string& text) {
  Example example;
  example.texts = {text};
  return example;
}

double cosine(std::span<const float> a, std::span<const float> b) {
  const auto dot = [](std::span<const float> x, std::span<const float> y) {
    return std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
  };
  return dot(a, b) / std::sqrt(dot(a, a) * dot(b, b));
}

TEST(Inspect, a_token_changes_what_another_in_its_place_changes) {
  const Engine engine = engine_for("text-classification");
  const Inspection seen = inspect(engine, text("a warm film"));
  const Encoding whole = engine.encode("a warm film");
  ASSERT_EQ(seen.tokens.size(), whole.input_ids.size());
  EXPECT_EQ(seen.replacement, "[MASK]");
  EXPECT_FALSE(seen.tokens.front().replaced);
  EXPECT_FALSE(seen.tokens.back().replaced);
  const auto before = engine.classify({&whole, 1}, 3).front();
  ASSERT_EQ(seen.answers.at(0).at(0).label, before[0].label);
  EXPECT_EQ(seen.answers[0][0].score, before[0].score);
  const auto states = engine.hidden_states({&whole, 1}).front();
  for (std::size_t i = 1; i + 1 < whole.input_ids.size(); ++i) {
    Encoding other = whole;
    other.input_ids[i] = engine.tokenizer().special().mask;
    double after = 0;
    const auto labels = engine.classify({&other, 1}, 3).front();
    for (const Prediction& p : labels)
      if (p.label == before[0].label) after = p.score;
    const TokenView& token = seen.tokens[i];
    EXPECT_TRUE(token.replaced);
    EXPECT_NEAR(token.answer, after - before[0].score, 1e-6);
    EXPECT_EQ(token.flipped, labels[0].label != before[0].label ? 1U : 0U);
    EXPECT_NEAR(token.vector,
                1 - cosine(engine.embed({&whole, 1}).data, engine.embed({&other, 1}).data), 1e-6);
    const auto others = engine.hidden_states({&other, 1}).front();
    ASSERT_EQ(token.layers.size(), others.size());
    for (std::size_t layer = 0; layer < others.size(); ++layer) {
      double sum = 0;
      for (std::size_t r = 0; r < others[layer].rows; ++r)
        sum += 1 - cosine(states[layer].row(r), others[layer].row(r));
      EXPECT_NEAR(token.layers[layer], sum / static_cast<double>(others[layer].rows), 1e-6);
    }
  }
}

TEST(Inspect, states_tell_norms_and_what_parts_add) {
  const Engine engine = engine_for("encoder");
  const Inspection seen = inspect(engine, text("from Oslo to Rome"));
  const Encoding whole = engine.encode("from Oslo to Rome");
  ASSERT_EQ(seen.states.size(), 1 + 2 * 3U);
  EXPECT_TRUE(seen.answers.empty());
  std::size_t at = 0;
  std::vector<float> before;
  engine.watch(
      {&whole, 1},
      [&](const HiddenState& state) {
        const StateView& view = seen.states[at++];
        EXPECT_EQ(view.stage, state.stage);
        EXPECT_EQ(view.layer, state.layer);
        double norm = 0;
        for (std::size_t i = 0; i < state.rows.size(); i += 48) {
          const auto row = state.rows.subspan(i, 48);
          norm += std::sqrt(std::inner_product(row.begin(), row.end(), row.begin(), 0.0));
        }
        EXPECT_NEAR(view.norm, norm / static_cast<double>(whole.input_ids.size()), 1e-5);
        EXPECT_NEAR(std::accumulate(view.energy.begin(), view.energy.end(), 0.0), 1, 1e-5);
        if (!before.empty()) {
          const auto squares = [](std::span<const float> x) {
            return std::inner_product(x.begin(), x.end(), x.begin(), 0.0);
          };
          EXPECT_NEAR(view.added, std::sqrt(squares(state.added) / squares(before)), 1e-5);
        }
        before.assign(state.rows.begin(), state.rows.end());
      },
      true);
  EXPECT_EQ(at, seen.states.size());
}

TEST(Inspect, tokens_of_a_span_are_replaced_together) {
  const Engine engine = engine_for("encoder");
  const std::size_t all = inspect(engine, text("Anna went")).tokens.size();
  const Inspection seen = inspect(engine, text("Anna went"), {.span = all});
  Encoding blank = engine.encode("Anna went");
  for (std::size_t i = 1; i + 1 < all; ++i) blank.input_ids[i] = engine.tokenizer().special().mask;
  const Encoding whole = engine.encode("Anna went");
  const double moved = 1 - cosine(engine.embed({&whole, 1}).data, engine.embed({&blank, 1}).data);
  for (std::size_t i = 1; i + 1 < all; ++i) EXPECT_NEAR(seen.tokens[i].vector, moved, 1e-6);
}

TEST(Inspect, a_taggers_units_are_its_words) {
  const Engine engine = engine_for("token-classification");
  Example example;
  example.words = {"Anna", "went", "to", "Rome"};
  const Inspection seen = inspect(engine, example);
  EXPECT_EQ(seen.answers.size(), 4U);
  for (const TokenView& token : seen.tokens) EXPECT_LE(token.flipped, 4U);
}

TEST(Inspect, an_empty_text_has_nothing_to_replace) {
  const Inspection seen = inspect(engine_for("text-classification"), text(""));
  ASSERT_EQ(seen.tokens.size(), 2U);
  EXPECT_FALSE(seen.tokens[0].replaced || seen.tokens[1].replaced);
  EXPECT_EQ(seen.states.size(), 7U);
}

TEST(Inspect, weights_that_overflow_are_told) {
  Config config = small_config();
  const WeightSource large = [](const std::string& name, std::span<const std::int64_t> shape) {
    std::vector<float> values = lively_weights()(name, shape);
    for (float& v : values) v *= 1e30F;
    return values;
  };
  const Engine engine(config, large, {}, tokenizer());
  EXPECT_THAT(message_of([&] { inspect(engine, text("a film")); }), HasSubstr("overflow"));
}

}  // namespace
}  // namespace fnet
