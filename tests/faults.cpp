#include "faults.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>

namespace fnet {

constinit Faults faults;

namespace {

bool is_ours(std::string_view path) { return path.starts_with(faults.under); }

bool is_ours(int descriptor) {
  if (*faults.under == '\0') return true;
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t size = readlink(link, path, sizeof path);
  return size > 0 && is_ours({path, static_cast<std::size_t>(size)});
}

/// Whether this call fails.
template <class File>
bool strikes(File file) {
  if (faults.countdown < 0 || !is_ours(file)) return false;
  if (faults.countdown > 0) return --faults.countdown, false;
  if (faults.error == 0) kill(getpid(), SIGKILL);
  faults.met = true;
  if (--faults.count <= 0) faults.countdown = -1;
  errno = faults.error;
  return true;
}

/// Bytes that a call writes, or -1 where it fails.
ssize_t to_write(int descriptor, std::size_t bytes) {
  if (!strikes(descriptor)) return static_cast<ssize_t>(bytes);
  if (!faults.short_write) return -1;
  faults.short_write = false;
  faults.countdown = 0, faults.count = 1;
  return static_cast<ssize_t>(bytes / 2);
}

/// Of a program that this was loaded before.
[[gnu::constructor]] void read_environment() {
  const char* text = getenv("FNET_FAULT");
  if (text == nullptr) return;
  int is_short = 0, end = 0;
  if (sscanf(text, "%d %d %d %d %n", &faults.countdown, &faults.error, &faults.count, &is_short,
             &end) == 4) {
    faults.short_write = is_short != 0;
    faults.under = text + end;
  }
}

[[gnu::destructor]] void tell() {
  const char* path = getenv("FNET_FAULT_MET");
  if (path == nullptr || !faults.met) return;
  close(open(path, O_WRONLY | O_CREAT, 0666));
}

}  // namespace
}  // namespace fnet

using fnet::faults;
using fnet::strikes;

#pragma GCC visibility push(default)
extern "C" {
int rename(const char* from, const char* to) noexcept {
  if (strikes(from)) return -1;
  return static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
int renameat2(int from_at, const char* from, int to_at, const char* to, unsigned flags) noexcept {
  if (faults.no_exchange) return errno = EINVAL, -1;
  if (strikes(from)) return -1;
  return static_cast<int>(syscall(SYS_renameat2, from_at, from, to_at, to, flags));
}
int link(const char* from, const char* to) noexcept {
  if (strikes(to)) return -1;
  return static_cast<int>(syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
}
int mkdir(const char* path, mode_t mode) noexcept {
  if (strikes(path)) return -1;
  return static_cast<int>(syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}
int rmdir(const char* path) noexcept {
  if (strikes(path)) return -1;
  return static_cast<int>(syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR));
}
int unlinkat(int at, const char* path, int flags) noexcept {  // std::filesystem's
  if (at == AT_FDCWD ? strikes(path) : strikes(at)) return -1;
  return static_cast<int>(syscall(SYS_unlinkat, at, path, flags));
}
int fsync(int descriptor) {  // no test cuts the power
  return strikes(descriptor) ? -1 : 0;
}
int ftruncate(int descriptor, off_t size) noexcept {
  if (strikes(descriptor)) return -1;
  return static_cast<int>(syscall(SYS_ftruncate, descriptor, size));
}
ssize_t write(int descriptor, const void* bytes, size_t size) {
  const ssize_t some = fnet::to_write(descriptor, size);
  return some < 0 ? -1 : syscall(SYS_write, descriptor, bytes, some);
}
ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t at) {
  const ssize_t some = fnet::to_write(descriptor, size);
  return some < 0 ? -1 : syscall(SYS_pwrite64, descriptor, bytes, some, at);
}
}
#pragma GCC visibility pop
