#include "train/module_weights.h"

#include <fnmatch.h>

#include <algorithm>
#include <set>
#include <span>

#include "blocks/model.h"
#include "core/error.h"
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

/// `x` read at `rows` places from end to end, between its rows by straight lines.
at::Tensor interpolated(const at::Tensor& x, std::int64_t rows) {
  return at::upsample_linear1d(x.t().unsqueeze(0), {rows}, true)[0].t();
}

/// By the names in the model's files, where an encoder whose head has no weights stands bare.
WeightMap stored_map(const FNetModule& module) {
  WeightMap map = weight_map(module);
  if (!encoder_place(module.config()).empty()) return map;
  WeightMap bare;
  for (const auto& [name, weight] : map) bare.emplace(name_in_encoder(name), weight);
  return bare;
}

/// A stored weight in the shape of `start`, which tells what is new.
at::Tensor resized(const at::Tensor& stored, const at::Tensor& start, Resize resize,
                   const LoadWeightsOptions& options) {
  const std::int64_t rows = start.size(0);
  const bool smooth = options.positions == "interpolate";
  if (resize == Resize::interpolated || (resize == Resize::rows && smooth)) {
    return interpolated(stored, rows);
  }
  if (resize == Resize::rows_and_columns && smooth) {
    // Each row is a sum over positions: over k times as many, each counts 1/k.
    const double share = static_cast<double>(stored.size(0)) / static_cast<double>(rows);
    return interpolated(interpolated(stored, rows).t(), rows).t() * share;
  }
  at::Tensor result = start.clone();
  const std::int64_t common = std::min(stored.size(0), rows);
  if (resize == Resize::rows_and_columns) {
    const auto corner = [&](const at::Tensor& x) {
      return x.narrow(0, 0, common).narrow(1, 0, common);
    };
    corner(result).copy_(corner(stored));
  } else {
    result.narrow(0, 0, common).copy_(stored.narrow(0, 0, common));
  }
  return result;
}

/// Rows of a table by pieces: each the mean of rows of the stored one.
at::Tensor mapped(const at::Tensor& stored, const at::Tensor& start,
                  const std::vector<std::vector<std::int32_t>>& sources) {
  at::Tensor result = start.clone();
  const auto rows = std::min(static_cast<std::int64_t>(sources.size()), start.size(0));
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto& ids = sources[static_cast<std::size_t>(row)];
    if (ids.empty()) continue;
    const at::Tensor index = at::tensor(std::vector<std::int64_t>(ids.begin(), ids.end()));
    result[row].copy_(stored.index_select(0, index).mean(0));
  }
  return result;
}

/// `pattern` without the wildcards at its end: what the user meant to name.
std::string bare(std::string pattern) {
  while (!pattern.empty() && std::string_view("*?.").find(pattern.back()) != std::string_view::npos)
    pattern.pop_back();
  return pattern;
}

/// Every start of the names up to a dot, and the names.
std::set<std::string> places(const WeightMap& weights) {
  std::set<std::string> all;
  for (const auto& entry : weights) {
    const std::string name(name_in_encoder(entry.first));
    for (std::size_t dot = name.find('.'); dot != name.npos; dot = name.find('.', dot + 1))
      all.insert(name.substr(0, dot));
    all.insert(name);
  }
  return all;
}

bool fits(const std::string& pattern, const std::string& name) {
  const std::string bare_name(name_in_encoder(name));
  for (const std::string& wanted : {pattern, pattern + ".*"}) {
    if (fnmatch(wanted.c_str(), name.c_str(), 0) == 0) return true;
    if (fnmatch(wanted.c_str(), bare_name.c_str(), 0) == 0) return true;
  }
  return false;
}

}  // namespace

LoadedWeights FNetModule::load_weights(const std::filesystem::path& directory,
                                       const LoadWeightsOptions& options) {
  require(options.positions == "copy" || options.positions == "interpolate", Kind::usage,
          "positions: expected copy or interpolate, found '{}'", printable(options.positions));
  WeightOptions allowed;
  allowed.allow_unexpected = options.new_head || options.new_wide || !config_.has_head();
  allowed.skip_mismatch = options.skip_mismatch;
  allowed.advice = "skip_mismatch (--skip-mismatch) takes what fits";
  if (options.new_wide) allowed.may_be_missing.emplace_back("wide.");
  if (options.new_head) {
    for (const WeightSpec& spec : head_specs(config_)) allowed.may_be_missing.push_back(spec.name);
    // Encoders come without the pooling that this model may read.
    for (const WeightSpec& spec : pooling_specs(config_))
      allowed.may_be_missing.push_back(spec.name);
  }
  if (path_exists(directory / "config.json")) {
    const Config other = Config::load(directory);
    if (other.max_position_embeddings != config_.max_position_embeddings)
      allowed.may_resize = {Resize::rows, Resize::rows_and_columns, Resize::interpolated};
    if (other.vocab_size != config_.vocab_size) allowed.may_resize.push_back(Resize::vocabulary);
  }
  const WeightReader reader = WeightReader::open(directory, model_weights(config_), allowed);
  const LoadReport& report = reader.report();
  LoadedWeights result{{}, report.resized, report.missing, report.mismatched, report.unexpected};
  const at::NoGradGuard no_grad;
  const WeightMap map = stored_map(*this);
  for (const WeightSpec& spec : reader.specs()) {
    if (!reader.has(spec.name) || (options.new_wide && spec.name.starts_with("wide."))) continue;
    const at::Tensor& weight = map.at(spec.name).value;
    const at::Tensor stored =
        at::tensor(reader.read(spec.name), at::kFloat).view(reader.shape(spec.name));
    if (spec.resize == Resize::vocabulary && !options.vocabulary.empty()) {
      weight.copy_(mapped(stored, weight, options.vocabulary));
    } else {
      const bool same = stored.sizes() == weight.sizes();
      weight.copy_(same ? stored : resized(stored, weight, spec.resize, options));
    }
    result.loaded.push_back(spec.name);
  }
  return result;
}

std::vector<std::string> FNetModule::weights_like(std::span<const std::string> patterns) const {
  const WeightMap weights = weight_map(*this);
  std::set<std::string> names;
  for (const std::string& pattern : patterns) {
    bool any = false;
    for (const auto& entry : weights) {
      if (!fits(pattern, entry.first)) continue;
      names.insert(entry.first);
      any = true;
    }
    if (any) continue;
    const std::string near = nearest(bare(pattern), places(weights));
    fail(Kind::usage,
         "freeze: expected the name of weights or a pattern that fits some, found '{}'{}",
         printable(pattern),
         near.empty() ? "; docs/model-format.md tells how weights are called"
                      : fmt::format("; did you mean '{}'?", near));
  }
  return {names.begin(), names.end()};
}

void FNetModule::set_frozen(const std::set<std::string>& names) {
  frozen_ = names;
  for (auto& item : named_parameters()) item.value().set_requires_grad(!names.contains(item.key()));
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
