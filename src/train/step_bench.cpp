#include "train/step_bench.h"

#include <c10/core/CachingDeviceAllocator.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include "blocks/model.h"
#include "core/random.h"
#include "kernels/peak.h"
#include "kernels/types.h"
#include "train/device.h"
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

std::size_t peak_bytes(at::Device device) {
  if (!device.is_cpu()) {
    const auto stats = c10::getDeviceAllocator(device.type())->getDeviceStats(device.index());
    return static_cast<std::size_t>(stats.allocated_bytes[0].peak);  // of all pools together
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

/// The most of 1e9 operations a second in a large product by torch.
double measure_peak(const Machine& machine) {
  constexpr std::int64_t n = 8192;
  constexpr int tries = 5, products = 10;
  const auto options = at::TensorOptions(machine.device).dtype(machine.products);
  const at::Tensor a = at::randn({n, n}, options), b = at::randn({n, n}, options);
  at::Tensor c = at::empty({n, n}, options);
  double best = 0;
  for (int i = 0; i < tries; ++i) {
    const auto start = std::chrono::steady_clock::now();
    for (int k = 0; k < products; ++k) at::matmul_out(c, a, b);
    c[0][0].item<float>();  // waits for all of them
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::max(best, 2e-9 * products * static_cast<double>(n * n * n) / seconds.count());
  }
  return best;
}

}  // namespace

StepBenchReport measure_steps(const StepBenchOptions& options) {
  const Machine machine = machine_named(options.device, options.dtype);
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
                            .device = machine.device,
                            .products = machine.products,
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
  report.peak_bytes = peak_bytes(machine.device);
  report.peak_gflops =
      machine.device.is_cpu()
          ? kernels::measure_peak(*kernels::dtype_named(options.dtype), report.threads)
          : measure_peak(machine);
  return report;
}

}  // namespace fnet
