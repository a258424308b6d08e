#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "fnet/finetune.h"

namespace fnet {

/// Throws usage where a head cannot be called so.
void check_task_name(const std::string& name);

/// Several tasks from JSON, an object of them by name or a list of those that tell theirs; the one
/// that says so, else the first, is the first. Paths are relative to `folder`. What a task does not
/// say is as `base` has it. Throws: input, with the key.
std::vector<NamedTask> tasks_from_json(const nlohmann::ordered_json& json,
                                       const std::string& source,
                                       const std::filesystem::path& folder,
                                       const TaskOptions& base);

/// The same back: every option of each task by its name.
nlohmann::ordered_json tasks_json(std::span<const NamedTask> tasks);

}  // namespace fnet
