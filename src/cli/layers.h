#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "fnet/engine.h"

// A model part by part, in the order of a pass: what `fnet info DIR` shows.
namespace fnet::cli {

/// An array with an object for each part: `name` (as Engine::paths), `shape` of its result (N: the
/// tokens of a text), `parameters`, and `operations` of its products for a text of `length` tokens,
/// a multiply-add counted as two.
nlohmann::ordered_json layers_json(const Config& config, std::int64_t length);

/// Adds `seconds`, the least of several passes over one text of `length` tokens, to those parts
/// that are in the encoder.
void measure_layers(nlohmann::ordered_json& layers, const Engine& engine, std::int64_t length);

/// The same as a table, with shares of the operations, and of the time where it was measured.
std::string layers_text(const nlohmann::ordered_json& layers);

}  // namespace fnet::cli
