#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "fnet/tokenizer.h"

namespace fnet {

/// A piece that a folder's files add to those of the model.
struct AddedPiece {
  std::int64_t id = 0;
  std::string content;
};

/// What tokenizer_config.json says.
struct TokenizerFile {
  TokenizerConfig config;
  std::vector<AddedPiece> added;      ///< `added_tokens_decoder`
  std::vector<std::string> warnings;  ///< what it asks for and is not done here
  bool says_case = false;             ///< it has `do_lower_case`
  bool ours = false;  ///< it names a `normalization`: whoever wrote it knows what is read here
};

/// Reads tokenizer_config.json in Hugging Face's form; keys that change no id are ignored. What it
/// does not say is as in `base`, whose kind is what the folder's other files tell.
/// Throws: input where a value has a wrong type or `normalization` an unknown name.
TokenizerFile read_tokenizer_config(const std::filesystem::path& path,
                                    const TokenizerConfig& base = {});

/// A tokenizer's config as JSON text. `with_json`: a tokenizer.json stands beside it.
std::string tokenizer_config_json(const Tokenizer& tokenizer, bool with_json);

/// An added token in Hugging Face's form. Throws: input where a value has a wrong type.
AddedToken added_token(const nlohmann::json& json, const std::string& source);
nlohmann::ordered_json added_token_json(const AddedToken& token);

}  // namespace fnet
