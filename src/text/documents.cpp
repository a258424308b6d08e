#include "text/documents.h"

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/file.h"
#include "core/utf8.h"
#include "text/data_format.h"

namespace fnet {
namespace {

namespace fs = std::filesystem;

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos;
}

bool is_jsonl(const fs::path& path) {
  std::string name = path.filename().string();
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  return name.ends_with(".jsonl") || name.ends_with(".ndjson");
}

}  // namespace

std::vector<fs::path> corpus_files(const std::vector<fs::path>& paths) {
  std::vector<fs::path> files;
  for (const fs::path& path : paths) {
    if (!path_is_directory(path)) {
      require(path_exists(path), Kind::input, "{}: expected a file or a directory, found none",
              printable(path.native()));
      std::error_code error;
      require(fs::is_regular_file(path, error), Kind::input,
              "{}: expected a file, found something that is read only once",
              printable(path.native()));
      files.push_back(path);
      continue;
    }
    std::vector<fs::path> found;
    std::error_code error;
    for (fs::recursive_directory_iterator entry(path, error), end; !error && entry != end;
         entry.increment(error)) {
      if (entry->path().filename().native().starts_with('.')) {
        entry.disable_recursion_pending();
      } else if (entry->is_regular_file()) {
        found.push_back(entry->path());
      }
    }
    require_path(error, path.native(), "list");
    require(!found.empty(), Kind::input, "{}: expected files in it, found none",
            printable(path.native()));
    std::ranges::sort(found);
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

struct DocumentReader::State {
  std::vector<fs::path> files;
  DocumentOptions options;
  std::size_t file = 0;  // the next one
  std::optional<Lines> lines;
  std::optional<DataReader> records;
  std::size_t skipped = 0, cut = 0;
  std::string line;      // what is given in parts
  std::size_t at = 0;    // where the next part begins
  bool document = true;  // the next part begins one
  std::string record;    // of jsonl: a document's text
  std::size_t record_at = 0;

  bool open_next() {
    if (records) skipped += records->skipped();
    if (lines) cut += lines->cut();
    lines.reset(), records.reset();
    if (file == files.size()) return false;
    const fs::path& path = files[file++];
    document = true;
    if (options.format == "jsonl" || (options.format.empty() && is_jsonl(path))) {
      ReadOptions read;
      read.format = "jsonl";
      read.skip_bad_lines = options.skip_bad_lines;
      read.max_bytes = kMaxCorpusLine;
      records.emplace(path, read);
    } else {
      lines.emplace(path, kMaxCorpusLine);
      lines->cut_long_lines();
    }
    return true;
  }

  /// The next line of plain text into `line`; false at the file's end.
  bool next_line() {
    for (std::string_view found; lines->next_bytes(found);) {
      if (is_blank(found)) {
        document = document || options.documents == "paragraph";
        continue;
      }
      try {
        lines->check(found);
      } catch (const Error&) {
        if (!options.skip_bad_lines) throw;
        ++skipped;
        continue;
      }
      document = document || options.documents == "line";
      line = found;
      return true;
    }
    return false;
  }

  /// The next line of a record's text.
  bool next_of_record() {
    for (;;) {
      while (record_at < record.size()) {
        const std::size_t end = std::min(record.find('\n', record_at), record.size());
        line = record.substr(record_at, end - record_at);
        record_at = end + 1;
        if (!is_blank(line)) return true;
      }
      Record found;
      if (!records->next(found)) return false;
      record_at = 0;
      document = document || options.documents != "file";
      const std::string place = fmt::format("{}:{}", records->name(), found.line);
      try {
        require(found.find(options.column) != nullptr, Kind::input,
                "expected the field '{}' with a text, found none; --text-column names another",
                printable(options.column));
        record = found.text(options.column);
      } catch (const Error& error) {
        if (!options.skip_bad_lines) throw error.within(place);
        record.clear();
        ++skipped;
      }
    }
  }

  bool next(Part& part) {
    while (at >= line.size()) {
      at = 0;
      line.clear();
      if (!(lines && next_line()) && !(records && next_of_record()) && !open_next()) return false;
    }
    const std::size_t size = whole_words(std::string_view(line).substr(at), kMaxPart);
    part.text.assign(line, at, size);
    part.begins_line = at == 0;
    at += size;
    if (is_blank(part.text)) return next(part);
    part.begins_document = std::exchange(document, false);
    return true;
  }
};

DocumentReader::DocumentReader(std::vector<fs::path> files, DocumentOptions options)
    : state_(std::make_unique<State>()) {
  const auto known = {"paragraph", "line", "file"};
  require(std::ranges::find(known, options.documents) != known.end(), Kind::usage,
          "documents: expected paragraph, line or file, found '{}'", printable(options.documents));
  require(options.format.empty() || options.format == "text" || options.format == "jsonl",
          Kind::usage, "format: expected text or jsonl, found '{}'", printable(options.format));
  state_->files = std::move(files);
  state_->options = std::move(options);
}

DocumentReader::~DocumentReader() = default;

bool DocumentReader::next(Part& part) { return state_->next(part); }
std::size_t DocumentReader::skipped() const noexcept {
  return state_->skipped + (state_->records ? state_->records->skipped() : 0);
}
std::size_t DocumentReader::cut() const noexcept {
  return state_->cut + (state_->lines ? state_->lines->cut() : 0);
}

}  // namespace fnet
