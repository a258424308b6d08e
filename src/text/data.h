#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fnet/types.h"

namespace fnet {

/// One row of a data file: its fields by name, as written.
struct Record {
  /// A number or a boolean of JSON, as written.
  struct Literal {
    std::string text;
  };
  /// A value that stands for no text, such as an object.
  struct Other {
    std::string found;  ///< what it is, for messages
  };
  using Value = std::variant<std::string, Literal, std::vector<std::string>, Other, Array>;
  struct Field {
    std::string name;
    Value value;
  };

  std::size_t line = 0;       ///< where it begins, from 1
  std::vector<Field> fields;  ///< in the file's order; of JSON by name

  /// The first field of this name, or nullptr.
  const Value* find(std::string_view name) const;

  // The value of a field that is there. Throws: input where it is of another kind.
  const std::string& text(std::string_view name) const;
  const std::string& label(std::string_view name) const;  ///< a text or a literal
  const std::vector<std::string>& list(std::string_view name) const;
  Array array(std::string_view name) const;  ///< an array, or a list of numbers
};

/// The field of a record that has an example's numbers.
inline constexpr std::string_view kValues = "values";

struct ReadOptions {
  std::string format;           ///< a name of data_formats(); empty: by the extension
  bool skip_bad_lines = false;  ///< count bad lines instead of throwing
  /// TSV and CSV hold numbers, a label before them: each record is the field "values" and, under
  /// `label_column`, the label. Standard input is CSV then.
  bool numbers = false;
  std::string label_column = "label";
  /// Of numbers: a file with the labels alone, one for each record, in the same order.
  std::filesystem::path labels;
  /// Of one line, record or sentence; a longer line of plain text is cut.
  std::size_t max_bytes = 16 * 1024 * 1024;
};

/// A stream of records from a file (plain or gzip) or, where the path is "-", from standard input.
/// Memory is bounded by the longest record, but SQuAD's JSON is read whole. A line of plain text is
/// the field "text"; a sentence of CoNLL has the lists "tokens" and, where there are any, "tags".
/// docs/data-formats.md has the rules.
class DataReader {
 public:
  /// Opens the file and reads its header.
  /// Throws: usage where the format is not known, input where the header is missing, system where
  /// the file cannot be read.
  explicit DataReader(const std::filesystem::path& path, const ReadOptions& options = {});

  /// The same over bytes in memory; `name` stands for the file in messages.
  DataReader(std::string bytes, const std::string& name, const ReadOptions& options);

  ~DataReader();
  DataReader(DataReader&&) noexcept;

  /// The next record, or false at the end.
  /// Throws: input at a bad line, `file:line: place: expected …, found …`, unless skip_bad_lines;
  /// even then where nobody can tell at which line the bad record ends.
  bool next(Record& record);

  /// The path, or "standard input", for messages.
  const std::string& name() const noexcept;

  /// The format's name.
  std::string_view format() const noexcept;

  /// Names of the fields that a record can have, from the header or the format; empty where each
  /// record names its own (jsonl).
  std::span<const std::string> fields() const noexcept;

  bool skips_bad_lines() const noexcept;

  /// Lines of bad records skipped so far.
  std::size_t skipped() const noexcept;

  /// Lines of plain text longer than `max_bytes` so far, which were cut there.
  std::size_t cut() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The name of the format in which DataReader reads a path, by its extension unless `format` names
/// it. Throws: usage.
std::string_view data_format(const std::filesystem::path& path, const std::string& format);

/// Names of the formats, for help and messages.
std::span<const std::string_view> data_formats();

}  // namespace fnet
