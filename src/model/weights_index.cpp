#include "model/weights_index.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"

namespace fnet {
namespace {

constexpr std::size_t kMaxShards = 1000;
constexpr std::uint64_t kMaxIndexBytes = std::uint64_t{64} << 20;

bool is_shard_name(std::string_view name) {
  constexpr std::string_view kEnd = ".safetensors";
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  return name.size() > kEnd.size() && name.ends_with(kEnd) &&
         name.find_first_not_of(kLetters) == name.npos;
}

}  // namespace

std::set<std::string> WeightsIndex::shards() const {
  std::set<std::string> names;
  for (const auto& [tensor, shard] : shard_of) names.insert(shard);
  return names;
}

WeightsIndex parse_weights_index(std::string_view text, std::string_view source) {
  const nlohmann::json root = parse_json(text, source, {.max_bytes = kMaxIndexBytes});
  const bool has_map =
      root.is_object() && root.contains("weight_map") && root["weight_map"].is_object();
  require(has_map && !root["weight_map"].empty(), Kind::input,
          "{}: weight_map: expected an object of tensor names and shard files, found none",
          printable(source));
  WeightsIndex index;
  for (const auto& [tensor, file] : root["weight_map"].items()) {
    const std::string shard = json_cast<std::string>(file, source, "weight_map." + tensor);
    require(is_shard_name(shard), Kind::input,
            "{}: weight_map.{}: expected a file name of [A-Za-z0-9._-] that ends in .safetensors, "
            "found '{}'",
            printable(source), printable(tensor), printable(shard));
    index.shard_of.emplace(tensor, shard);
  }
  const std::size_t shards = index.shards().size();
  require(shards <= kMaxShards, Kind::input, "{}: weight_map: expected at most {} files, found {}",
          printable(source), kMaxShards, shards);
  return index;
}

WeightsIndex read_weights_index(const std::filesystem::path& path) {
  return parse_weights_index(read_file(path, kMaxIndexBytes), path.native());
}

void check_weights_index(const WeightsIndex& index, std::string_view source,
                         std::span<const SafetensorsFile> shards) {
  std::size_t count = 0;
  for (const SafetensorsFile& shard : shards) {
    const std::string file = std::filesystem::path(shard.name()).filename().native();
    for (const TensorInfo& tensor : shard.tensors()) {
      const auto at = index.shard_of.find(tensor.name);
      require(at != index.shard_of.end() && at->second == file, Kind::input,
              "{}: weight_map.{}: expected '{}', which holds this tensor, found {}",
              printable(source), printable(tensor.name), file,
              at == index.shard_of.end() ? "no entry" : fmt::format("'{}'", at->second));
      ++count;
    }
  }
  if (count == index.shard_of.size()) return;
  for (const auto& entry : index.shard_of) {
    const bool held = std::ranges::any_of(
        shards, [&](const SafetensorsFile& shard) { return shard.find(entry.first) != nullptr; });
    require(held, Kind::input, "{}: weight_map.{}: expected '{}' to hold this tensor, found none",
            printable(source), printable(entry.first), entry.second);
  }
}

}  // namespace fnet
