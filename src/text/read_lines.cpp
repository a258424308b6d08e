// Plain text, a text a line, and CoNLL columns, a token a line.
#include <algorithm>

#include "text/data_format.h"

namespace fnet {
namespace {

class PlainText final : public DataFormat {
 public:
  explicit PlainText(Lines& lines) : lines_(lines) {}

  bool next(Example& example) override {
    std::string_view line;
    if (!lines_.next(line)) return false;
    example.text = line;
    example.line = lines_.number();
    return true;
  }

 private:
  Lines& lines_;
};

// The token stands in the first column, its tag in the last; a blank line ends a sentence. Columns
// are parted by tabs or, where a line has none, by spaces.
class Conll final : public DataFormat {
 public:
  Conll(Lines& lines, const ReadOptions& options) : lines_(lines), options_(options) {}

  bool next(Example& example) override {
    try {
      return read_sentence(example);
    } catch (const Error&) {
      skip_rest_ = true;  // half a sentence is none
      throw;
    }
  }

 private:
  bool read_sentence(Example& example) {
    std::size_t size = 0;
    for (std::string_view line; lines_.next(line);) {
      const bool blank = line.find_first_not_of(" \t") == std::string_view::npos;
      if (blank || line.starts_with("-DOCSTART-")) {
        skip_rest_ = false;
        if (example.tokens.empty()) continue;
        return true;
      }
      if (skip_rest_) continue;
      size += line.size();
      if (size > lines_.max_bytes())
        lines_.bad(lines_.number(),
                   "expected at most {} bytes in a sentence, found more; a blank line ends one",
                   lines_.max_bytes());
      add(line, example);
    }
    return !example.tokens.empty();
  }

  void add(std::string_view line, Example& example) {
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
    if (tagged ? tag.empty() : options_.require_label)
      lines_.bad(lines_.number(), "expected a tag in the last column, found none");
    if (!example.tokens.empty() && tagged == example.tags.empty())
      lines_.bad(lines_.number(), "expected {} as in the sentence's other lines, found '{}'",
                 tagged ? "no tag" : "a tag", printable(line));
    if (example.tokens.empty()) example.line = lines_.number();
    example.tokens.emplace_back(token);
    if (tagged) example.tags.emplace_back(tag);
  }

  Lines& lines_;
  const ReadOptions options_;
  bool skip_rest_ = false;
};

}  // namespace

std::unique_ptr<DataFormat> open_conll(Lines& lines, const ReadOptions& options) {
  return std::make_unique<Conll>(lines, options);
}

std::unique_ptr<DataFormat> open_text(Lines& lines, const ReadOptions&) {
  return std::make_unique<PlainText>(lines);
}

}  // namespace fnet
