// Plain text, a text a line, and CoNLL columns, a token a line.
#include <algorithm>

#include "text/data_format.h"

namespace fnet {
namespace {

class PlainText final : public DataFormat {
 public:
  explicit PlainText(Lines& lines) : lines_(lines) {}

  bool next(Record& record) override {
    std::string_view line;
    if (!lines_.next(line)) return false;
    record.fields.push_back({fields_[0], std::string(line)});
    record.line = lines_.number();
    return true;
  }

  std::span<const std::string> fields() const override { return fields_; }

 private:
  Lines& lines_;
  const std::array<std::string, 1> fields_ = {"text"};
};

// The token stands in the first column, its tag in the last; a blank line ends a sentence. Columns
// are parted by tabs or, where a line has none, by spaces.
class Conll final : public DataFormat {
 public:
  explicit Conll(Lines& lines) : lines_(lines) {}

  bool next(Record& record) override {
    tokens_.clear();
    tags_.clear();
    try {
      read_sentence(record.line);
    } catch (const Error&) {
      skip_rest_ = true;  // half a sentence is none
      throw;
    }
    if (tokens_.empty()) return false;
    record.fields.push_back({fields_[0], std::move(tokens_)});
    if (!tags_.empty()) record.fields.push_back({fields_[1], std::move(tags_)});
    return true;
  }

  std::span<const std::string> fields() const override { return fields_; }

 private:
  void read_sentence(std::size_t& first_line) {
    std::size_t size = 0;
    for (std::string_view line; lines_.next(line);) {
      const bool blank = line.find_first_not_of(" \t") == std::string_view::npos;
      if (blank || line.starts_with("-DOCSTART-")) {
        skip_rest_ = false;
        if (tokens_.empty()) continue;
        return;
      }
      if (skip_rest_) continue;
      size += line.size();
      if (size > lines_.max_bytes())
        lines_.bad(lines_.number(),
                   "expected at most {} bytes in a sentence, found more; a blank line ends one",
                   lines_.max_bytes());
      if (tokens_.empty()) first_line = lines_.number();
      add(line);
    }
  }

  void add(std::string_view line) {
    const char separator = line.find('\t') != std::string_view::npos ? '\t' : ' ';
    if (separator == ' ') {
      line.remove_prefix(line.find_first_not_of(' '));
      line = line.substr(0, line.find_last_not_of(' ') + 1);
    }
    const std::size_t first = line.find(separator), last = line.rfind(separator);
    const std::string_view token = line.substr(0, first);
    const std::string_view tag = last == std::string_view::npos ? "" : line.substr(last + 1);
    const bool tagged = last != std::string_view::npos;
    if (token.empty()) lines_.bad(lines_.number(), "column 1: expected a token, found nothing");
    if (tagged && tag.empty())
      lines_.bad(lines_.number(), "expected a tag in the last column, found none");
    if (!tokens_.empty() && tagged == tags_.empty())
      lines_.bad(lines_.number(), "expected {} as in the sentence's other lines, found '{}'",
                 tagged ? "no tag" : "a tag", printable(line));
    tokens_.emplace_back(token);
    if (tagged) tags_.emplace_back(tag);
  }

  Lines& lines_;
  const std::array<std::string, 2> fields_ = {"tokens", "tags"};
  std::vector<std::string> tokens_, tags_;
  bool skip_rest_ = false;
};

}  // namespace

std::unique_ptr<DataFormat> open_conll(Lines& lines) { return std::make_unique<Conll>(lines); }

std::unique_ptr<DataFormat> open_text(Lines& lines) { return std::make_unique<PlainText>(lines); }

}  // namespace fnet
