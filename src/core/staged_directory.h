#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace fnet {

class LockFile;

/// A directory whose files are replaced as a whole: they are written to a staging directory beside
/// it, which then takes its name in one rename. Whoever opens the name finds the files from before
/// or those from after, never some of each; so does the next start after a kill at any instant (see
/// docs/decisions/010-run-directory.md).
///
/// One process at a time: a lock beside the directory is held while the object lives.
class StagedDirectory {
 public:
  /// Whether an entry of this name is one of the files that are replaced. Others stay.
  using Owned = std::function<bool(const std::string& name)>;

  /// Takes the lock and puts right what a killed process left. The directory need not exist.
  /// Throws: input where another process is at work there, or where no directory can be replaced:
  /// a file, the place where a disk is mounted, the working directory; system.
  StagedDirectory(const std::filesystem::path& directory, Owned owned);

  /// Removes what is staged and was not published, and gives the lock back.
  ~StagedDirectory();
  StagedDirectory(const StagedDirectory&) = delete;
  StagedDirectory& operator=(const StagedDirectory&) = delete;

  /// The directory without symbolic links.
  const std::filesystem::path& path() const noexcept { return path_; }

  /// Whether a file stands there that `publish` would replace.
  bool occupied() const;

  /// Makes an empty staging directory. What was staged before and not published is gone.
  /// Throws: system.
  std::filesystem::path stage();

  /// Makes the staged files durable, gives them the directory's name, removes the files from before
  /// and moves the entries that are not owned over. Throws: system; the name then has all the files
  /// from before or, where `published` was called, all the new ones.
  void publish(const std::function<void()>& published = {});

  /// A path beside the directory, for what goes with it: `.<name>.fnet-<what>`.
  std::filesystem::path beside(const std::string& what) const;

 private:
  void recover();
  void retire(const std::filesystem::path& directory);

  std::filesystem::path path_, staged_, former_;  // former_: between two renames, see publish
  Owned owned_;
  std::unique_ptr<LockFile> lock_;
};

}  // namespace fnet
