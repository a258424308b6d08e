// Plain text, a text a line, and CoNLL columns, a token a line.
#include <algorithm>
#include <optional>
#include <utility>

#include "text/data_format.h"

namespace fnet {
namespace {

// Where the first line begins with __label__, every line begins with one or more of these:
// fastText's form.
class PlainText final : public DataFormat {
 public:
  explicit PlainText(Lines& lines) : lines_(lines) {
    lines_.cut_long_lines();
    std::string_view line;
    if (lines_.next_bytes(line)) first_ = line;
    labelled_ = first_ && first_->starts_with(kLabel);
  }

  bool next(Record& record) override {
    const std::optional<std::string> first = std::exchange(first_, {});
    std::string_view line;
    if (first) {
      line = *first;
    } else if (!lines_.next_bytes(line)) {
      return false;
    }
    record.line = lines_.number();
    lines_.check(line);
    if (labelled_) read_labels(line, record);
    record.fields.push_back({fields_[0], std::string(line)});
    return true;
  }

  std::span<const std::string> fields() const override {
    return std::span(fields_).first(labelled_ ? 2 : 1);
  }

 private:
  static constexpr std::string_view kLabel = "__label__";

  // Moves the labels from the line into the record; more than one are a list.
  void read_labels(std::string_view& line, Record& record) {
    std::vector<std::string> labels;
    while (line.starts_with(kLabel)) {
      const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
      labels.emplace_back(line.substr(kLabel.size(), end - kLabel.size()));
      line.remove_prefix(std::min(line.find_first_not_of(" \t", end), line.size()));
    }
    if (labels.empty())
      lines_.bad(record.line, "expected '{}' at the start as in the first line, found '{}'", kLabel,
                 printable(line, 40));
    record.fields.push_back(
        {fields_[1], labels.size() == 1 ? Record::Value(labels[0]) : Record::Value(labels)});
  }

  Lines& lines_;
  const std::array<std::string, 2> fields_ = {"text", "label"};
  std::optional<std::string> first_;  // read already, to see which form it has
  bool labelled_ = false;
};

// The token stands in the first column, its tag in the last; a blank line ends a sentence. Columns
// are parted by tabs or, where a line has none, by spaces. Before a sentence, a line that begins
// with "# " and has no tab is a comment, unless the sentence goes on in two columns parted by
// spaces and it has two as well.
class Conll final : public DataFormat {
 public:
  explicit Conll(Lines& lines) : lines_(lines) {}

  bool next(Record& record) override {
    tokens_.clear();
    tags_.clear();
    hashes_ = 0;
    try {
      read_sentence(record.line);
    } catch (const Error&) {
      if (record.line == 0) record.line = lines_.number();
      skip_sentence();  // half a sentence is none
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
      line = line.substr(0, line.find_last_not_of(' ') + 1);
      if (ends_sentence(line)) {
        if (tokens_.empty()) continue;
        return;
      }
      if (tokens_.size() == hashes_ && is_comment(line)) continue;
      size += line.size();
      if (size > lines_.max_bytes())
        lines_.bad(lines_.number(),
                   "expected at most {} bytes in a sentence, found more; a blank line ends one",
                   lines_.max_bytes());
      if (tokens_.empty()) first_line = lines_.number();
      add(line);
    }
  }

  static bool ends_sentence(std::string_view line) {
    return line.find_first_not_of(" \t") == std::string_view::npos ||
           line.starts_with("-DOCSTART-");
  }

  // Whether it begins with "# ", has no tab, and is not just `#` and a tag.
  static bool is_comment(std::string_view line) {
    return line.starts_with("# ") && line.find('\t') == std::string_view::npos &&
           line.find_first_not_of(' ', 2) != line.find_last_of(' ') + 1;
  }

  void skip_sentence() {
    for (std::string_view line; lines_.next_bytes(line) && !ends_sentence(line);) continue;
  }

  void add(std::string_view line) {
    if (tokens_.size() == hashes_ && hashes_ > 0 && line.find('\t') != std::string_view::npos) {
      tokens_.clear(), tags_.clear();  // comments after all
      hashes_ = 0;
    }
    const char separator = line.find('\t') != std::string_view::npos ? '\t' : ' ';
    if (separator == ' ') line.remove_prefix(line.find_first_not_of(' '));
    const std::size_t first = line.find(separator), last = line.rfind(separator);
    const std::string_view token = line.substr(0, first);
    std::string_view tag = last == std::string_view::npos ? "" : line.substr(last + 1);
    tag.remove_prefix(std::min(tag.find_first_not_of(' '), tag.size()));
    const bool tagged = last != std::string_view::npos;
    if (token.empty()) lines_.bad(lines_.number(), "column 1: expected a token, found nothing");
    if (tagged && tag.empty())
      lines_.bad(lines_.number(), "expected a tag in the last column, found none");
    if (!tokens_.empty() && tagged == tags_.empty())
      lines_.bad(lines_.number(), "expected {} as in the sentence's other lines, found '{}'",
                 tagged ? "no tag" : "a tag", printable(line));
    if (tokens_.size() == hashes_ && token == "#" && separator == ' ') ++hashes_;
    tokens_.emplace_back(token);
    if (tagged) tags_.emplace_back(tag);
  }

  Lines& lines_;
  const std::array<std::string, 2> fields_ = {"tokens", "tags"};
  std::vector<std::string> tokens_, tags_;
  std::size_t hashes_ = 0;  // lines "# tag" that the sentence begins with
};

}  // namespace

std::unique_ptr<DataFormat> open_conll(Lines& lines) { return std::make_unique<Conll>(lines); }

std::unique_ptr<DataFormat> open_text(Lines& lines) { return std::make_unique<PlainText>(lines); }

}  // namespace fnet
