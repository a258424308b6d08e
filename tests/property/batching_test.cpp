// The promise of `exact` and `fixed:N`: an answer's bytes depend on the text alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "fnet/engine.h"
#include "models.h"

namespace fnet {
namespace {

using namespace testing_models;

bool same_bytes(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

/// Embeds the texts in `rounds` random orders and batch sizes and compares with each text alone.
void expect_invariant(Config config, const std::string& dtype, std::size_t rounds) {
  const auto texts = random_encodings(40, 60, config, 3);
  std::vector<Engine> engines;
  for (const int threads : {1, 2, 4}) {
    EngineOptions options;
    options.threads = threads;
    options.dtype = dtype;
    engines.emplace_back(config, lively_weights(), options);
  }
  std::vector<Matrix> hidden, pooled;
  for (const Encoding& text : texts) {
    hidden.push_back(engines[0].forward(std::span(&text, 1)).front());
    pooled.push_back(engines[0].embed(std::span(&text, 1)));
  }
  Philox random(11, 1);
  std::size_t different = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    std::vector<std::size_t> chosen(1 + random.below(12));
    for (auto& c : chosen) c = random.below(texts.size());
    std::vector<Encoding> batch;
    for (const auto c : chosen) batch.push_back(texts[c]);
    const Engine& engine = engines[round % engines.size()];
    const auto all_hidden = engine.forward(batch);
    const Matrix all_pooled = engine.embed(batch);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      different += !same_bytes(all_hidden[i].data, hidden[chosen[i]].data);
      different += !same_bytes(all_pooled.row(i), pooled[chosen[i]].row(0));
    }
  }
  EXPECT_EQ(different, 0U) << config.length_policy << " " << dtype;
}

TEST(Batching, answers_of_every_part_do_not_depend_on_batch_order_or_threads) {
  for (const KindRow& norm : norm_kinds()) {
    Config config = small_config();
    config.norm_type = norm.name;
    SCOPED_TRACE(norm.name);
    expect_invariant(config, "float32", 4);
  }
  for (const KindRow& ffn : ffn_kinds()) {
    Config config = small_config();
    config.ffn_type = ffn.name;
    SCOPED_TRACE(ffn.name);
    expect_invariant(config, "float32", 4);
  }
}

TEST(Batching, exact_answers_do_not_depend_on_batch_order_or_threads) {
  Config config = small_config();
  for (const char* dtype : {"float32", "bfloat16", "int8"}) expect_invariant(config, dtype, 1000);
  config.norm_type = "rms_norm";
  config.ffn_type = "swiglu";
  config.norm_position = "pre";
  config.pooling = "mean";
  for (const char* dtype : {"float32", "bfloat16", "int8"}) expect_invariant(config, dtype, 100);
}

TEST(Batching, exact_answers_of_every_mixer_do_not_depend_on_batch_order_or_threads) {
  for (const KindRow& row : mixer_kinds()) {
    Config config = small_config();
    config.num_hidden_layers = 2;
    config.mixers = {std::string(row.name)};
    for (const char* dtype : {"float32", "bfloat16"}) expect_invariant(config, dtype, 60);
  }
}

TEST(Batching, fixed_answers_do_not_depend_on_batch_order_or_threads) {
  Config config = small_config();
  config.length_policy = "fixed:64";
  expect_invariant(config, "float32", 300);
}

TEST(Batching, batch_policy_does_depend_on_neighbours) {  // so the tests above can fail
  Config config = small_config();
  config.length_policy = "batch";
  const auto texts = random_encodings(2, 60, config, 5);
  ASSERT_NE(texts[0].input_ids.size(), texts[1].input_ids.size());
  const Engine engine(config, lively_weights());
  const Matrix both = engine.embed(texts);
  const bool same = same_bytes(both.row(0), engine.embed(std::span(&texts[0], 1)).row(0)) &&
                    same_bytes(both.row(1), engine.embed(std::span(&texts[1], 1)).row(0));
  EXPECT_FALSE(same);
}

TEST(Batching, fixed_equals_exact_over_a_text_padded_by_hand) {
  Config config = small_config();
  const auto texts = random_encodings(5, 60, config, 6);
  const Engine exact(config, lively_weights());
  config.length_policy = "fixed:64";
  const Engine fixed(config, lively_weights());
  for (const Encoding& text : texts) {
    Encoding padded = text;
    padded.input_ids.resize(64, static_cast<std::int32_t>(config.pad_token_id));
    padded.token_type_ids.resize(64, 0);
    const Matrix by_hand = exact.forward(std::span(&padded, 1)).front();
    const Matrix by_policy = fixed.forward(std::span(&text, 1)).front();
    EXPECT_TRUE(same_bytes(by_policy.data,
                           std::span(by_hand.data).first(text.input_ids.size() * by_hand.cols)));
  }
}

}  // namespace
}  // namespace fnet
