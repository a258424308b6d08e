#pragma once

#include <filesystem>

#include "train/saver.h"

namespace fnet {

/// Bytes of the tensors' values.
std::uint64_t bytes_of(const NamedTensors& tensors);

/// Writes the tensors' values as a safetensors file, in their own types. Throws: system.
void write_tensors(const std::filesystem::path& path, const NamedTensors& tensors);

/// Gives the tensors the values that `write_tensors` wrote. Throws: input where the file has other
/// names, types or shapes.
void read_tensors(const std::filesystem::path& path, const NamedTensors& tensors);

}  // namespace fnet
