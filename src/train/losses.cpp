#include "train/losses.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include "core/error.h"
#include "train/device.h"

namespace fnet {
namespace {

at::Tensor indices(const std::vector<std::int64_t>& numbers, const at::Tensor& like) {
  return on_device(numbers, at::kLong, like.device());
}

/// Each unit's rows as classes: [U, M, C] → a choice among M for each of U·C, what is past a unit's
/// end never chosen.
at::Tensor among_rows(const Scored& scored, at::Reduction::Reduction reduction) {
  std::int64_t most = 0;
  for (std::size_t u = 0; u < scored.units.size(); ++u)
    most = std::max(most, scored.ends[u] - scored.units[u]);
  std::vector<std::int64_t> rows, past;  // of the logits; places past a unit's end
  for (std::size_t u = 0; u < scored.units.size(); ++u) {
    for (std::int64_t i = 0; i < most; ++i) {
      const bool own = scored.units[u] + i < scored.ends[u];
      rows.push_back(own ? scored.units[u] + i : scored.units[u]);
      past.push_back(own ? 0 : 1);
    }
  }
  const at::Tensor& logits = scored.logits;
  const auto count = static_cast<std::int64_t>(scored.units.size());
  const at::Tensor mask = indices(past, logits).to(at::kBool).view({count, most, 1});
  const at::Tensor choices = logits.index_select(0, indices(rows, logits))
                                 .view({count, most, logits.size(1)})
                                 .masked_fill(mask, -std::numeric_limits<float>::infinity())
                                 .transpose(1, 2)
                                 .reshape({count * logits.size(1), most});
  return at::cross_entropy_loss(choices, indices(scored.targets, logits), {}, reduction);
}

/// What a cosine is multiplied by before the softmax: sentence-transformers' default.
constexpr double kCosineScale = 20;

/// Pairs of vectors, or anchors against all candidates. Source: sentence-transformers'
/// CosineSimilarityLoss and MultipleNegativesRankingLoss (Henderson et al. 2017, §4.4).
at::Tensor of_vectors(const Scored& scored, const at::Tensor& vectors, const LossOptions& options) {
  const bool by_dot = options.similarity == Similarity::dot;
  const auto rows = [&](const std::vector<std::int64_t>& numbers) {
    return vectors.index_select(0, indices(numbers, vectors));
  };
  std::vector<std::int64_t> partners;
  for (const std::int64_t unit : scored.units) partners.push_back(unit + 1);
  if (!scored.values.empty()) {
    const at::Tensor first = rows(scored.units), second = rows(partners);
    const at::Tensor likeness =
        by_dot ? (first * second).sum(1) : at::cosine_similarity(first, second, 1);
    const at::Tensor values = on_device(scored.values, likeness.scalar_type(), likeness.device());
    return at::mse_loss(likeness, values, options.reduction);
  }
  std::vector<std::int64_t> candidates = partners, own(partners.size());
  std::iota(own.begin(), own.end(), std::int64_t{0});
  for (std::size_t u = 0; u < scored.units.size(); ++u) {
    for (std::int64_t row = scored.units[u] + 2; row < scored.ends[u]; ++row)
      candidates.push_back(row);
  }
  const auto comparable = [&](const at::Tensor& x) {
    return by_dot ? x : torch::nn::functional::normalize(x);
  };
  const at::Tensor likeness =
      at::matmul(comparable(rows(scored.units)), comparable(rows(candidates)).t());
  return at::cross_entropy_loss(by_dot ? likeness : likeness * kCosineScale, indices(own, vectors),
                                {}, options.reduction);
}

at::Tensor similarity(const Scored& scored, const LossOptions& options) {
  require(scored.values.empty() || scored.values.size() == scored.units.size(), Kind::input,
          "label: expected a score for every pair, or for none, found {} in {} pairs",
          scored.values.size(), scored.units.size());
  at::Tensor sum = of_vectors(scored, scored.logits, options);
  for (const std::int64_t dim : options.matryoshka_dims) {
    if (dim < scored.logits.size(1))
      sum = sum + of_vectors(scored, scored.logits.narrow(1, 0, dim), options);
  }
  return sum;
}

}  // namespace

void Scored::add(const Sample& sample, std::int64_t first) {
  const auto rows = static_cast<std::int64_t>(sample.rows());
  const std::size_t count = std::max<std::size_t>(1, sample.units.size());
  const std::size_t targets_each = sample.targets.size() / count;
  const std::size_t values_each = sample.values.size() / count;
  for (std::size_t u = 0; u < sample.units.size(); ++u) {
    if (sample.units[u] < 0) continue;
    units.push_back(first + sample.units[u]);
    ends.push_back(first + (u + 1 < sample.units.size() ? sample.units[u + 1] : rows));
    for (std::size_t i = 0; i < targets_each; ++i)
      targets.push_back(sample.targets[u * targets_each + i]);
    for (std::size_t i = 0; i < values_each; ++i)
      values.push_back(sample.values[u * values_each + i]);
  }
}

at::Tensor loss_of(Loss loss, const Scored& scored, const LossOptions& options) {
  if (loss == Loss::row_cross_entropy) return among_rows(scored, options.reduction);
  if (loss == Loss::similarity) return similarity(scored, options);
  const at::Tensor logits = scored.logits.index_select(0, indices(scored.units, scored.logits));
  if (loss == Loss::cross_entropy) {
    std::optional<at::Tensor> weights;
    if (!options.class_weights.empty())
      weights = on_device(options.class_weights, logits.scalar_type(), logits.device());
    return at::cross_entropy_loss(logits, indices(scored.targets, logits), weights,
                                  options.reduction, -100, options.label_smoothing);
  }
  const at::Tensor values =
      on_device(scored.values, logits.scalar_type(), logits.device()).view_as(logits);
  switch (loss) {
    case Loss::binary_cross_entropy: {
      // As Keras: smoothed towards a half.
      const double s = options.label_smoothing;
      return at::binary_cross_entropy_with_logits(logits, values * (1 - s) + s / 2, {}, {},
                                                  options.reduction);
    }
    case Loss::squared_error:
      return at::mse_loss(logits, values, options.reduction);
    default:
      fail(Kind::internal, "a loss without a formula");
  }
}

}  // namespace fnet
