#include "tasks/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/json.h"
#include "fnet/error.h"
#include "tasks/answer_metrics.h"

namespace fnet {
namespace {

using Tags = std::vector<std::vector<std::string>>;
constexpr double kTolerance = 1e-12;

nlohmann::json goldens(const char* part) {
  return read_json_file(FNET_SOURCE_DIR "/tests/golden/text/metrics.json").at(part);
}

TEST(Metrics, classification_equals_scikit_learn) {
  for (const auto& golden : goldens("classification")) {
    const auto truth = golden["truth"].get<std::vector<std::int32_t>>();
    const auto predicted = golden["predicted"].get<std::vector<std::int32_t>>();
    const auto names = golden["names"].get<std::vector<std::string>>();
    const ClassificationReport report = classification_report(truth, predicted, names);
    EXPECT_EQ(report.count, truth.size());
    EXPECT_NEAR(report.accuracy, golden["accuracy"], kTolerance);
    EXPECT_NEAR(report.macro_f1, golden["macro_f1"], kTolerance);
    EXPECT_NEAR(report.micro_f1, golden["micro_f1"], kTolerance);
    EXPECT_NEAR(report.mcc, golden["mcc"], kTolerance);
    const auto confusion = golden["confusion"].get<std::vector<std::vector<std::size_t>>>();
    for (std::size_t t = 0; t < confusion.size(); ++t) {
      for (std::size_t p = 0; p < confusion.size(); ++p) {
        EXPECT_EQ(report.confused(t, p), confusion[t][p]) << t << ' ' << p;
      }
    }
    ASSERT_EQ(report.classes.size(), names.size());
    for (std::size_t c = 0; c < names.size(); ++c) {
      EXPECT_EQ(report.classes[c].name, names[c]);
      EXPECT_NEAR(report.classes[c].precision, golden["precision"][c], kTolerance);
      EXPECT_NEAR(report.classes[c].recall, golden["recall"][c], kTolerance);
      EXPECT_NEAR(report.classes[c].f1, golden["f1"][c], kTolerance);
      EXPECT_EQ(report.classes[c].support, golden["support"][c].get<std::size_t>());
    }
  }
}

TEST(Metrics, entities_equal_seqeval) {
  for (const auto& golden : goldens("tagging")) {
    const Tags truth = golden["truth"], predicted = golden["predicted"];
    for (std::size_t s = 0; s < truth.size(); ++s) {
      std::vector<Entity> expected;
      for (const auto& e : golden["entities"][s]) expected.push_back({e[0], e[1], e[2]});
      EXPECT_EQ(entities(truth[s]), expected) << golden["truth"][s];
    }
    const EntityReport report = entity_report(truth, predicted);
    EXPECT_NEAR(report.precision, golden["precision"], kTolerance);
    EXPECT_NEAR(report.recall, golden["recall"], kTolerance);
    EXPECT_NEAR(report.f1, golden["f1"], kTolerance);
    EXPECT_NEAR(report.macro_f1, golden["macro_f1"], kTolerance);
    EXPECT_NEAR(report.token_accuracy, golden["token_accuracy"], kTolerance);
    ASSERT_EQ(report.classes.size(), golden["classes"].size());
    for (const ClassScore& type : report.classes) {
      const auto& expected = golden["classes"].at(type.name);
      EXPECT_NEAR(type.precision, expected[0], kTolerance) << type.name;
      EXPECT_NEAR(type.recall, expected[1], kTolerance) << type.name;
      EXPECT_NEAR(type.f1, expected[2], kTolerance) << type.name;
      EXPECT_EQ(type.support, expected[3].get<std::size_t>()) << type.name;
    }
  }
}

TEST(Metrics, several_labels_equal_scikit_learn) {
  for (const auto& golden : goldens("multi_label")) {
    const auto truth = golden["truth"].get<std::vector<std::vector<int>>>();
    const auto predicted = golden["predicted"].get<std::vector<std::vector<int>>>();
    const std::vector<std::string> names(truth[0].size(), "x");
    MultiLabelCounts counts(names.size());
    for (std::size_t i = 0; i < truth.size(); ++i) {
      for (std::size_t c = 0; c < names.size(); ++c)
        counts.add(c, truth[i][c] == 1, predicted[i][c] == 1);
      counts.end_text();
    }
    const MultiLabelReport report = counts.report(names);
    EXPECT_EQ(report.count, truth.size());
    EXPECT_NEAR(report.subset_accuracy, golden["subset_accuracy"], kTolerance);
    EXPECT_NEAR(report.hamming_loss, golden["hamming_loss"], kTolerance);
    EXPECT_NEAR(report.micro_precision, golden["micro_precision"], kTolerance);
    EXPECT_NEAR(report.micro_recall, golden["micro_recall"], kTolerance);
    EXPECT_NEAR(report.micro_f1, golden["micro_f1"], kTolerance);
    EXPECT_NEAR(report.macro_f1, golden["macro_f1"], kTolerance);
    for (std::size_t c = 0; c < names.size(); ++c) {
      EXPECT_NEAR(report.classes[c].precision, golden["precision"][c], kTolerance);
      EXPECT_NEAR(report.classes[c].recall, golden["recall"][c], kTolerance);
      EXPECT_NEAR(report.classes[c].f1, golden["f1"][c], kTolerance);
      EXPECT_EQ(report.classes[c].support, golden["support"][c].get<std::size_t>());
    }
  }
}

TEST(Metrics, numbers_equal_scipy_and_scikit_learn_in_any_order) {
  for (const auto& golden : goldens("regression")) {
    const auto truth = golden["truth"].get<std::vector<float>>();
    const auto predicted = golden["predicted"].get<std::vector<float>>();
    std::vector<std::pair<float, float>> pairs;
    for (std::size_t i = 0; i < truth.size(); ++i) pairs.emplace_back(truth[i], predicted[i]);
    const RegressionReport report = regression_report(pairs);
    EXPECT_EQ(report.count, truth.size());
    EXPECT_NEAR(report.pearson, golden["pearson"], kTolerance);
    EXPECT_NEAR(report.spearman, golden["spearman"], kTolerance);
    EXPECT_NEAR(report.r2, golden["r2"], 1e-11);
    EXPECT_NEAR(report.rmse, golden["rmse"], kTolerance);
    EXPECT_NEAR(report.mae, golden["mae"], kTolerance);
    std::ranges::reverse(pairs);
    EXPECT_EQ(regression_report(pairs).pearson, report.pearson);
  }
  EXPECT_EQ(regression_report({{1, 2}, {1, 3}}).pearson, 0);  // not defined
  EXPECT_EQ(regression_report({}).rmse, 0);
}

TEST(Metrics, answers_to_questions_equal_the_rules_of_squad) {
  for (const auto& golden : goldens("answers")) {
    const std::string answer = golden["answer"];
    EXPECT_EQ(normalize_answer(answer), golden["normalized"]) << answer;
    const AnswerScore score =
        score_answer(answer, golden["truths"].get<std::vector<std::string>>());
    EXPECT_EQ(score.exact_match, golden["exact_match"]) << golden;
    EXPECT_NEAR(score.f1, golden["f1"], kTolerance) << golden;
  }
}

TEST(Metrics, nothing_at_all_scores_zero) {
  const ClassificationReport classes = classification_report({}, {}, {});
  EXPECT_EQ(classes.accuracy, 0);
  EXPECT_EQ(classes.mcc, 0);
  EXPECT_EQ(entity_report({}, {}).f1, 0);
  EXPECT_TRUE(entities({}).empty());
  const std::vector<std::string> odd = {"", "-", "B-", "I", "É-X"};
  EXPECT_EQ(entities(odd), (std::vector<Entity>{{"_", 2, 4}, {"X", 4, 5}}));  // seqeval's answer
}

TEST(Metrics, wrong_calls_are_usage_errors) {
  const std::vector<std::string> names = {"a", "b"};
  const std::vector<std::int32_t> one = {0}, two = {0, 1}, bad = {2}, negative = {-1};
  EXPECT_THROW(classification_report(one, two, names), Error);
  EXPECT_THROW(classification_report(one, bad, names), Error);
  EXPECT_THROW(classification_report(negative, one, names), Error);
  EXPECT_THROW(entity_report(Tags{{"O"}}, Tags{}), Error);
  EXPECT_THROW(entity_report(Tags{{"O"}}, Tags{{"O", "O"}}), Error);
}

}  // namespace
}  // namespace fnet
