#include "train/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

namespace fnet {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TrainingReport three_epochs() {
  TrainingReport report;
  report.metric = "accuracy";
  report.best = 0.875;
  report.best_epoch = 3;
  for (int i = 1; i <= 3; ++i) {
    EpochReport& epoch = report.epochs.emplace_back();
    epoch.epoch = i;
    epoch.loss = 2.0 / i;
    epoch.dev_loss = 3.0 / i;
    epoch.metrics = {{"accuracy", 0.5 + 0.125 * i}};
  }
  return report;
}

std::string page(const Evaluation& best) {
  return html_report(
      {{"task", "text-classification"}, {"out", "m/reviews"}, {"train", "d/rows.tsv"}},
      three_epochs(), best);
}

TEST(Report, names_model_and_data) {
  EXPECT_THAT(page({}), HasSubstr("<title>reviews: text-classification on rows.tsv</title>"));
}

TEST(Report, draws_both_losses_in_one_chart) {
  const std::string html = page({});
  const std::string first =
      html.substr(html.find("<figure>"), html.find("</figure>") - html.find("<figure>"));
  EXPECT_THAT(first, HasSubstr("training loss, epoch 1: 2.0000"));
  EXPECT_THAT(first, HasSubstr("dev loss, epoch 3: 1.0000"));
}

TEST(Report, axes_hold_all_that_is_drawn) {
  const std::string html = page({});
  const std::regex circle("cx='([0-9.]+)' cy='([0-9.]+)'");
  int points = 0;
  for (std::sregex_iterator at(html.begin(), html.end(), circle), end; at != end; ++at, ++points) {
    EXPECT_GE(std::stod((*at)[1]), 40);
    EXPECT_LE(std::stod((*at)[1]), 440);
    EXPECT_GE(std::stod((*at)[2]), 10);
    EXPECT_LE(std::stod((*at)[2]), 200);
  }
  EXPECT_EQ(points, 9);
}

TEST(Report, folds_all_but_fifteen_errors) {
  Evaluation best;
  for (std::size_t i = 0; i < 20; ++i)
    best.worst.push_back({i + 2, "text " + std::to_string(i), "a", "b", 0.5F});
  const std::string html = page(best);
  const std::size_t fold = html.find("<summary>5 more</summary>");
  ASSERT_NE(fold, std::string::npos);
  EXPECT_LT(html.find("text 14"), fold);
  EXPECT_GT(html.find("text 15"), fold);
  best.worst.resize(15);
  EXPECT_THAT(page(best), Not(HasSubstr("more</summary>")));
}

TEST(Report, breaks_long_labels_at_their_joints_only) {
  Evaluation best;
  best.worst = {{2, "text", "a_very_long_label_of_many_joined_words", "b", 0.5F}};
  EXPECT_THAT(page(best), HasSubstr("a_very_<wbr>long_<wbr>label_"));
  best.worst = {{2, "text", "short_label", "<b>", 0.5F}};
  EXPECT_THAT(page(best), HasSubstr("<td class='l'>short_label<td class='l'>&lt;b&gt;"));
}

}  // namespace
}  // namespace fnet
