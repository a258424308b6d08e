#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "model/safetensors.h"

namespace fnet {

inline constexpr std::string_view kWeightsFile = "model.safetensors";
inline constexpr std::string_view kIndexFile = "model.safetensors.index.json";

/// Which shard holds which tensor.
struct WeightsIndex {
  std::map<std::string, std::string, std::less<>> shard_of;  // by the tensor's name

  std::set<std::string> shards() const;
};

/// Reads `model.safetensors.index.json`. A shard's name must match [A-Za-z0-9._-]+\.safetensors: no
/// path, so that an index cannot reach outside its directory. Throws: input.
WeightsIndex parse_weights_index(std::string_view text, std::string_view source);
WeightsIndex read_weights_index(const std::filesystem::path& path);

/// Each tensor is in the shard that the index says, and the shards hold no other. Throws: input.
void check_weights_index(const WeightsIndex& index, std::string_view source,
                         std::span<const SafetensorsFile> shards);

}  // namespace fnet
