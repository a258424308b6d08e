#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "blocks/model.h"
#include "cli/command.h"
#include "cli/common_flags.h"
#include "cli/output.h"
#include "core/cores.h"
#include "core/error.h"
#include "core/random.h"
#include "kernels/kernels.h"
#include "kernels/peak.h"
#include "model/init.h"
#include "model/input_rows.h"

namespace fnet::cli {
namespace {

using nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

struct Flags {
  std::filesystem::path directory;
  std::string variant = "base";
  std::vector<std::string> settings;
  EngineOptions options;
  std::size_t batch = 8, length = 512;
  double seconds = 5;
  std::string pass = "hidden";
  bool json = false;
};

Engine make_engine(const Flags& flags) {
  if (!flags.directory.empty()) return Engine::load(flags.directory, flags.options);
  Config config = Config::preset(flags.variant);
  config.max_position_embeddings =
      std::max(config.max_position_embeddings, static_cast<std::int64_t>(flags.length));
  for (const std::string& setting : flags.settings) config.assign(setting);
  config.validate();
  std::map<std::string, WeightSpec> specs;
  for (WeightSpec& spec : model_weights(config)) specs.emplace(spec.name, std::move(spec));
  const WeightSource random = [&](const std::string& name, std::span<const std::int64_t>) {
    return initial_values(specs.at(name), config.initializer_range, 1);
  };
  return Engine(config, random, flags.options);
}

double percentile(const std::vector<double>& sorted, double share) {
  return sorted[std::min(sorted.size() - 1,
                         static_cast<std::size_t>(share * static_cast<double>(sorted.size())))];
}

/// The machine's peak in each type where it is over what `peaks` has: measured before and after the
/// passes, as another program may slow down either.
void raise(ordered_json& peaks, int threads) {
  for (std::size_t i = 0; i < kernels::kDtypeNames.size(); ++i) {
    const std::string name(kernels::kDtypeNames[i]);
    const double found = kernels::measure_peak(static_cast<kernels::Dtype>(i), threads);
    peaks[name] = std::max(found, peaks.value(name, 0.0));
  }
}

/// Bytes of the weights in products: what a pass reads at least once.
std::size_t product_bytes(const Config& config, kernels::Dtype dtype) {
  std::size_t numbers = 0;
  for (const WeightSpec& spec : model_weights(config)) numbers += spec.product ? spec.size() : 0;
  return 4 * numbers / kernels::per_unit(dtype);
}

ordered_json measure(const Flags& flags) {
  const Engine engine = make_engine(flags);
  Philox random(1, 0);
  std::vector<Encoding> texts(flags.batch);
  for (Encoding& text : texts) {
    if (engine.config().reads_numbers()) {
      text = sample_rows(engine.config(), static_cast<std::int64_t>(flags.length));
      continue;
    }
    for (std::size_t i = 0; i < flags.length; ++i) {
      text.input_ids.push_back(static_cast<std::int32_t>(
          random.below(static_cast<std::uint64_t>(engine.config().vocab_size))));
    }
  }
  std::vector<float> hidden(flags.batch * flags.length *
                            static_cast<std::size_t>(engine.config().hidden_size));
  const auto once = [&] {
    const auto start = Clock::now();
    if (flags.pass == "hidden") {
      engine.forward(texts, hidden);
    } else {
      engine.embed(texts);
    }
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  const int threads = flags.options.threads > 0 ? flags.options.threads : available_cores();
  auto peaks = ordered_json::object();
  raise(peaks, threads);
  const std::size_t read =
      product_bytes(engine.config(), *kernels::dtype_named(engine.options().dtype));
  double bandwidth = kernels::measure_read(read, threads);
  once();  // fills the caches and the workspace
  const auto before = engine.seconds_by_part();
  std::vector<double> times;
  double total = 0;
  while (total < flags.seconds || times.size() < 3) total += times.emplace_back(once());
  const auto after = engine.seconds_by_part();
  raise(peaks, threads);
  bandwidth = std::max(bandwidth, kernels::measure_read(read, threads));
  std::ranges::sort(times);
  const double tokens = static_cast<double>(flags.batch * flags.length);
  const double median = percentile(times, 0.5);
  const double gflops = Encoder::operations(engine.config(), Parts(engine.config()),
                                            static_cast<std::int64_t>(flags.length)) *
                        tokens / median * 1e-9;
  ordered_json parts;
  double rest = 1;
  for (std::size_t i = 0; i < after.size(); ++i) {
    const double share = (after[i].second - before[i].second) / total;
    parts[after[i].first] = share;
    rest -= share;
  }
  parts["rest"] = rest;
  auto formulas = ordered_json::array();
  for (const auto& [place, path] : engine.paths()) {
    if (path == "formula") formulas.push_back(place);
  }
  const double peak = peaks[engine.options().dtype].get<double>();
  const double gigabytes = 1e-9 * static_cast<double>(read) / median;
  return {{"batch", flags.batch},
          {"length", flags.length},
          {"threads", threads},
          {"dtype", engine.options().dtype},
          {"isa", kernels::table().name},
          {"passes", times.size()},
          {"milliseconds",
           {{"p50", 1e3 * median},
            {"p90", 1e3 * percentile(times, 0.9)},
            {"p99", 1e3 * percentile(times, 0.99)},
            {"best", 1e3 * times.front()}}},
          {"tokens_per_second", tokens / median},
          {"gflops", gflops},
          {"peak_gflops", peaks},
          {"fraction_of_peak", gflops / peak},
          {"gigabytes_per_second", gigabytes},
          {"peak_gigabytes", bandwidth},
          {"fraction_of_limit", std::max(gflops / peak, gigabytes / bandwidth)},
          {"parts", parts},
          {"formulas", formulas},
          {"weight_bytes", engine.weight_bytes()},
          {"workspace_bytes", engine.workspace_bytes()}};
}

void run(const Flags& flags) {
  const ordered_json r = measure(flags);
  if (flags.json) {
    print(r.dump(2) + "\n");
    return flush();
  }
  const auto& ms = r["milliseconds"];
  print(fmt::format("{} texts of {} tokens, {}, {} threads, {}: {} passes\n", flags.batch,
                    flags.length, r["dtype"].get<std::string>(), r["threads"].get<int>(),
                    r["isa"].get<std::string>(), r["passes"].get<int>()));
  print(fmt::format("latency      p50 {:.2f} ms, p90 {:.2f}, p99 {:.2f}, best {:.2f}\n",
                    ms["p50"].get<double>(), ms["p90"].get<double>(), ms["p99"].get<double>(),
                    ms["best"].get<double>()));
  print(fmt::format("throughput   {:.0f} tokens/s\n", r["tokens_per_second"].get<double>()));
  print(fmt::format("products     {:.0f} GFLOP/s of {:.0f} measured here: {:.1f} %\n",
                    r["gflops"].get<double>(), r["peak_gflops"][r["dtype"]].get<double>(),
                    100 * r["fraction_of_peak"].get<double>()));
  print(fmt::format(
      "weights      {:.1f} GB/s, read once a pass, of {:.1f} measured here: {:.1f} %\n",
      r["gigabytes_per_second"].get<double>(), r["peak_gigabytes"].get<double>(),
      100 * r["gigabytes_per_second"].get<double>() / r["peak_gigabytes"].get<double>()));
  for (const auto& [name, share] : r["parts"].items()) {
    print(fmt::format("{:<12} {:.1f} % of the time\n", name, 100 * share.get<double>()));
  }
  if (!r["formulas"].empty()) {
    print(fmt::format("formulas     {} parts run without a kernel, {} among them\n",
                      r["formulas"].size(), r["formulas"].back().get<std::string>()));
  }
  print(fmt::format("memory       weights {:.1f} MB, workspace {:.1f} MB\n",
                    1e-6 * r["weight_bytes"].get<double>(),
                    1e-6 * r["workspace_bytes"].get<double>()));
  flush();
}

}  // namespace

Action declare_bench(FlagSet& set) {
  const auto flags = std::make_shared<Flags>();
  set.add("DIR", &flags->directory, "model directory; without one, random weights of --variant",
          {.model = true});
  add_variant(set, flags->variant, "architecture without DIR", {"DIR"});
  add_settings(set, flags->settings, {"DIR"});
  set.add("--batch", &flags->batch, "texts a pass", {.range = Range{1, 65536}});
  set.add("--length", &flags->length, "tokens a text", {.range = Range{1, 1000000}});
  add_dtype(set, flags->options.dtype);
  add_threads(set, flags->options.threads);
  set.add("--pass", &flags->pass, "hidden: all rows of the last layer; pooled: one vector a text",
          {.words = {"hidden", "pooled"}});
  set.add("--seconds", &flags->seconds, "how long to measure", {.range = Range{0, 3600}});
  set.add("--json", &flags->json, "for programs");
  return [flags] { run(*flags); };
}

}  // namespace fnet::cli
