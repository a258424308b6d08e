#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "fnet/finetune.h"
#include "fnet/train.h"
#include "train/task_setup.h"

namespace fnet {

/// Everything that a training starts from.
struct TrainingSetup {
  std::vector<TaskSetup> tasks;  ///< the first answered by the model's own head
  std::shared_ptr<nn::FNetWithHeadImpl> model;
  Tokenizer tokenizer;
  std::string metric;              ///< that selects the best epoch
  std::set<std::string> frozen;    ///< weights that do not learn
  bool wide = false;               ///< its own head has a wide part, fitted to the task's data
  std::size_t skipped_lines = 0;   ///< bad lines
  nlohmann::ordered_json weights;  ///< what was loaded of `from`
  nlohmann::ordered_json run;      ///< run.json: the resolved options, config, versions and data

  const Config& config() const { return model->config(); }

  /// Whether its tasks are several, known by their names.
  bool several() const { return !tasks.front().options.name.empty(); }
};

/// Throws usage where an option makes no sense by itself.
void check_options(const FinetuneOptions& options);

/// Reads the data, trains or loads the tokenizer, makes or loads the model. `log` gets a line for
/// each thing worth knowing. Throws: as `finetune`.
TrainingSetup set_up(const FinetuneOptions& options,
                     const std::function<void(std::string_view)>& log);

/// Another model for the setup's tasks and labels, ready to be scored on their dev data.
struct OtherModel {
  std::shared_ptr<nn::FNetWithHeadImpl> model;
  Tokenizer tokenizer;
  std::vector<std::vector<Sample>> dev;  ///< of each task
};

/// The model of a directory, or nothing where it is for other tasks or labels.
/// Throws: input where its files are bad.
std::optional<OtherModel> load_other(const std::filesystem::path& directory,
                                     const FinetuneOptions& options, const TrainingSetup& setup);

}  // namespace fnet
