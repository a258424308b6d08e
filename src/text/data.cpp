#include "text/data.h"

#include <algorithm>

#include "core/numbers.h"
#include "core/utf8.h"
#include "text/data_format.h"

namespace fnet {
namespace {

struct FormatEntry {
  std::string_view name;
  std::array<std::string_view, 3> extensions;
  std::unique_ptr<DataFormat> (*open)(Lines&);
  std::size_t least_bytes = 0;  // of a line that may be read, whatever ReadOptions say
};

// The one list of formats.
constexpr std::array<FormatEntry, 7> kFormats{{
    {"tsv", {".tsv"}, open_tsv},
    {"csv", {".csv"}, open_csv},
    {"jsonl", {".jsonl", ".ndjson"}, open_jsonl},
    {"squad", {".json"}, open_squad, std::size_t{1} << 30},  // its files are one line
    {"conll", {".conll", ".bio", ".iob"}, open_conll},
    {"npy", {".npy"}, open_npy},
    {"text", {".txt", ".text"}, open_text},
}};

const FormatEntry& find_format(std::filesystem::path path, const std::string& format,
                               bool numbers) {
  if (!format.empty()) {
    for (const FormatEntry& entry : kFormats)
      if (entry.name == format) return entry;
    fail(Kind::usage, "format: expected {}, found '{}'", fmt::join(data_formats(), ", "),
         printable(format));
  }
  if (path == "-") return numbers ? kFormats[1] : kFormats.back();
  if (path.extension() == ".gz") path.replace_extension();
  const std::string extension = path.extension().string();
  for (const FormatEntry& entry : kFormats)
    for (const std::string_view known : entry.extensions)
      if (!extension.empty() && extension == known) return entry;
  fail(Kind::usage,
       "{}: expected an extension that tells the format, found '{}'; name the format: {}",
       path.string(), printable(extension), fmt::join(data_formats(), ", "));
}

/// Of a line that may be read.
std::size_t line_bytes(const std::filesystem::path& path, const ReadOptions& options) {
  return std::max(options.max_bytes,
                  find_format(path, options.format, options.numbers).least_bytes);
}

const Record::Value& at(const Record& record, std::string_view name) {
  const Record::Value* value = record.find(name);
  require(value != nullptr, Kind::input, "expected a field '{}', found none", name);
  return *value;
}

[[noreturn]] void refuse(std::string_view name, std::string_view expected,
                         const Record::Value& value) {
  const auto* other = std::get_if<Record::Other>(&value);
  static constexpr std::array<std::string_view, 5> kFound = {"a text", "a number or a boolean",
                                                             "a list of texts", "", "numbers"};
  fail(Kind::input, "{}: expected {}, found {}", name, expected,
       other != nullptr ? std::string_view(other->found) : kFound[value.index()]);
}

}  // namespace

Lines::Lines(const std::filesystem::path& path, std::size_t max_bytes)
    : file_(path, max_bytes), max_bytes_(max_bytes) {}

Lines::Lines(std::string bytes, std::string name, std::size_t max_bytes)
    : file_(std::move(bytes), std::move(name), max_bytes), max_bytes_(max_bytes) {}

bool Lines::next(std::string_view& line) {
  if (!next_bytes(line)) return false;
  check(line);
  return true;
}

bool Lines::next_bytes(std::string_view& line) {
  const std::size_t cut = file_.cut();
  if (!file_.next(line)) return false;
  if (file_.cut() > cut) {  // no half a letter where the line was cut
    const std::size_t at = invalid_utf8(line);
    if (at != std::string_view::npos && at + 4 > line.size()) line = line.substr(0, at);
  }
  return true;
}

void Lines::check(std::string_view line) const {
  const std::size_t at = invalid_utf8(line);
  if (at == std::string_view::npos) return;
  bad(number(), "byte {}: expected UTF-8, found 0x{:02x}", at,
      static_cast<unsigned char>(line[at]));
}

const Record::Value* Record::find(std::string_view name) const {
  const auto found = std::ranges::find(fields, name, &Field::name);
  return found == fields.end() ? nullptr : &found->value;
}

const std::string& Record::text(std::string_view name) const {
  const Value& value = at(*this, name);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  refuse(name, "a text", value);
}

const std::string& Record::label(std::string_view name) const {
  const Value& value = at(*this, name);
  if (const auto* literal = std::get_if<Literal>(&value)) return literal->text;
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  refuse(name, "a text, a number or a boolean", value);
}

const std::vector<std::string>& Record::list(std::string_view name) const {
  const Value& value = at(*this, name);
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) return *list;
  refuse(name, "a list of texts", value);
}

Array Record::array(std::string_view name) const {
  const Value& value = at(*this, name);
  if (const auto* array = std::get_if<Array>(&value)) return *array;
  const auto* list = std::get_if<std::vector<std::string>>(&value);
  if (list == nullptr) refuse(name, "numbers", value);
  Array array({list->size()}, {});
  for (const std::string& item : *list) {
    const auto number = to_number<double>(item);
    require(number.has_value(), Kind::input, "{}[{}]: expected a number, found '{}'", name,
            array.data.size(), printable(item, 40));
    array.data.push_back(static_cast<float>(*number));
  }
  return array;
}

struct DataReader::State {
  const FormatEntry& entry;
  Lines lines;
  const ReadOptions& options;  // while the format is opened
  bool skip_bad_lines = options.skip_bad_lines;
  std::unique_ptr<DataFormat> format = open();
  std::unique_ptr<LabelFile> labels = open_labels();
  std::vector<std::string> fields = all_fields();
  std::size_t skipped = 0;
  std::uint64_t line = 0;  // where the last record ended

  std::unique_ptr<DataFormat> open() {
    const bool table = entry.open == open_tsv || entry.open == open_csv;
    if (!options.numbers || !table) return entry.open(lines);
    return open_numbers(lines, entry.open == open_tsv ? '\t' : ',',
                        options.labels.empty() ? options.label_column : "");
  }
  std::vector<std::string> all_fields() const {
    std::vector<std::string> all(format->fields().begin(), format->fields().end());
    if (labels && !all.empty()) all.push_back(options.label_column);
    return all;
  }
  std::unique_ptr<LabelFile> open_labels() const {
    if (options.labels.empty()) return nullptr;
    require(!options.skip_bad_lines, Kind::usage,
            "labels: expected no skipping of bad lines with a file of labels, which are told by "
            "their places");
    return std::make_unique<LabelFile>(options.labels, options.label_column);
  }
};

DataReader::DataReader(const std::filesystem::path& path, const ReadOptions& options)
    : state_(new State{find_format(path, options.format, options.numbers),
                       Lines(path, line_bytes(path, options)), options}) {}

DataReader::DataReader(std::string bytes, const std::string& name, const ReadOptions& options)
    : state_(new State{find_format(name, options.format, options.numbers),
                       Lines(std::move(bytes), name, line_bytes(name, options)), options}) {}

DataReader::~DataReader() = default;
DataReader::DataReader(DataReader&&) noexcept = default;

bool DataReader::next(Record& record) {
  for (;;) {
    record = {};
    try {
      const bool more = state_->format->next(record);
      state_->line = state_->lines.number();
      if (state_->labels) state_->labels->add(more, name(), record);
      return more;
    } catch (const Error& error) {
      // Where no line was read, it is the file that is bad, and the next try would fail again.
      const std::uint64_t after = state_->lines.number();
      const bool line =
          error.kind() == Kind::input && after > state_->line && !state_->format->lost();
      state_->line = after;
      if (!state_->skip_bad_lines || !line) throw;
      state_->skipped += after - (record.line > 0 ? record.line - 1 : after - 1);
    }
  }
}

const std::string& DataReader::name() const noexcept { return state_->lines.name(); }
std::string_view DataReader::format() const noexcept { return state_->entry.name; }
std::span<const std::string> DataReader::fields() const noexcept { return state_->fields; }
bool DataReader::skips_bad_lines() const noexcept { return state_->skip_bad_lines; }
std::size_t DataReader::skipped() const noexcept { return state_->skipped; }
std::size_t DataReader::cut() const noexcept { return state_->lines.cut(); }

std::string_view data_format(const std::filesystem::path& path, const std::string& format) {
  return find_format(path, format, false).name;
}

std::span<const std::string_view> data_formats() {
  static constexpr auto names = [] {
    std::array<std::string_view, kFormats.size()> out;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = kFormats[i].name;
    return out;
  }();
  return names;
}

}  // namespace fnet
