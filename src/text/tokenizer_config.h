#pragma once

#include <filesystem>
#include <string>

#include "fnet/tokenizer.h"

namespace fnet {

/// A piece that a folder's files add to those of the model.
struct AddedToken {
  std::int64_t id = 0;
  std::string content;
};

/// What tokenizer_config.json says.
struct TokenizerFile {
  TokenizerConfig config;
  std::vector<AddedToken> added;      ///< `added_tokens_decoder`
  std::vector<std::string> warnings;  ///< what it asks for and is not done here
  bool ours = false;  ///< it names a `normalization`: whoever wrote it knows what is read here
};

/// Reads tokenizer_config.json in Hugging Face's form; keys that change no id are ignored.
/// Throws: input where a value has a wrong type or `normalization` an unknown name.
TokenizerFile read_tokenizer_config(const std::filesystem::path& path);

/// The same config as JSON text. `with_json`: a tokenizer.json stands beside it.
std::string tokenizer_config_json(const TokenizerConfig& config, const std::string& unk_token,
                                  bool with_json);

}  // namespace fnet
