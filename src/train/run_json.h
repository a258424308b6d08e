#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "fnet/finetune.h"
#include "train/setup.h"

namespace fnet {

/// What every run.json begins with: the versions of fnet and torch.
nlohmann::ordered_json run_versions();

/// The options of a run alone, as run.json has them, before anything is read.
nlohmann::ordered_json options_json(const FinetuneOptions& options);

/// run.json without results: the options, the data and what the model starts from. `load_run` reads
/// the options again.
nlohmann::ordered_json run_json(const FinetuneOptions& options, const TrainingSetup& setup);

}  // namespace fnet
