// Walks kinds.def: for every row the fused kernels answer as the formulas of blocks/ do.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "fnet/engine.h"
#include "models.h"
#include "temporary.h"

namespace fnet {
namespace {

using namespace testing_models;

// Both sides sum in fp32 in different orders; three layers of norms keep the error near 1e-6.
constexpr double kBound = 5e-6;

void expect_equal(const Config& config) {
  SCOPED_TRACE(config.to_json());
  const auto texts = random_encodings(7, 50, config, 9);
  EngineOptions formulas;
  formulas.formulas = true;
  const Engine fast(config, lively_weights());
  const Engine slow(config, lively_weights(), formulas);
  const auto a = fast.forward(texts);
  const auto b = slow.forward(texts);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_LT(relative_error(a[i].data, b[i].data), kBound) << "text " << i;
  }
  if (config.pooler || config.pooling != "pooler") {
    EXPECT_LT(relative_error(fast.embed(texts).data, slow.embed(texts).data), kBound);
  }
  if (config.has_head()) {
    const auto x = fast.scores(texts);
    const auto y = slow.scores(texts);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      EXPECT_LT(relative_error(x[i].data, y[i].data), kBound);
    }
  }
}

TEST(Tables, fused_kernels_equal_the_formulas_for_every_row) {
  for (const Config& config : every_row()) expect_equal(config);
}

TEST(Tables, a_feed_forward_of_one_unit_works_or_says_why_not) {
  std::vector<std::string_view> refused;
  for (const KindRow& row : ffn_kinds()) {
    Config config = small_config();
    config.hidden_size = 2;
    config.intermediate_size = 1;
    config.ffn_type = row.name;
    const std::string reason = message_of([&] { Engine(config, lively_weights()); });
    if (reason == "no error") {
      expect_equal(config);
    } else {
      EXPECT_NE(reason.find("intermediate_size"), std::string::npos) << reason;
      refused.push_back(row.name);
    }
  }
  EXPECT_EQ(refused,
            (std::vector<std::string_view>{"differential", "monarch"}));  // halves, four blocks
}

TEST(Tables, every_row_is_accepted_and_round_trips_through_config_json) {
  for (const Config& config : every_row()) {
    EXPECT_NO_THROW(config.validate());
    EXPECT_EQ(Config::from_json(config.to_json(), "config.json"), config);
  }
}

}  // namespace
}  // namespace fnet
