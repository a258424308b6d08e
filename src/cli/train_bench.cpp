#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/common_flags.h"
#include "cli/output.h"
#include "cli/train_commands.h"
#include "core/error.h"
#include "kernels/kernels.h"
#include "train/step_bench.h"

namespace fnet::cli {
namespace {

using nlohmann::ordered_json;

struct Flags {
  StepBenchOptions options;
  bool json = false;
};

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

ordered_json measure(const StepBenchOptions& options) {
  const StepBenchReport found = measure_steps(options);
  std::vector<double> times;
  StepSeconds sum;
  for (const StepSeconds& step : found.steps) {
    times.push_back(step.total());
    sum.batch += step.batch;
    sum.forward += step.forward;
    sum.backward += step.backward;
    sum.update += step.update;
  }
  const double seconds = median(times);
  const double gflops = 1e-9 * found.operations / seconds;
  return {
      {"batch", options.batch},
      {"length", options.length},
      {"threads", found.threads},
      {"device", options.device},
      {"dtype", options.dtype},
      {"isa", kernels::table().name},
      {"steps", times.size()},
      {"milliseconds", {{"p50", 1e3 * seconds}, {"best", 1e3 * *std::ranges::min_element(times)}}},
      {"tokens_per_second", static_cast<double>(options.batch * options.length) / seconds},
      {"gflops", gflops},
      {"peak_gflops", found.peak_gflops},
      {"fraction_of_peak", gflops / found.peak_gflops},
      {"parts",
       {{"batch", sum.batch / sum.total()},
        {"forward", sum.forward / sum.total()},
        {"backward", sum.backward / sum.total()},
        {"update", sum.update / sum.total()}}},
      {"peak_bytes", found.peak_bytes}};
}

void run(const Flags& flags) {
  const ordered_json r = measure(flags.options);
  if (flags.json) {
    print(r.dump(2) + "\n");
    return flush();
  }
  const auto number = [&](std::string_view key) { return r[std::string(key)].get<double>(); };
  const std::string where =
      flags.options.device == "cpu"
          ? fmt::format("{} threads, {}", r["threads"].get<int>(), r["isa"].get<std::string>())
          : flags.options.device;
  print(fmt::format("{} texts of {} tokens, {}, {}: {} steps\n", flags.options.batch,
                    flags.options.length, flags.options.dtype, where, r["steps"].get<int>()));
  print(fmt::format("step         p50 {:.1f} ms, best {:.1f}\n",
                    r["milliseconds"]["p50"].get<double>(),
                    r["milliseconds"]["best"].get<double>()));
  print(fmt::format("throughput   {:.0f} tokens/s\n", number("tokens_per_second")));
  print(fmt::format("products     {:.0f} GFLOP/s of {:.0f} measured here: {:.1f} %\n",
                    number("gflops"), number("peak_gflops"), 100 * number("fraction_of_peak")));
  for (const auto& [name, share] : r["parts"].items()) {
    print(fmt::format("{:<12} {:.1f} % of the time\n", name, 100 * share.get<double>()));
  }
  print(fmt::format("memory       {:.0f} MB at most\n", 1e-6 * number("peak_bytes")));
  flush();
}

}  // namespace

Action declare_train_bench(FlagSet& set) {
  const auto flags = std::make_shared<Flags>();
  StepBenchOptions& o = flags->options;
  add_variant(set, o.variant, "size of the model, a masked language model");
  add_settings(set, o.set);
  set.add("--batch", &o.batch, "texts a step", {.range = Range{1, 65536}});
  set.add("--length", &o.length, "tokens a text", {.range = Range{1, 1000000}});
  set.add("--device", &o.device,
          "where the model learns: cpu, or where torch has CUDA cuda or cuda:N");
  set.add("--dtype", &o.dtype,
          "of the factors of products while it learns; weights and sums are float32; float16: with "
          "CUDA",
          {.words = {"float32", "bfloat16", "float16"}});
  set.add("--recompute", &o.recompute,
          "keep of each block only what it reads, and compute the rest again");
  add_threads(set, o.threads);
  set.add("--steps", &o.steps, "steps to measure, after a first one; 0: as many as --seconds last",
          {.range = Range{0, 1'000'000}});
  set.add("--seconds", &o.seconds, "how long to measure", {.range = Range{0, 3600}});
  set.add("--json", &flags->json, "for programs");
  return [flags] { run(*flags); };
}

}  // namespace fnet::cli
