#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fnet {

/// The checkpoints of a run that is under way: a directory `step-<number>` each, whose
/// manifest.json names every file with its size and SHA-256. A checkpoint is written beside the
/// others, made durable, and then takes its name in one rename: a kill or a power cut at any
/// instant leaves it whole or not at all. Beside them `run.json` says what the run is; where it
/// stands, a run has begun and not come to its end.
///
/// One process at a time: whoever owns this holds a lock.
class Checkpoints {
 public:
  /// `keep`: how many stand at a time, from 1. Makes nothing yet.
  Checkpoints(std::filesystem::path directory, std::int64_t keep);

  /// Whether a run is under way here.
  bool begun() const;

  /// What the run is, as given to `begin`. Throws: input where that is damaged.
  nlohmann::json run() const;

  /// Begins a run: what was there is removed. Throws: system.
  void begin(const nlohmann::ordered_json& run);

  /// A file that a checkpoint takes from elsewhere, by a link where the file system has them.
  struct Shared {
    std::filesystem::path file;
    /// Of a file that only grows, which is read up to here; else it is never written again.
    std::optional<std::uint64_t> size = {};
  };

  /// Makes a checkpoint: `write(place)` writes its own files into `place`, the shared ones go to
  /// `place/run`. Then removes the oldest ones. Throws: system, what `write` throws; those before
  /// are kept then.
  void save(std::int64_t step, const std::vector<Shared>& shared,
            const std::function<void(const std::filesystem::path&)>& write);

  /// The newest checkpoint whose files are all as they were written, or nothing where none was
  /// made. `tell` gets a line for each damaged one that was passed over; they are removed.
  /// Throws: input where all are damaged.
  std::optional<std::filesystem::path> newest(const std::function<void(std::string_view)>& tell);

  /// Ends the run: removes everything. Throws: system; the run has ended as soon as anything is
  /// gone.
  void clear();

 private:
  std::vector<std::int64_t> steps() const;  // newest first
  std::filesystem::path place_of(std::int64_t step) const;
  std::string hash_of(const std::filesystem::path& file);
  void prune() noexcept;

  std::filesystem::path directory_;
  std::int64_t keep_;
  std::map<std::vector<std::int64_t>, std::string> hashes_;  // of shared files, by what stat says
};

/// One more name of a file, or a copy where the file system has no links. Throws: system.
void link_or_copy(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace fnet
