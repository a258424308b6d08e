#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "fnet/finetune.h"
#include "train/setup.h"

namespace fnet {

/// What every run.json begins with: the versions of fnet and torch.
nlohmann::ordered_json run_versions();

/// The options of a run alone, as run.json has them, before anything is read.
nlohmann::ordered_json options_json(const FinetuneOptions& options);

/// Paths as run.json has them.
nlohmann::ordered_json paths_json(const std::vector<std::filesystem::path>& paths);

/// run.json without results: the options, the data and what the model starts from. `load_run` reads
/// the options again.
nlohmann::ordered_json run_json(const FinetuneOptions& options, const TrainingSetup& setup);

}  // namespace fnet
