#include "train/wide_head.h"

#include <cmath>
#include <limits>

#include "blocks/model.h"
#include "core/error.h"
#include "train/linear_fit.h"

namespace fnet {
namespace {

/// Bytes that a wide part may take in float32.
constexpr std::size_t kMostBytes = 4'000'000;
/// Of a share of values.
constexpr int kValueSteps = 16;

}  // namespace

bool wants_wide(const TaskOptions& options, const Task& task, bool may_begin) {
  const bool may_be = may_be_wide(head_for(task.name()));
  require(may_be || options.wide != "on", Kind::usage,
          "wide: expected auto or off for {}, which is not text-classification, found 'on'",
          task.name());
  if (options.wide == "auto") return may_be && may_begin;
  return options.wide == "on";
}

NgramTable learn_ngrams(std::span<const Sample> samples, std::size_t labels) {
  std::vector<std::vector<NgramCount>> texts;
  for (const Sample& sample : samples) texts.push_back(*sample.texts.at(0).ngrams);
  return {texts, kMostBytes / sizeof(float) / (labels + 2)};
}

void fit_wide_head(nn::FNetWithHeadImpl& model, Loss loss, const NgramTable& table,
                   std::span<const Sample> samples, std::span<const double> class_weights) {
  Bags texts;
  for (const Sample& sample : samples) table.add(*sample.texts.at(0).ngrams, texts);
  const LinearFit fit = fit_linear(texts, table.keys().size(),
                                   targets_of(loss, model.config().labels.size(), samples),
                                   {.class_weights = class_weights});
  const auto buffers = model.named_buffers();
  const auto fill = [&](const char* name, const std::vector<float>& fitted) {
    const at::Tensor buffer = buffers[name];
    buffer.copy_(at::tensor(fitted, at::kFloat).view(buffer.sizes()));
  };
  fill("wide.keys", table.keys());
  fill("wide.idf", table.idf());
  fill("wide.weight", fit.weight);
  fill("wide.bias", fit.bias);
}

at::Tensor wide_scores(nn::FNetWithHeadImpl& model, std::span<const Sample> samples) {
  if (model.config().wide_features == 0) return {};
  const at::NoGradGuard no_grad;
  const auto buffers = model.named_buffers();
  const auto values = [&](const char* name) {
    const at::Tensor on_cpu = buffers[name].to(at::kCPU, at::kFloat).contiguous();
    const float* begin = on_cpu.const_data_ptr<float>();
    return std::vector<float>(begin, begin + on_cpu.numel());
  };
  const NgramTable table(values("wide.keys"), values("wide.idf"));
  Bags ngrams;
  for (const Sample& sample : samples) table.add(*sample.texts.at(0).ngrams, ngrams);
  return model.wide_scores(ngrams).to(at::kCPU, at::kFloat);
}

Shares best_shares(Loss loss, Scored deep, const at::Tensor& wide, bool may_drop) {
  const bool of_value = loss == Loss::squared_error;
  const at::Tensor scores = deep.logits;
  const auto count = static_cast<double>(scores.size(0));
  const auto choices = static_cast<double>(loss == Loss::cross_entropy ? scores.size(1) : 2);
  LossOptions options;
  options.label_smoothing = choices / (count + choices);
  Shares best{.loss = std::numeric_limits<double>::infinity()};
  const auto consider = [&](double deep_share, double wide_share) {
    deep.logits = scores * deep_share;
    if (wide.defined()) deep.logits += wide * wide_share;
    const double loss_there = loss_of(loss, deep, options).item<double>();
    if (loss_there < best.loss) best = {deep_share, wide_share, loss_there};
  };
  const bool may_be_none = may_drop || !wide.defined();
  if (of_value) {
    const int last = wide.defined() ? kValueSteps : 0;
    for (int k = may_be_none ? 0 : 1; k <= last; ++k) {
      const double share = static_cast<double>(k) / kValueSteps;
      consider(1 - share, share);
    }
    return best;
  }
  std::vector<double> ratios(may_be_none ? 1 : 0, 0.0);
  for (int k = -6; k <= 6 && wide.defined(); ++k) ratios.push_back(std::exp2(k / 2.0));
  for (const double ratio : ratios) {
    for (int k = -12; k <= 4; ++k) {
      const double scale = std::exp2(k / 2.0);
      consider(scale, scale * ratio);
    }
  }
  return best;
}

}  // namespace fnet
