#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "fnet/tokenizer.h"

namespace fnet {

/// The tokenizer as a tokenizer.json, from which Hugging Face's tokenizers make the same ids, for
/// texts and pairs. Empty where that format can't say what the model does: unused pieces, pieces
/// that end with the space, spaces that stay as they are.
///
/// Two differences are left: of ways to cut a text that score alike to the last bit of a float,
/// a unigram model may take another one; and `hf_slow` cuts numbers before a comma as `hf_fast`.
std::string tokenizer_json(std::string_view model, const TokenizerConfig& config,
                           const SpecialIds& special);

/// Its post-processor: [CLS] A [SEP] and [CLS] A [SEP] B [SEP], types 0 and 1; null without them.
nlohmann::ordered_json template_of(const TokenizerConfig& config, const SpecialIds& special);

}  // namespace fnet
