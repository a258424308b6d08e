#include "cli/layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <span>

#include "blocks/model.h"
#include "core/random.h"
#include "model/batch.h"
#include "model/input_rows.h"

namespace fnet::cli {
namespace {

using nlohmann::ordered_json;

/// Passes of which the fastest counts.
constexpr int kPasses = 7;

std::string shape_text(const ordered_json& shape) {
  std::string text;
  for (const auto& size : shape) {
    text += text.empty() ? "[" : ", ";
    text += size.is_string() ? size.get<std::string>() : size.dump();
  }
  return text + "]";
}

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

double sum_of(const ordered_json& layers, const char* key) {
  double sum = 0;
  for (const auto& layer : layers) sum += layer.value(key, 0.0);
  return sum;
}

}  // namespace

ordered_json layers_json(const Config& config, std::int64_t length) {
  const Parts parts(config);
  const std::int64_t rows = rows_of(static_cast<std::size_t>(length), config, length);
  auto layers = ordered_json::array();
  const auto add = [&](std::string name, ordered_json shape, const Specs& weights,
                       double operations) {
    std::size_t parameters = 0;
    for (const WeightSpec& spec : weights.list()) parameters += spec.stored ? spec.size() : 0;
    layers.push_back({{"name", std::move(name)},
                      {"shape", std::move(shape)},
                      {"parameters", parameters},
                      {"operations", operations}});
  };
  // Each with the norms that are its own.
  const auto add_part = [&](std::string name, double operations, const auto& declare) {
    Specs weights;
    declare(weights);
    add(std::move(name), {"N", config.hidden_size}, weights,
        operations * static_cast<double>(rows));
  };
  const auto add_norm = [&](const Specs& weights) { add_weights(parts.norm, weights, config); };
  add_part("embeddings", Embeddings::operations(config),
           [&](const Specs& weights) { Embeddings::weights(weights, config, parts); });
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const std::string block = Encoder::block_place(i) + ".";
    const auto add_mixed = [&](const auto& part) {
      add_part(
          block + std::string(row_of(part).name), operations(part, config, rows),
          [&](const Specs& weights) { add_weights(part, weights, config), add_norm(weights); });
    };
    add_mixed(parts.mixer(i));
    add_mixed(parts.ffn);
  }
  if (config.norm_position == "pre") add_part("encoder.LayerNorm", 0, add_norm);
  // What follows scores a text, or each of its tokens, by linear maps.
  const auto add_maps = [&](std::string name, const Specs& weights, bool text, bool pooling) {
    double operations = 0;
    std::int64_t width = config.hidden_size;
    for (const WeightSpec& spec : weights.list()) {
      if (!spec.product) continue;
      if (!pooling) width = spec.shape[0];
      operations += linear_operations(spec.shape[1], spec.shape[0]) *
                    (text ? 1.0 : static_cast<double>(length));
    }
    ordered_json shape = ordered_json::array();
    if (!text && !pooling) shape.push_back("N");
    shape.push_back(width);
    add(std::move(name), std::move(shape), weights, operations);
  };
  for (const std::string& name : poolings_of(config)) {
    const Pooling pooling = pooling_named(name);
    Specs weights;
    add_weights(pooling, weights, config);
    if (weights.list().empty()) continue;
    add_maps(name, weights, row_of(pooling).reach == Reach::first_row, true);
  }
  for (const std::string& name : config.head_names()) {
    const HeadConfig head = config.head(name);
    Specs weights;
    add_weights(make_head(head), weights, config, head);
    add_maps(head_place(name).empty() ? head.task : head_place(name), weights,
             is_pooled(head_for(head.task)), false);
  }
  return layers;
}

void measure_layers(ordered_json& layers, const Engine& engine, std::int64_t length) {
  using Clock = std::chrono::steady_clock;
  Philox random(1, 0);
  Encoding text;
  if (engine.config().reads_numbers()) text = sample_rows(engine.config(), length);
  for (std::int64_t i = 0; i < length && !engine.config().reads_numbers(); ++i) {
    text.input_ids.push_back(static_cast<std::int32_t>(
        random.below(static_cast<std::uint64_t>(engine.config().vocab_size))));
  }
  std::vector<double> least;
  for (int pass = 0; pass < kPasses; ++pass) {
    std::vector<double> seconds;
    auto start = Clock::now();
    engine.watch({&text, 1}, [&](const HiddenState&) {
      const auto now = Clock::now();
      seconds.push_back(std::chrono::duration<double>(now - start).count());
      start = Clock::now();
    });
    if (least.empty()) least = seconds;
    for (std::size_t i = 0; i < least.size(); ++i) least[i] = std::min(least[i], seconds[i]);
  }
  // The states come in the order of the encoder's parts, which stand first.
  for (std::size_t i = 0; i < least.size(); ++i) layers[i]["seconds"] = least[i];
}

std::string layers_text(const ordered_json& layers) {
  const double operations = std::max(sum_of(layers, "operations"), 1.0);
  const double seconds = sum_of(layers, "seconds");
  std::size_t width = 4;
  for (const auto& layer : layers) width = std::max(width, layer["name"].get<std::string>().size());
  std::string text = fmt::format("  {:{}}  {:>12}  {:>12}  {:>8}{}\n", "part", width, "result",
                                 "parameters", "products", seconds > 0 ? "      time" : "");
  for (const auto& layer : layers) {
    text += fmt::format("  {:{}}  {:>12}  {:>12}  {:>8}", layer["name"].get<std::string>(), width,
                        shape_text(layer["shape"]), layer["parameters"].get<std::int64_t>(),
                        percent(layer["operations"].get<double>() / operations));
    if (layer.contains("seconds")) {
      text += fmt::format("  {:>8}", percent(layer["seconds"].get<double>() / seconds));
    }
    text += '\n';
  }
  return text;
}

}  // namespace fnet::cli
