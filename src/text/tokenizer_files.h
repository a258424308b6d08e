#pragma once

#include <filesystem>

namespace fnet {

/// The file of a model directory that makes its tokens: spiece.model, vocab.txt, or a
/// tokenizer.json of WordPiece; empty where it has none.
std::filesystem::path tokenizer_file(const std::filesystem::path& directory);

}  // namespace fnet
