#include "text/tokenizer_json.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "core/utf8.h"
#include "text/normalize.h"
#include "text/segmenter.h"
#include "text/spm_check.h"
#include "text/wordpiece_json.h"

namespace fnet {
namespace {

using Json = nlohmann::ordered_json;
using Type = SpmSummary::Type;

bool expressible(const SpmSummary& model) {
  return !model.suffix_space && model.escape_whitespaces &&
         std::ranges::none_of(model.pieces, [](const SpmSummary::Piece& piece) {
           return piece.type == Type::unused || invalid_utf8(piece.text) != std::string_view::npos;
         });
}

std::string base64(std::string_view bytes) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::string_view three = bytes.substr(i, 3);
    std::uint32_t value = 0;
    for (std::size_t k = 0; k < 3; ++k)
      value = value << 8 | (k < three.size() ? static_cast<unsigned char>(three[k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k)
      out += k <= three.size() ? kDigits[value >> (18 - 6 * k) & 63U] : '=';
  }
  return out;
}

/// A text as a regular expression of itself.
std::string quoted(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view(R"([]\^$.|?*+(){}<>/-&#~)").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

Json replace(const char* kind, std::string_view pattern, std::string_view content) {
  return {{"type", "Replace"}, {"pattern", {{kind, pattern}}}, {"content", content}};
}

Json normalizer(const SpmSummary& model, const TokenizerConfig& config) {
  Json all = Json::array();
  const bool raw = config.normalization == Normalization::raw;
  const bool fast = config.normalization == Normalization::hf_fast;
  if (config.normalization == Normalization::hf_slow) {
    all.push_back({{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}});
    all.push_back(replace("Regex", R"(\s+)", " "));
  }
  if (!raw) {
    all.push_back(replace("String", "``", "\""));
    all.push_back(replace("String", "''", "\""));
  }
  if (!config.keep_accents) {
    all.push_back({{"type", "NFKD"}});
    all.push_back({{"type", "StripAccents"}});
  }
  if (config.do_lower_case) all.push_back({{"type", "Lowercase"}});
  if (!model.charsmap.empty())
    all.push_back({{"type", "Precompiled"}, {"precompiled_charsmap", base64(model.charsmap)}});
  if (!fast && model.remove_extra_whitespaces) all.push_back(replace("Regex", R"(\A +| +\z)", ""));
  if (fast || model.remove_extra_whitespaces) all.push_back(replace("Regex", " {2,}", " "));
  if (raw && model.add_dummy_prefix) all.push_back(replace("Regex", R"(\A(?=[\s\S]))", " "));
  return {{"type", "Sequence"}, {"normalizers", all}};
}

Json split(const std::vector<std::string>& patterns, const char* behavior) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", fmt::format("{}", fmt::join(patterns, "|"))}}},
          {"behavior", behavior},
          {"invert", false}};
}

Json pre_tokenizer(const SpmSummary& model, const TokenizerConfig& config) {
  const bool raw = config.normalization == Normalization::raw;
  const bool across = std::ranges::any_of(model.pieces, [](const SpmSummary::Piece& piece) {
    const std::size_t space = piece.text.rfind(kSpaceSymbol);
    return space > 0 && space != std::string_view::npos;
  });
  const bool prefix = config.normalization == Normalization::hf_fast || model.add_dummy_prefix;
  Json all = {{{"type", "Metaspace"},
               {"replacement", kSpaceSymbol},
               {"prepend_scheme", raw || !prefix ? "never" : "always"},
               {"split", !across}}};
  std::vector<std::string> user, inside;
  for (const SpmSummary::Piece& piece : model.pieces) {
    if (piece.type == Type::user_defined) user.push_back(quoted(piece.text));
    if (piece.type != Type::unknown && piece.type != Type::control) continue;
    const std::size_t first = decode_utf8(piece.text).length;
    if (first < piece.text.size())
      inside.push_back(fmt::format("{}(?={})", quoted(piece.text.substr(0, first)),
                                   quoted(piece.text.substr(first))));
  }
  // What the user defined is a piece wherever it stands; of two, the longer one.
  std::ranges::stable_sort(user, std::greater<>(), &std::string::size);
  if (raw && !user.empty()) all.push_back(split(user, "Isolated"));
  // The unigram model of tokenizers reads "<unk>" in a text as the piece. SentencePiece does not:
  // a cut inside keeps it from being seen.
  if (raw && !model.bpe && !inside.empty()) all.push_back(split(inside, "MergedWithPrevious"));
  return {{"type", "Sequence"}, {"pretokenizers", all}};
}

/// Every pair of pieces that makes a third one, the best first. Those of one piece: the shorter
/// left part first.
Json merges(const SpmSummary& model, const std::vector<float>& scores) {
  std::unordered_map<std::string_view, bool> known;
  for (const SpmSummary::Piece& piece : model.pieces)
    if (piece.type == Type::normal) known[piece.text] = true;
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < model.pieces.size(); ++i)
    if (model.pieces[i].type == Type::normal) order.push_back(i);
  std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t i) { return scores[i]; });
  Json out = Json::array();
  for (const std::size_t i : order) {
    const std::string_view text = model.pieces[i].text;
    for (std::size_t cut = decode_utf8(text).length; cut < text.size();
         cut += decode_utf8(text.substr(cut)).length) {
      if (known.contains(text.substr(0, cut)) && known.contains(text.substr(cut)))
        out.push_back({text.substr(0, cut), text.substr(cut)});
    }
  }
  return out;
}

Json pieces(const SpmSummary& model, const TokenizerConfig& config, std::int32_t unk) {
  std::vector<float> scores;
  float least = 0;
  std::size_t longest = 1;
  for (const SpmSummary::Piece& piece : model.pieces) {
    const bool penalty = config.normalization != Normalization::raw && is_digit_comma(piece.text);
    scores.push_back(piece.score - (penalty ? kDigitCommaPenalty : 0.0F));
    if (piece.type == Type::normal)
      least = std::min(least, scores.back());
    else
      longest = std::max(longest, piece.text.size());
  }
  if (model.bpe) {
    Json vocab = Json::object();
    // An ordered object looks through all its keys for each new one: fill its list.
    Json::object_t::Container& list = vocab.get_ref<Json::object_t&>();
    for (std::size_t i = 0; i < model.pieces.size(); ++i)
      list.emplace_back(std::string(model.pieces[i].text), i);
    return {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", model.pieces[static_cast<std::size_t>(unk)].text},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", true},
            {"byte_fallback", model.byte_fallback},
            {"ignore_merges", config.normalization == Normalization::raw},
            {"vocab", vocab},
            {"merges", merges(model, scores)}};
  }
  Json vocab = Json::array();
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    const SpmSummary::Piece& piece = model.pieces[i];
    float score = scores[i];
    if (piece.type == Type::user_defined) score = 0;  // better than any other way to write it
    if (piece.type == Type::unknown || piece.type == Type::control)
      score = static_cast<float>(longest) * least;  // worse: a text is never read as it
    vocab.push_back({piece.text, score});
  }
  return {{"type", "Unigram"},
          {"unk_id", unk},
          {"vocab", vocab},
          {"byte_fallback", model.byte_fallback}};
}

Json added_tokens(const SpmSummary& model, const TokenizerConfig& config) {
  const bool raw = config.normalization == Normalization::raw;
  Json out = Json::array();
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    const SpmSummary::Piece& piece = model.pieces[i];
    const bool mask = piece.text == config.mask_token;
    if (!mask && piece.type != Type::unknown && piece.type != Type::control) continue;
    out.push_back({{"id", i},
                   {"content", piece.text},
                   {"single_word", false},
                   {"lstrip", !raw && mask},
                   {"rstrip", false},
                   {"normalized", false},
                   {"special", true}});
  }
  return out;
}

}  // namespace

Json template_of(const TokenizerConfig& config, const SpecialIds& special) {
  if (special.cls < 0 || special.sep < 0) return nullptr;
  const auto token = [](const std::string& name, int type) {
    return Json{{"SpecialToken", {{"id", name}, {"type_id", type}}}};
  };
  const auto text = [](const char* name, int type) {
    return Json{{"Sequence", {{"id", name}, {"type_id", type}}}};
  };
  const auto entry = [](const std::string& name, std::int32_t id) {
    return Json{{"id", name}, {"ids", {id}}, {"tokens", {name}}};
  };
  const Json single = {token(config.cls_token, 0), text("A", 0), token(config.sep_token, 0)};
  Json pair = single;
  pair.push_back(text("B", 1));
  pair.push_back(token(config.sep_token, 1));
  return {{"type", "TemplateProcessing"},
          {"single", single},
          {"pair", pair},
          {"special_tokens",
           {{config.cls_token, entry(config.cls_token, special.cls)},
            {config.sep_token, entry(config.sep_token, special.sep)}}}};
}

namespace {

/// One letter of DNA is one token; what is none becomes <unk> there, and not an error.
std::string dna_json(const TokenizerConfig& config, const SpecialIds& special) {
  const auto dna = dna_segmenter(config.kmer_size, config);
  const Segmenter& letters = *dna;
  Json vocab = Json::object(), added = Json::array(), rules = Json::array();
  for (std::int32_t id = 0; id < letters.size(); ++id) {
    const std::string& piece = letters.piece(id);
    vocab[piece] = id;
    if (id == letters.unk() || letters.is_control(id)) {
      added.push_back({{"id", id},
                       {"content", piece},
                       {"single_word", false},
                       {"lstrip", false},
                       {"rstrip", false},
                       {"normalized", false},
                       {"special", true}});
    }
  }
  rules.push_back(replace("Regex", "\\s", ""));
  for (const auto& [pattern, base] : {std::pair{"a", "A"},
                                      {"c", "C"},
                                      {"g", "G"},
                                      {"[tuU]", "T"},
                                      {"[nRrYySsWwKkMmBbDdHhVvXx.\\-]", "N"}})
    rules.push_back(replace("Regex", pattern, base));
  const Json json = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added},
      {"normalizer", {{"type", "Sequence"}, {"normalizers", rules}}},
      {"pre_tokenizer",
       {{"type", "Split"},
        {"pattern", {{"Regex", "."}}},
        {"behavior", "Isolated"},
        {"invert", false}}},
      {"post_processor", template_of(config, special)},
      {"decoder", {{"type", "Fuse"}}},
      {"model", {{"type", "WordLevel"}, {"vocab", vocab}, {"unk_token", letters.piece(0)}}}};
  return json.dump() + "\n";
}

}  // namespace

std::string tokenizer_json(std::string_view model, const TokenizerConfig& config,
                           const SpecialIds& special) {
  if (config.kind == TokenizerKind::wordpiece) return wordpiece_json(model, config, special);
  // Tokens that overlap are beyond that format.
  if (config.kind == TokenizerKind::dna)
    return config.kmer_size == 1 ? dna_json(config, special) : "";
  const SpmSummary summary = check_sentencepiece(model, "spiece.model");
  if (!expressible(summary)) return {};
  const Json json = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", added_tokens(summary, config)},
                     {"normalizer", normalizer(summary, config)},
                     {"pre_tokenizer", pre_tokenizer(summary, config)},
                     {"post_processor", template_of(config, special)},
                     {"decoder",
                      {{"type", "Metaspace"},
                       {"replacement", kSpaceSymbol},
                       {"prepend_scheme", "always"},
                       {"split", true}}},
                     {"model", pieces(summary, config, special.unk)}};
  return json.dump() + "\n";
}

}  // namespace fnet
