#include "fnet/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "models.h"
#include "temporary.h"

namespace fnet {
namespace {

using testing::HasSubstr;
using namespace testing_models;

Engine classifier() {
  Config config = small_config();
  config.task = "text-classification";
  config.labels = {"a", "b", "c"};
  return Engine(config, lively_weights());
}

TEST(Engine, refuses_ids_types_and_lengths_that_do_not_fit) {
  const Engine engine(small_config(), lively_weights());
  const auto run = [&](std::vector<std::int32_t> ids, std::vector<std::int32_t> types) {
    Encoding text;
    text.input_ids = std::move(ids);
    text.token_type_ids = std::move(types);
    return message_of([&] { engine.forward(std::span(&text, 1)); });
  };
  EXPECT_THAT(run({100}, {0}), HasSubstr("0 to 99"));
  EXPECT_THAT(run({-1}, {0}), HasSubstr("found -1"));
  EXPECT_THAT(run({1}, {4}), HasSubstr("token_type_ids[0]"));
  EXPECT_THAT(run({1, 2}, {0}), HasSubstr("expected as many"));
  EXPECT_THAT(run({}, {}), HasSubstr("at least one token"));
  EXPECT_THAT(run(std::vector<std::int32_t>(161, 1), {}), HasSubstr("at most 160"));
  EXPECT_EQ(run(std::vector<std::int32_t>(160, 1), {}), "no error");
}

TEST(Engine, takes_the_callers_positions) {
  const Engine engine(small_config(), lively_weights());
  Encoding text;
  text.input_ids = {5, 6, 7};
  const auto run = [&](std::vector<std::int32_t> positions) {
    text.position_ids = std::move(positions);
    return engine.forward(std::span(&text, 1)).front().data;
  };
  const auto plain = run({});
  EXPECT_EQ(run({0, 1, 2}), plain);
  EXPECT_NE(run({2, 1, 0}), plain);
  EXPECT_THAT(message_of([&] { run({0, 1}); }), HasSubstr("expected as many position_ids"));
  EXPECT_THAT(message_of([&] { run({0, 1, 160}); }),
              HasSubstr("position_ids[2]: expected 0 to 159"));
  EXPECT_THAT(message_of([&] { run({-1, 1, 2}); }), HasSubstr("found -1"));
}

TEST(Engine, classify_gives_the_best_labels_with_probabilities) {
  const Engine engine = classifier();
  const auto texts = random_encodings(4, 20, engine.config(), 2);
  for (const auto& labels : engine.classify(std::span<const Encoding>(texts), 5)) {
    ASSERT_EQ(labels.size(), 3U);
    float sum = 0;
    for (const Prediction& p : labels) sum += p.score;
    EXPECT_NEAR(sum, 1.0F, 1e-6F);
    EXPECT_GE(labels[0].score, labels[1].score);
    EXPECT_GE(labels[1].score, labels[2].score);
  }
  EXPECT_EQ(engine.classify(std::span<const Encoding>(texts), 1)[0].size(), 1U);
  const std::vector<std::vector<std::string>> sentence = {{"x"}};
  EXPECT_THAT(message_of([&] { engine.tag(sentence); }), HasSubstr("answers words"));
  EXPECT_THAT(message_of([&] { engine.scores(texts, {}, "other"); }), HasSubstr("'other'"));
  EXPECT_THAT(message_of([&] { engine.encode("x"); }), HasSubstr("no tokenizer"));
}

TEST(Engine, embed_offers_every_pooling_and_normalizes) {
  const Engine engine = classifier();
  const auto texts = random_encodings(3, 20, engine.config(), 4);
  const auto hidden = engine.forward(texts);
  const Matrix cls = engine.embed(texts, "cls");
  const Matrix mean = engine.embed(texts, "mean");
  const Matrix max = engine.embed(texts, "max");
  const Matrix unit = engine.embed(texts, "mean", true);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    double square = 0;
    for (std::size_t c = 0; c < hidden[i].cols; ++c) {
      float sum = 0, top = hidden[i].row(0)[c];
      for (std::size_t r = 0; r < hidden[i].rows; ++r) {
        sum += hidden[i].row(r)[c];
        top = std::max(top, hidden[i].row(r)[c]);
      }
      EXPECT_NEAR(cls.row(i)[c], hidden[i].row(0)[c], 1e-5F);
      EXPECT_NEAR(mean.row(i)[c], sum / static_cast<float>(hidden[i].rows), 1e-5F);
      EXPECT_EQ(max.row(i)[c], top);
      square += double{unit.row(i)[c]} * unit.row(i)[c];
    }
    EXPECT_NEAR(square, 1.0, 1e-6);
  }
  EXPECT_THAT(message_of([&] { engine.embed(texts, "median"); }), HasSubstr("found 'median'"));
}

TEST(Engine, the_first_row_alone_equals_the_first_row_of_the_whole) {
  for (const char* position : {"post", "pre"}) {
    for (const char* mixer : {"fourier", "identity"}) {
      Config config = small_config();
      config.norm_position = position;
      config.mixers = {mixer};
      const Engine engine(config, lively_weights());
      const auto texts = random_encodings(5, 40, config, 8);
      const auto hidden = engine.forward(texts);
      const Matrix first = engine.embed(texts, "cls");
      for (std::size_t i = 0; i < texts.size(); ++i) {
        EXPECT_LT(relative_error(first.row(i), hidden[i].row(0)), 3e-6) << position << mixer;
      }
    }
  }
}

TEST(Engine, an_empty_batch_gives_an_empty_answer) {
  const Engine engine = classifier();
  EXPECT_TRUE(engine.forward({}).empty());
  EXPECT_EQ(engine.embed(std::span<const Encoding>()).rows, 0U);
}

/// How the parts of a model run whose place ends so; each once.
std::set<std::string> paths_of(const Engine& engine, const std::string& part) {
  std::set<std::string> found;
  for (const auto& [place, path] : engine.paths()) {
    if (place.ends_with("." + part)) found.insert(path);
  }
  return found;
}

// A kernel that is lost must not pass as a slow formula.
TEST(Engine, runs_each_part_of_the_tables_by_its_kernel) {
  const auto engine = [](auto&& change, bool formulas = false) {
    Config config = small_config();
    change(config);
    EngineOptions options;
    options.formulas = formulas;
    return Engine(config, lively_weights(), options);
  };
  const auto same = [](Config&) {};
  using Paths = std::set<std::string>;
  EXPECT_EQ(paths_of(engine(same), "layer_norm"), Paths{"kernel"});
  EXPECT_EQ(paths_of(engine(same), "fourier"), Paths{"kernel with norm"});
  EXPECT_EQ(paths_of(engine(same), "mlp"), Paths{"kernel with norm"});
  const auto swiglu = [](Config& c) { c.ffn_type = "swiglu", c.norm_type = "rms_norm"; };
  EXPECT_EQ(paths_of(engine(swiglu), "swiglu"), Paths{"kernel with norm"});
  const auto biased = [](Config& c) { c.ffn_type = "swiglu", c.ffn_options["bias"] = true; };
  EXPECT_EQ(paths_of(engine(biased), "swiglu"), Paths{"kernel with norm"});
  const auto pre = [](Config& c) { c.norm_position = "pre", c.mixers = {"identity"}; };
  EXPECT_EQ(paths_of(engine(pre), "layer_norm"), Paths{"kernel"});
  EXPECT_EQ(paths_of(engine(pre), "mlp"), Paths{"kernel"});
  EXPECT_EQ(paths_of(engine(pre), "identity"), Paths{"kernel"});
  for (const KindRow& row : activation_kinds()) {
    const auto act = [&](Config& c) { c.hidden_act = row.name; };
    const Paths path = {row.name == "quick_gelu" ? "formula" : "kernel with norm"};
    EXPECT_EQ(paths_of(engine(act), "mlp"), path) << row.name;
  }
  for (const char* part : {"layer_norm", "fourier", "mlp"}) {
    EXPECT_EQ(paths_of(engine(same, true), part), Paths{"formula"}) << part;
  }
}

TEST(Engine, evaluates_formulas_in_the_type_that_was_asked_for) {
  const Config config = small_config();
  const auto texts = random_encodings(3, 40, config, 5);
  EngineOptions formulas;
  formulas.formulas = true;
  const auto exact = Engine(config, lively_weights(), formulas).forward(texts);
  for (const char* dtype : {"bfloat16", "int8"}) {
    formulas.dtype = dtype;
    EngineOptions kernels;
    kernels.dtype = dtype;
    const auto slow = Engine(config, lively_weights(), formulas).forward(texts);
    const auto fast = Engine(config, lively_weights(), kernels).forward(texts);
    // Rounding of the products' factors shows, and is nearly the same on both paths.
    const double rounding = relative_error(slow[0].data, exact[0].data);
    EXPECT_GT(rounding, 1e-3) << dtype;
    EXPECT_LT(rounding, 0.1) << dtype;
    EXPECT_LT(relative_error(slow[0].data, fast[0].data), rounding) << dtype;
  }
}

TEST(Engine, answers_by_every_head_of_a_model) {
  Config config = small_config();
  config.task = "text-classification";
  config.labels = {"a", "b", "c"};
  config.heads["topic"] = {"text-classification", {"x", "y"}, "mean", "", false};
  config.heads["tags"] = {"token-classification", {"O", "B", "I", "E"}, "", "", false};
  const Engine engine(config, lively_weights());
  const auto texts = random_encodings(3, 20, config, 6);
  EXPECT_EQ(engine.scores(texts)[0].cols, 3U);
  EXPECT_EQ(engine.scores(texts, {}, "topic")[2].cols, 2U);
  const auto all = engine.scores(texts, {}, "tags");
  EXPECT_EQ(all[1].rows, texts[1].input_ids.size());
  std::vector<std::vector<std::int32_t>> picks(3);
  picks[1] = {0, static_cast<std::int32_t>(texts[1].input_ids.size()) - 1};
  const auto some = engine.scores(texts, picks, "tags");
  EXPECT_EQ(some[0].rows, 0U);
  ASSERT_EQ(some[1].rows, 2U);
  EXPECT_TRUE(std::ranges::equal(some[1].row(0), all[1].row(0)));
  EXPECT_TRUE(std::ranges::equal(some[1].row(1), all[1].row(all[1].rows - 1)));
  EXPECT_EQ(engine.scores(texts, std::vector<std::vector<std::int32_t>>(3), "tags")[2].rows, 0U);
  picks[2] = {static_cast<std::int32_t>(texts[2].input_ids.size())};
  EXPECT_THAT(message_of([&] { engine.scores(texts, picks, "tags"); }), HasSubstr("picks"));
}

TEST(Engine, answers_by_all_heads_in_one_pass_as_by_each_alone) {
  Config config = small_config();
  config.task = "text-classification";
  config.labels = {"a", "b", "c"};
  config.head_name = "mood";
  config.heads["topic"] = {"text-classification", {"x", "y"}, "cls", "", false};
  for (const bool tags : {false, true}) {  // all read first rows, or one reads all rows
    if (tags) config.heads["tags"] = {"token-classification", {"O", "B", "I"}, "", "", false};
    const Engine engine(config, lively_weights());
    const auto texts = random_encodings(300, 24, config, 8);  // more than a pass takes
    const auto all = engine.all_scores(texts);
    EXPECT_EQ(all.size(), tags ? 3U : 2U);
    for (const auto& [name, scores] : all) {
      const auto alone = engine.scores(texts, {}, name);
      ASSERT_EQ(scores.size(), alone.size());
      for (std::size_t i = 0; i < alone.size(); ++i) EXPECT_EQ(scores[i].data, alone[i].data);
    }
    const auto own = engine.scores(texts);
    EXPECT_EQ(own[7].data, all.at("mood")[7].data);
    const auto named = engine.classify(std::span(texts).first(1), 1, "topic");
    EXPECT_EQ(named[0][0].label,
              all.at("topic")[0].data[0] > all.at("topic")[0].data[1] ? "x" : "y");
    if (!tags) continue;
    std::vector<std::vector<std::int32_t>> picks(texts.size());
    picks[299] = {1};
    const std::vector<HeadQuery> queries = {{"tags", picks}, {"mood"}};
    const auto some = engine.scores(texts, queries);
    EXPECT_EQ(some[0][0].rows, 0U);
    EXPECT_TRUE(std::ranges::equal(some[0][299].row(0), all.at("tags")[299].row(1)));
    EXPECT_EQ(some[1][3].data, own[3].data);
  }
  EXPECT_THAT(message_of([&] { Engine(small_config(), lively_weights()).all_scores({}); }),
              HasSubstr("found an encoder"));
}

TEST(Engine, embeds_tokens_as_forward_and_with_length_one_where_asked) {
  const Engine engine(small_config(), lively_weights());
  const auto texts = random_encodings(3, 20, engine.config(), 4);
  const auto hidden = engine.forward(texts), same = engine.embed_tokens(texts);
  const auto normal = engine.embed_tokens(texts, true);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(same[i].data, hidden[i].data);
    for (std::size_t r = 0; r < normal[i].rows; ++r) {
      double square = 0;
      for (const float v : normal[i].row(r)) square += double{v} * v;
      EXPECT_NEAR(square, 1, 1e-5);
    }
  }
}

TEST(Engine, pools_by_weights_that_the_model_has) {
  const auto texts = random_encodings(2, 9, small_config(), 5);
  const Engine plain(small_config(), lively_weights());
  EXPECT_THAT(message_of([&] { plain.embed(texts, "attention"); }), HasSubstr("'attention'"));
  Config config = small_config();
  config.pooling = "attention";
  const Engine attentive(config, lively_weights());
  EXPECT_EQ(attentive.embed(texts).data, attentive.embed(texts, "attention").data);
  EXPECT_EQ(attentive.embed(texts, "mean").data, plain.embed(texts, "mean").data);
}

}  // namespace
}  // namespace fnet
