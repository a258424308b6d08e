#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/bags.h"
#include "fnet/tokenizer.h"
#include "fnet/train.h"
#include "model/batch.h"
#include "tasks/task.h"
#include "train/losses.h"
#include "train/objective.h"

namespace fnet {

/// A task's loss on labelled samples, and its metrics on others.
class TaskObjective : public Objective {
 public:
  struct Options {
    double label_smoothing = 0;  ///< share of the target spread over all classes
    double token_dropout = 0;    ///< share of the tokens that [MASK] replaces in training
    std::vector<double> class_weights = {};  ///< [C]; empty: all alike
    /// How much the model's wide part counts beside its deep one is chosen at each evaluation, for
    /// the lowest loss; else it stays as it is.
    bool weigh_wide = false;
    bool may_drop_wide = false;                      ///< nothing is among the choices
    std::vector<std::int64_t> matryoshka_dims = {};  ///< as in LossOptions
    std::uint64_t seed = 1;
    std::string head = {};  ///< of the model; empty: its own
  };

  /// `examples` are what `dev` was encoded from; both must outlive this object, as the task.
  TaskObjective(const Task& task, std::shared_ptr<nn::FNetWithHeadImpl> model, Tokenizer tokenizer,
                std::span<const Example> examples, std::span<const Sample> dev, Options options);

  torch::nn::Module& model() override { return *model_; }
  std::vector<double> terms(std::span<const Sample> batch, std::int64_t step) override;
  Result loss(std::span<const Sample> batch, const StepPart& part) override;
  Evaluation evaluate() override;

 private:
  Scored scores(std::span<const Sample* const> samples, Batch& batch,
                const std::function<void(Batch&)>& change);
  /// Adds the wide part's scores, as much as counts best, to those of all samples, which batches
  /// have from these places.
  void add_wide(std::vector<Scored>& batches, std::span<const std::vector<std::size_t>> places);
  void drop_tokens(Batch& batch, const StepPart& part) const;

  const Task& task_;
  std::shared_ptr<nn::FNetWithHeadImpl> model_;
  Tokenizer tokenizer_;
  std::span<const Example> examples_;
  std::span<const Sample> dev_;
  Options options_;
  HeadConfig head_;
  at::Tensor wide_weight_, wide_bias_;  // as fitted
  at::Tensor wide_;                     // scores of the wide part as fitted for `dev` [S, C]
};

/// Weights [classes] under which each class has the same part in the loss: n / (classes · n_c), 0
/// for a class that does not occur. Source: scikit-learn's "balanced".
std::vector<double> balanced_weights(std::span<const Sample> samples, std::size_t classes);

}  // namespace fnet
