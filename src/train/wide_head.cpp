#include "train/wide_head.h"

#include "blocks/model.h"
#include "core/error.h"
#include "train/wide_fit.h"

namespace fnet {
namespace {

/// Bytes that a wide part may take in float32.
constexpr std::size_t kMostBytes = 4'000'000;

}  // namespace

bool wants_wide(const FinetuneOptions& options, const Task& task, bool has) {
  const bool may_be = may_be_wide(head_for(task.name())) && task.loss() == Loss::cross_entropy;
  require(may_be || options.wide != "on", Kind::usage,
          "wide: expected auto or off unless each text has one label of several, found 'on'");
  if (options.wide == "auto") return may_be && (options.from.empty() || has);
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

}  // namespace fnet
