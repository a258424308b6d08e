#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
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

  std::uint64_t number() const noexcept;  ///< of the last line, from 1
  const std::string& name() const noexcept { return name_; }
  std::size_t max_bytes() const noexcept { return max_bytes_; }

  /// Refuses a line: `file:line: message`.
  template <class... Args>
  [[noreturn]] void bad(std::uint64_t line, fmt::format_string<Args...> format,
                        Args&&... args) const {
    fail(Kind::input, "{}:{}: {}", name_, line, fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  bool next_in_memory(std::string_view& line);

  std::optional<LineReader> file_;
  std::string bytes_, name_;
  std::size_t max_bytes_, at_ = 0;
  std::uint64_t number_ = 0;
};

/// A way to write records down.
class DataFormat {
 public:
  virtual ~DataFormat() = default;
  /// As DataReader::next, every bad line an Error; `record` is empty before.
  virtual bool next(Record& record) = 0;
  /// As DataReader::fields.
  virtual std::span<const std::string> fields() const = 0;
};

std::unique_ptr<DataFormat> open_tsv(Lines& lines);
std::unique_ptr<DataFormat> open_csv(Lines& lines);
std::unique_ptr<DataFormat> open_jsonl(Lines& lines);
std::unique_ptr<DataFormat> open_conll(Lines& lines);
std::unique_ptr<DataFormat> open_text(Lines& lines);

}  // namespace fnet
