#include "core/lock_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "core/error.h"
#include "core/file.h"

namespace fnet {
namespace {

/// Whether the path still names the open file: its last holder removes it.
bool names(const std::filesystem::path& path, int descriptor) {
  struct stat there{}, open{};
  return fstat(descriptor, &open) == 0 && stat(path.c_str(), &there) == 0 &&
         there.st_dev == open.st_dev && there.st_ino == open.st_ino;
}

/// What the holder wrote into the file, or "another process".
std::string holder(int descriptor) {
  std::array<char, 32> text{};
  const ssize_t size = pread(descriptor, text.data(), text.size(), 0);
  return size > 0 ? "process " + printable({text.data(), static_cast<std::size_t>(size)})
                  : "another process";
}

}  // namespace

LockFile::LockFile(std::filesystem::path path, const std::string& what) : path_(std::move(path)) {
  for (;;) {
    const int descriptor = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (descriptor < 0) fail_errno(path_.native(), "create");
    int locked = flock(descriptor, LOCK_EX | LOCK_NB);
    while (locked != 0 && errno == EINTR) locked = flock(descriptor, LOCK_EX | LOCK_NB);
    if (locked != 0) {
      const int code = errno;
      const std::string who = holder(descriptor);
      close(descriptor);
      require(code != EWOULDBLOCK, Kind::input,
              "{}: expected no other process at work there, found {}; wait for its end, or choose "
              "another directory",
              printable(what), who);
      errno = code;
      fail_errno(path_.native(), "lock");
    }
    if (!names(path_, descriptor)) {
      close(descriptor);
      continue;
    }
    descriptor_ = descriptor;
    break;
  }
  // Who it is serves a message alone: the lock holds without it.
  const std::string id = std::to_string(getpid());
  if (ftruncate(descriptor_, 0) == 0) {
    [[maybe_unused]] const ssize_t written = pwrite(descriptor_, id.data(), id.size(), 0);
  }
}

LockFile::~LockFile() {
  unlink(path_.c_str());  // before the lock goes: nobody may remove another's file
  close(descriptor_);
}

}  // namespace fnet
