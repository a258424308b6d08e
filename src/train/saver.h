#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fnet/finetune.h"
#include "tasks/evaluation.h"

namespace fnet {

/// Tensors of a training by name. They share memory with what they name.
using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// Where a loop's models, checkpoints, log and reports go.
class Saver {
 public:
  virtual ~Saver() = default;

  /// A line of the log: values by name.
  virtual void log(std::string_view kind, std::int64_t step,
                   const std::vector<std::pair<std::string, double>>& values) = 0;

  /// The model as it is now is the best so far. `report` tells of it. Throws: system; what was
  /// saved before is kept then, and the loop tries again.
  virtual void save(const TrainingReport& report, const Evaluation& best) = 0;

  /// An epoch ended, and the best model is still that of `best`. Throws: as `save`.
  virtual void update(const TrainingReport& report, const Evaluation& best) = 0;

  /// Whether there is a model that an interrupted run leaves as it is. Where there is none, the
  /// loop scores and saves what it has.
  virtual bool holds_model() const = 0;

  /// Keeps what a run needs to go on from this step: the loop's state, its tensors as they are now,
  /// the best model and the log so far. Throws: system; checkpoints of before are kept then.
  virtual void checkpoint(std::int64_t step, const nlohmann::json& state,
                          const NamedTensors& tensors) = 0;

  /// The state of the checkpoint to go on from; null where training begins.
  virtual const nlohmann::json& resumed() const = 0;

  /// Gives the tensors the values that they had at that checkpoint. Throws: input where it holds
  /// other ones.
  virtual void restore(const NamedTensors& tensors) = 0;

  /// Gives the model the weights of the best one at that checkpoint.
  virtual void restore_best() = 0;
};

}  // namespace fnet
