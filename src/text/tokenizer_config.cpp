#include "text/tokenizer_config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"

namespace fnet {
namespace {

constexpr std::array<std::string_view, 3> kNormalizations{"raw", "hf_slow", "hf_fast"};

struct TokenKey {
  const char* key;
  std::string TokenizerConfig::* member;
};
constexpr std::array<TokenKey, 4> kTokens{{{"cls_token", &TokenizerConfig::cls_token},
                                           {"sep_token", &TokenizerConfig::sep_token},
                                           {"mask_token", &TokenizerConfig::mask_token},
                                           {"pad_token", &TokenizerConfig::pad_token}}};

/// The name that WordPiece's rules have as a `normalization`.
constexpr std::string_view kBert = "bert";

/// Reads a string, or an AddedToken with its text in "content".
void read_token(const nlohmann::json& json, const std::string& source, const char* key,
                std::string& token) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return;
  const bool object = found->is_object() && found->contains("content");
  token = json_cast<std::string>(object ? (*found)["content"] : *found, source, key);
}

}  // namespace

AddedToken added_token(const nlohmann::json& json, const std::string& source) {
  AddedToken token;
  const auto read = [&](const char* key, auto otherwise) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null()) return otherwise;
    return json_cast<decltype(otherwise)>(*found, source, fmt::format("added token: {}", key));
  };
  token.content = read("content", std::string());
  token.special = read("special", false);
  token.lstrip = read("lstrip", false);
  token.rstrip = read("rstrip", false);
  token.normalized = read("normalized", !token.special);
  return token;
}

nlohmann::ordered_json added_token_json(const AddedToken& token) {
  return {{"content", token.content}, {"single_word", false},           {"lstrip", token.lstrip},
          {"rstrip", token.rstrip},   {"normalized", token.normalized}, {"special", token.special}};
}

TokenizerFile read_tokenizer_config(const std::filesystem::path& path,
                                    const TokenizerConfig& base) {
  const std::string source = path.string();
  const nlohmann::json json = read_json_file(path);
  require(json.is_object(), Kind::input, "{}: expected an object, found {}", source,
          json.type_name());
  TokenizerFile file;
  file.config = base;
  TokenizerConfig& config = file.config;
  const auto read = [&](const char* key, auto& value) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null()) return false;
    value = json_cast<std::remove_reference_t<decltype(value)>>(*found, source, key);
    return true;
  };
  const bool wordpiece = config.kind == TokenizerKind::wordpiece;
  file.says_case = read("do_lower_case", config.do_lower_case);
  if (wordpiece) {
    bool strip = !config.keep_accents;
    if (!read("strip_accents", strip) && file.says_case) strip = config.do_lower_case;
    config.keep_accents = !strip;
    read("tokenize_chinese_chars", config.tokenize_chinese_chars);
    read_token(json, source, "unk_token", config.unk_token);
  } else {
    read("keep_accents", config.keep_accents);
    read("kmer_size", config.kmer_size);
    require(config.kmer_size >= 0 && config.kmer_size <= 8, Kind::input,
            "{}: kmer_size: expected 0 to 8, found {}", source, config.kmer_size);
    if (config.kmer_size > 0) config.kind = TokenizerKind::dna;
  }
  std::string mode = wordpiece ? std::string(kBert) : "raw", side = "right";
  file.ours = json.contains("normalization");
  read("normalization", mode);
  // transformers writes 10^30 where there is no limit.
  const auto length = json.find("model_max_length");
  if (length != json.end() && length->is_number() && length->get<double>() <= 1e9) {
    read("model_max_length", config.model_max_length);
    require(config.model_max_length >= 0, Kind::input,
            "{}: model_max_length: expected at least 0, found {}", source, config.model_max_length);
  }
  if (wordpiece) {
    require(mode == kBert, Kind::input, "{}: normalization: expected {} for WordPiece, found '{}'",
            source, kBert, printable(mode));
  } else {
    const auto* at = std::find(kNormalizations.begin(), kNormalizations.end(), mode);
    require(at != kNormalizations.end(), Kind::input,
            "{}: normalization: expected raw, hf_slow or hf_fast, found '{}'", source,
            printable(mode));
    config.normalization = static_cast<Normalization>(at - kNormalizations.begin());
  }
  for (const TokenKey& token : kTokens) read_token(json, source, token.key, config.*token.member);
  read("truncation_side", side);
  if (side != "right") {
    file.warnings.push_back(
        fmt::format("{}: truncation_side '{}' is not honoured: texts are cut at their end", source,
                    printable(side)));
  }
  const auto added = json.find("added_tokens_decoder");
  if (added == json.end() || !added->is_object()) return file;
  std::map<std::int64_t, AddedToken> tokens;
  for (const auto& [id, token] : added->items()) {
    std::int64_t number = -1;
    std::from_chars(id.data(), id.data() + id.size(), number);
    if (token.is_object() && token.contains("content")) tokens[number] = added_token(token, source);
  }
  for (auto& [id, token] : tokens) {
    file.added.push_back({id, token.content});
    std::vector<AddedToken>& known = config.added_tokens;
    if (wordpiece && std::ranges::find(known, token.content, &AddedToken::content) == known.end())
      known.push_back(std::move(token));
  }
  return file;
}

std::string tokenizer_config_json(const Tokenizer& tokenizer, bool with_json) {
  const TokenizerConfig& config = tokenizer.config();
  const bool wordpiece = config.kind == TokenizerKind::wordpiece;
  nlohmann::ordered_json json;
  // The class that reads tokenizer.json as it stands; transformers' own for FNet changes its rules.
  json["tokenizer_class"] = with_json ? "PreTrainedTokenizerFast" : "FNetTokenizer";
  json["model_input_names"] = {"input_ids", "token_type_ids"};
  json["clean_up_tokenization_spaces"] = false;
  json["do_lower_case"] = config.do_lower_case;
  if (wordpiece) {
    json["strip_accents"] = !config.keep_accents;
    json["tokenize_chinese_chars"] = config.tokenize_chinese_chars;
    json["normalization"] = kBert;
  } else {
    // A "[SEP]" in a text is text, as for SentencePiece.
    if (config.normalization == Normalization::raw) json["split_special_tokens"] = true;
    json["keep_accents"] = config.keep_accents;
    json["normalization"] = kNormalizations[static_cast<std::size_t>(config.normalization)];
  }
  if (config.kmer_size > 0) json["kmer_size"] = config.kmer_size;
  json["unk_token"] = tokenizer.piece(tokenizer.special().unk);
  if (config.model_max_length > 0) json["model_max_length"] = config.model_max_length;
  for (const TokenKey& token : kTokens) json[token.key] = config.*token.member;
  for (const AddedToken& token : config.added_tokens) {
    const std::string id = std::to_string(tokenizer.id(token.content).value_or(-1));
    json["added_tokens_decoder"][id] = added_token_json(token);
  }
  return json.dump(2) + "\n";
}

}  // namespace fnet
