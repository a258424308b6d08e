#include "text/segmenter.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "core/error.h"
#include "core/utf8.h"
#include "text/normalize.h"
#include "text/special_pieces.h"
#include "text/spm_check.h"

namespace fnet {
namespace {

namespace spm = sentencepiece;

// Protobuf merges a message that stands there twice, field by field, so appending one overrides.
// Field 3 of a model is its NormalizerSpec; in there 2 precompiled_charsmap, 3 add_dummy_prefix,
// 4 remove_extra_whitespaces, 5 escape_whitespaces.
constexpr std::string_view kOnlyEscape{"\x1a\x06\x12\x00\x18\x00\x20\x00", 8};
constexpr std::string_view kOnlyCharsmap{"\x1a\x06\x18\x00\x20\x00\x28\x00", 8};

void check(const spm::util::Status& status, const std::string& name) {
  require(status.ok(), Kind::input, "{}: {}", name, printable(status.message()));
}

template <class Model>
void load(Model& model, std::string_view bytes, const std::string& name) {
  spm::util::Status status;
  try {
    status = model.LoadFromSerializedProto({bytes.data(), bytes.size()});
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {  // the double array can't hold every set of pieces
    fail(Kind::input, "{}: SentencePiece refuses the model: {}", name, error.what());
  }
  check(status, name);
}

// Field 3 of a protobuf message, of type bytes.
std::string field_3(std::string_view data) {
  std::string out = "\x1a";
  std::size_t size = data.size();
  for (; size >= 0x80; size >>= 7) out += static_cast<char>((size & 0x7FU) | 0x80U);
  out += static_cast<char>(size);
  return out.append(data);
}

void penalize_digit_comma(std::string& model, const SpmSummary& summary) {
  for (const SpmSummary::Piece& piece : summary.pieces) {
    if (!is_digit_comma(piece.text) || piece.score_offset == 0) continue;
    const float score = piece.score - kDigitCommaPenalty;
    std::memcpy(model.data() + piece.score_offset, &score, sizeof score);
  }
}

// White space in front of a token's text is not part of it.
Span trim(std::string_view text, std::size_t begin, std::size_t end) {
  while (begin < end) {
    const CodePoint c = decode_utf8(text.substr(begin));
    if (!is_space(c.value)) break;
    begin = std::min(end, begin + c.length);
  }
  return {begin, end};
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  while (!text.empty()) {
    const std::size_t at = std::min(text.find(from), text.size());
    out += text.substr(0, at);
    text.remove_prefix(at);
    if (!text.empty()) out += to, text.remove_prefix(from.size());
  }
  return out;
}

class SentencePiece final : public Segmenter {
 public:
  SentencePiece(std::string_view model, const TokenizerConfig& config, const std::string& name);

  std::vector<Token> segment(std::string_view text) const override;
  std::string decode(const std::vector<int>& ids) const override;
  std::int32_t size() const noexcept override;
  const std::string& piece(std::int32_t id) const override;
  std::optional<std::int32_t> id(std::string_view piece) const override;
  std::int32_t unk() const noexcept override;
  bool is_control(std::int32_t id) const noexcept override;
  std::string surface(std::int32_t id) const override;
  std::optional<std::int32_t> id_of_surface(std::string_view surface) const override;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

struct SentencePiece::Impl {
  TokenizerConfig config;
  spm::SentencePieceProcessor processor;
  spm::SentencePieceNormalizer charsmap;  // hf_fast: the model's table alone
  spm::SentencePieceNormalizer nfkc;      // where accents go

  SpecialPieces specials;  // hf modes: those that stand in the text itself

  void raw(std::string_view text, auto&& each) const {
    spm::ImmutableSentencePieceText result;
    check(processor.Encode({text.data(), text.size()}, result.mutable_proto()), "text");
    for (std::size_t i = 0; i < result.pieces_size(); ++i) each(result.pieces(static_cast<int>(i)));
  }

  AlignedText normalized(const spm::SentencePieceNormalizer& rules, const AlignedText& in) const {
    AlignedText out;
    check(rules.Normalize(in.text, &out.text, &out.origin), "text");
    if (out.origin.empty()) out.origin.push_back(in.text.size());  // nothing is left
    for (std::size_t& i : out.origin) i = in.origin[i];
    return out;
  }

  AlignedText case_and_accents(AlignedText in) const {
    if (!config.keep_accents) in = strip_accents(normalized(nfkc, in));
    if (config.do_lower_case) in = lower_case(in);
    return in;
  }

  void segment_raw(std::string_view text, std::vector<Token>& out) const {
    if (!config.do_lower_case && config.keep_accents) {
      raw(text, [&](const auto& piece) {
        out.push_back(
            {static_cast<std::int32_t>(piece.id()), trim(text, piece.begin(), piece.end())});
      });
      return;
    }
    const AlignedText in = case_and_accents(AlignedText(text));
    raw(in.text, [&](const auto& piece) {
      out.push_back({static_cast<std::int32_t>(piece.id()),
                     trim(text, in.origin[piece.begin()], in.origin[piece.end()])});
    });
  }

  void segment_slow(std::string_view text, std::vector<Token>& out) const {
    const AlignedText in = case_and_accents(replace_quotes(strip_and_collapse(AlignedText(text))));
    raw(in.text, [&](const auto& piece) {
      const Token token{static_cast<std::int32_t>(piece.id()),
                        trim(text, in.origin[piece.begin()], in.origin[piece.end()])};
      if (!split_digit_comma(piece.piece(), token, out)) out.push_back(token);
    });
  }

  // "▁2005," becomes what SentencePiece makes of "2005", and ",". Source: transformers 4,
  // FNetTokenizer._tokenize.
  bool split_digit_comma(std::string_view piece, const Token& token,
                         std::vector<Token>& out) const {
    if (!is_digit_comma(piece)) return false;
    std::string head;
    for (std::size_t i = 0; i + 1 < piece.size();) {
      const CodePoint c = decode_utf8(piece.substr(i));
      if (piece.substr(i, c.length) != kSpaceSymbol) head += piece.substr(i, c.length);
      i += c.length;
    }
    std::vector<std::string> parts;
    check(processor.Encode(head, &parts), "text");
    if (!piece.starts_with(kSpaceSymbol) && !parts.empty() && parts[0].starts_with(kSpaceSymbol)) {
      parts[0].erase(0, kSpaceSymbol.size());
      if (parts[0].empty()) parts.erase(parts.begin());
    }
    // Where the text stands as it is, the parts share its bytes out; else each has them all.
    const bool same = token.bytes.end - token.bytes.begin == head.size() + 1;
    std::size_t at = token.bytes.begin;
    const auto put = [&](std::string_view part) {
      const std::size_t size =
          part.size() - (part.starts_with(kSpaceSymbol) ? kSpaceSymbol.size() : 0);
      out.push_back({processor.PieceToId({part.data(), part.size()}),
                     same ? Span{at, at + size} : token.bytes});
      at += size;
    };
    for (const std::string& part : parts) put(part);
    put(",");
    return true;
  }

  void segment_fast(std::string_view text, std::vector<Token>& out) const {
    AlignedText in = case_and_accents(replace_quotes(AlignedText(text)));
    in = collapse_spaces(normalized(charsmap, in));
    if (in.text.empty()) return;
    if (!in.text.starts_with(' ') && !in.text.starts_with(kSpaceSymbol)) {
      in.text.insert(in.text.begin(), ' ');
      in.origin.insert(in.origin.begin(), in.origin.front());
    }
    raw(in.text, [&](const auto& piece) {
      out.push_back({static_cast<std::int32_t>(piece.id()),
                     trim(text, in.origin[piece.begin()], in.origin[piece.end()])});
    });
  }

  void segment(std::string_view text, std::vector<Token>& out) const {
    if (config.normalization == Normalization::hf_slow) return segment_slow(text, out);
    if (config.normalization == Normalization::hf_fast) return segment_fast(text, out);
    segment_raw(text, out);
  }
};

SentencePiece::SentencePiece(std::string_view model, const TokenizerConfig& config,
                             const std::string& name) {
  // The library logs to stderr; what matters comes back as a status. (Set once, for every thread.)
  [[maybe_unused]] static const bool quiet = (spm::SetMinLogLevel(3), true);
  const SpmSummary summary = check_sentencepiece(model, name);
  auto impl = std::make_unique<Impl>();
  impl->config = config;
  if (config.normalization == Normalization::hf_fast) {
    std::string patched(model);
    penalize_digit_comma(patched, summary);
    load(impl->processor, patched.append(kOnlyEscape), name);
    load(impl->charsmap, field_3(summary.normalizer_spec).append(kOnlyCharsmap), name);
  } else {
    load(impl->processor, model, name);
  }
  if (!config.keep_accents) {
    spm::SentencePieceNormalizer rules;
    check(rules.LoadFromRuleName("nfkc"), "nfkc");
    load(impl->nfkc, rules.serialized_model_proto().append(kOnlyCharsmap), "nfkc");
  }
  const auto& processor = impl->processor;
  std::vector<SpecialPiece> specials;
  for (int id = 0; id < processor.GetPieceSize() && config.normalization != Normalization::raw;
       ++id) {
    const std::string& piece = processor.IdToPiece(id);
    const bool named = piece == config.cls_token || piece == config.sep_token ||
                       piece == config.pad_token || piece == config.mask_token;
    // The converter adds every control piece; the Python tokenizer knows the named ones.
    const bool control = config.normalization == Normalization::hf_fast && processor.IsControl(id);
    if (named || control || processor.IsUnknown(id))
      specials.push_back({piece, id, piece == config.mask_token, false});
  }
  impl->specials = SpecialPieces(std::move(specials));
  impl_ = std::move(impl);
}

std::vector<Token> SentencePiece::segment(std::string_view text) const {
  std::vector<Token> out;
  impl_->specials.cut(
      text,
      [&](std::size_t begin, std::size_t end) {
        const std::size_t first = out.size();
        impl_->segment(text.substr(begin, end - begin), out);
        for (std::size_t i = first; i < out.size(); ++i) {
          out[i].bytes.begin += begin;
          out[i].bytes.end += begin;
        }
      },
      [&](const SpecialPiece& piece, std::size_t begin) {
        out.push_back({piece.id, {begin, begin + piece.text.size()}});
      });
  return out;
}

std::string SentencePiece::decode(const std::vector<int>& ids) const {
  std::string out;
  check(impl_->processor.Decode(ids, &out), "decode");
  return out;
}

std::int32_t SentencePiece::size() const noexcept { return impl_->processor.GetPieceSize(); }

const std::string& SentencePiece::piece(std::int32_t id) const {
  return impl_->processor.IdToPiece(id);
}

std::optional<std::int32_t> SentencePiece::id(std::string_view piece) const {
  const int id = impl_->processor.PieceToId({piece.data(), piece.size()});
  if (impl_->processor.IdToPiece(id) != piece) return {};
  return id;
}

std::int32_t SentencePiece::unk() const noexcept { return impl_->processor.unk_id(); }

bool SentencePiece::is_control(std::int32_t id) const noexcept {
  return impl_->processor.IsControl(id);
}

std::string SentencePiece::surface(std::int32_t id) const {
  return replaced(piece(id), kSpaceSymbol, " ");
}

std::optional<std::int32_t> SentencePiece::id_of_surface(std::string_view surface) const {
  const std::optional<std::int32_t> found = id(replaced(surface, " ", kSpaceSymbol));
  return found ? found : id(surface);
}

}  // namespace

std::shared_ptr<const Segmenter> sentencepiece_segmenter(std::string_view model,
                                                         const TokenizerConfig& config,
                                                         const std::string& name) {
  return std::make_shared<const SentencePiece>(model, config, name);
}

}  // namespace fnet
