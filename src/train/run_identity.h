#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace fnet {

/// In what two run.json differ that a run's weights depend on, a line each: "seed: 1 there, 2
/// here". Where files stand, how many threads and processes there are and when checkpoints are made
/// does not count; of data and models their bytes do. What the config follows from stands first.
std::vector<std::string> differences(const nlohmann::json& there, const nlohmann::json& here,
                                     std::string_view where = "there");

}  // namespace fnet
