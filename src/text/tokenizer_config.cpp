#include "text/tokenizer_config.h"

#include <array>
#include <charconv>
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

}  // namespace

TokenizerFile read_tokenizer_config(const std::filesystem::path& path) {
  const std::string source = path.string();
  const nlohmann::json json = read_json_file(path);
  require(json.is_object(), Kind::input, "{}: expected an object, found {}", source,
          json.type_name());
  TokenizerFile file;
  TokenizerConfig& config = file.config;
  const auto read = [&](const char* key, auto& value) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null()) return;
    value = json_cast<std::remove_reference_t<decltype(value)>>(*found, source, key);
  };
  read("do_lower_case", config.do_lower_case);
  read("keep_accents", config.keep_accents);
  read("kmer_size", config.kmer_size);
  require(config.kmer_size >= 0 && config.kmer_size <= 8, Kind::input,
          "{}: kmer_size: expected 0 to 8, found {}", source, config.kmer_size);
  std::string mode = "raw", side = "right";
  file.ours = json.contains("normalization");
  read("normalization", mode);
  // transformers writes 10^30 where there is no limit.
  const auto length = json.find("model_max_length");
  if (length != json.end() && length->is_number() && length->get<double>() <= 1e9) {
    read("model_max_length", config.model_max_length);
    require(config.model_max_length >= 0, Kind::input,
            "{}: model_max_length: expected at least 0, found {}", source, config.model_max_length);
  }
  const auto* at = std::find(kNormalizations.begin(), kNormalizations.end(), mode);
  require(at != kNormalizations.end(), Kind::input,
          "{}: normalization: expected raw, hf_slow or hf_fast, found '{}'", source,
          printable(mode));
  config.normalization = static_cast<Normalization>(at - kNormalizations.begin());
  for (const TokenKey& token : kTokens) {  // a string, or an AddedToken with its text in "content"
    const auto found = json.find(token.key);
    if (found == json.end() || found->is_null()) continue;
    const bool object = found->is_object() && found->contains("content");
    config.*token.member =
        json_cast<std::string>(object ? (*found)["content"] : *found, source, token.key);
  }
  read("truncation_side", side);
  if (side != "right") {
    file.warnings.push_back(
        fmt::format("{}: truncation_side '{}' is not honoured: texts are cut at their end", source,
                    printable(side)));
  }
  const auto added = json.find("added_tokens_decoder");
  if (added != json.end() && added->is_object()) {
    for (const auto& [id, token] : added->items()) {
      std::int64_t number = -1;
      std::from_chars(id.data(), id.data() + id.size(), number);
      if (token.is_object() && token.contains("content"))
        file.added.push_back(
            {number, json_cast<std::string>(token["content"], source, "added_tokens_decoder")});
    }
  }
  return file;
}

std::string tokenizer_config_json(const TokenizerConfig& config, const std::string& unk_token,
                                  bool with_json) {
  nlohmann::ordered_json json;
  // The class that reads tokenizer.json as it stands; transformers' own for FNet changes its rules.
  json["tokenizer_class"] = with_json ? "PreTrainedTokenizerFast" : "FNetTokenizer";
  json["model_input_names"] = {"input_ids", "token_type_ids"};
  json["clean_up_tokenization_spaces"] = false;
  // A "[SEP]" in a text is text, as for SentencePiece.
  if (config.normalization == Normalization::raw) json["split_special_tokens"] = true;
  json["do_lower_case"] = config.do_lower_case;
  json["keep_accents"] = config.keep_accents;
  json["normalization"] = kNormalizations[static_cast<std::size_t>(config.normalization)];
  if (config.kmer_size > 0) json["kmer_size"] = config.kmer_size;
  json["unk_token"] = unk_token;
  if (config.model_max_length > 0) json["model_max_length"] = config.model_max_length;
  for (const TokenKey& token : kTokens) json[token.key] = config.*token.member;
  return json.dump(2) + "\n";
}

}  // namespace fnet
