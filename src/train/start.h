#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "fnet/config.h"
#include "fnet/finetune.h"
#include "fnet/tokenizer.h"
#include "fnet/train.h"

// What a training takes of the model that it starts from, and which of its weights stay as they
// are.
namespace fnet {

/// Gives torch so many threads; 0: one for each core, unless the environment says fewer, shared
/// with so many processes.
void use_threads(int threads, int processes);

/// Tells of a model's size.
void log_model(const nn::FNetWithHeadImpl& model, const std::function<void(std::string_view)>& log);

/// The config and tokenizer of the directory that `from` names; the tokenizer that the options name
/// stands in its place.
struct StartingModel {
  Config config;
  Tokenizer tokenizer;
  std::vector<std::vector<std::int32_t>> vocabulary;  ///< as in nn::LoadWeightsOptions
};

/// Reads them. `log` gets a line for each thing worth knowing. Throws: input.
StartingModel read_start(const FinetuneOptions& options,
                         const std::function<void(std::string_view)>& log);

/// Gives a model the weights of `from`; what of them, the log gets in numbers and the result, for
/// run.json, in names. Throws: input.
nlohmann::ordered_json load_start(nn::FNetWithHeadImpl& model, const FinetuneOptions& options,
                                  const StartingModel& start, bool new_head, bool new_wide,
                                  const std::function<void(std::string_view)>& log);

/// The weights that `freeze` names. Throws: usage where one of its patterns fits none, or nothing
/// is left to learn, in the epochs of the head or in the others.
std::set<std::string> frozen_weights(const nn::FNetWithHeadImpl& model,
                                     const FinetuneOptions& options,
                                     const std::function<void(std::string_view)>& log);

}  // namespace fnet
