#include "train/teacher_start.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "blocks/model.h"
#include "core/error.h"
#include "core/json.h"
#include "model/safetensors.h"
#include "train/module_weights.h"

namespace fnet {
namespace {

nlohmann::json bert_config(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / "config.json";
  nlohmann::json json = read_json_file(path);
  const std::string type =
      json.is_object() && json.contains("model_type") ? json["model_type"].dump() : "none";
  require(type == "\"bert\"", Kind::input, "{}: model_type: expected \"bert\", found {}",
          path.string(), printable(type));
  std::string positions = "absolute";
  if (json.contains("position_embedding_type"))
    positions = json_cast<std::string>(json["position_embedding_type"], path.string(),
                                       "position_embedding_type");
  require(positions == "absolute", Kind::input,
          "{}: position_embedding_type: expected absolute, found '{}'", path.string(),
          printable(positions));
  return json;
}

std::int64_t whole(const nlohmann::json& json, const std::filesystem::path& directory,
                   const std::string& key) {
  const std::string source = (directory / "config.json").string();
  require(json.contains(key), Kind::input, "{}: expected {}, found none", source, key);
  return json_cast<std::int64_t>(json[key], source, key);
}

/// Layers that a BERT's file has.
std::int64_t layers_of(const SafetensorsFile& file) {
  std::int64_t layers = 0;
  while (std::ranges::any_of(file.tensors(), [&](const TensorInfo& tensor) {
    return tensor.name.find(Encoder::block_place(layers) + ".") != std::string::npos;
  }))
    ++layers;
  return layers;
}

/// What a weight of ours (without `fnet.`) is called in a BERT of so many layers.
std::string name_there(std::string name, std::int64_t layers, std::int64_t theirs) {
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    const std::string place = Encoder::block_place(layer) + ".";
    if (!name.starts_with(place)) continue;
    std::string rest = name.substr(place.size());
    const std::string norm = std::string(EncoderBlock::kMixingNorm) + ".";
    if (rest.starts_with(norm)) rest = "attention.output.LayerNorm." + rest.substr(norm.size());
    return fmt::format("{}.{}", Encoder::block_place(layer_like(layer, layers, theirs)), rest);
  }
  return name;
}

bool is_table(std::string_view name) {
  return name.ends_with("position_embeddings.weight") ||
         name.ends_with("token_type_embeddings.weight");
}

}  // namespace

Config config_like(const std::filesystem::path& directory) {
  const nlohmann::json json = bert_config(directory);
  const std::string source = (directory / "config.json").string();
  const auto number = [&](const char* key) { return whole(json, directory, key); };
  Config config;
  config.vocab_size = number("vocab_size");
  config.hidden_size = number("hidden_size");
  config.num_hidden_layers = number("num_hidden_layers");
  config.intermediate_size = number("intermediate_size");
  config.max_position_embeddings = number("max_position_embeddings");
  config.type_vocab_size = number("type_vocab_size");
  if (json.contains("hidden_act"))
    config.hidden_act = json_cast<std::string>(json["hidden_act"], source, "hidden_act");
  if (json.contains("layer_norm_eps"))
    config.layer_norm_eps = json_cast<double>(json["layer_norm_eps"], source, "layer_norm_eps");
  config.fourier_norm = "ortho";
  config.embedding_projection = false;
  config.pooler = false;
  return config;
}

std::int64_t layer_like(std::int64_t layer, std::int64_t layers, std::int64_t theirs) {
  return std::max<std::int64_t>((layer + 1) * theirs / layers - 1, 0);
}

std::int64_t attention_heads(const std::filesystem::path& directory) {
  return whole(bert_config(directory), directory, "num_attention_heads");
}

nlohmann::ordered_json take_teacher_weights(nn::FNetWithHeadImpl& model,
                                            const std::filesystem::path& directory, bool words,
                                            const std::function<void(std::string_view)>& log) {
  const SafetensorsFile file = SafetensorsFile::open(directory / "model.safetensors");
  const std::int64_t layers = model.config().num_hidden_layers, theirs = layers_of(file);
  std::vector<std::string> copied, fresh;
  std::int64_t numbers = 0, all = 0, matrices = 0;
  const at::NoGradGuard no_grad;
  for (const auto& [name, entry] : nn::weight_map(model)) {
    at::Tensor weight = entry.value;
    all += weight.numel();
    const std::string bare(name_in_encoder(name));
    const std::string other = name_there(bare, layers, theirs);
    const TensorInfo* tensor = file.find(other);
    if (tensor == nullptr) tensor = file.find("bert." + other);
    const bool word_table = bare.ends_with("word_embeddings.weight");
    const std::vector<std::int64_t> shape = weight.sizes().vec();
    const bool fits = tensor != nullptr && (!word_table || words) &&
                      (tensor->shape == shape || (is_table(bare) && tensor->shape.size() == 2 &&
                                                  tensor->shape[1] == shape[1]));
    if (!fits) {
      fresh.push_back(
          tensor == nullptr ? bare
          : word_table && !words
              ? bare + " (another tokenizer)"
              : fmt::format("{} {}, {} there", bare, shape_text(shape), shape_text(tensor->shape)));
      continue;
    }
    std::vector<float> values(tensor->count());
    file.read(*tensor, values);
    const at::Tensor stored = at::tensor(values, at::kFloat).view(tensor->shape);
    const std::int64_t rows = std::min(shape[0], stored.size(0));
    weight.narrow(0, 0, rows).copy_(stored.narrow(0, 0, rows));
    numbers += rows * (weight.numel() / shape[0]);
    copied.push_back(bare);
    matrices += shape.size() > 1 ? 1 : 0;
  }
  require(matrices > 0, Kind::input,
          "{}: expected matrices of a BERT with hidden_size {}, found none that fit", file.name(),
          model.config().hidden_size);
  constexpr std::size_t kShown = 4;
  const auto shown = std::span(fresh).first(std::min(kShown, fresh.size()));
  log(fmt::format("weights: {} of {} copied from {}, {} of {} parameters{}{}{}", copied.size(),
                  copied.size() + fresh.size(), directory.string(), numbers, all,
                  fresh.empty() ? "" : "; start afresh: ", fmt::join(shown, ", "),
                  fresh.size() > kShown ? ", …" : ""));
  return {{"copied", copied.size()}, {"fresh", fresh}};
}

}  // namespace fnet
