#include "train/losses.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

namespace fnet {
namespace {

/// Two samples: one of a single row, one of two texts of 3 and 2 rows with a unit each.
Scored scored_rows() {
  torch::manual_seed(3);
  Sample one, two;
  one.texts.resize(1), one.picks = {{0}}, one.units = {0}, one.targets = {0, 0};
  two.texts.resize(2), two.picks = {{0, 1, 2}, {0, 1}}, two.units = {0, 3};
  two.targets = {2, 1, 0, 1};
  Scored scored;
  scored.logits = at::randn({6, 2}, at::kDouble);
  scored.add(one, 0), scored.add(two, 1);
  return scored;
}

TEST(Losses, a_choice_among_rows_is_a_softmax_over_each_units_own) {
  const Scored scored = scored_rows();
  EXPECT_EQ(scored.terms(), 6);
  const at::Tensor x = scored.logits;
  const auto chosen = [&](std::int64_t begin, std::int64_t end, std::int64_t column,
                          std::int64_t target) {
    return -x.slice(0, begin, end).select(1, column).log_softmax(0)[target].item<double>();
  };
  const double sum = chosen(0, 1, 0, 0) + chosen(0, 1, 1, 0) + chosen(1, 4, 0, 2) +
                     chosen(1, 4, 1, 1) + chosen(4, 6, 0, 0) + chosen(4, 6, 1, 1);
  const Loss loss = Loss::row_cross_entropy;
  EXPECT_NEAR(loss_of(loss, scored, {at::Reduction::Sum, {}, 0}).item<double>(), sum, 1e-12);
  EXPECT_NEAR(loss_of(loss, scored, {}).item<double>(), sum / 6, 1e-12);
}

TEST(Losses, a_choice_among_rows_has_a_gradient_on_each_units_own) {
  Scored scored = scored_rows();
  scored.logits.requires_grad_(true);
  loss_of(Loss::row_cross_entropy, scored, {}).backward();
  const at::Tensor gradient = scored.logits.grad();
  EXPECT_TRUE(gradient.isfinite().all().item<bool>());
  for (const auto& [begin, end] : {std::pair(0, 1), {1, 4}, {4, 6}})  // softmax minus one
    EXPECT_NEAR(gradient.slice(0, begin, end).sum(0).abs().max().item<double>(), 0, 1e-12);
}

TEST(Losses, labels_and_numbers_are_those_of_torch) {
  torch::manual_seed(4);
  Scored scored;
  scored.logits = at::randn({3, 2}, at::kDouble);
  for (const std::vector<float>& values : {std::vector<float>{0, 1}, {1, 1}, {0, 0}}) {
    Sample sample;
    sample.texts.resize(1), sample.units = {0}, sample.values = values;
    scored.add(sample, static_cast<std::int64_t>(scored.units.size()));
  }
  EXPECT_EQ(scored.terms(), 6);
  const at::Tensor target = at::tensor({0., 1., 1., 1., 0., 0.}, at::kDouble).view({3, 2});
  const at::Tensor p = scored.logits.sigmoid();
  const at::Tensor likely = target * p.log() + (1 - target) * (1 - p).log();
  EXPECT_NEAR(loss_of(Loss::binary_cross_entropy, scored, {}).item<double>(),
              -likely.mean().item<double>(), 1e-12);
  const at::Tensor soft = target * 0.8 + 0.1;
  const at::Tensor smooth = soft * p.log() + (1 - soft) * (1 - p).log();
  EXPECT_NEAR(
      loss_of(Loss::binary_cross_entropy, scored, {at::Reduction::Sum, {}, 0.2}).item<double>(),
      -smooth.sum().item<double>(), 1e-6);
  EXPECT_NEAR(loss_of(Loss::squared_error, scored, {}).item<double>(),
              (scored.logits - target).square().mean().item<double>(), 1e-12);
}

TEST(Losses, units_that_were_cut_off_are_left_out) {
  Sample sample;
  sample.texts.resize(1), sample.picks = {{1, 2}}, sample.units = {0, -1, 1};
  sample.targets = {1, 0, 0};
  Scored scored;
  scored.logits = at::tensor({0., 1., 2., 0.}, at::kDouble).view({2, 2});
  scored.add(sample, 0);
  EXPECT_EQ(scored.terms(), 2);
  const double wanted = std::log(1 + std::exp(-1.0)) + std::log(1 + std::exp(-2.0));
  EXPECT_NEAR(loss_of(Loss::cross_entropy, scored, {}).item<double>(), wanted / 2, 1e-12);
}

/// The losses of tests/golden/text/pairs.json, which tools/make_pair_goldens.py writes.
TEST(Losses, pairs_are_compared_as_sentence_transformers_does) {
  const auto golden =
      nlohmann::json::parse(std::ifstream(FNET_SOURCE_DIR "/tests/golden/text/pairs.json"));
  for (const auto& one : golden.at("losses")) {
    const auto vectors = one.at("vectors").get<std::vector<double>>();
    const auto scores = one.at("scores").get<std::vector<float>>();
    const auto each = one.at("each").get<std::int64_t>(),
               width = one.at("width").get<std::int64_t>();
    Scored scored;
    scored.logits = at::tensor(vectors, at::kDouble).view({-1, width}).requires_grad_(true);
    for (std::int64_t row = 0; row < scored.logits.size(0); row += each) {
      Sample sample;
      sample.texts.resize(static_cast<std::size_t>(each)), sample.units = {0};
      if (!scores.empty()) sample.values = {scores[static_cast<std::size_t>(row / each)]};
      scored.add(sample, row);
    }
    EXPECT_EQ(scored.terms(), scored.logits.size(0) / each);
    LossOptions options;
    options.matryoshka_dims = one.at("dims").get<std::vector<std::int64_t>>();
    const at::Tensor loss = loss_of(Loss::similarity, scored, options);
    EXPECT_NEAR(loss.item<double>(), one.at("loss").get<double>(), 1e-12);
    loss.backward();
    const at::Tensor wanted =
        at::tensor(one.at("gradient").get<std::vector<double>>(), at::kDouble).view({-1, width});
    EXPECT_LT((scored.logits.grad() - wanted).abs().max().item<double>(), 1e-12);
    options.reduction = at::Reduction::Sum;
    EXPECT_NEAR(loss_of(Loss::similarity, scored, options).item<double>(),
                static_cast<double>(scored.terms()) * loss.item<double>(), 1e-11);
  }
}

TEST(Losses, pairs_are_compared_by_their_product_where_the_head_says_so) {
  torch::manual_seed(6);
  Scored scored;
  scored.logits = at::randn({6, 5}, at::kDouble);
  for (std::int64_t first = 0; first < 6; first += 2) {
    Sample pair;
    pair.texts.resize(2), pair.units = {0};
    scored.add(pair, first);
  }
  LossOptions by_dot;
  by_dot.similarity = Similarity::dot;
  const at::Tensor queries = scored.logits.slice(0, 0, 6, 2),
                   partners = scored.logits.slice(0, 1, 6, 2);
  const double own =
      -at::matmul(queries, partners.t()).log_softmax(1).diagonal().mean().item<double>();
  EXPECT_NEAR(loss_of(Loss::similarity, scored, by_dot).item<double>(), own, 1e-12);
  scored.values = {0.5F, -2, 3};
  const at::Tensor truth = at::tensor({0.5, -2.0, 3.0});
  const double squares = ((queries * partners).sum(1) - truth).square().mean().item<double>();
  EXPECT_NEAR(loss_of(Loss::similarity, scored, by_dot).item<double>(), squares, 1e-12);
  EXPECT_NE(loss_of(Loss::similarity, scored, {}).item<double>(), squares);
}

TEST(Losses, pairs_with_and_without_a_score_do_not_mix) {
  Sample with, without;
  with.texts.resize(2), with.units = {0}, with.values = {1};
  without.texts.resize(2), without.units = {0};
  Scored scored;
  scored.logits = at::ones({4, 3});
  scored.add(with, 0), scored.add(without, 2);
  EXPECT_THROW(loss_of(Loss::similarity, scored, {}), Error);
}

}  // namespace
}  // namespace fnet
