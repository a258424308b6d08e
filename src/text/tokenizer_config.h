#pragma once

#include <filesystem>
#include <string>

#include "fnet/tokenizer.h"

namespace fnet {

/// Reads tokenizer_config.json in Hugging Face's form; keys that change no id are ignored.
/// Throws: input where a value has a wrong type or `normalization` an unknown name.
TokenizerConfig read_tokenizer_config(const std::filesystem::path& path);

/// The same config as JSON text, with the class name that Hugging Face looks for.
std::string tokenizer_config_json(const TokenizerConfig& config, const std::string& unk_token);

}  // namespace fnet
