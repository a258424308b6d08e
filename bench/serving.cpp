// One fnet-base for many callers at once, each with one text at a time, against one caller with all
// their texts as a batch, in turns in one process. The callers must not lose throughput, and none
// may wait long.
//   bench_serving [CALLERS [TOKENS [ROUNDS [THREADS]]]]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <numeric>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "core/cores.h"
#include "core/random.h"
#include "fnet/engine.h"

namespace {

using Clock = std::chrono::steady_clock;
constexpr double kSeconds = 8;  // of one measurement

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

fnet::Engine engine_of(int threads) {
  fnet::EngineOptions options;
  options.threads = threads;
  std::uint64_t weight = 0;
  const fnet::WeightSource random = [&](const std::string& name,
                                        std::span<const std::int64_t> shape) {
    std::size_t count = 1;
    for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
    fnet::Philox numbers(1, weight++);
    std::vector<float> values(count, 1.0F);
    if (name.ends_with("LayerNorm.weight")) return values;
    for (float& v : values) v = 0.07F * (numbers.uniform() - 0.5F);
    return values;
  };
  return {fnet::Config::preset("base"), random, options};
}

/// Passes until the time is over, and how long each took.
std::vector<double> passes(const fnet::Engine& engine, std::span<const fnet::Encoding> texts,
                           std::size_t tokens) {
  std::vector<float> hidden(tokens * static_cast<std::size_t>(engine.config().hidden_size));
  std::vector<double> times;
  const auto start = Clock::now();
  while (since(start) < kSeconds) {
    const auto begin = Clock::now();
    engine.forward(texts, hidden);
    times.push_back(since(begin));
  }
  return times;
}

double total(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

double percentile(std::vector<double> values, double share) {
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int i, int otherwise) {
    return argc > i ? std::atoi(argv[i]) : otherwise;
  };
  const auto callers = static_cast<std::size_t>(number(1, 8));
  const auto tokens = static_cast<std::size_t>(number(2, 128));
  const int rounds = number(3, 5);
  const int threads = number(4, fnet::available_cores());

  std::vector<fnet::Encoding> texts(callers);
  fnet::Philox random(1, 0);
  for (fnet::Encoding& text : texts) {
    for (std::size_t i = 0; i < tokens; ++i) {
      text.input_ids.push_back(static_cast<std::int32_t>(random.below(32'000)));
    }
  }
  const double lone = percentile(passes(engine_of(1), std::span(texts).first(1), tokens), 0.5);
  const double bound = 2 * static_cast<double>(callers) * lone / threads;
  fmt::print(
      "{} callers, texts of {} tokens, {} threads; a text alone on one thread takes {:.1f} ms\n"
      "{:>16} {:>16} {:>6} {:>8} {:>8} {:>8}\n",
      callers, tokens, threads, 1e3 * lone, "batch, tokens/s", "callers", "ratio", "p50 ms", "p99",
      "wanted");
  const fnet::Engine engine = engine_of(threads);
  for (int round = 0; round < rounds; ++round) {
    const auto batches = passes(engine, texts, callers * tokens);
    const double batch = static_cast<double>(batches.size() * callers * tokens) / total(batches);

    std::vector<std::vector<double>> latencies(callers);
    std::vector<std::thread> clients;
    const auto start = Clock::now();
    for (std::size_t i = 0; i < callers; ++i) {
      clients.emplace_back(
          [&, i] { latencies[i] = passes(engine, std::span(texts).subspan(i, 1), tokens); });
    }
    for (std::thread& client : clients) client.join();
    const double seconds = since(start);
    std::vector<double> all;
    for (const auto& some : latencies) all.insert(all.end(), some.begin(), some.end());
    const double served = static_cast<double>(all.size() * tokens) / seconds;
    fmt::print("{:16.0f} {:16.0f} {:6.3f} {:8.1f} {:8.1f} {:8.1f}\n", batch, served, served / batch,
               1e3 * percentile(all, 0.5), 1e3 * percentile(all, 0.99), 1e3 * bound);
  }
}
