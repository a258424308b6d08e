#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "fnet/types.h"

// NumPy's format, version 1.0, as `numpy.load` reads it.
namespace fnet::cli {

/// An array of rows of floats on standard output. Its header tells their number, which is known
/// last: the rows wait in a temporary file (in $TMPDIR, else /tmp) that has no name any more.
class NpyWriter {
 public:
  /// Throws: system, as all of it, where the file cannot be made, written or read.
  NpyWriter();

  void add(const Matrix& rows);

  /// Prints header and rows; `width`: of a row, where there was none.
  void finish(std::size_t width);

 private:
  void check(bool ok, std::string_view done) const;

  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::string path_;
  std::unique_ptr<std::FILE, Close> rows_;
  std::size_t count_ = 0, width_ = 0;
};

/// Writes an array of whole numbers, int64. Throws: system.
void write_npy(const std::filesystem::path& path, std::span<const std::int64_t> numbers);

}  // namespace fnet::cli
