// TSV (fields split on the tab, never quoted) and CSV (RFC 4180), both with a header.
#include <algorithm>

#include "text/data_format.h"

namespace fnet {
namespace {

constexpr std::size_t kNone = ~std::size_t{0};

class Table : public DataFormat {
 public:
  Table(Lines& lines, const ReadOptions& options) : lines_(lines), options_(options) {}

  bool next(Example& example) override {
    do {
      if (!read_record()) return false;
    } while (fields_.size() == 1 && fields_[0].empty() && columns_ > 1);  // a blank line
    if (fields_.size() != columns_)
      lines_.bad(line_, "expected {} fields as in the header, found {}", columns_, fields_.size());
    if (options_.require_label && fields_[label_].empty())
      lines_.bad(line_, "column '{}': expected a label, found an empty field",
                 options_.label_column);
    example.text = std::move(fields_[text_]);
    if (pair_ != kNone) example.text_pair = std::move(fields_[pair_]);
    if (label_ != kNone) example.label = std::move(fields_[label_]);
    example.line = line_;
    return true;
  }

 protected:
  // Reads a record into fields_ and its first line's number into line_; false at the end.
  virtual bool read_record() = 0;

  void read_header() {
    require(read_record(), Kind::input, "{}: expected a header with the column '{}', found nothing",
            lines_.name(), options_.text_column);
    columns_ = fields_.size();
    text_ = find(options_.text_column), pair_ = find(options_.text_pair_column);
    label_ = find(options_.label_column);
    for (const auto& [column, name] :
         {std::pair{text_, options_.text_column},
          {options_.require_label ? label_ : 0, options_.label_column}})
      if (column == kNone)
        lines_.bad(line_, "header: expected a column '{}', found '{}'; name the column to use",
                   name, printable(fmt::format("{}", fmt::join(fields_, "', '"))));
  }

  Lines& lines_;
  const ReadOptions options_;
  std::vector<std::string> fields_;
  std::uint64_t line_ = 0;

 private:
  std::size_t find(const std::string& column) const {
    const auto first = std::find(fields_.begin(), fields_.end(), column);
    if (first == fields_.end()) return kNone;
    if (std::find(first + 1, fields_.end(), column) != fields_.end())
      lines_.bad(line_, "header: expected one column '{}', found more", column);
    return static_cast<std::size_t>(first - fields_.begin());
  }

  std::size_t columns_ = 0, text_ = kNone, pair_ = kNone, label_ = kNone;
};

class Tsv final : public Table {
 public:
  Tsv(Lines& lines, const ReadOptions& options) : Table(lines, options) { read_header(); }

 private:
  bool read_record() override {
    std::string_view line;
    if (!lines_.next(line)) return false;
    line_ = lines_.number();
    fields_.clear();
    for (std::size_t begin = 0; begin <= line.size();) {
      const std::size_t end = std::min(line.find('\t', begin), line.size());
      fields_.emplace_back(line.substr(begin, end - begin));
      begin = end + 1;
    }
    return true;
  }
};

class Csv final : public Table {
 public:
  Csv(Lines& lines, const ReadOptions& options) : Table(lines, options) { read_header(); }

 private:
  bool read_record() override {
    std::string_view line;
    if (!lines_.next(line)) return false;
    line_ = lines_.number();
    fields_.assign(1, "");
    std::size_t size = 0;
    for (std::size_t i = 0;; ++i) {
      if (i < line.size() && line[i] == '"' && fields_.back().empty()) {
        i = quoted(line, i + 1, size);
        if (i < line.size() && line[i] != ',')
          lines_.bad(lines_.number(),
                     "byte {}: expected a comma after the closing quote, found '{}'", i,
                     printable(line.substr(i, 1)));
      }
      if (i >= line.size()) return true;
      if (line[i] == ',')
        fields_.emplace_back();
      else if (line[i] == '"')
        lines_.bad(line_,
                   "byte {}: expected a quote only around a whole field; double it inside one", i);
      else
        fields_.back() += line[i];
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
        fields_.back() += '\n';
        i = ~std::size_t{0};  // the loop's step makes it 0
      } else if (line[i] != '"') {
        fields_.back() += line[i];
      } else if (i + 1 < line.size() && line[i + 1] == '"') {
        fields_.back() += line[i++];
      } else {
        return i + 1;
      }
    }
  }
};

}  // namespace

std::unique_ptr<DataFormat> open_tsv(Lines& lines, const ReadOptions& options) {
  return std::make_unique<Tsv>(lines, options);
}

std::unique_ptr<DataFormat> open_csv(Lines& lines, const ReadOptions& options) {
  return std::make_unique<Csv>(lines, options);
}

}  // namespace fnet
