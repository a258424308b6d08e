#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string_view>

#include "fnet/config.h"
#include "fnet/train.h"

// A new model that starts with a BERT's weights (Hugging Face's BertModel).
namespace fnet {

/// A config for a model of the sizes that `directory`/config.json tells: an ortho transform, no
/// embedding projection, no pooler. Throws: input where that is no BERT, or has what a model here
/// lacks.
Config config_like(const std::filesystem::path& directory);

/// Heads of that BERT's attention.
std::int64_t attention_heads(const std::filesystem::path& directory);

/// Of the layers of a model with `theirs`, the one at the height of layer `layer` of `layers`: of
/// the last the last.
std::int64_t layer_like(std::int64_t layer, std::int64_t layers, std::int64_t theirs);

/// Gives a model the BERT's weights where the shapes agree: tables (the first rows in common),
/// feed-forwards, norms and, of layers that have attention, that. Of another number of layers,
/// those at like heights. `words`: the tokenizer is the BERT's, so the rows of the word embeddings
/// stand for the same pieces. What of them, the log gets in numbers and the result, for run.json,
/// in names. Throws: input where there are no such weights.
nlohmann::ordered_json take_teacher_weights(nn::FNetWithHeadImpl& model,
                                            const std::filesystem::path& directory, bool words,
                                            const std::function<void(std::string_view)>& log);

}  // namespace fnet
