#include "core/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <limits>
#include <system_error>
#include <utility>

#include "core/error.h"

namespace fnet {
namespace {

// O_NONBLOCK: opening a named pipe must not wait for a writer; it means nothing for regular files.
constexpr int kReadFlags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

std::filesystem::path parent_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

/// Where a link of Hugging Face's cache leads, models--…/snapshots/REVISION/NAME →
/// ../../blobs/HASH: into the `blobs` of its own tree. Empty for any other link.
std::filesystem::path blob_of(const std::filesystem::path& link) {
  std::error_code error;
  const auto file = std::filesystem::canonical(link, error);
  const auto folder = std::filesystem::canonical(parent_of(link), error);
  const auto tree = folder.parent_path().parent_path();
  const bool cached = !error && folder.parent_path().filename() == "snapshots" &&
                      file.parent_path() == tree / "blobs";
  return cached ? file : std::filesystem::path();
}

}  // namespace

void require_path(const std::error_code& error, std::string_view name, std::string_view action) {
  if (!error) return;
  const int code = error.value();
  const bool wrong_path =
      code == ENOENT || code == ENOTDIR || code == EISDIR || code == ELOOP || code == ENAMETOOLONG;
  fail(wrong_path ? Kind::input : Kind::system, "{}: cannot {}: {}", printable(name), action,
       error.message());
}

void fail_errno(std::string_view name, std::string_view action) {
  require_path({errno, std::generic_category()}, name, action);
  fail(Kind::internal, "{}: cannot {}, without a reason", printable(name), action);
}

bool path_exists(const std::filesystem::path& path) noexcept {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

bool path_is_directory(const std::filesystem::path& path) noexcept {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

InputFile::InputFile(int descriptor, std::string name)
    : descriptor_(descriptor), name_(std::move(name)) {
  struct stat status{};
  if (fstat(descriptor_, &status) != 0) {
    const int code = errno;
    close(descriptor_);
    errno = code;
    fail_errno(name_, "read its status");
  }
  if (!S_ISREG(status.st_mode)) {
    close(descriptor_);
    fail(Kind::input, "{}: expected a regular file, found {}", printable(name_),
         S_ISDIR(status.st_mode) ? "a directory" : "a device, pipe or socket");
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

InputFile InputFile::open(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), kReadFlags);
  if (descriptor < 0) fail_errno(path.native(), "open");
  return {descriptor, path.native()};
}

InputFile InputFile::open_in(const std::filesystem::path& directory, const std::string& name) {
  const bool plain = !name.empty() && name != "." && name != ".." &&
                     name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
  require(plain, Kind::input, "{}: expected the plain name of a file in this directory, found '{}'",
          printable(directory.native()), printable(name));
  const int folder = ::open(directory.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY);
  if (folder < 0) fail_errno(directory.native(), "open");
  const int descriptor = openat(folder, name.c_str(), kReadFlags | O_NOFOLLOW);
  const int code = errno;
  close(folder);
  const std::string full = (directory / name).native();
  if (descriptor < 0) {
    if (code == ELOOP) {
      const std::filesystem::path blob = blob_of(full);
      require(
          !blob.empty(), Kind::input,
          "{}: expected a regular file, found a symbolic link (allowed in Hugging Face's cache, "
          "into its blobs)",
          printable(full));
      return open(blob);
    }
    errno = code;
    fail_errno(full, "open");
  }
  return {descriptor, full};
}

InputFile::InputFile(InputFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_),
      name_(std::move(other.name_)) {}

InputFile& InputFile::operator=(InputFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  std::swap(name_, other.name_);
  return *this;
}

InputFile::~InputFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

void InputFile::read(std::uint64_t offset, std::span<std::byte> out) const {
  require(offset <= size_ && out.size() <= size_ - offset, Kind::input,
          "{}: expected {} bytes at {}, found a file of {} bytes", printable(name_), out.size(),
          offset, size_);
  while (!out.empty()) {
    const ssize_t count = pread(descriptor_, out.data(), out.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_errno(name_, "read");
    require(count > 0, Kind::input,
            "{}: byte {}: expected {} more bytes, found the end: the file "
            "was cut short while it was read",
            printable(name_), offset, out.size());
    offset += static_cast<std::uint64_t>(count);
    out = out.subspan(static_cast<std::size_t>(count));
  }
}

std::shared_ptr<const std::byte> InputFile::map() const {
  require(size_ > 0, Kind::input, "{}: expected a file with content, found none", printable(name_));
  void* start = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor_, 0);
  if (start == MAP_FAILED) fail_errno(name_, "map into memory");
  return {static_cast<const std::byte*>(start), [size = size_](const std::byte* memory) {
            munmap(const_cast<std::byte*>(memory), size);
          }};
}

std::string read_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  const InputFile file = InputFile::open(path);
  require(file.size() <= max_bytes, Kind::input, "{}: expected at most {} bytes, found {}",
          printable(file.name()), max_bytes, file.size());
  std::string text(file.size(), '\0');
  file.read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

OutputFile::OutputFile(const std::filesystem::path& path) : path_(path) {
  // Unique in this process by the counter, among processes by the id.
  static std::atomic<unsigned> counter{0};
  for (;;) {
    temporary_ = parent_of(path_) /
                 fmt::format(".{}.tmp-{}-{}", path_.filename().native(), getpid(), counter++);
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ >= 0) return;
    if (errno != EEXIST) fail_errno(path_.native(), "create");
  }
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

OutputFile::~OutputFile() {
  if (descriptor_ < 0) return;
  close(descriptor_);
  unlink(temporary_.c_str());
}

void OutputFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_errno(path_.native(), "write");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void OutputFile::commit() {
  if (fsync(descriptor_) != 0) fail_errno(path_.native(), "flush to disk");
  if (rename(temporary_.c_str(), path_.c_str()) != 0)
    fail_errno(path_.native(), "rename into place");
  close(std::exchange(descriptor_, -1));
  flush_to_disk(parent_of(path_));
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  OutputFile file(path);
  file.write(text);
  file.commit();
}

void flush_to_disk(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), kReadFlags);
  if (descriptor < 0) fail_errno(path.native(), "open");
  // EINVAL: a filesystem that has nothing to flush for a directory.
  const bool flushed = fsync(descriptor) == 0 || errno == EINVAL;
  const int code = errno;
  close(descriptor);
  errno = code;
  if (!flushed) fail_errno(path.native(), "flush to disk");
}

}  // namespace fnet
