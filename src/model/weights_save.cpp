#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <system_error>

#include "core/error.h"
#include "core/file.h"
#include "model/weights.h"
#include "model/weights_index.h"

namespace fnet {
namespace {

namespace fs = std::filesystem;

std::uint64_t bytes_of(const WeightSpec& spec) {
  return TensorInfo{.name = spec.name, .shape = spec.shape}.count() * sizeof(float);
}

/// Consecutive specs that fit in one shard each; a weight over the limit has a shard of its own.
std::vector<std::vector<const WeightSpec*>> split(const std::vector<WeightSpec>& specs,
                                                  std::uint64_t max_shard_bytes) {
  std::vector<std::vector<const WeightSpec*>> shards(1);
  std::uint64_t bytes = 0;
  for (const WeightSpec& spec : specs) {
    if (!shards.back().empty() && bytes + bytes_of(spec) > max_shard_bytes) {
      shards.emplace_back();
      bytes = 0;
    }
    shards.back().push_back(&spec);
    bytes += bytes_of(spec);
  }
  return shards;
}

void write_shard(const fs::path& path, const std::vector<const WeightSpec*>& specs,
                 const StoredWeights& source) {
  std::vector<TensorSource> tensors;
  tensors.reserve(specs.size());
  for (const WeightSpec* spec : specs) {
    tensors.push_back({.name = spec->name, .shape = spec->shape, .data = [spec, &source] {
                         return std::as_bytes(source(spec->name));
                       }});
  }
  write_safetensors(path, std::move(tensors));
}

/// Removes the weight files of an earlier save: a reader would take the wrong ones.
void remove_others(const fs::path& directory, const std::set<std::string>& written) {
  static const std::regex pattern(R"(model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?)");
  std::error_code error;
  std::vector<fs::path> stale;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().native();
    if (std::regex_match(name, pattern) && !written.contains(name)) stale.push_back(entry->path());
  }
  for (std::size_t i = 0; !error && i < stale.size(); ++i) fs::remove(stale[i], error);
  require(!error, Kind::system, "{}: cannot remove weight files of an earlier save: {}",
          printable(directory.native()), error.message());
}

}  // namespace

void save_weights(const fs::path& directory, const std::vector<WeightSpec>& specs,
                  const StoredWeights& source, std::uint64_t max_shard_bytes) {
  const auto shards = split(specs, max_shard_bytes);
  if (shards.size() == 1) {
    write_shard(directory / kWeightsFile, shards.front(), source);
    remove_others(directory, {std::string(kWeightsFile)});
    return;
  }
  nlohmann::json map = nlohmann::json::object();
  std::set<std::string> written = {std::string(kIndexFile)};
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    write_shard(directory / name, shards[i], source);
    written.insert(name);
    for (const WeightSpec* spec : shards[i]) {
      map[spec->name] = name;
      total += bytes_of(*spec);
    }
  }
  const nlohmann::json index = {{"metadata", {{"total_size", total}}}, {"weight_map", map}};
  write_file(directory / kIndexFile, index.dump(2) + "\n");
  remove_others(directory, written);
}

}  // namespace fnet
