#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fnet/tokenizer.h"

namespace fnet {

/// What a piece of WordPiece begins with where it goes on with a word.
inline constexpr std::string_view kContinues = "##";

/// A text normalised, where that makes one word of it; else nothing.
std::string one_word(std::string_view text, const TokenizerConfig& config);

/// The pieces of a vocabulary, one a line, checked; `name` stands for the file. Twins are not
/// looked for. Throws: input.
std::vector<std::string> read_vocabulary(std::string_view text, const std::string& name);

/// What is wrong with a piece that is empty, too long, not UTF-8 or of several lines; else nothing.
std::string fault_of(std::string_view piece);

}  // namespace fnet
