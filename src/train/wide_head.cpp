#include "train/wide_head.h"

#include <cmath>
#include <limits>

#include "blocks/model.h"
#include "core/error.h"
#include "train/wide_fit.h"

namespace fnet {
namespace {

/// Bytes that a wide part may take in float32.
constexpr std::size_t kMostBytes = 4'000'000;

}  // namespace

bool wants_wide(const TaskOptions& options, const Task& task, bool may_begin) {
  const bool may_be = may_be_wide(head_for(task.name())) && task.loss() == Loss::cross_entropy;
  require(may_be || options.wide != "on", Kind::usage,
          "wide: expected auto or off unless each text has one label of several, found 'on'");
  if (options.wide == "auto") return may_be && may_begin;
  return options.wide == "on";
}

NgramTable learn_ngrams(std::span<const Sample> samples, std::size_t labels) {
  std::vector<std::vector<NgramCount>> texts;
  for (const Sample& sample : samples) texts.push_back(*sample.texts.at(0).ngrams);
  return {texts, kMostBytes / sizeof(float) / (labels + 2)};
}

void fit_wide_head(nn::FNetWithHeadImpl& model, const NgramTable& table,
                   std::span<const Sample> samples, std::span<const double> class_weights) {
  Bags texts;
  std::vector<std::int32_t> targets;
  for (const Sample& sample : samples) {
    table.add(*sample.texts.at(0).ngrams, texts);
    targets.push_back(sample.targets.at(0));
  }
  const WideFit fit = fit_wide(texts, table.keys().size(), targets, model.config().labels.size(),
                               {.class_weights = class_weights});
  const auto buffers = model.named_buffers();
  const auto fill = [&](const char* name, const std::vector<float>& values) {
    const at::Tensor buffer = buffers[name];
    buffer.copy_(at::tensor(values, at::kFloat).view(buffer.sizes()));
  };
  fill("wide.keys", table.keys());
  fill("wide.idf", table.idf());
  fill("wide.weight", fit.weight);
  fill("wide.bias", fit.bias);
}

Shares best_shares(const at::Tensor& deep, const at::Tensor& wide, const at::Tensor& targets,
                   bool may_drop) {
  const auto classes = static_cast<double>(deep.size(1));
  const double smoothing = classes / (static_cast<double>(deep.size(0)) + classes);
  std::vector<double> ratios(may_drop ? 1 : 0, 0.0);
  for (int k = -6; k <= 6; ++k) ratios.push_back(std::exp2(k / 2.0));
  Shares best;
  double least = std::numeric_limits<double>::infinity();
  for (const double ratio : ratios) {
    const at::Tensor sum = deep + wide * ratio;
    for (int k = -12; k <= 4; ++k) {
      const double scale = std::exp2(k / 2.0);
      const double loss =
          at::cross_entropy_loss(sum * scale, targets, {}, at::Reduction::Mean, -100, smoothing)
              .item<double>();
      if (loss < least) best = {scale, scale * ratio}, least = loss;
    }
  }
  return best;
}

}  // namespace fnet
