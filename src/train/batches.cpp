#include "train/batches.h"

#include <algorithm>
#include <numeric>

#include "core/random.h"

namespace fnet {

std::size_t tokens_of(const Sample& sample) {
  std::size_t tokens = 0;
  for (const Encoding& text : sample.texts) tokens += text.input_ids.size();
  return tokens;
}

std::vector<std::vector<std::size_t>> make_batches(std::span<const Sample> samples,
                                                   std::int64_t batch_size, std::uint64_t seed,
                                                   std::int64_t epoch) {
  // Sorting within pools keeps batches random, yet of like lengths.
  constexpr std::size_t kPool = 50;
  const auto size = static_cast<std::size_t>(batch_size);
  Philox random(seed, static_cast<std::uint64_t>(epoch));
  const auto shuffle = [&](auto& items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.below(i)]);
  };
  std::vector<std::size_t> order(samples.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  shuffle(order);
  std::vector<std::vector<std::size_t>> batches;
  for (std::size_t begin = 0; begin < order.size(); begin += kPool * size) {
    const std::size_t end = std::min(order.size(), begin + kPool * size);
    const auto pool = std::span(order).subspan(begin, end - begin);
    std::ranges::stable_sort(pool, {}, [&](std::size_t i) { return tokens_of(samples[i]); });
    for (std::size_t i = 0; i < pool.size(); i += size) {
      const auto batch = pool.subspan(i, std::min(size, pool.size() - i));
      batches.emplace_back(batch.begin(), batch.end());
    }
  }
  shuffle(batches);
  return batches;
}

std::vector<double> balanced_weights(std::span<const Sample> samples, std::size_t classes) {
  std::vector<double> weights(classes, 0.0);
  double total = 0;
  for (const Sample& sample : samples) {
    for (const std::int32_t label : sample.targets)
      ++weights[static_cast<std::size_t>(label)], ++total;
  }
  for (double& weight : weights) {
    weight = weight > 0 ? total / (static_cast<double>(classes) * weight) : 0.0;
  }
  return weights;
}

}  // namespace fnet
