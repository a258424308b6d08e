#include "model/other_names.h"

#include <algorithm>
#include <iterator>

namespace fnet {
namespace {

constexpr std::string_view kOtherShape =
    "gives numbers that are no rows of the same width; max_logit_norm is the norm of its family";

constexpr OtherName kNames[] = {
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
