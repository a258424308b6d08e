#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "fnet/tokenizer.h"
#include "text/documents.h"

namespace fnet {

/// What a corpus is made of, and where its tokens are kept.
struct CorpusOptions {
  std::vector<std::filesystem::path> paths = {};  ///< files and directories
  DocumentOptions reading = {};
  /// Directory of the files with tokens; they stay there for the next run unless `keep` is false.
  std::filesystem::path cache = {};
  bool keep = true;
  int threads = 0;                  ///< that make tokens; 0: one for each core
  std::function<bool()> stop = {};  ///< true: make no more of them
};

/// The documents of files as tokens, made once and kept in a file that is read where it is needed:
/// memory holds some 40 bytes for each 512 documents, however long they are.
///
/// The file's name and its key follow from the paths, sizes and times of the texts' files, from how
/// they are read, and from the tokenizer. It appears whole or not at all; one that is damaged or
/// has another key counts as missing. docs/pretraining.md has its layout.
class Corpus {
 public:
  /// What a line of the log is told to.
  using Log = std::function<void(std::string_view)>;

  /// Thrown where options.stop asked for it; nothing is left behind.
  struct Stopped {};

  /// Opens the tokens of these texts, or makes them. Throws: Stopped; input where a text is bad, no
  /// document has a token, or a file changed while it was read; system where the cache cannot be
  /// written.
  static Corpus open(const CorpusOptions& options, const Tokenizer& tokenizer, const Log& log);

  std::uint64_t documents() const noexcept { return documents_; }
  std::uint64_t tokens() const noexcept { return tokens_; }
  bool reused() const noexcept { return reused_; }  ///< the tokens were there already
  const std::filesystem::path& file() const noexcept { return path_; }

  /// Documents that stand together in the file.
  static constexpr std::uint64_t kGroup = 512;
  std::uint64_t groups() const noexcept { return groups_.size(); }

  /// Tokens of each document of a group, in order. Throws: input where the file is damaged.
  std::vector<std::uint64_t> lengths(std::uint64_t group) const;

  /// A piece of a document.
  struct Piece {
    std::vector<std::int32_t> ids;
    std::vector<bool> begins_line;  ///< of each token: it is the first of a line
  };

  /// `count` tokens of a group, from the one at `begin` in it. Throws: input where the file is
  /// damaged or was cut short.
  Piece read(std::uint64_t group, std::uint64_t begin, std::uint64_t count) const;

 private:
  struct Group {
    std::uint64_t offset = 0, tokens = 0, documents = 0, hash = 0;  // hash: of its lengths
  };
  class Writer;

  Corpus(std::filesystem::path path, InputFile file, std::int32_t vocab_size);
  bool read_table(const std::string& key);
  [[noreturn]] void fail_damaged() const;

  std::filesystem::path path_;
  InputFile file_;
  std::int32_t vocab_size_;
  std::uint64_t width_;  // bytes of a token
  std::uint64_t documents_ = 0, tokens_ = 0;
  bool reused_ = false;
  std::vector<Group> groups_;
};

/// Where tokens are kept unless somebody says otherwise: $XDG_CACHE_HOME/fnet or ~/.cache/fnet;
/// empty where neither is known.
std::filesystem::path default_cache();

}  // namespace fnet
