#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "model/weights.h"

namespace fnet {

/// Writes `model.safetensors` with smaller weights.
/// `bfloat16`: every weight but keys, rounded to nearest even; transformers reads it.
/// `int8`: the matrices of linear layers, the word embeddings and a wide head's table as I8 with a
/// scale for each row
/// (`<name>_scale`, F32, largest magnitude / 127); norms, biases, positions, types and the head
/// stay F32, since they are small and their errors are not. Throws: usage for another dtype;
/// system.
void save_quantized(const std::filesystem::path& directory, const std::vector<WeightSpec>& specs,
                    const StoredWeights& values, std::string_view dtype);

}  // namespace fnet
