#include "train/run_identity.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

namespace fnet {
namespace {

/// Characters of a value that a message shows.
constexpr std::size_t kShown = 24;

bool counts(const std::string& name) {
  static constexpr std::array<std::string_view, 16> others = {
      "out",           "train",     "dev",       "from",    "tokenizer",        "data.train.file",
      "data.dev.file", "threads",   "isa",       "results", "checkpoint_steps", "keep_checkpoints",
      "rank_timeout",  "processes", "recompute", "device"};
  return std::ranges::find(others, name) == others.end() && !name.starts_with("weights.");
}

/// Of a value by its place, "data.train.sha256".
std::string value_at(const nlohmann::json& flat, const std::string& key) {
  const auto found = flat.find(key);
  if (found == flat.end() || found->is_null()) return "none";
  std::string text = found->is_string() ? found->get<std::string>() : found->dump();
  if (text.size() > kShown) text = text.substr(0, kShown) + "…";
  return text.empty() ? "none" : text;
}

}  // namespace

std::vector<std::string> differences(const nlohmann::json& there, const nlohmann::json& here,
                                     std::string_view where) {
  const nlohmann::json a = there.flatten(), b = here.flatten();
  std::set<std::string> keys;
  for (const nlohmann::json& side : {a, b}) {
    for (const auto& item : side.items()) keys.insert(item.key());
  }
  std::vector<std::string> found;
  for (const std::string& key : keys) {
    std::string name = key.substr(1);
    std::ranges::replace(name, '/', '.');
    const std::string before = value_at(a, key), now = value_at(b, key);
    const bool same = a.contains(key) == b.contains(key) && (!a.contains(key) || a[key] == b[key]);
    if (counts(name) && !same && before + now != "nonenone")
      found.push_back(fmt::format("{}: {} {}, {} here", name, before, where, now));
  }
  // The config follows from the rest.
  std::stable_partition(found.begin(), found.end(),
                        [](const std::string& line) { return !line.starts_with("config."); });
  return found;
}

}  // namespace fnet
