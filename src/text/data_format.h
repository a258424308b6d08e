#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/file.h"
#include "text/data.h"

namespace fnet {

/// Lines of a file or of bytes in memory, checked to be UTF-8.
class Lines {
 public:
  Lines(const std::filesystem::path& path, std::size_t max_bytes);
  Lines(std::string bytes, std::string name, std::size_t max_bytes);

  /// The next line, valid until the next call; false at the end. After an Error about the line
  /// itself the next call goes on behind it.
  bool next(std::string_view& line);

  /// The same without the check.
  bool next_bytes(std::string_view& line);

  /// The next bytes as they are, of a file that has no lines: fewer than asked for at its end.
  std::size_t read_bytes(std::span<char> out) { return file_.read(out); }

  /// Throws: input unless the line is UTF-8.
  void check(std::string_view line) const;

  /// From now on a line that is too long is cut, between two letters.
  void cut_long_lines() noexcept { file_.cut_long_lines(); }
  std::size_t cut() const noexcept { return file_.cut(); }  ///< lines so far

  std::uint64_t number() const noexcept { return file_.line_number(); }  ///< of the last, from 1
  const std::string& name() const noexcept { return file_.name(); }
  std::size_t max_bytes() const noexcept { return max_bytes_; }

  /// What is wrong with a line: `file:line: message`.
  template <class... Args>
  Error error(std::uint64_t line, fmt::format_string<Args...> format, Args&&... args) const {
    return {Kind::input, fmt::format("{}:{}: {}", name(), line,
                                     fmt::format(format, std::forward<Args>(args)...))};
  }

  /// Refuses a line so.
  template <class... Args>
  [[noreturn]] void bad(std::uint64_t line, fmt::format_string<Args...> format,
                        Args&&... args) const {
    throw error(line, format, std::forward<Args>(args)...);
  }

 private:
  LineReader file_;
  std::size_t max_bytes_;
};

/// A way to write records down.
class DataFormat {
 public:
  virtual ~DataFormat() = default;
  /// As DataReader::next, every bad line an Error; `record` is empty before. Its `line` is set as
  /// soon as it is known. After an Error the next call begins behind the bad record, unless lost().
  virtual bool next(Record& record) = 0;
  /// Whether nobody can tell where the bad record ends.
  virtual bool lost() const { return false; }
  /// As DataReader::fields.
  virtual std::span<const std::string> fields() const = 0;
};

/// Rows of a table: TSV, split on the tab and never quoted, or CSV (RFC 4180).
class RowReader {
 public:
  virtual ~RowReader() = default;
  /// The next row's cells and the line where it begins; false at the end. Throws: input.
  virtual bool next(std::vector<std::string>& row, std::size_t& first_line) = 0;
  virtual bool lost() const { return false; }  ///< as DataFormat::lost
};
std::unique_ptr<RowReader> open_rows(Lines& lines, char separator);

std::unique_ptr<DataFormat> open_tsv(Lines& lines);
std::unique_ptr<DataFormat> open_csv(Lines& lines);
std::unique_ptr<DataFormat> open_jsonl(Lines& lines);
std::unique_ptr<DataFormat> open_squad(Lines& lines);
std::unique_ptr<DataFormat> open_conll(Lines& lines);
std::unique_ptr<DataFormat> open_text(Lines& lines);
std::unique_ptr<DataFormat> open_npy(Lines& lines);

/// A table of numbers, an example a line: see docs/data-formats.md. `label_column`: empty where its
/// labels are in another file, so that all columns are numbers.
std::unique_ptr<DataFormat> open_numbers(Lines& lines, char separator, std::string label_column);

/// Labels in a file of their own: an array of NumPy's, or a column of a table, or a line each.
class LabelFile {
 public:
  LabelFile(const std::filesystem::path& path, std::string column);
  ~LabelFile();

  /// Gives `record` its label, or sees that none is left where there is no `more` record of the
  /// file `of`. Throws: input.
  void add(bool more, const std::string& of, Record& record);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fnet
