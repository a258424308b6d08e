#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
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

  /// Goes on with the files of an earlier one, by name, of so many bytes each; what they have
  /// beyond is cut off. Throws: system.
  RunLog(const std::filesystem::path& directory, const std::map<std::string, std::uint64_t>& files);

  /// A line `{"event": kind, "step": …, name: value …}`, and a scalar `kind/name` for each value.
  /// Where the disk is full or fails, it is written with the next one.
  void write(std::string_view kind, std::int64_t step,
             const std::vector<std::pair<std::string, double>>& values);

  /// Writes what could not be written before. Throws: system.
  void flush();

  /// Makes the files' directory another one, where they stand already.
  void move_to(std::filesystem::path directory) { directory_ = std::move(directory); }

  /// The files by name, and how many bytes are written.
  const std::map<std::string, std::uint64_t>& files() const noexcept { return sizes_; }

  /// Why the last line waits, or empty.
  const std::string& fault() const noexcept { return fault_; }

 private:
  std::filesystem::path directory_;
  std::string events_;  // name of the TensorBoard file
  std::map<std::string, std::uint64_t> sizes_;
  std::map<std::string, std::string> waiting_;  // not written yet
  std::string fault_;
};

/// A record of a TensorBoard event file: its first one, and a scalar by tag and step. `time`:
/// seconds since 1970. Source: tensorflow/core/util/event.proto and TFRecord's framing.
std::string first_event(double time);
std::string scalar_event(std::string_view tag, std::int64_t step, double value, double time);

/// CRC-32C (Castagnoli). Source: RFC 3720, B.4.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace fnet
