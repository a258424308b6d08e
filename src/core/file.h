#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace fnet {

/// A regular file open for reading. It is opened once and its size comes from the open file, so
/// what was checked is what is read, whatever happens to the path meanwhile. Not memory-mapped: a
/// file that another process cuts short gives an Error, not SIGBUS.
class InputFile {
 public:
  /// Throws: input where there is no such regular file, system where it cannot be opened.
  static InputFile open(const std::filesystem::path& path);

  /// Opens `name` inside `directory`. A name with a separator, `.`, `..` or a symbolic link is
  /// refused, but for one of Hugging Face's cache into its own blobs: for names that come out of a
  /// file.
  static InputFile open_in(const std::filesystem::path& directory, const std::string& name);

  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&& other) noexcept;
  ~InputFile();

  /// The path, for messages.
  const std::string& name() const noexcept { return name_; }
  std::uint64_t size() const noexcept { return size_; }

  /// Fills `out` with the bytes from `offset` on. Safe to call from several threads.
  /// Throws: input where the file ends before, system where the disk fails.
  void read(std::uint64_t offset, std::span<std::byte> out) const;

  /// The whole file mapped into memory, at a multiple of 4096; it may outlive this object. Only for
  /// files that nobody but us writes, and then as OutputFile does: cut short by another process, it
  /// would end this one with SIGBUS. Throws: system.
  std::shared_ptr<const std::byte> map() const;

 private:
  InputFile(int descriptor, std::string name);
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  std::string name_;
};

/// The whole of a regular file of at most `max_bytes` bytes.
std::string read_file(const std::filesystem::path& path, std::uint64_t max_bytes);

/// Lines of a file, a pipe, standard input or bytes in memory, plain or gzip (told by the first
/// bytes), in memory bounded by the longest line. `\n`, `\r\n` and a lone `\r` end a line.
class LineReader {
 public:
  /// `path` "-" is standard input.
  explicit LineReader(const std::filesystem::path& path, std::size_t max_line_bytes = 1 << 20);

  /// Over bytes in memory; `name` stands for the file in messages.
  LineReader(std::string bytes, std::string name, std::size_t max_line_bytes = 1 << 20);

  LineReader(LineReader&&) noexcept;
  LineReader& operator=(LineReader&&) noexcept;
  ~LineReader();

  /// The next line without its end, valid until the next call; false at the end. A byte order mark
  /// at the start of the file is dropped; the last line may lack its end.
  ///
  /// Throws: input where a line is longer than the limit (the next call goes on with the line after
  /// it) or the gzip data is damaged or cut short, system where reading fails.
  bool next(std::string_view& line);

  /// The next bytes as they are, of a file that has no lines: as many as `out` has room for, fewer
  /// at the end. Throws as `next`.
  std::size_t read(std::span<char> out);

  /// From now on a line that is too long is cut at the limit instead of refused.
  void cut_long_lines() noexcept;

  /// Lines cut so far.
  std::size_t cut() const noexcept;

  /// Number of the line that `next` gave or refused last, from 1; 0 before the first.
  std::uint64_t line_number() const noexcept;

  /// The path, or "standard input", for messages.
  const std::string& name() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A file that appears whole or not at all: bytes go to a temporary file in the same directory, and
/// `commit` makes them durable and renames it into place. Without `commit` nothing is left behind.
class OutputFile {
 public:
  explicit OutputFile(const std::filesystem::path& path);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }

  /// Flushes to the disk, renames, and flushes the directory. Throws: system.
  void commit();

  /// Whether a file's name is that of a temporary file, which a killed process may leave.
  static bool is_temporary(std::string_view name) {
    return name.starts_with('.') && name.find(".tmp-") != std::string_view::npos;
  }

 private:
  std::filesystem::path path_, temporary_;
  int descriptor_ = -1;
};

/// Replaces `path` by a file with these bytes, atomically and durably.
void write_file(const std::filesystem::path& path, std::string_view text);

/// Makes what a file or a directory (its names, not the files) holds durable. Throws: system.
void flush_to_disk(const std::filesystem::path& path);

/// Throws where a call on a path failed, `name: cannot action: reason`: input where the path is
/// wrong, system otherwise.
void require_path(const std::error_code& error, std::string_view name, std::string_view action);

/// The same for the last failed system call (errno).
[[noreturn]] void fail_errno(std::string_view name, std::string_view action);

/// Whether something stands there; no where the path can't be one.
bool path_exists(const std::filesystem::path& path) noexcept;
bool path_is_directory(const std::filesystem::path& path) noexcept;

}  // namespace fnet
