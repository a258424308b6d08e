#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/safetensors.h"

namespace fnet {

/// The reference library's limit.
inline constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
inline constexpr std::size_t kMaxTensors = 100'000;
inline constexpr std::size_t kMaxRank = 8;
inline constexpr std::size_t kMaxNameBytes = 512;

struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;  // sorted by begin, in bytes from the start of the file
  std::map<std::string, std::string> metadata;
};

/// Reads and checks the JSON header of a file of `file_bytes` bytes, padding included.
/// Throws: input.
SafetensorsHeader parse_safetensors_header(std::string_view text, std::string_view source,
                                           std::uint64_t file_bytes);

/// What is wrong with a tensor's name, or empty.
std::string tensor_name_fault(std::string_view name);

std::optional<StoredType> stored_type_from_name(std::string_view name);

}  // namespace fnet
