// The fused feed-forward of fnet-base (768 → 3072 → 768, GELU, residual, norm), as a fraction of
// the peak measured in the same process. Twelve layers of weights of their own take turns, as in a
// model.
//   bench_gemm --benchmark_repetitions=5 --benchmark_report_aggregates_only=true
#include <benchmark/benchmark.h>

#include <map>
#include <memory>
#include <vector>

#include "core/random.h"
#include "kernels/peak.h"
#include "kernels/product.h"

namespace {

using namespace fnet::kernels;

constexpr std::size_t kHidden = 768, kInner = 3072, kLayers = 12;

std::vector<float> normals(std::size_t n, float scale) {
  fnet::Philox random(7, n);
  std::vector<float> values(n);
  for (float& v : values) v = scale * (random.uniform() - 0.5F);
  return values;
}

struct Model {
  std::vector<float> bias = normals(kInner, 0.1F);
  std::vector<PackedMatrix> matrices;
  std::vector<FeedForward> layers;

  explicit Model(Dtype dtype) {
    const auto weights = normals(kHidden * kInner, 0.05F);
    for (std::size_t i = 0; i < kLayers; ++i) {
      matrices.push_back(pack(weights.data(), kInner, kHidden, dtype));
      matrices.push_back(pack(weights.data(), kHidden, kInner, dtype));
    }
    for (std::size_t i = 0; i < kLayers; ++i) {
      FeedForward layer;
      layer.up = &matrices[2 * i];
      layer.down = &matrices[2 * i + 1];
      layer.up_bias = layer.down_bias = bias.data();
      layer.activation = Activation::gelu_tanh;
      layer.norm = {
          .kind = NormKind::layer_norm, .weight = bias.data(), .bias = bias.data(), .eps = 1e-12F};
      layers.push_back(layer);
    }
  }
};

const Model& model(Dtype dtype) {
  static std::map<Dtype, std::unique_ptr<Model>> models;
  auto& m = models[dtype];
  if (m == nullptr) m = std::make_unique<Model>(dtype);
  return *m;
}

double peak(Dtype dtype, int threads) {
  static std::map<std::pair<Dtype, int>, double> peaks;
  auto& p = peaks[{dtype, threads}];
  if (p == 0) p = measure_peak(dtype, threads);
  return p;
}

void feed_forward_layers(benchmark::State& state) {
  const auto dtype = static_cast<Dtype>(state.range(0));
  const auto rows = static_cast<std::size_t>(state.range(1));
  const auto threads = static_cast<int>(state.range(2));
  const Model& net = model(dtype);
  fnet::ThreadPool pool(threads);
  Workspace workspace;
  auto x = normals(rows * kHidden, 2.0F);
  std::size_t i = 0;
  for (auto _ : state) {
    feed_forward(net.layers[i++ % kLayers], x.data(), x.data(), rows, pool, workspace);
  }
  const double operations = 4.0 * static_cast<double>(rows * kHidden * kInner);
  state.counters["gflops"] =
      benchmark::Counter(operations * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["of_peak"] = benchmark::Counter(operations * 1e-9 / peak(dtype, threads),
                                                 benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK(feed_forward_layers)
    ->ArgNames({"dtype", "rows", "threads"})
    ->ArgsProduct({{0, 1, 2}, {1, 32, 128, 4096}, {1, 2}})
    ->UseRealTime()
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
