#include "train/step_bench.h"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include "blocks/model.h"
#include "core/random.h"
#include "kernels/types.h"
#include "train/loop.h"
#include "train/pretrain_objective.h"
#include "train/start.h"

namespace fnet {
namespace {

/// Share of the tokens that are masked, as in `pretrain`.
constexpr double kMasked = 0.15;

std::size_t masked_tokens(std::size_t length) {
  return std::max<std::size_t>(
      1, static_cast<std::size_t>(std::lround(kMasked * static_cast<double>(length))));
}

/// Texts of random tokens; of each, as many are masked.
class MadeUpSource : public Source {
 public:
  MadeUpSource(const Config& config, std::size_t batch, std::size_t length)
      : config_(config), batch_(batch), length_(length) {}

  std::int64_t epoch_steps() const override { return std::numeric_limits<std::int32_t>::max(); }

  std::vector<Sample> batch(std::int64_t step) override {
    Philox random(1, static_cast<std::uint64_t>(step));
    const auto vocabulary = static_cast<std::uint64_t>(config_.vocab_size);
    const auto token = [&] { return static_cast<std::int32_t>(random.below(vocabulary)); };
    std::vector<Sample> samples(batch_);
    for (Sample& sample : samples) {
      Encoding text;
      for (std::size_t i = 0; i < length_; ++i) text.input_ids.push_back(token());
      text.token_type_ids.assign(length_, 0);
      sample.texts.push_back(std::move(text));
      std::vector<std::int32_t> rows;
      const std::size_t masked = masked_tokens(length_);
      for (std::size_t i = 0; i < masked; ++i) {
        rows.push_back(static_cast<std::int32_t>(i * length_ / masked));
        sample.units.push_back(static_cast<std::int32_t>(i));
        sample.targets.push_back(token());
      }
      sample.picks.push_back(std::move(rows));
    }
    return samples;
  }

  std::string place(std::int64_t step) override { return fmt::format("step {}", step + 1); }

 private:
  const Config& config_;
  std::size_t batch_, length_;
};

/// Of MaskedLM for one row that it scores.
double head_operations(const Config& config) {
  return linear_operations(config.hidden_size, config.hidden_size) +
         linear_operations(config.hidden_size, config.vocab_size);
}

std::size_t peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

}  // namespace

StepBenchReport measure_steps(const StepBenchOptions& options) {
  const auto dtype = kernels::dtype_named(options.dtype);
  require(dtype && *dtype != kernels::Dtype::int8, Kind::usage,
          "dtype: expected float32 or bfloat16, found '{}'", printable(options.dtype));
  use_threads(options.threads, 1);
  Config config = Config::preset(options.variant);
  config.task = "fill-mask";
  config.max_position_embeddings =
      std::max(config.max_position_embeddings, static_cast<std::int64_t>(options.length));
  for (const std::string& setting : options.set) config.assign(setting);
  config.validate();
  require(!config.reads_numbers(), Kind::usage, "config: expected input_type tokens, found {}",
          config.input_type);

  StepBenchReport report;
  report.threads = at::get_num_threads();
  const auto model = std::make_shared<nn::FNetWithHeadImpl>(config, 1);
  model->set_recompute(options.recompute);
  PretrainObjective objective(model, std::nullopt, {}, 1);
  MadeUpSource source(config, options.batch, options.length);
  NoSaver saver;
  bool first = true;
  double total = 0;
  TrainingCallbacks callbacks;
  callbacks.stop = [&] {
    const auto done = static_cast<std::int64_t>(report.steps.size());
    return options.steps > 0 ? done >= options.steps : done >= 3 && total >= options.seconds;
  };
  const LoopOptions loop = {.stages = {{.steps = source.epoch_steps()}},
                            .learning_rate = 1e-4,
                            .optimizer = {},
                            .metric = "likelihood",
                            .products = *dtype,
                            .timed = [&](const StepSeconds& seconds) {
                              if (std::exchange(first, false)) return;
                              report.steps.push_back(seconds);
                              total += seconds.total();
                            }};
  Loop(loop, source, objective, saver, callbacks).run();

  const auto tokens = static_cast<double>(options.batch * options.length);
  const auto masked = static_cast<double>(options.batch * masked_tokens(options.length));
  // A gradient takes a product for each of its factors.
  report.operations = 3 * (tokens * Encoder::operations(config, Parts(config),
                                                        static_cast<std::int64_t>(options.length)) +
                           masked * head_operations(config));
  report.peak_bytes = peak_bytes();
  return report;
}

}  // namespace fnet
