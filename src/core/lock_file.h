#pragma once

#include <filesystem>
#include <string>

namespace fnet {

/// A lock that one process holds at a time: a file that says whose it is, removed when the lock is
/// given back. What a process left that was killed is no obstacle.
class LockFile {
 public:
  /// `what` is locked, for the message. Throws: input where another process holds the lock, system
  /// where the file cannot be made.
  LockFile(std::filesystem::path path, const std::string& what);
  ~LockFile();
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace fnet
