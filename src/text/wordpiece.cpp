// BERT's vocabulary.
#include <algorithm>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/hash.h"
#include "core/utf8.h"
#include "text/bert_words.h"
#include "text/segmenter.h"
#include "text/special_pieces.h"
#include "text/wordpiece.h"

namespace fnet {
namespace {

constexpr std::size_t kMaxPieces = 1 << 20;
constexpr std::size_t kMaxPiece = 4096;
constexpr std::size_t kMaxAdded = 1 << 14;
/// Places of a table that are tried for a piece; half of them are free.
constexpr std::size_t kMaxTries = 1024;
/// Letters of a word; a longer one is unknown. Source: max_input_chars_per_word of BERT.
constexpr std::size_t kMaxLetters = 100;

/// What of a piece stands in a text, and whether it goes on with a word.
std::pair<std::string_view, bool> text_of(std::string_view piece) {
  const bool goes_on = piece.size() > kContinues.size() && piece.starts_with(kContinues);
  return {piece.substr(goes_on ? kContinues.size() : 0), goes_on};
}

BertRules rules_of(const TokenizerConfig& config) {
  return {config.do_lower_case, !config.keep_accents, config.tokenize_chinese_chars};
}

/// Pieces by their text, those that begin a word and those that go on with one apart.
class Lookup {
 public:
  /// Of the first `known` of these, which are not moved while it lives.
  Lookup(const std::vector<std::string>& pieces, std::size_t known, const std::string& name)
      : pieces_(pieces) {
    std::size_t size = 16;
    while (size < 2 * known) size *= 2;
    slots_.resize(size);
    for (std::size_t id = 0; id < known; ++id) {
      const auto [text, goes_on] = text_of(pieces[id]);
      longest_[goes_on] = std::max(longest_[goes_on], text.size());
      const std::uint64_t hash = fnv1a(text, kStart[goes_on]);
      if (find(text, goes_on, hash) >= 0) continue;  // the caller looks for twins
      std::size_t at = mixed(hash) & (size - 1), tries = 0;
      for (; slots_[at].id >= 0; at = (at + 1) & (size - 1)) {
        require(++tries < kMaxTries, Kind::input,
                "{}: line {}: expected pieces of natural texts, found too many of one hash", name,
                id + 1);
      }
      slots_[at] = {tag(hash), static_cast<std::int32_t>(id)};
    }
  }

  /// -1 where there is none.
  std::int32_t find(std::string_view piece) const {
    const auto [text, goes_on] = text_of(piece);
    return find(text, goes_on, fnv1a(text, kStart[goes_on]));
  }

  /// The longest piece that `text` begins with, and its bytes. `hashes` is room for one a byte.
  std::pair<std::int32_t, std::size_t> longest(std::string_view text, bool goes_on,
                                               std::vector<std::uint64_t>& hashes) const {
    std::size_t size = std::min(text.size(), longest_[goes_on]);
    hashes.resize(size);
    std::uint64_t hash = kStart[goes_on];
    for (std::size_t i = 0; i < size; ++i) hashes[i] = hash = fnv1a(text.substr(i, 1), hash);
    for (; size > 0; --size) {
      if (size < text.size() && goes_on_letter(text[size])) continue;
      const std::int32_t id = find(text.substr(0, size), goes_on, hashes[size - 1]);
      if (id >= 0) return {id, size};
    }
    return {-1, 0};
  }

 private:
  struct Slot {
    std::uint32_t tag = 0;  // of the hash, so that few pieces are compared
    std::int32_t id = -1;
  };

  static constexpr std::uint64_t kStart[2] = {14695981039346656037U, 0x9E3779B97F4A7C15U};
  static std::uint32_t tag(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }
  static std::size_t mixed(std::uint64_t hash) { return hash ^ hash >> 29; }

  std::int32_t find(std::string_view text, bool goes_on, std::uint64_t hash) const {
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t at = mixed(hash) & mask; slots_[at].id >= 0; at = (at + 1) & mask) {
      if (slots_[at].tag != tag(hash)) continue;
      const auto [found, continues] = text_of(pieces_[static_cast<std::size_t>(slots_[at].id)]);
      if (continues == goes_on && found == text) return slots_[at].id;
    }
    return -1;
  }

  const std::vector<std::string>& pieces_;
  std::vector<Slot> slots_;
  std::size_t longest_[2] = {0, 0};
};

class WordPiece final : public Segmenter {
 public:
  WordPiece(std::string_view vocabulary, const TokenizerConfig& config, const std::string& name)
      : rules_(rules_of(config)),
        pieces_(read_vocabulary(vocabulary, name)),
        known_(pieces_.size()),
        lookup_((pieces_.reserve(known_ + config.added_tokens.size()), pieces_), known_, name) {
    for (std::size_t i = 0; i < known_; ++i) {
      const std::int32_t twin = lookup_.find(pieces_[i]);
      if (static_cast<std::size_t>(twin) != i) {
        fail(Kind::input, "{}: line {}: '{}' stands there twice, first in line {}", name, i + 1,
             printable(pieces_[i], 40), twin + 1);
      }
    }
    unk_ = lookup_.find(config.unk_token);
    require(unk_ >= 0, Kind::input, "{}: expected the piece '{}' (unk_token), found none", name,
            printable(config.unk_token, 40));
    require(config.added_tokens.size() <= kMaxAdded, Kind::input,
            "{}: expected at most {} added tokens, found {}", name, kMaxAdded,
            config.added_tokens.size());
    std::vector<SpecialPiece> specials, inside;
    for (const std::string* named : {&config.unk_token, &config.cls_token, &config.sep_token,
                                     &config.pad_token, &config.mask_token}) {
      const bool told = std::ranges::any_of(
          config.added_tokens, [&](const AddedToken& token) { return token.content == *named; });
      if (const auto found = id(*named); found && !told)
        specials.push_back({*named, *found, false, false});
    }
    for (const AddedToken& token : config.added_tokens) {
      const std::string fault = fault_of(token.content);
      require(fault.empty(), Kind::input, "{}: added token '{}': {}", name,
              printable(token.content, 40), fault);
      std::int32_t at = id(token.content).value_or(-1);
      if (at < 0) {
        at = static_cast<std::int32_t>(pieces_.size());
        pieces_.push_back(token.content);
      }
      if (token.special) controls_.push_back(at);
      const std::string word = token.normalized ? one_word(token.content, config) : std::string();
      if (word.empty())
        specials.push_back({token.content, at, token.lstrip, token.rstrip});
      else
        inside.push_back({word, at, false, false});
    }
    inside_ = SpecialPieces(std::move(inside));
    std::erase(controls_, unk_);
    std::ranges::sort(controls_);
    specials_ = SpecialPieces(std::move(specials));
  }

  std::vector<Token> segment(std::string_view text) const override {
    std::vector<Token> out;
    out.reserve(text.size() / 4);
    std::vector<std::uint64_t> hashes;
    BertWord word;
    specials_.cut(
        text,
        [&](std::size_t begin, std::size_t end) {
          for (BertWords words(text.substr(begin, end - begin), rules_); words.next(word);)
            add(word, begin, hashes, out);
        },
        [&](const SpecialPiece& piece, std::size_t begin) {
          out.push_back({piece.id, {begin, begin + piece.text.size()}});
        });
    return out;
  }

  // Source: the decoder WordPiece of Hugging Face's tokenizers, with cleanup.
  std::string decode(const std::vector<int>& ids) const override {
    static constexpr std::string_view kNoSpace[] = {".",  "?",  "!",   ",",  "n't",
                                                    "'m", "'s", "'ve", "'re"};
    std::string text;
    for (const int id : ids) {
      std::string_view piece = pieces_[static_cast<std::size_t>(id)];
      if (!text.empty()) {
        const auto begins = [&](std::string_view word) { return piece.starts_with(word); };
        if (begins(kContinues)) {
          piece.remove_prefix(kContinues.size());
        } else if (std::ranges::none_of(kNoSpace, begins)) {
          text += ' ';
        }
      }
      text += piece;
    }
    return text;
  }

  std::int32_t size() const noexcept override { return static_cast<std::int32_t>(pieces_.size()); }
  const std::string& piece(std::int32_t id) const override {
    return pieces_[static_cast<std::size_t>(id)];
  }
  std::optional<std::int32_t> id(std::string_view piece) const override {
    if (const std::int32_t id = lookup_.find(piece); id >= 0) return id;
    const auto added = pieces_.begin() + static_cast<std::ptrdiff_t>(known_);
    const auto found = std::find(added, pieces_.end(), piece);
    if (found == pieces_.end()) return {};
    return static_cast<std::int32_t>(found - pieces_.begin());
  }
  std::int32_t unk() const noexcept override { return unk_; }
  bool is_control(std::int32_t id) const noexcept override {
    return std::ranges::binary_search(controls_, id);
  }
  bool writes(std::int32_t) const noexcept override { return true; }

  std::string surface(std::int32_t id) const override {
    const auto [text, goes_on] = text_of(piece(id));
    std::string surface(goes_on ? 0 : 1, ' ');
    return surface.append(text);
  }
  std::optional<std::int32_t> id_of_surface(std::string_view surface) const override {
    const bool begins = surface.starts_with(' ');
    return id(begins ? std::string(surface.substr(1)) : std::string(kContinues).append(surface));
  }

 private:
  /// Adds the pieces of a word of the text that begins at `begin`.
  void add(const BertWord& word, std::size_t begin, std::vector<std::uint64_t>& hashes,
           std::vector<Token>& out) const {
    inside_.cut(
        word.text,
        [&](std::size_t first, std::size_t end) { add(word, first, end, begin, hashes, out); },
        [&](const SpecialPiece& piece, std::size_t first) {
          out.push_back({piece.id, moved(word.bytes_of(first, first + piece.text.size()), begin)});
        });
  }

  /// The same of bytes [first, last) of the word.
  void add(const BertWord& word, std::size_t first, std::size_t last, std::size_t begin,
           std::vector<std::uint64_t>& hashes, std::vector<Token>& out) const {
    const std::size_t before = out.size();
    const std::string_view text = std::string_view(word.text).substr(first, last - first);
    bool whole = word.letters <= kMaxLetters || letters_of(text) <= kMaxLetters;
    for (std::size_t at = 0; whole && at < text.size();) {
      const auto [id, size] = lookup_.longest(text.substr(at), at > 0, hashes);
      if (id >= 0) out.push_back({id, moved(word.bytes_of(first + at, first + at + size), begin)});
      whole = id >= 0;
      at += size;
    }
    if (whole) return;
    out.resize(before);
    out.push_back({unk_, moved(word.bytes_of(first, last), begin)});
  }

  static Span moved(Span bytes, std::size_t by) { return {bytes.begin + by, bytes.end + by}; }

  static std::size_t letters_of(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char byte) { return !goes_on_letter(byte); }));
  }

  BertRules rules_;
  std::vector<std::string> pieces_;  // of the vocabulary, then those added to it
  std::size_t known_;                // of the vocabulary
  Lookup lookup_;
  std::int32_t unk_ = -1;
  std::vector<std::int32_t> controls_;  // ascending
  SpecialPieces specials_, inside_;     // of the text itself; of its words
};

}  // namespace

std::string one_word(std::string_view text, const TokenizerConfig& config) {
  BertWords words(text, rules_of(config));
  BertWord word, next;
  return words.next(word) && !words.next(next) ? word.text : std::string();
}

std::string fault_of(std::string_view piece) {
  if (piece.empty()) return "expected a piece, found nothing";
  if (piece.size() > kMaxPiece)
    return fmt::format("expected at most {} bytes, found {}", kMaxPiece, piece.size());
  if (invalid_utf8(piece) != piece.npos)
    return fmt::format("expected UTF-8, found '{}'", printable(piece, 40));
  if (piece.find_first_of("\r\n") != piece.npos)
    return fmt::format("expected a piece of one line, found '{}'", printable(piece, 40));
  return {};
}

std::vector<std::string> read_vocabulary(std::string_view text, const std::string& name) {
  std::vector<std::string> pieces;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view piece = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (piece.ends_with('\r')) piece.remove_suffix(1);
    const std::string fault = fault_of(piece);
    require(fault.empty(), Kind::input, "{}: line {}: {}", name, pieces.size() + 1, fault);
    require(pieces.size() < kMaxPieces, Kind::input, "{}: expected at most {} pieces, found more",
            name, kMaxPieces);
    pieces.emplace_back(piece);
  }
  require(!pieces.empty(), Kind::input, "{}: expected a piece a line, found none", name);
  return pieces;
}

std::shared_ptr<const Segmenter> wordpiece_segmenter(std::string_view vocabulary,
                                                     const TokenizerConfig& config,
                                                     const std::string& name) {
  return std::make_shared<const WordPiece>(vocabulary, config, name);
}

}  // namespace fnet
