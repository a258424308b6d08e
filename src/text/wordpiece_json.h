#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "fnet/tokenizer.h"

namespace fnet {

/// What a tokenizer.json says of WordPiece.
struct WordPieceFile {
  std::string vocabulary;  ///< a piece a line
  TokenizerConfig config;
  std::vector<std::string> warnings;  ///< what it asks for and is not done here
};

/// What a vocabulary of BERT means where no file says more.
TokenizerConfig wordpiece_config();

/// Whether a tokenizer.json is one of WordPiece. Throws: input where it is no JSON.
bool is_wordpiece_json(const std::filesystem::path& path);

/// Reads a tokenizer.json of WordPiece behind BERT's normalisation, as Hugging Face's tokenizers
/// write it for BERT. Throws: input where it is of another kind, damaged, or has ids that are not 0
/// to V-1 once each.
WordPieceFile read_wordpiece_json(const std::filesystem::path& path);

/// The same from the file's text; `name` stands for it in messages.
WordPieceFile parse_wordpiece_json(std::string_view text, const std::string& name);

/// The same as JSON text.
std::string wordpiece_json(std::string_view vocabulary, const TokenizerConfig& config,
                           const SpecialIds& special);

}  // namespace fnet
