#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fnet {

/// How the texts of a corpus are read.
struct DocumentOptions {
  std::string documents = "paragraph";  ///< what is one, of plain text: paragraph, line, file
  std::string format;           ///< text or jsonl; empty: jsonl where the file's name says so
  std::string column = "text";  ///< of jsonl: the field with a document's text
  bool skip_bad_lines = false;  ///< count what is no UTF-8 or no JSON instead of throwing
};

/// The regular files that paths stand for: of a directory all in it and below, in the order of
/// their names, but for hidden ones. Throws: input where there is none.
std::vector<std::filesystem::path> corpus_files(const std::vector<std::filesystem::path>& paths);

/// The documents of a corpus, line by line, in memory bounded by the longest line: plain text or
/// JSON lines, each perhaps gzip.
class DocumentReader {
 public:
  /// A line of a document, or a part of a long one that ends between two words where it can.
  struct Part {
    std::string text;
    bool begins_line = false, begins_document = false;
  };

  /// Throws: usage where an option has no such value.
  DocumentReader(std::vector<std::filesystem::path> files, DocumentOptions options);
  ~DocumentReader();
  DocumentReader(const DocumentReader&) = delete;
  DocumentReader& operator=(const DocumentReader&) = delete;

  /// The next part that has more than white space; false at the end. Throws: input, with file and
  /// line, where something is bad; system.
  bool next(Part& part);

  std::size_t skipped() const noexcept;  ///< bad lines so far
  std::size_t cut() const noexcept;      ///< lines so far that were too long and cut

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Bytes of a line that are read; the rest of a longer one is left out.
constexpr std::size_t kMaxCorpusLine = std::size_t{16} << 20;
/// Bytes of a part at most.
constexpr std::size_t kMaxPart = std::size_t{64} << 10;

}  // namespace fnet
