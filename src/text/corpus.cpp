#include "text/corpus.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/hash.h"
#include "core/parallel.h"

namespace fnet {
namespace {

namespace fs = std::filesystem;

// The file: for each group its documents' tokens, then their lengths (uint64); at its end the table
// of the groups, the key, and these. All numbers are little-endian.
struct Tail {
  std::uint64_t groups = 0, key_size = 0, hash = 0;  // hash: of the table and the key
  std::uint64_t magic = kMagic;

  static constexpr std::uint64_t kMagic = 0x316B6F742D746E66;  // "fnt-tok1"
};
static_assert(std::endian::native == std::endian::little);

/// Bytes of text that threads share at a time.
constexpr std::size_t kChunk = std::size_t{4} << 20;
/// Bytes of text between two lines of the log.
constexpr std::uint64_t kTellEvery = std::uint64_t{256} << 20;
/// Pieces that fit 15 bits leave a bit for the beginnings of lines in two bytes.
constexpr std::int32_t kNarrowVocabulary = 1 << 15;

std::uint64_t width_for(std::int32_t vocab_size) { return vocab_size <= kNarrowVocabulary ? 2 : 4; }

template <class T>
std::string_view bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// Of its model and of what is done to a text before it.
std::string hash_of(const Tokenizer& tokenizer) {
  const TokenizerConfig& config = tokenizer.config();
  std::string all =
      fmt::format("{} {} {} {}", static_cast<int>(config.normalization), config.do_lower_case,
                  config.keep_accents, sha256(tokenizer.model()));
  if (config.kind == TokenizerKind::wordpiece) {
    all += fmt::format(" wordpiece {}", config.tokenize_chinese_chars);
    for (const std::string* name : {&config.unk_token, &config.cls_token, &config.sep_token,
                                    &config.pad_token, &config.mask_token})
      all += '\n' + *name;
    for (const AddedToken& token : config.added_tokens)
      all +=
          fmt::format("\n{} {} {} {}", token.content, token.lstrip, token.rstrip, token.normalized);
  }
  return sha256(all);
}

/// What a file is, as far as can be told without reading it.
std::string identity(const fs::path& path) {
  std::error_code error;
  const fs::path whole = fs::canonical(path, error);
  const auto size = error ? 0 : fs::file_size(whole, error);
  const auto time = error ? fs::file_time_type() : fs::last_write_time(whole, error);
  require_path(error, path.native(), "read its status");
  return fmt::format("{} {} {}\n", whole.native(), size, time.time_since_epoch().count());
}

std::string identities(const std::vector<fs::path>& files) {
  std::string all;
  for (const fs::path& file : files) all += identity(file);
  return all;
}

}  // namespace

/// Writes tokens, group by group.
class Corpus::Writer {
 public:
  Writer(const fs::path& path, std::uint64_t width) : file_(path), width_(width) {}

  void begin_document() {
    end_document();
    if (lengths_.size() == kGroup) end_group();
  }

  void add(const std::vector<std::int32_t>& ids, bool begins_line) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const bool first = begins_line && i == 0;
      if (width_ == 2) {
        put(static_cast<std::uint16_t>(ids[i] | (first ? 1 << 15 : 0)));
      } else {
        put(static_cast<std::uint32_t>(ids[i]) | (first ? std::uint32_t{1} << 31 : 0));
      }
    }
    length_ += ids.size();
    if (buffer_.size() >= kChunk) flush();
  }

  /// Whether there is any document.
  bool finish(const std::string& key) {
    end_document();
    end_group();
    if (groups_.empty()) return false;
    write(bytes_of(groups_));
    write(key);
    put(Tail{.groups = groups_.size(),
             .key_size = key.size(),
             .hash = fnv1a(key, fnv1a(bytes_of(groups_)))});
    flush();
    file_.commit();
    return true;
  }

 private:
  template <class T>
  void put(const T& value) {
    buffer_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }

  void end_document() {
    if (length_ > 0) lengths_.push_back(std::exchange(length_, 0));
  }

  void end_group() {
    if (lengths_.empty()) return;
    Group group{.offset = offset_, .documents = lengths_.size(), .hash = fnv1a(bytes_of(lengths_))};
    for (const std::uint64_t length : lengths_) group.tokens += length;
    groups_.push_back(group);
    write(bytes_of(lengths_));
    flush();
    offset_ = written_;
    lengths_.clear();
  }

  void write(std::string_view bytes) { buffer_ += bytes; }

  void flush() {
    file_.write(buffer_);
    written_ += buffer_.size();
    buffer_.clear();
  }

  OutputFile file_;
  std::uint64_t width_;
  std::uint64_t offset_ = 0, written_ = 0;  // where the group begins, and what is on the disk
  std::uint64_t length_ = 0;                // of the document that is being written
  std::string buffer_;
  std::vector<std::uint64_t> lengths_;
  std::vector<Group> groups_;
};

Corpus::Corpus(fs::path path, InputFile file, std::int32_t vocab_size)
    : path_(std::move(path)),
      file_(std::move(file)),
      vocab_size_(vocab_size),
      width_(width_for(vocab_size)) {}

bool Corpus::read_table(const std::string& key) {
  Tail tail;
  if (file_.size() < sizeof tail) return false;
  std::uint64_t left = file_.size() - sizeof tail;
  file_.read(left, std::as_writable_bytes(std::span(&tail, 1)));
  if (tail.magic != Tail::kMagic || tail.key_size != key.size() || tail.key_size > left) {
    return false;
  }
  left -= tail.key_size;
  if (tail.groups > left / sizeof(Group)) return false;
  left -= tail.groups * sizeof(Group);
  std::string found(key.size(), '\0');
  groups_.resize(tail.groups);
  file_.read(left, std::as_writable_bytes(std::span(groups_)));
  file_.read(left + tail.groups * sizeof(Group), std::as_writable_bytes(std::span(found)));
  if (found != key || fnv1a(found, fnv1a(bytes_of(groups_))) != tail.hash) return false;
  // What was cut out in between moves the table's place.
  std::uint64_t end = 0;
  for (const Group& group : groups_) {
    if (group.offset != end) return false;
    end += group.tokens * width_ + group.documents * sizeof(std::uint64_t);
    documents_ += group.documents;
    tokens_ += group.tokens;
  }
  return end == left;
}

void Corpus::fail_damaged() const {
  fail(Kind::input,
       "{}: expected the tokens of a corpus, found damage; remove the file, it will be "
       "made again",
       printable(path_.native()));
}

Corpus Corpus::open(const CorpusOptions& options, const Tokenizer& tokenizer, const Log& log) {
  const std::vector<fs::path> files = corpus_files(options.paths);
  const std::string before = identities(files);
  const DocumentOptions& how = options.reading;
  const std::string key = fmt::format("{} {} {} {}\n{}{}", how.documents, how.format, how.column,
                                      how.skip_bad_lines, before, hash_of(tokenizer));
  std::error_code error;
  fs::create_directories(options.cache, error);
  require_path(error, options.cache.native(), "make the directory");
  fs::path path = options.cache / fmt::format("corpus-{}.tokens", sha256(key).substr(0, 16));
  if (options.keep && path_exists(path)) {
    Corpus corpus(path, InputFile::open(path), tokenizer.vocab_size());
    corpus.reused_ = true;
    if (corpus.read_table(key)) return corpus;
    log(fmt::format("{}: damaged, made again", path.string()));
  }
  if (!options.keep) path += fmt::format(".{}", getpid());

  DocumentReader reader(files, how);
  Writer writer(path, width_for(tokenizer.vocab_size()));
  ThreadPool pool(options.threads);
  std::vector<DocumentReader::Part> parts;
  std::vector<std::vector<std::int32_t>> ids;
  EncodeOptions encoding;
  encoding.add_special_tokens = false;
  std::uint64_t read = 0, told = 0;
  for (bool more = true; more;) {
    if (options.stop && options.stop()) throw Stopped();
    if (read - told >= kTellEvery) {
      told = read;
      log(fmt::format("corpus: tokens of {} MB of text made", read >> 20));
    }
    parts.clear();
    std::size_t bytes = 0;
    while (bytes < kChunk) {
      DocumentReader::Part& part = parts.emplace_back();
      more = reader.next(part);
      if (!more) {
        parts.pop_back();
        break;
      }
      bytes += part.text.size();
    }
    read += bytes;
    ids.assign(parts.size(), {});
    pool.run(parts.size(), [&](std::size_t i, int) {
      ids[i] = tokenizer.encode(parts[i].text, {}, encoding).input_ids;
    });
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].begins_document) writer.begin_document();
      writer.add(ids[i], parts[i].begins_line || parts[i].begins_document);
    }
  }
  if (reader.skipped() > 0) log(fmt::format("corpus: {} bad lines skipped", reader.skipped()));
  if (reader.cut() > 0) {
    log(fmt::format("corpus: {} lines cut, longer than {} bytes", reader.cut(), kMaxCorpusLine));
  }
  require(identities(files) == before, Kind::input,
          "{}: expected files that stay as they are, found one that changed while it was read",
          printable(options.paths[0].native()));
  require(writer.finish(key), Kind::input,
          "{}: expected a document with a token, found none in {} files",
          printable(options.paths[0].native()), files.size());
  Corpus corpus(path, InputFile::open(path), tokenizer.vocab_size());
  if (!options.keep) fs::remove(path, error);  // it lives as long as it is open
  if (!corpus.read_table(key)) corpus.fail_damaged();
  return corpus;
}

std::vector<std::uint64_t> Corpus::lengths(std::uint64_t index) const {
  const Group& group = groups_[index];
  std::vector<std::uint64_t> lengths(group.documents);
  file_.read(group.offset + group.tokens * width_, std::as_writable_bytes(std::span(lengths)));
  if (fnv1a(bytes_of(lengths)) != group.hash) fail_damaged();
  return lengths;
}

Corpus::Piece Corpus::read(std::uint64_t index, std::uint64_t begin, std::uint64_t count) const {
  const Group& group = groups_[index];
  require(begin <= group.tokens && count <= group.tokens - begin, Kind::internal,
          "corpus: {} tokens at {} of a group of {}", count, begin, group.tokens);
  std::vector<std::byte> bytes(count * width_);
  file_.read(group.offset + begin * width_, bytes);
  Piece piece;
  piece.ids.reserve(count);
  piece.begins_line.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint32_t value = 0;
    std::memcpy(&value, bytes.data() + i * width_, width_);
    const std::uint32_t flag = std::uint32_t{1} << (8 * width_ - 1);
    piece.begins_line.push_back((value & flag) != 0);
    piece.ids.push_back(static_cast<std::int32_t>(value & ~flag));
    if (piece.ids.back() >= vocab_size_) fail_damaged();
  }
  return piece;
}

fs::path default_cache() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != 0)
    return fs::path(cache) / "fnet";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != 0)
    return fs::path(home) / ".cache" / "fnet";
  return {};
}

}  // namespace fnet
