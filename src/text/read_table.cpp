// TSV (fields split on the tab, never quoted) and CSV (RFC 4180), both with a header.
#include <algorithm>
#include <optional>
#include <utility>

#include "text/data_format.h"

namespace fnet {
namespace {

class Table : public DataFormat {
 public:
  explicit Table(Lines& lines) : lines_(lines) {}

  bool next(Record& record) override {
    do {
      if (!read_row(record.line)) return false;
    } while (row_.size() == 1 && row_[0].empty() && header_.size() > 1);  // a blank line
    if (row_.size() != header_.size())
      lines_.bad(record.line, "expected {} fields as in the header, found {}", header_.size(),
                 row_.size());
    for (std::size_t i = 0; i < row_.size(); ++i)
      record.fields.push_back({header_[i], std::move(row_[i])});
    return true;
  }

  std::span<const std::string> fields() const override { return header_; }

 protected:
  // Reads a row into row_ and, first, its first line's number; false at the end.
  virtual bool read_row(std::size_t& first_line) = 0;

  void read_header() {
    std::size_t line = 0;
    require(read_row(line), Kind::input,
            "{}: expected a header with the columns' names, found nothing", lines_.name());
    header_ = std::move(row_);
  }

  Lines& lines_;
  std::vector<std::string> row_;

 private:
  std::vector<std::string> header_;
};

class Tsv final : public Table {
 public:
  explicit Tsv(Lines& lines) : Table(lines) { read_header(); }

 private:
  bool read_row(std::size_t& first_line) override {
    std::string_view line;
    if (!lines_.next(line)) return false;
    first_line = lines_.number();
    row_.clear();
    for (std::size_t begin = 0; begin <= line.size();) {
      const std::size_t end = std::min(line.find('\t', begin), line.size());
      row_.emplace_back(line.substr(begin, end - begin));
      begin = end + 1;
    }
    return true;
  }
};

class Csv final : public Table {
 public:
  explicit Csv(Lines& lines) : Table(lines) { read_header(); }

  bool lost() const override { return lost_; }

 private:
  // After a fault it reads on as if there were none, to where the record ends: else the next one
  // would begin in the middle of this one.
  bool read_row(std::size_t& first_line) override {
    std::string_view line;
    fault_.reset();
    if (!read_line(line)) return false;
    first_line = lines_.number();
    row_.assign(1, "");
    std::size_t size = 0;
    for (std::size_t i = 0;; ++i) {
      if (i < line.size() && line[i] == '"' && row_.back().empty()) {
        i = quoted(line, i + 1, size, first_line);
        if (i < line.size() && line[i] != ',')
          fault(lines_.number(), "byte {}: expected a comma after the closing quote, found '{}'", i,
                printable(line.substr(i, 1)));
      }
      if (i >= line.size()) break;
      if (line[i] == ',') {
        row_.emplace_back();
        continue;
      }
      if (line[i] == '"')
        fault(lines_.number(),
              "byte {}: expected a quote only around a whole field; double it inside one", i);
      row_.back() += line[i];
    }
    if (fault_) throw *fault_;
    return true;
  }

  // Reads on from behind an opening quote, over line ends, to behind the closing one.
  std::size_t quoted(std::string_view& line, std::size_t i, std::size_t& size,
                     std::uint64_t first_line) {
    for (;; ++i) {
      if (i >= line.size()) {
        size += line.size() + 1;
        if (size > lines_.max_bytes())
          give_up(first_line,
                  "expected at most {} bytes in a record, found more; is a quote not closed?",
                  lines_.max_bytes());
        if (!read_line(line))
          give_up(first_line, "expected a closing quote, found the end of the file");
        row_.back() += '\n';
        i = ~std::size_t{0};  // the loop's step makes it 0
      } else if (line[i] != '"') {
        row_.back() += line[i];
      } else if (i + 1 < line.size() && line[i + 1] == '"') {
        row_.back() += line[i++];
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

  std::optional<Error> fault_;
  bool lost_ = false;
};

}  // namespace

std::unique_ptr<DataFormat> open_tsv(Lines& lines) { return std::make_unique<Tsv>(lines); }

std::unique_ptr<DataFormat> open_csv(Lines& lines) { return std::make_unique<Csv>(lines); }

}  // namespace fnet
