#include "core/staged_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/file.h"
#include "core/lock_file.h"

namespace fnet {
namespace {

namespace fs = std::filesystem;

/// Whether the name is taken, if only by a dangling link.
bool is_taken(const fs::path& path) {
  struct stat status{};
  if (lstat(path.c_str(), &status) == 0) return true;
  if (errno != ENOENT) fail_errno(path.native(), "read its status");
  return false;
}

void check_replaceable(const fs::path& directory) {
  const std::string& name = directory.native();
  require(directory.has_filename(), Kind::input,
          "{}: expected a directory that can be replaced as a whole", printable(name));
  if (!is_taken(directory)) return;
  struct statx status{};
  if (statx(AT_FDCWD, directory.c_str(), 0, STATX_TYPE, &status) != 0) {
    fail_errno(name, "read its status");
  }
  require(S_ISDIR(status.stx_mode), Kind::input, "{}: expected a directory, found a file",
          printable(name));
  require((status.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0, Kind::input,
          "{}: expected a directory that can be replaced as a whole, found the place where a file "
          "system is mounted; name a directory inside it",
          printable(name));
  std::error_code error;
  const fs::path here = fs::current_path(error);
  const auto [differs, rest] =
      std::mismatch(directory.begin(), directory.end(), here.begin(), here.end());
  require(differs != directory.end(), Kind::input,
          "{}: expected a directory that can be replaced as a whole, found the working directory; "
          "start from outside of it",
          printable(name));
}

/// The path without links, `.` and `..`, as far as it exists.
fs::path resolved(const fs::path& directory) {
  std::error_code error;
  fs::path path = fs::weakly_canonical(fs::absolute(directory, error), error);
  require_path(error, directory.native(), "resolve the path");
  return path.has_filename() ? path : path.parent_path();
}

std::vector<std::string> names_in(const fs::path& directory) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    names.push_back(at->path().filename().native());
  }
  require_path(error, directory.native(), "list the directory");
  return names;
}

void rename_or_fail(const fs::path& from, const fs::path& to) {
  if (rename(from.c_str(), to.c_str()) != 0) fail_errno(from.native(), "rename");
}

}  // namespace

StagedDirectory::StagedDirectory(const fs::path& directory, Owned owned)
    : path_(resolved(directory)), owned_([owned = std::move(owned)](const std::string& name) {
        return OutputFile::is_temporary(name) || owned(name);
      }) {
  check_replaceable(path_);
  staged_ = beside("new");
  former_ = beside("old");
  std::error_code error;
  fs::create_directories(path_.parent_path(), error);
  require_path(error, path_.parent_path().native(), "make the directory");
  lock_ = std::make_unique<LockFile>(beside("lock"), directory.native());
  recover();
}

StagedDirectory::~StagedDirectory() {
  try {
    recover();
  } catch (const std::exception&) {
    // The next start tries again and can say why it fails.
  }
}

fs::path StagedDirectory::beside(const std::string& what) const {
  return path_.parent_path() / ("." + path_.filename().native() + ".fnet-" + what);
}

bool StagedDirectory::occupied() const {
  return is_taken(path_) && std::ranges::any_of(names_in(path_), owned_);
}

fs::path StagedDirectory::stage() {
  retire(staged_);
  if (mkdir(staged_.c_str(), 0777) != 0) fail_errno(staged_.native(), "make the directory");
  return staged_;
}

void StagedDirectory::publish(const std::function<void()>& published) {
  for (const std::string& name : names_in(staged_)) flush_to_disk(staged_ / name);
  struct stat before{};
  const bool replaces = stat(path_.c_str(), &before) == 0;
  if (replaces) static_cast<void>(chmod(staged_.c_str(), before.st_mode & 07777));
  flush_to_disk(staged_);
  if (!replaces) {
    rename_or_fail(staged_, path_);
  } else if (renameat2(AT_FDCWD, staged_.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) != 0) {
    // A file system, or a kernel, that cannot exchange two names.
    if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP && errno != EPERM) {
      fail_errno(path_.native(), "replace");
    }
    rename_or_fail(path_, former_);
    if (rename(staged_.c_str(), path_.c_str()) != 0) {
      const int code = errno;
      rename_or_fail(former_, path_);
      errno = code;
      fail_errno(path_.native(), "replace");
    }
  }
  if (published) published();
  flush_to_disk(path_.parent_path());
  retire(staged_);
  retire(former_);
}

/// What a process left that was killed, or failed, is one of: files that were not published, files
/// from before a publication, or, between its two renames, a directory without its name.
void StagedDirectory::recover() {
  if (!is_taken(path_) && is_taken(former_)) {
    rename_or_fail(former_, path_);
    flush_to_disk(path_.parent_path());
  }
  retire(former_);
  retire(staged_);
}

/// Removes a directory of ours but for the entries that are not owned, which return to where they
/// were put.
void StagedDirectory::retire(const fs::path& directory) {
  if (!is_taken(directory)) return;
  for (const std::string& name : names_in(directory)) {
    if (owned_(name)) {
      std::error_code error;
      fs::remove_all(directory / name, error);
      require(!error, Kind::system, "{}: cannot be removed: {}",
              printable((directory / name).native()), error.message());
    } else if (!is_taken(path_ / name)) {
      rename_or_fail(directory / name, path_ / name);
    }
  }
  if (rmdir(directory.c_str()) != 0) fail_errno(directory.native(), "remove");
}

}  // namespace fnet
