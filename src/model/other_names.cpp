#include "model/other_names.h"

#include <algorithm>
#include <iterator>

namespace fnet {
namespace {

constexpr std::string_view kOtherShape =
    "gives numbers that are no rows of the same width; max_logit_norm is the norm of its family";

constexpr std::string_view kWrites =
    "writes text, which an encoder does not; multiple-choice chooses among texts that are given";
constexpr std::string_view kSpans =
    "marks words of a text: token-classification with tags as B-… and I-… does";
constexpr std::string_view kPairs =
    "compares texts: sentence-similarity gives the likeness by which they are ranked or matched";

constexpr OtherName kNames[] = {
    {"task", "ner", "task=token-classification", ""},
    {"task", "named-entity-recognition", "task=token-classification", ""},
    {"task", "part-of-speech-tagging", "task=token-classification", ""},
    {"task", "sequence-labeling", "task=token-classification", ""},
    {"task", "sentiment-analysis", "task=text-classification", ""},
    {"task", "emotion-detection", "task=text-classification", ""},
    {"task", "intent-classification", "task=text-classification", ""},
    {"task", "topic-classification", "task=text-classification", ""},
    {"task", "spam-detection", "task=text-classification", ""},
    {"task", "natural-language-inference", "task=text-classification", ""},
    {"task", "paraphrase-detection", "task=text-classification", ""},
    {"task", "duplicate-detection", "task=text-classification", ""},
    {"task", "text-regression", "task=text-classification problem_type=regression", ""},
    {"task", "readability-scoring", "task=text-classification problem_type=regression", ""},
    {"task", "quality-scoring", "task=text-classification problem_type=regression", ""},
    {"task", "span-extraction", "task=question-answering", ""},
    {"task", "text-similarity", "task=sentence-similarity", ""},
    {"task", "masked-language-modeling", "task=fill-mask", ""},
    {"task", "feature-extraction", "task=encoder", ""},
    {"task", "text-generation", "", kWrites},
    {"task", "text-completion", "", kWrites},
    {"task", "dialogue-generation", "", kWrites},
    {"task", "text-summarization", "",
     "writes text, which an encoder does not; text-classification of a text's sentences chooses "
     "those that stay"},
    {"task", "machine-translation", "",
     "writes text, which an encoder does not; sentence-similarity finds translations among texts "
     "that are given"},
    {"task", "dependency-parsing", "",
     "gives trees of words, which no head here does; token-classification labels each word"},
    {"task", "semantic-role-labeling", "",
     "asks once for each verb of a text: token-classification of texts in which it is marked does"},
    {"task", "word-sense-disambiguation", "",
     "has other senses for each word: multiple-choice among a word's senses does"},
    {"task", "coreference-resolution", "",
     "links words with each other: text-classification of texts in which two are marked does"},
    {"task", "relation-extraction", "",
     "asks once for each two things in a text: text-classification of texts in which they are "
     "marked does"},
    {"task", "event-extraction", "", kSpans},
    {"task", "key-phrase-extraction", "", kSpans},
    {"task", "fact-extraction", "", kSpans},
    {"task", "opinion-extraction", "", kSpans},
    {"task", "ranking", "", kPairs},
    {"task", "text-matching", "", kPairs},
    {"norm_type", "zero_centered_band_rms_norm", "norm_type=zero_centered_band_rms", ""},
    {"norm_type", "zero_centered_adaptive_band_rms_norm",
     "norm_type=zero_centered_adaptive_band_rms", ""},
    {"norm_type", "decoupled_max_logit", "", kOtherShape},
    {"norm_type", "dml_plus_focal", "", kOtherShape},
    {"norm_type", "dml_plus_center", "", kOtherShape},
    {"ffn_type", "gelu_tanh", "ffn_type=mlp hidden_act=gelu_pytorch_tanh", ""},
    {"ffn_type", "squared_relu", "ffn_type=mlp hidden_act=squared_relu", ""},
    {"ffn_type", "swin_mlp", "ffn_type=mlp ffn_dropout=both", ""},
    {"ffn_type", "mixer", "",
     "mixes over one fixed length; mixers says how tokens mix, ffn_type=mlp what follows"},
    {"ffn_type", "gated_mlp", "",
     "is made of convolutions over images; ffn_type=reglu is its gate for rows"},
    {"ffn_type", "tversky", "",
     "compares one vector with prototypes and is no map of rows; ffn_type=mlp is"},
    {"hidden_act", "swish", "hidden_act=silu", ""},
    {"hidden_act", "relu2", "hidden_act=squared_relu", ""},
    {"hidden_act", "gelu_tanh", "hidden_act=gelu_pytorch_tanh", ""},
    {"position_embedding", "absolute", "position_embedding=learned", ""},
    {"use_stochastic_depth", "true", "", "is drop_path_rate, the rate of the last layer: set that"},
    {"use_stochastic_depth", "false", "drop_path_rate=0", ""},
};

/// The Keras seed's constructor arguments.
constexpr std::string_view kKeys[][2] = {{"normalization_type", "norm_type"},
                                         {"normalization_position", "norm_position"},
                                         {"position_embedding_type", "position_embedding"},
                                         {"stochastic_depth_rate", "drop_path_rate"}};

}  // namespace

const OtherName* other_name(std::string_view key, std::string_view name) {
  const auto* const found = std::ranges::find_if(
      kNames, [&](const OtherName& row) { return row.key == key && row.name == name; });
  return found == std::end(kNames) ? nullptr : found;
}

std::string_view our_key(std::string_view key) {
  for (const auto& [theirs, ours] : kKeys) {
    if (theirs == key) return ours;
  }
  return key;
}

std::string_view seed_key(std::string_view key) {
  for (const auto& [theirs, ours] : kKeys) {
    if (ours == key) return theirs;
  }
  return {};
}

}  // namespace fnet
