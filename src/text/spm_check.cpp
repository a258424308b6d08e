#include "text/spm_check.h"

#include <algorithm>
#include <bitset>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <unordered_set>

#include "core/error.h"
#include "core/utf8.h"

namespace fnet {
namespace {

using Type = SpmSummary::Type;

constexpr std::size_t kMaxFile = 64 << 20;
constexpr std::size_t kMaxPieces = 1 << 20;
constexpr std::size_t kMaxPiece = 4096;
constexpr std::size_t kMaxPieceBytes = 16 << 20;  // all together: the library builds a trie of them
constexpr std::size_t kMaxCharsmap = 16 << 20;
constexpr std::size_t kMaxSelfTest = 1 << 20;  // the library encodes these texts at load
constexpr std::size_t kMaxNested = 63;         // PrefixMatcher's buffer on the stack has 64 places
constexpr std::size_t kMaxRules = 31;          // Normalizer's buffer on the stack has 32
constexpr std::size_t kMaxGrowth = 18;         // bytes out for a byte in; NFKC needs 11

enum Wire : unsigned { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

struct Field {
  unsigned number = 0;
  Wire wire = varint;
  std::uint64_t value = 0;  // varint
  std::string_view data;    // bytes, fixed32, fixed64
};

// One message, field by field.
class Message {
 public:
  Message(std::string_view data, const std::string& place) : data_(data), place_(place) {}

  bool next(Field& field) {
    if (data_.empty()) return false;
    const std::uint64_t tag = read_varint();
    require(tag >> 3 > 0 && tag >> 3 < (1U << 29), Kind::input,
            "{}: expected a protobuf field number, found {}", place_, tag >> 3);
    field = {static_cast<unsigned>(tag >> 3), static_cast<Wire>(tag & 7), 0, {}};
    switch (field.wire) {
      case varint:
        field.value = read_varint();
        break;
      case fixed64:
        field.data = take(8);
        break;
      case fixed32:
        field.data = take(4);
        break;
      case bytes:
        field.data = take(read_varint());
        break;
      default:
        fail(Kind::input, "{}: field {}: expected wire type 0, 1, 2 or 5, found {}", place_,
             field.number, tag & 7);
    }
    return true;
  }

  // The same, where the message's fields are known: refuses a known field of another wire type, or
  // one that stands there twice unless it is repeated.
  void expect(const Field& field, Wire wire, bool repeated = false) {
    require(field.wire == wire, Kind::input, "{}: field {}: expected wire type {}, found {}",
            place_, field.number, static_cast<unsigned>(wire), static_cast<unsigned>(field.wire));
    require(repeated || !seen_[field.number], Kind::input, "{}: field {} stands there twice",
            place_, field.number);
    seen_[field.number] = true;
  }

 private:
  std::uint64_t read_varint() {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < 10; ++i) {
      require(i < data_.size(), Kind::input,
              "{}: the file ends inside a number; it is cut short or "
              "no SentencePiece model",
              place_);
      const auto byte = static_cast<unsigned char>(data_[i]);
      value |= std::uint64_t{byte & 0x7FU} << (7 * i);
      if (byte < 0x80) {
        data_.remove_prefix(i + 1);
        return value;
      }
    }
    fail(Kind::input, "{}: expected a number of at most 10 bytes; this is no SentencePiece model",
         place_);
  }

  std::string_view take(std::uint64_t size) {
    require(size <= data_.size(), Kind::input,
            "{}: expected {} more bytes, found {}; the file is cut "
            "short or damaged",
            place_, size, data_.size());
    const std::string_view out = data_.substr(0, size);
    data_.remove_prefix(size);
    return out;
  }

  std::string_view data_;
  const std::string& place_;
  std::bitset<64> seen_;
};

// A precompiled charsmap is <bytes of the trie, uint32><trie><replacements, each ended by NUL>. The
// trie is a Darts-clone double array: `base` stands for a state; the unit at base ^ byte continues
// it if its label is that byte, leads to base' = position ^ offset(unit), and, if it has a leaf,
// the unit at base' holds the place of a replacement. Every unit belongs to one base at most, so
// one pass lists all edges, and the search from the root sees exactly what the library could.
void check_charsmap(std::string_view blob, const std::string& place) {
  const auto unit = [&](std::size_t i) {
    std::uint32_t value;
    std::memcpy(&value, blob.data() + 4 * (i + 1), 4);
    return value;
  };
  require(blob.size() <= kMaxCharsmap, Kind::input, "{}: expected at most {} bytes, found {}",
          place, kMaxCharsmap, blob.size());
  require(blob.size() > 4, Kind::input, "{}: expected more than 4 bytes, found {}", place,
          blob.size());
  std::uint32_t trie_bytes;
  std::memcpy(&trie_bytes, blob.data(), 4);
  require(trie_bytes >= 1024 && trie_bytes % 1024 == 0 && trie_bytes < blob.size() - 4, Kind::input,
          "{}: expected a trie of a multiple of 1024 bytes inside {}, found {}", place, blob.size(),
          trie_bytes);
  const std::size_t units = trie_bytes / 4;
  const std::string_view replacements = blob.substr(4 + trie_bytes);
  require(replacements.back() == '\0', Kind::input, "{}: expected the replacements to end with NUL",
          place);
  require(invalid_utf8(replacements) == std::string_view::npos, Kind::input,
          "{}: expected the replacements in UTF-8", place);

  constexpr std::uint32_t none = ~0U;
  std::vector<std::uint32_t> child(units, none), sibling(units, none);
  for (std::size_t i = 0; i < units; ++i) {
    if (unit(i) >> 31 != 0) continue;  // a leaf: no byte is its label
    const std::size_t base = i ^ (unit(i) & 0xFFU);
    sibling[i] = child[base];
    child[base] = static_cast<std::uint32_t>(i);
  }
  const auto offset = [](std::uint32_t value) { return (value >> 10) << ((value & 0x200U) >> 6); };

  std::vector<std::uint32_t> depth(units, none), rules(units, 0), queue;
  const auto reach = [&](std::size_t base, std::uint32_t bytes_read, std::uint32_t matches) {
    require(base < units, Kind::input, "{}: the trie leads out of its {} units", place, units);
    if (depth[base] != none && matches <= rules[base]) return;
    if (depth[base] == none) depth[base] = bytes_read;  // breadth first: the shortest key
    rules[base] = matches;
    queue.push_back(static_cast<std::uint32_t>(base));
  };
  reach(offset(unit(0)), 0, 0);
  // NOLINTNEXTLINE(modernize-loop-convert): the queue grows meanwhile
  for (std::size_t head = 0; head < queue.size(); ++head) {
    const std::uint32_t base = queue[head];
    for (std::uint32_t i = child[base]; i != none; i = sibling[i]) {
      const std::uint32_t value = unit(i), next = i ^ offset(value), length = depth[base] + 1;
      const bool leaf = (value >> 8 & 1U) != 0;
      require(rules[base] + leaf <= kMaxRules, Kind::input,
              "{}: expected at most {} rules that begin alike, found more", place, kMaxRules);
      reach(next, length, rules[base] + leaf);
      if (!leaf) continue;
      const std::uint32_t at = unit(next) & 0x7FFFFFFFU;
      require(at < replacements.size(), Kind::input,
              "{}: expected a replacement in {} bytes, found one at {}", place, replacements.size(),
              at);
      require((static_cast<unsigned char>(replacements[at]) & 0xC0U) != 0x80, Kind::input,
              "{}: the replacement at {} begins inside a character", place, at);
      const std::size_t size = replacements.find('\0', at) - at;
      require(size <= kMaxGrowth * length, Kind::input,
              "{}: expected a replacement of at most {} bytes for {}, found {}", place,
              kMaxGrowth * length, length, size);
    }
  }
}

void check_normalizer(std::string_view data, const std::string& place, SpmSummary& out) {
  Message message(data, place);
  for (Field field; message.next(field);) {
    if (field.number == 2) {
      message.expect(field, bytes);
      if (!field.data.empty()) check_charsmap(field.data, place + ": precompiled_charsmap");
      out.charsmap = field.data;
    } else if (field.number >= 3 && field.number <= 5) {
      message.expect(field, varint);
      bool& rule = field.number == 3   ? out.add_dummy_prefix
                   : field.number == 4 ? out.remove_extra_whitespaces
                                       : out.escape_whitespaces;
      rule = field.value != 0;
    }
  }
}

void check_trainer(std::string_view data, const std::string& place, SpmSummary& out) {
  Message message(data, place);
  for (Field field; message.next(field);) {
    if (field.number == 3) {
      message.expect(field, varint);
      require(field.value == 1 || field.value == 2, Kind::input,
              "{}: model_type: expected 1 (unigram) or 2 (bpe), found {}", place, field.value);
      out.bpe = field.value == 2;
    } else if (field.number == 24 || field.number == 35) {
      message.expect(field, varint);
      (field.number == 24 ? out.suffix_space : out.byte_fallback) = field.value != 0;
    } else if (field.number >= 44 && field.number <= 48) {  // pieces and surface of special tokens
      message.expect(field, bytes);
      require(field.data.size() <= kMaxPiece, Kind::input,
              "{}: field {}: expected at most {} bytes, "
              "found {}",
              place, field.number, kMaxPiece, field.data.size());
      require(invalid_utf8(field.data) == std::string_view::npos, Kind::input,
              "{}: field {}: expected UTF-8", place, field.number);
    }
  }
}

}  // namespace

SpmSummary check_sentencepiece(std::string_view model, const std::string& name) {
  require(model.size() <= kMaxFile, Kind::input,
          "{}: expected a model of at most {} bytes, found {}", name, kMaxFile, model.size());
  SpmSummary out;
  std::unordered_set<std::string_view> texts;
  std::vector<std::string_view> symbols;
  std::size_t unknowns = 0, total = 0;

  Message message(model, name);
  for (Field field; message.next(field);) {
    if (field.number == 1) {
      message.expect(field, bytes, true);
      const std::string place = fmt::format("{}: piece {}", name, out.pieces.size());
      require(out.pieces.size() < kMaxPieces, Kind::input, "{}: expected at most {} pieces", name,
              kMaxPieces);
      SpmSummary::Piece piece;
      Message inner(field.data, place);
      for (Field part; inner.next(part);) {
        if (part.number == 1) {
          inner.expect(part, bytes);
          piece.text = part.data;
        } else if (part.number == 2) {
          inner.expect(part, fixed32);
          std::memcpy(&piece.score, part.data.data(), sizeof piece.score);
          require(std::isfinite(piece.score), Kind::input,
                  "{}: score: expected a finite number, found {}", place, piece.score);
          piece.score_offset = static_cast<std::size_t>(part.data.data() - model.data());
        } else if (part.number == 3) {
          inner.expect(part, varint);
          require(part.value >= 1 && part.value <= 6, Kind::input,
                  "{}: type: expected 1 to 6, found {}", place, part.value);
          piece.type = static_cast<Type>(part.value);
        }
      }
      require(!piece.text.empty() && piece.text.size() <= kMaxPiece, Kind::input,
              "{}: expected 1 to {} bytes, found {}", place, kMaxPiece, piece.text.size());
      require(piece.type == Type::byte || invalid_utf8(piece.text) == std::string_view::npos,
              Kind::input, "{}: expected UTF-8, found '{}'", place, printable(piece.text, 40));
      require(texts.insert(piece.text).second, Kind::input, "{}: '{}' stands there twice", place,
              printable(piece.text, 40));
      total += piece.text.size();
      unknowns += piece.type == Type::unknown;
      if (piece.type == Type::user_defined) symbols.push_back(piece.text);
      out.pieces.push_back(piece);
    } else if (field.number == 2) {
      message.expect(field, bytes);
      check_trainer(field.data, name + ": trainer_spec", out);
    } else if (field.number == 3) {
      message.expect(field, bytes);
      check_normalizer(field.data, name + ": normalizer_spec", out);
      out.normalizer_spec = field.data;
    } else if (field.number == 4) {
      message.expect(field, bytes);
      require(field.data.size() <= kMaxSelfTest, Kind::input,
              "{}: self_test_data: expected at most {} bytes, found {}", name, kMaxSelfTest,
              field.data.size());
    } else if (field.number == 5) {
      message.expect(field, bytes);
      SpmSummary ignored;
      check_normalizer(field.data, name + ": denormalizer_spec", ignored);
    }
  }
  require(!out.pieces.empty(), Kind::input,
          "{}: expected pieces, found none; this is no SentencePiece "
          "model",
          name);
  require(unknowns == 1, Kind::input, "{}: expected one piece of type UNKNOWN, found {}", name,
          unknowns);
  require(total <= kMaxPieceBytes, Kind::input,
          "{}: expected pieces of at most {} bytes together, "
          "found {}",
          name, kMaxPieceBytes, total);

  // Symbols that begin one another, as a, ab, abc: sorted, each stands after those it begins with.
  std::sort(symbols.begin(), symbols.end());
  std::vector<std::string_view> chain;
  for (const std::string_view symbol : symbols) {
    while (!chain.empty() && !symbol.starts_with(chain.back())) chain.pop_back();
    chain.push_back(symbol);
    require(chain.size() <= kMaxNested, Kind::input,
            "{}: expected at most {} user-defined symbols that begin one another, found more", name,
            kMaxNested);
  }
  return out;
}

}  // namespace fnet
