#include "train/module_weights.h"

#include <algorithm>
#include <span>

#include "blocks/model.h"
#include "core/file.h"
#include "fnet/train.h"
#include "model/weights.h"

namespace fnet::nn {

WeightMap weight_map(const torch::nn::Module& module) {
  WeightMap map;
  for (const auto& item : module.named_parameters()) map.emplace(item.key(), item.value());
  for (const auto& item : module.named_buffers()) map.emplace(item.key(), item.value());
  return map;
}

namespace {

/// By the names in the model's files, where an encoder whose head has no weights stands bare.
WeightMap stored_map(const FNetModule& module) {
  WeightMap map = weight_map(module);
  if (!encoder_place(module.config()).empty()) return map;
  WeightMap bare;
  for (const auto& [name, weight] : map) bare.emplace(name_in_encoder(name), weight);
  return bare;
}

/// A stored weight in the shape of `start`, which tells what is new.
at::Tensor resized(const at::Tensor& stored, const at::Tensor& start, Resize resize) {
  if (resize == Resize::interpolated) {
    return at::upsample_linear1d(stored.t().unsqueeze(0), {start.size(0)}, true)[0].t();
  }
  at::Tensor result = start.clone();
  const std::int64_t rows = std::min(stored.size(0), start.size(0));
  const std::int64_t columns = std::min(stored.size(1), start.size(1));
  const auto common = [&](const at::Tensor& x) {
    return x.narrow(0, 0, rows).narrow(1, 0, columns);
  };
  common(result).copy_(common(stored));
  return result;
}

}  // namespace

void FNetModule::load_weights(const std::filesystem::path& directory, bool new_head,
                              bool new_wide) {
  WeightOptions options;
  options.allow_unexpected = new_head || new_wide || !config_.has_head();
  if (new_wide) options.may_be_missing.emplace_back("wide.");
  if (new_head) {
    for (const WeightSpec& spec : head_specs(config_)) options.may_be_missing.push_back(spec.name);
    // Encoders come without the pooler that this model may read.
    options.may_be_missing.push_back(encoder_place(config_).empty() ? "pooler." : "fnet.pooler.");
  }
  options.may_resize =
      path_exists(directory / "config.json") &&
      Config::load(directory).max_position_embeddings != config_.max_position_embeddings;
  const WeightReader reader = WeightReader::open(directory, model_weights(config_), options);
  const at::NoGradGuard no_grad;
  const WeightMap map = stored_map(*this);
  for (const WeightSpec& spec : reader.specs()) {
    if (!reader.has(spec.name) || (new_wide && spec.name.starts_with("wide."))) continue;
    const at::Tensor& weight = map.at(spec.name).value;
    const at::Tensor stored =
        at::tensor(reader.read(spec.name), at::kFloat).view(reader.shape(spec.name));
    weight.copy_(stored.sizes() == weight.sizes() ? stored : resized(stored, weight, spec.resize));
  }
}

void FNetModule::save(const std::filesystem::path& directory) const {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  require_path(error, directory.native(), "make the directory");
  const WeightMap weights = stored_map(*this);
  at::Tensor value;  // keeps what the span shows
  save_weights(directory, model_weights(config_), [&](const std::string& name) {
    value = weights.at(name).value.detach().to(at::kCPU, at::kFloat).contiguous();
    return std::span(value.const_data_ptr<float>(), static_cast<std::size_t>(value.numel()));
  });
  write_file(directory / "config.json", config_.to_json());
}

}  // namespace fnet::nn
