#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "fnet/tokenizer.h"
#include "fnet/train.h"
#include "model/batch.h"
#include "tasks/task.h"
#include "train/objective.h"

namespace fnet {

/// The loss of a masked language model on masked samples as CorpusSamples makes them: the mean over
/// the masked tokens of the cross-entropy, and of pairs that over their labels besides. The head
/// scores masked rows alone. Source: Hugging Face's FNetForMaskedLM and FNetForPreTraining.
class PretrainObjective : public Objective {
 public:
  /// The model's own head is for fill-mask; samples with a label need its kOrderHead too. `dev`
  /// must outlive this object; an evaluation of it needs the tokenizer.
  PretrainObjective(std::shared_ptr<nn::FNetWithHeadImpl> model, std::optional<Tokenizer> tokenizer,
                    std::span<const Sample> dev, std::uint64_t seed);

  torch::nn::Module& model() override { return *model_; }
  /// Masked tokens, and of pairs these.
  std::vector<double> terms(std::span<const Sample> batch, std::int64_t step) override;
  Result loss(std::span<const Sample> batch, const StepPart& part) override;
  /// Metrics: accuracy (of masked tokens), perplexity, and of pairs order_accuracy.
  Evaluation evaluate() override;

 private:
  struct Scores {
    at::Tensor logits, targets;  ///< of the masked rows: [P, V], [P]
    at::Tensor order, labels;    ///< of the pairs: [B, 2], [B]
    std::int64_t rows = 0;       ///< that the model read

    at::Tensor loss(at::Reduction::Reduction reduction) const;
    at::Tensor order_loss(at::Reduction::Reduction reduction) const;
  };

  Scores scores(std::span<const Sample> samples);
  FilledText filled(const Sample& sample, const at::Tensor& probabilities) const;

  std::shared_ptr<nn::FNetWithHeadImpl> model_;
  std::optional<Tokenizer> tokenizer_;
  std::span<const Sample> dev_;
  std::uint64_t seed_;
  Batch batch_;
};

}  // namespace fnet
