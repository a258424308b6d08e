#include "train/number_input.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "model/config_fields.h"
#include "model/input_rows.h"

namespace fnet {
namespace {

bool is_set(const FinetuneOptions& options, std::string_view key) {
  return std::ranges::any_of(options.set, [&](const std::string& setting) {
    return setting.starts_with(key) && setting.substr(key.size()).starts_with('=');
  });
}

}  // namespace

Config input_config(const FinetuneOptions& options, const std::optional<StartingModel>& start) {
  Config config = start ? start->config : Config();
  for (const std::string& setting : options.set) {
    const std::string_view key = std::string_view(setting).substr(0, setting.find('='));
    if (key == "input_type" || !input_type_of(key).empty()) config.assign(setting);
  }
  check_value("input_type", config.input_type,
              Allowed::one_of({"tokens", "dna", "vectors", "patches"}));
  require(!start || config.input_type == start->config.input_type, Kind::usage,
          "input_type: expected {} as {} has it, found {}", start ? start->config.input_type : "",
          options.from.string(), config.input_type);
  require(config.input_type == "tokens" || start || options.tokenizer.empty(), Kind::usage,
          "tokenizer: expected none for input_type {}, found {}", config.input_type,
          options.tokenizer.string());
  require(!config.reads_numbers() || may_read_numbers(options.task), Kind::usage,
          "task: expected text-classification for input_type {}, found {}", config.input_type,
          options.task);
  return config;
}

void fit_input(Config& config, const Config& input, const FinetuneOptions& options,
               std::span<const Example> train, std::span<const Example> dev) {
  const std::vector<std::size_t>& shape = train.front().numbers.shape;
  const auto take = [&](std::string_view key, std::int64_t& value, std::size_t found) {
    if (!is_set(options, key)) value = static_cast<std::int64_t>(found);
  };
  Config fitted = input;
  if (input.input_type == "vectors") {
    if (shape.size() == 2) take("input_size", fitted.input_size, shape[1]);
  } else if (shape.size() > 1) {
    take("num_channels", fitted.num_channels, shape.size() > 2 ? shape[2] : 1);
    take("image_size", fitted.image_size, shape[0]);
    if (!is_set(options, "image_size") && shape[1] != shape[0])
      take("image_width", fitted.image_width, shape[1]);
  }
  config.input_type = fitted.input_type;
  config_fields([&](std::string_view key, auto member, const Allowed& allowed, std::string_view) {
    if (input_type_of(key) != config.input_type) return;
    if (fitted.*member != config.*member) check_value(key, fitted.*member, allowed);
    config.*member = fitted.*member;
  });
  if (is_set(options, "max_position_embeddings") || options.max_length > 0) return;
  const InputShape shape_of_rows = config.input_shape();
  std::size_t most = 1;
  for (const auto& examples : {train, dev}) {
    for (const Example& example : examples)
      most = std::max(most, rows_in(example.numbers, shape_of_rows));
  }
  config.max_position_embeddings = static_cast<std::int64_t>(most);
}

void standardise(nn::FNetWithHeadImpl& model, std::span<const Sample> samples) {
  const std::size_t step = model.config().input_shape().step;
  std::vector<double> mean(step), deviation(step);
  const auto each = [&](auto&& take) {
    for (const Sample& sample : samples) {
      for (const Encoding& text : sample.texts) {
        const std::vector<float>& values = text.vectors.data;
        for (std::size_t i = 0; i < values.size(); ++i) take(i % step, double{values[i]});
      }
    }
  };
  double count = 0;
  each([&](std::size_t column, double value) { mean[column] += value, ++count; });
  count /= static_cast<double>(step);
  for (double& m : mean) m /= count;
  each([&](std::size_t column, double value) {
    deviation[column] += (value - mean[column]) * (value - mean[column]);
  });
  for (double& d : deviation) d = d > 0 ? std::sqrt(d / count) : 1;
  const torch::NoGradGuard no_gradient;
  const auto buffers = model.named_buffers();
  const auto fill = [&](const char* name, const std::vector<double>& columns) {
    const at::Tensor& all = buffers[std::string("fnet.embeddings.input_embeddings.") + name];
    const auto times = all.numel() / static_cast<std::int64_t>(step);
    all.copy_(at::tensor(columns, at::kDouble).repeat({times}));
  };
  fill("mean", mean);
  fill("std", deviation);
}

}  // namespace fnet
