#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fnet {

/// One row of a data file: a text, perhaps a pair and a label; or, for tagging, words and tags.
struct Example {
  std::string text;
  std::optional<std::string> text_pair, label;
  std::vector<std::string> tokens, tags;  ///< tags is empty where the file has none
  std::size_t line = 0;                   ///< where it begins, from 1
};

struct ReadOptions {
  std::string format;  ///< tsv, csv, jsonl, conll, text; empty: by the file's extension
  std::string text_column = "text", text_pair_column = "text_pair", label_column = "label";
  std::string tokens_column = "tokens", tags_column = "tags";
  bool require_label = false;                ///< a row without label (or tags) is a bad line
  bool skip_bad_lines = false;               ///< count bad lines instead of throwing
  std::size_t max_bytes = 16 * 1024 * 1024;  ///< of one line, record or sentence
};

/// A stream of examples from a file (plain or gzip) or, where the path is "-", from standard input.
/// Memory is bounded by the longest example.
class DataReader {
 public:
  /// Opens the file and reads its header.
  /// Throws: input where the format is not known or a needed column is missing; system where the
  /// file cannot be read.
  explicit DataReader(const std::filesystem::path& path, const ReadOptions& options = {});

  /// The same over bytes in memory; `name` stands for the file in messages.
  DataReader(std::string bytes, const std::string& name, const ReadOptions& options);

  ~DataReader();
  DataReader(DataReader&&) noexcept;

  /// The next example, or false at the end.
  /// Throws: input at a bad line, `file:line: place: expected …, found …`, unless skip_bad_lines.
  bool next(Example& example);

  /// Bad lines skipped so far.
  std::size_t skipped() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Names of the formats, for help and messages.
std::span<const std::string_view> data_formats();

/// Every example of a file. Throws: as DataReader.
std::vector<Example> read_examples(const std::filesystem::path& path,
                                   const ReadOptions& options = {});

}  // namespace fnet
