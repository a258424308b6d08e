#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fnet {

/// A TensorBoard event file: scalars by tag and step.
/// Source: tensorflow/core/util/event.proto and TFRecord's framing.
class EventWriter {
 public:
  /// Makes `directory`/events.out.tfevents.<time>.fnet. Throws: system.
  explicit EventWriter(const std::filesystem::path& directory);

  /// `time`: seconds since 1970. Throws: system.
  void scalar(std::string_view tag, std::int64_t step, double value, double time);

  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  void record(std::string_view event);

  std::filesystem::path path_;
  std::ofstream file_;
};

/// CRC-32C (Castagnoli). Source: RFC 3720, B.4.
std::uint32_t crc32c(std::string_view bytes);

/// The log of a training run: `log.jsonl` and TensorBoard events with the same values.
class RunLog {
 public:
  explicit RunLog(const std::filesystem::path& directory);

  /// A line `{"event": kind, "step": …, name: value …}`, and a scalar `kind/name` for each value.
  /// Throws: system.
  void write(std::string_view kind, std::int64_t step,
             const std::vector<std::pair<std::string, double>>& values);

 private:
  std::filesystem::path path_;
  std::ofstream lines_;
  EventWriter events_;
};

}  // namespace fnet
