#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "fnet/finetune.h"
#include "fnet/train.h"
#include "tasks/task.h"

namespace fnet {

/// Everything that a training starts from.
struct TrainingSetup {
  const Task* task = nullptr;
  std::vector<Example> train_examples, dev_examples;
  std::vector<Sample> train, dev;  ///< of the examples, one each
  std::shared_ptr<nn::FNetWithHeadImpl> model;
  Tokenizer tokenizer;
  std::string metric;             ///< that selects the best epoch
  double token_dropout = 0;       ///< as resolved
  std::size_t skipped_lines = 0;  ///< bad lines
  nlohmann::ordered_json run;     ///< run.json: the resolved options, config, versions and data

  const Config& config() const { return model->config(); }
};

/// Reads the data, trains or loads the tokenizer, makes or loads the model. `log` gets a line for
/// each thing worth knowing. Throws: as `finetune`.
TrainingSetup set_up(const FinetuneOptions& options,
                     const std::function<void(std::string_view)>& log);

}  // namespace fnet
