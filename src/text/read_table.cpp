// TSV (fields split on the tab, never quoted) and CSV (RFC 4180), both with a header.
#include <algorithm>
#include <optional>
#include <utility>

#include "text/data_format.h"

namespace fnet {
namespace {

class Table final : public DataFormat {
 public:
  Table(Lines& lines, char separator) : lines_(lines), rows_(open_rows(lines, separator)) {
    std::size_t line = 0;
    require(rows_->next(header_, line), Kind::input,
            "{}: expected a header with the columns' names, found nothing", lines_.name());
  }

  bool next(Record& record) override {
    do {
      if (!rows_->next(row_, record.line)) return false;
    } while (row_.size() == 1 && row_[0].empty() && header_.size() > 1);  // a blank line
    if (row_.size() != header_.size())
      lines_.bad(record.line, "expected {} fields as in the header, found {}", header_.size(),
                 row_.size());
    for (std::size_t i = 0; i < row_.size(); ++i)
      record.fields.push_back({header_[i], std::move(row_[i])});
    return true;
  }

  bool lost() const override { return rows_->lost(); }
  std::span<const std::string> fields() const override { return header_; }

 private:
  Lines& lines_;
  std::unique_ptr<RowReader> rows_;
  std::vector<std::string> header_, row_;
};

class Tsv final : public RowReader {
 public:
  explicit Tsv(Lines& lines) : lines_(lines) {}

  bool next(std::vector<std::string>& row, std::size_t& first_line) override {
    std::string_view line;
    if (!lines_.next(line)) return false;
    first_line = lines_.number();
    row.clear();
    for (std::size_t begin = 0; begin <= line.size();) {
      const std::size_t end = std::min(line.find('\t', begin), line.size());
      row.emplace_back(line.substr(begin, end - begin));
      begin = end + 1;
    }
    return true;
  }

 private:
  Lines& lines_;
};

class Csv final : public RowReader {
 public:
  explicit Csv(Lines& lines) : lines_(lines) {}

  bool lost() const override { return lost_; }

  // After a fault it reads on as if there were none, to where the record ends: else the next one
  // would begin in the middle of this one.
  bool next(std::vector<std::string>& row, std::size_t& first_line) override {
    std::string_view line;
    fault_.reset();
    if (!read_line(line)) return false;
    first_line = lines_.number();
    row.assign(1, "");
    std::size_t size = 0;
    for (std::size_t i = 0;; ++i) {
      if (i < line.size() && line[i] == '"' && row.back().empty()) {
        i = quoted(line, i + 1, size, first_line, row.back());
        if (i < line.size() && line[i] != ',')
          fault(lines_.number(), "byte {}: expected a comma after the closing quote, found '{}'", i,
                printable(line.substr(i, 1)));
      }
      if (i >= line.size()) break;
      if (line[i] == ',') {
        row.emplace_back();
        continue;
      }
      if (line[i] == '"')
        fault(lines_.number(),
              "byte {}: expected a quote only around a whole field; double it inside one", i);
      row.back() += line[i];
    }
    if (fault_) throw *fault_;
    return true;
  }

 private:
  // Reads on from behind an opening quote, over line ends, to behind the closing one.
  std::size_t quoted(std::string_view& line, std::size_t i, std::size_t& size,
                     std::uint64_t first_line, std::string& cell) {
    for (;; ++i) {
      if (i >= line.size()) {
        size += line.size() + 1;
        if (size > lines_.max_bytes())
          give_up(first_line,
                  "expected at most {} bytes in a record, found more; is a quote not closed?",
                  lines_.max_bytes());
        if (!read_line(line))
          give_up(first_line, "expected a closing quote, found the end of the file");
        cell += '\n';
        i = ~std::size_t{0};  // the loop's step makes it 0
      } else if (line[i] != '"') {
        cell += line[i];
      } else if (i + 1 < line.size() && line[i + 1] == '"') {
        cell += line[i++];
      } else {
        return i + 1;
      }
    }
  }

  bool read_line(std::string_view& line) {
    lost_ = true;  // where the line cannot be read, so that its quotes are unknown
    const bool more = lines_.next_bytes(line);
    lost_ = false;
    if (!more || fault_) return more;
    try {
      lines_.check(line);
    } catch (const Error& error) {
      fault_ = error;
    }
    return true;
  }

  // Keeps the first fault of a record.
  template <class... Args>
  void fault(std::uint64_t line, fmt::format_string<Args...> format, Args&&... args) {
    if (!fault_) fault_ = lines_.error(line, format, std::forward<Args>(args)...);
  }

  template <class... Args>
  [[noreturn]] void give_up(std::uint64_t first_line, fmt::format_string<Args...> format,
                            Args&&... args) {
    lost_ = true;
    lines_.bad(first_line, format, std::forward<Args>(args)...);
  }

  Lines& lines_;
  std::optional<Error> fault_;
  bool lost_ = false;
};

}  // namespace

std::unique_ptr<RowReader> open_rows(Lines& lines, char separator) {
  if (separator == ',') return std::make_unique<Csv>(lines);
  return std::make_unique<Tsv>(lines);
}

std::unique_ptr<DataFormat> open_tsv(Lines& lines) { return std::make_unique<Table>(lines, '\t'); }

std::unique_ptr<DataFormat> open_csv(Lines& lines) { return std::make_unique<Table>(lines, ','); }

}  // namespace fnet
