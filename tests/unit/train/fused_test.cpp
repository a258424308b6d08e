// Blocks by our kernels against their formulas, as they are trained: with dropout, in rows of
// several lengths, of odd widths.
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "fnet/train.h"
#include "models.h"
#include "train/algebra.h"
#include "train/cross_entropy.h"

namespace fnet {
namespace {

using namespace testing_models;

struct Case {
  std::string norm = "layer_norm", mixer = "fourier", position = "post";
  std::int64_t hidden = 37;
};

/// The loss's gradients, those of the input first, after the output.
std::vector<at::Tensor> trained(const Case& what, bool recompute = false) {
  Config config = small_config();
  config.hidden_size = what.hidden;
  config.intermediate_size = 2 * what.hidden + 3;
  config.norm_type = what.norm;
  config.mixers = {what.mixer};
  config.norm_position = what.position;
  config.hidden_dropout_prob = 0.2;
  nn::FNetModel model(config, 3);
  model->train();
  model->set_recompute(recompute);
  model->set_dropout_place(nn::DropoutPlace{7, 5});
  torch::manual_seed(1);
  {
    const at::NoGradGuard no_grad;  // norms that are not the identity
    for (at::Tensor& p : model->parameters()) p.add_(at::randn_like(p), 0.1);
  }
  Rows rows;
  for (const std::int64_t length : {40, 1, 33, 77}) rows.add(length);
  at::Tensor x = at::randn({rows.total(), what.hidden}).requires_grad_();
  const at::Tensor y = model->forward_rows(x, {}, rows);
  (y * at::randn_like(y)).sum().backward();
  std::vector<at::Tensor> results = {y.detach(), x.grad()};
  for (const at::Tensor& p : model->parameters()) {
    if (p.grad().defined()) results.push_back(p.grad().clone());
  }
  for (const at::Tensor& b : model->buffers()) results.push_back(b.clone());
  return results;
}

std::vector<at::Tensor> by_formulas(const Case& what) {
  const FormulasOnly guard;
  return trained(what);
}

double distance(const at::Tensor& got, const at::Tensor& want) {
  return ((got - want).norm() / want.norm().clamp_min(1e-3)).item<double>();
}

const Case kCases[] = {{},
                       {.mixer = "hartley", .hidden = 64},
                       {.norm = "rms_norm"},
                       {.norm = "zero_centered_rms_norm"},
                       {.position = "pre"},
                       {.norm = "rms_norm", .position = "pre", .hidden = 48},
                       {.norm = "none", .mixer = "identity"}};

TEST(Fused, trains_as_the_formulas_do) {
  for (const Case& what : kCases) {
    SCOPED_TRACE(what.norm + ' ' + what.mixer + ' ' + what.position);
    const auto fast = trained(what), slow = by_formulas(what);
    ASSERT_EQ(fast.size(), slow.size());
    for (std::size_t i = 0; i < fast.size(); ++i) EXPECT_LT(distance(fast[i], slow[i]), 1e-5) << i;
  }
}

// Rounded factors have 8 bits: 2^-9 of each product, which a sum of many averages out, layer after
// layer.
TEST(Fused, bfloat16_products_stay_near) {
  for (const Case& what : kCases) {
    SCOPED_TRACE(what.norm + ' ' + what.mixer + ' ' + what.position);
    const auto slow = by_formulas(what);
    const ProductsIn guard({at::kBFloat16});
    const auto fast = trained(what);
    ASSERT_EQ(fast.size(), slow.size());
    for (std::size_t i = 0; i < fast.size(); ++i) EXPECT_LT(distance(fast[i], slow[i]), 2e-2) << i;
  }
}

// Gradients, and what norms track, which moves once a step.
TEST(Fused, what_is_computed_again_is_the_same_to_the_bit) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const ProductsIn guard({type});
    std::vector<Case> cases(std::begin(kCases), std::end(kCases));
    cases.push_back({.norm = "batch_norm", .mixer = "attention", .hidden = 36});
    for (const Case& what : cases) {
      SCOPED_TRACE(what.norm + ' ' + what.mixer + ' ' + what.position);
      const auto plain = trained(what), again = trained(what, true);
      ASSERT_EQ(plain.size(), again.size());
      for (std::size_t i = 0; i < plain.size(); ++i)
        EXPECT_TRUE(at::equal(plain[i], again[i])) << i;
    }
  }
}

// Of a model whose embeddings are frozen, no gradient comes to the first block but its weights'.
TEST(Fused, what_is_computed_again_learns_above_frozen_weights) {
  Config config = small_config();
  std::vector<std::vector<at::Tensor>> runs;
  for (const bool recompute : {false, true}) {
    nn::FNetModel model(config, 3);
    model->train();
    model->set_recompute(recompute);
    model->set_dropout_place(nn::DropoutPlace{7, 5});
    for (auto& item : model->named_parameters())
      item.value().set_requires_grad(item.key().find("encoder.layer.0") == 0);
    model->forward(at::arange(4, 24).view({2, 10})).last_hidden_state.square().sum().backward();
    auto& grads = runs.emplace_back();
    for (const at::Tensor& p : model->parameters())
      if (p.grad().defined()) grads.push_back(p.grad());
  }
  ASSERT_FALSE(runs[0].empty());
  ASSERT_EQ(runs[0].size(), runs[1].size());
  for (std::size_t i = 0; i < runs[0].size(); ++i)
    EXPECT_TRUE(at::equal(runs[0][i], runs[1][i])) << i;
}

TEST(Fused, bits_do_not_depend_on_the_number_of_threads) {
  const int before = at::get_num_threads();
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const ProductsIn guard({type});
    for (const Case& what : kCases) {
      std::vector<at::Tensor> first;
      for (const int threads : {1, 2, 4}) {
        at::set_num_threads(threads);
        const auto now = trained(what);
        if (first.empty()) first = now;
        for (std::size_t i = 0; i < now.size(); ++i)
          EXPECT_TRUE(at::equal(now[i], first[i])) << threads << ' ' << i;
      }
    }
  }
  at::set_num_threads(before);
}

TEST(Fused, cross_entropy_is_torchs_and_keeps_the_scores_once) {
  torch::manual_seed(2);
  const at::Tensor x = at::randn({11, 501}).requires_grad_();
  const at::Tensor targets = at::randint(501, {11}, at::kLong);
  for (const auto how : {at::Reduction::Mean, at::Reduction::Sum}) {
    const auto run = [&] {
      x.mutable_grad().reset();
      const at::Tensor scores = x * 3.0;
      const at::Tensor loss = cross_entropy(scores, targets, how) * 0.25;
      loss.backward();
      return std::tuple(loss.detach(), x.grad().clone(), scores.detach());
    };
    const auto [loss, grad, scores] = run();
    const FormulasOnly guard;
    const auto [want, want_grad, unused] = run();
    EXPECT_LT(distance(loss, want), 1e-6);
    EXPECT_LT(distance(grad, want_grad), 1e-6);
    EXPECT_LT(distance(scores * 3.0, grad), 1e-6);  // the gradient lies where they were
  }
}

}  // namespace
}  // namespace fnet
