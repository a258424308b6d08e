#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "fnet/config.h"
#include "fnet/finetune.h"
#include "fnet/tokenizer.h"
#include "tasks/task.h"

namespace fnet {

/// One task of a training: its data, and the head that learns it.
struct TaskSetup {
  NamedTask options;  ///< as resolved; without a name where it is the only task
  std::string head;   ///< that answers it, as Config::head_names has it
  const Task* task = nullptr;
  std::vector<std::string> labels;
  std::vector<Example> train_examples, dev_examples;
  std::vector<Sample> train, dev;     ///< of the examples, one each
  std::string metric;                 ///< that it is chosen by
  std::vector<double> class_weights;  ///< as resolved
  bool fits = false;                  ///< the model comes with a head for these labels
};

/// Where a task's dev examples come from.
inline const std::filesystem::path& dev_file(const TaskOptions& o) {
  return o.dev.empty() ? o.train : o.dev;
}

/// The options' tasks: the several, or the one, which has no name.
std::vector<NamedTask> tasks_of(const FinetuneOptions& options);

/// Reads a task's data and resolves what its options leave open; of `input` counts what a model
/// reads. `skipped` grows by bad lines. Throws: usage where an option makes no sense, input.
TaskSetup read_task(NamedTask options, const Config& input, std::uint64_t seed,
                    std::size_t& skipped, const std::function<void(std::string_view)>& log);

/// The first examples of a task's training data, at most so many. Throws: as read_task.
std::vector<Example> first_examples(NamedTask options, std::size_t most);

/// Whether a head of a model, by its name among Config::head_names, answers a task with these
/// labels.
bool has_head_for(const Config& config, const TaskSetup& task);

/// The config with this task and its labels as the model's own head.
Config config_for(Config config, const TaskSetup& task);

/// Encodes a task's examples for its head of the config, and readies what follows from them.
/// Throws: usage, input.
void encode_task(TaskSetup& task, const Config& config, const Tokenizer& tokenizer,
                 const EncodeOptions& encoding, const std::function<void(std::string_view)>& log);

/// A task's dev examples for the same head of another model.
std::vector<Sample> encode_dev(const TaskSetup& task, const Config& config,
                               const Tokenizer& tokenizer, const EncodeOptions& encoding);

/// Throws usage, with the names, where a metric is asked for that is none of them.
void check_metric(const std::string& metric, const std::vector<std::string>& names,
                  std::string_view purpose);

}  // namespace fnet
