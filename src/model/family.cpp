#include "model/family.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/file.h"
#include "core/json.h"

namespace fnet {
namespace {

namespace fs = std::filesystem;

// Source of the values: the forward passes of transformers' FNet, google-research/f_net,
// keras_hub.models.FNetBackbone and dl_techniques' FNet.
constexpr Numeric kPaper[] = {
    {"hidden_act", "gelu_new",
     "GELU's tanh form; the exact one is off by up to 5e-4 in each value"},
    {"layer_norm_eps", "1e-12", "epsilon of every norm"},
    {"norm_type", "layer_norm", "norm"},
    {"norm_position", "post", "a norm after each sum"},
    {"ffn_type", "mlp", "feed-forward"},
    {"fourier_norm", "backward", "the transform is not scaled"},
    {"embedding_projection", "true", "a linear map after the embeddings' norm"}};
constexpr Numeric kSeed[] = {
    {"hidden_act", "gelu", "GELU's exact form; the tanh form is off by up to 5e-4 in each value"},
    {"fourier_norm", "ortho", "the transform is divided by sqrt(L H)"},
    {"embedding_projection", "false", "the embeddings' norm is followed by the first block"},
    {"pooler", "false", "heads pool by themselves"}};

constexpr Family kFamilies[] = {{"huggingface", "Hugging Face transformers", false, kPaper},
                                {"google", "Google's f_net in Flax", true, kPaper},
                                {"keras-hub", "keras-hub", true, kPaper},
                                {"seed", "the Keras seed, dl_techniques", true, kSeed},
                                {"fnet", "fnet itself", false, {}}};

}  // namespace

const Family* find_family(std::string_view name) {
  const auto* const found = std::ranges::find(kFamilies, name, &Family::name);
  return found == std::end(kFamilies) ? nullptr : found;
}

const Family& family_of(const fs::path& directory, std::string_view json, const Config& config) {
  const nlohmann::json keys = parse_json(json, "config.json");
  if (path_exists(directory / "run.json")) return *find_family("fnet");
  const bool like_seed =
      config.hidden_act == "gelu" && !config.embedding_projection && config.fourier_norm == "ortho";
  if (like_seed) return *find_family("seed");
  return *find_family(keys.contains("length_policy") ? "fnet" : "huggingface");
}

std::optional<std::string> foreign_files(const fs::path& path) {
  const auto has = [&](const char* name) { return path_exists(path / name); };
  const std::string name = path.filename().string();
  if (!path_is_directory(path)) {
    if (name.ends_with(".keras")) return "a model of Keras";
    if (name.ends_with(".h5")) return "weights of Keras";
    if (name.ends_with(".msgpack") || name.starts_with("checkpoint_"))
      return "a checkpoint of Flax";
    if (name.ends_with(".bin") || name.ends_with(".pt")) return "weights that torch pickled";
    return {};
  }
  if (has("model.safetensors") || has("model.safetensors.index.json")) return {};
  if (has("model.weights.h5") || has("metadata.json")) return "a preset of keras-hub";
  if (has("flax_model.msgpack")) return "a checkpoint of Flax";
  if (has("pytorch_model.bin") || has("pytorch_model.bin.index.json"))
    return "a model of Hugging Face with weights that torch pickled";
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    if (entry.path().filename().string().starts_with("checkpoint_")) return "a checkpoint of Flax";
  }
  return {};
}

bool is_own_type(const Config& config) {
  return nlohmann::json::parse(config.to_json()).at("model_type") != "fnet";
}

}  // namespace fnet
