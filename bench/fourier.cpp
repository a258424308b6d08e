// Fourier mixing + residual + layer norm of one text, H = 768 unless said, in ns a token.
//   bench_fourier --benchmark_repetitions=5 --benchmark_report_aggregates_only=true
#include <benchmark/benchmark.h>

#include <cstddef>
#include <vector>

#include "core/parallel.h"
#include "core/random.h"
#include "kernels/fourier.h"

namespace {

using namespace fnet::kernels;

std::vector<float> normals(std::size_t n) {
  fnet::Philox random(7, n);
  std::vector<float> values(n);
  for (float& v : values) v = random.normal();
  return values;
}

/// Arguments: length, hidden size, threads.
void fourier(benchmark::State& state) {
  const auto length = static_cast<std::size_t>(state.range(0));
  const auto hidden = static_cast<std::size_t>(state.range(1));
  fnet::ThreadPool pool(static_cast<int>(state.range(2)));
  const FourierPlan plan(length, hidden, false);
  const std::vector<float> x = normals(length * hidden), weight(hidden, 1.0F), bias(hidden, 0.0F);
  std::vector<float> y(x.size());
  const std::vector<FourierText> texts = {
      {.plan = &plan, .x = x.data(), .residual = x.data(), .y = y.data()}};
  const NormArgs norm = {
      .kind = NormKind::layer_norm, .weight = weight.data(), .bias = bias.data()};
  Workspace workspace;
  for (auto _ : state) fourier_mix(texts, norm, pool, workspace);
  state.counters["token_time"] =
      benchmark::Counter(static_cast<double>(length) * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

BENCHMARK(fourier)
    ->ArgNames({"length", "hidden", "threads"})
    ->ArgsProduct({{5, 32, 128, 509, 512, 1000, 1024, 4096, 16384, 65536}, {768}, {1, 2}})
    ->ArgsProduct({{512}, {256, 512, 1024}, {1}})
    ->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
