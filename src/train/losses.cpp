#include "train/losses.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "core/error.h"

namespace fnet {
namespace {

at::Tensor indices(const std::vector<std::int64_t>& numbers, const at::Tensor& like) {
  return at::tensor(numbers, at::kLong).to(like.device());
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
  const at::Tensor logits = scored.logits.index_select(0, indices(scored.units, scored.logits));
  if (loss == Loss::cross_entropy) {
    std::optional<at::Tensor> weights;
    if (!options.class_weights.empty())
      weights = at::tensor(options.class_weights, logits.options());
    return at::cross_entropy_loss(logits, indices(scored.targets, logits), weights,
                                  options.reduction, -100, options.label_smoothing);
  }
  const at::Tensor values =
      at::tensor(scored.values, at::kFloat).to(logits.options()).view_as(logits);
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
