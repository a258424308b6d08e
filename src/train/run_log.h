#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fnet {

/// The log of a training run: `log.jsonl`, and TensorBoard events with the same values. The files
/// are open while a line is written only, so that the directory they are in may be replaced.
class RunLog {
 public:
  /// Makes both files in `directory`. Throws: system.
  explicit RunLog(const std::filesystem::path& directory);

  /// A line `{"event": kind, "step": …, name: value …}`, and a scalar `kind/name` for each value.
  /// Throws: system.
  void write(std::string_view kind, std::int64_t step,
             const std::vector<std::pair<std::string, double>>& values) const;

  /// Makes the files' directory another one, where they stand already.
  void move_to(std::filesystem::path directory) { directory_ = std::move(directory); }

  /// Names of the files.
  std::vector<std::string> files() const { return {kLines, events_}; }

 private:
  static constexpr const char* kLines = "log.jsonl";

  std::filesystem::path directory_;
  std::string events_;  // name of the TensorBoard file
};

/// A record of a TensorBoard event file: its first one, and a scalar by tag and step. `time`:
/// seconds since 1970. Source: tensorflow/core/util/event.proto and TFRecord's framing.
std::string first_event(double time);
std::string scalar_event(std::string_view tag, std::int64_t step, double value, double time);

/// CRC-32C (Castagnoli). Source: RFC 3720, B.4.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace fnet
