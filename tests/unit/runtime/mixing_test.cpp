// What mixing does to a whole model's answers: it alone sees other tokens and their order.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "fnet/engine.h"
#include "models.h"

namespace fnet {
namespace {

using namespace testing_models;

/// The largest difference of two rows.
float distance(std::span<const float> a, std::span<const float> b) {
  float most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

Matrix answer(const Config& config, const Encoding& text) {
  return Engine(config, lively_weights()).forward({&text, 1}).front();
}

/// Eight tokens, all at one position, so that nothing but a mixer can tell their order.
Encoding eight_tokens() {
  Encoding text;
  text.input_ids = {11, 22, 33, 44, 55, 66, 77, 88};
  text.position_ids.assign(8, 0);
  return text;
}

constexpr std::size_t kOrder[] = {3, 1, 7, 0, 5, 2, 6, 4};  // no reversal, no shift

TEST(Mixing, sees_the_order_of_tokens_where_the_mixer_does) {
  for (const KindRow& row : mixer_kinds()) {
    Config config = small_config();
    config.mixers = {std::string(row.name)};
    const Encoding text = eight_tokens();
    Encoding permuted = text;
    for (std::size_t i = 0; i < 8; ++i) permuted.input_ids[i] = text.input_ids[kOrder[i]];
    const Matrix whole = answer(config, text), other = answer(config, permuted);
    float far = 0;
    for (std::size_t i = 0; i < 8; ++i)
      far = std::max(far, distance(other.row(i), whole.row(kOrder[i])));
    if (row.name == "identity") {
      EXPECT_EQ(far, 0);
    } else if (row.name == "attention") {  // a sum over tokens, in whatever order
      EXPECT_LT(far, 1e-4F);
    } else {
      EXPECT_GT(far, 0.1F) << row.name;
    }
  }
}

TEST(Mixing, moves_every_row_by_one_token_and_without_it_none) {
  for (const KindRow& row : mixer_kinds()) {
    Config config = small_config();
    config.num_hidden_layers = 1;
    config.mixers = {std::string(row.name)};
    Encoding text = eight_tokens();
    const Matrix before = answer(config, text);
    text.input_ids[0] = 99;
    const Matrix after = answer(config, text);
    EXPECT_GT(distance(after.row(0), before.row(0)), 1e-3F) << row.name;
    for (std::size_t i = 1; i < 8; ++i) {
      const float moved = distance(after.row(i), before.row(i));
      if (row.name == "identity") {
        EXPECT_EQ(moved, 0);
      } else {
        EXPECT_GT(moved, 1e-3F) << row.name << ", row " << i;
      }
    }
  }
}

/// Rows of a variance of some 1e-6, beside which epsilon counts.
WeightSource faint_weights() {
  return [](const std::string& name, std::span<const std::int64_t> shape) {
    std::vector<float> values = lively_weights()(name, shape);
    if (name.starts_with("encoder.LayerNorm.")) return values;
    for (float& v : values) v *= 1e-3F;
    return values;
  };
}

TEST(FinalNorm, of_pre_norm_models_has_the_epsilon_of_the_config) {
  Config config = small_config();
  config.norm_position = "pre";
  config.mixers = {"identity"};
  config.embedding_projection = false;
  const auto texts = random_encodings(2, 9, config, 1);
  const auto columns = static_cast<std::size_t>(config.hidden_size);
  const auto weight = lively_weights()("encoder.LayerNorm.weight", {{config.hidden_size}});
  const auto bias = lively_weights()("encoder.LayerNorm.bias", {{config.hidden_size}});
  std::vector<std::vector<float>> answers;
  for (const double eps : {1e-12, 1e-9, 1e-6, 1e-2}) {
    config.layer_norm_eps = eps;
    config.embedding_norm_eps = 1e-12;
    std::vector<float> before;
    std::size_t found = 0;
    Engine(config, faint_weights()).watch(texts, [&](const HiddenState& state) {
      if (state.text != 0) return;
      if (state.stage == Stage::final_norm) {
        ++found;
        std::vector<float> expected;
        for (std::size_t row = 0; row < before.size(); row += columns) {
          double mean = 0, variance = 0;
          for (std::size_t i = 0; i < columns; ++i)
            mean += before[row + i] / static_cast<double>(columns);
          for (std::size_t i = 0; i < columns; ++i)
            variance += std::pow(before[row + i] - mean, 2) / static_cast<double>(columns);
          EXPECT_LT(variance, 1e-4);
          for (std::size_t i = 0; i < columns; ++i) {
            expected.push_back(static_cast<float>(
                (before[row + i] - mean) / std::sqrt(variance + eps) * weight[i] + bias[i]));
          }
        }
        EXPECT_LT(relative_error(state.rows, expected), 1e-5) << eps;
        answers.emplace_back(state.rows.begin(), state.rows.end());
      }
      before.assign(state.rows.begin(), state.rows.end());
    });
    EXPECT_EQ(found, 1U) << "one final norm";
  }
  for (std::size_t i = 1; i < answers.size(); ++i)
    EXPECT_GT(distance(answers[i], answers[i - 1]), 0) << i;
  EXPECT_GT(distance(answers.back(), answers.front()), 0.1F);
}

TEST(OutputMask, changes_no_bit_of_a_text_that_fills_its_rows) {
  Config config = small_config();
  config.length_policy = "fixed:16";
  Philox random(4, 0);
  const Encoding full = random_encoding(random, 16, config);
  const Encoding half = random_encoding(random, 8, config);
  const Matrix plain = answer(config, full), padded = answer(config, half);
  config.mixer_options["mask"] = std::string("output");
  EXPECT_EQ(answer(config, full).data, plain.data);
  EXPECT_GT(distance(answer(config, half).data, padded.data), 1e-3F);
  EXPECT_GT(distance(plain.row(0), plain.row(1)), 1e-3F) << "no constant answer";
}

}  // namespace
}  // namespace fnet
