// TSV (fields split on the tab, never quoted) and CSV (RFC 4180), both with a header.
#include <algorithm>

#include "text/data_format.h"

namespace fnet {
namespace {

class Table : public DataFormat {
 public:
  explicit Table(Lines& lines) : lines_(lines) {}

  bool next(Record& record) override {
    do {
      if (!read_row()) return false;
    } while (row_.size() == 1 && row_[0].empty() && header_.size() > 1);  // a blank line
    if (row_.size() != header_.size())
      lines_.bad(line_, "expected {} fields as in the header, found {}", header_.size(),
                 row_.size());
    record.line = line_;
    for (std::size_t i = 0; i < row_.size(); ++i)
      record.fields.push_back({header_[i], std::move(row_[i])});
    return true;
  }

  std::span<const std::string> fields() const override { return header_; }

 protected:
  // Reads a row into row_ and its first line's number into line_; false at the end.
  virtual bool read_row() = 0;

  void read_header() {
    require(read_row(), Kind::input, "{}: expected a header with the columns' names, found nothing",
            lines_.name());
    header_ = std::move(row_);
  }

  Lines& lines_;
  std::vector<std::string> row_;
  std::uint64_t line_ = 0;

 private:
  std::vector<std::string> header_;
};

class Tsv final : public Table {
 public:
  explicit Tsv(Lines& lines) : Table(lines) { read_header(); }

 private:
  bool read_row() override {
    std::string_view line;
    if (!lines_.next(line)) return false;
    line_ = lines_.number();
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

 private:
  bool read_row() override {
    std::string_view line;
    if (!lines_.next(line)) return false;
    line_ = lines_.number();
    row_.assign(1, "");
    std::size_t size = 0;
    for (std::size_t i = 0;; ++i) {
      if (i < line.size() && line[i] == '"' && row_.back().empty()) {
        i = quoted(line, i + 1, size);
        if (i < line.size() && line[i] != ',')
          lines_.bad(lines_.number(),
                     "byte {}: expected a comma after the closing quote, found '{}'", i,
                     printable(line.substr(i, 1)));
      }
      if (i >= line.size()) return true;
      if (line[i] == ',')
        row_.emplace_back();
      else if (line[i] == '"')
        lines_.bad(line_,
                   "byte {}: expected a quote only around a whole field; double it inside one", i);
      else
        row_.back() += line[i];
    }
  }

  // Reads on from behind an opening quote, over line ends, to behind the closing one.
  std::size_t quoted(std::string_view& line, std::size_t i, std::size_t& size) {
    for (;; ++i) {
      if (i >= line.size()) {
        size += line.size() + 1;
        if (size > lines_.max_bytes())
          lines_.bad(line_,
                     "expected at most {} bytes in a record, found more; is a quote not closed?",
                     lines_.max_bytes());
        if (!lines_.next(line))
          lines_.bad(line_, "expected a closing quote, found the end of the file");
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
};

}  // namespace

std::unique_ptr<DataFormat> open_tsv(Lines& lines) { return std::make_unique<Tsv>(lines); }

std::unique_ptr<DataFormat> open_csv(Lines& lines) { return std::make_unique<Csv>(lines); }

}  // namespace fnet
