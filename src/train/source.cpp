#include "train/source.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/random.h"
#include "model/batch.h"

namespace fnet {

MemorySource::MemorySource(std::vector<Sample> samples, std::vector<std::size_t> lines,
                           std::string file, std::int64_t batch_size, std::uint64_t seed)
    : samples_(std::move(samples)),
      lines_(std::move(lines)),
      file_(std::move(file)),
      batch_size_(batch_size),
      seed_(seed) {}

std::int64_t MemorySource::epoch_steps() const {
  return (static_cast<std::int64_t>(samples_.size()) + batch_size_ - 1) / batch_size_;
}

const std::vector<std::size_t>& MemorySource::indices(std::int64_t step) {
  const std::int64_t epoch = step / epoch_steps() + 1;
  if (epoch != epoch_) {
    batches_ = make_batches(samples_, batch_size_, seed_, epoch);
    epoch_ = epoch;
  }
  return batches_[static_cast<std::size_t>(step % epoch_steps())];
}

std::vector<Sample> MemorySource::batch(std::int64_t step) {
  std::vector<Sample> batch;
  for (const std::size_t i : indices(step)) batch.push_back(samples_[i]);
  return batch;
}

std::string MemorySource::place(std::int64_t step) {
  std::vector<std::size_t> lines;
  for (const std::size_t i : indices(step)) lines.push_back(lines_[i]);
  return fmt::format("{} lines {}", file_, fmt::join(lines, ","));
}

std::vector<Sample> AheadSource::batch(std::int64_t step) {
  std::vector<Sample> own;
  if (coming_.valid()) own = coming_.get();
  if (step_ != step) own = source_.batch(step);
  step_ = step + 1;
  coming_ = std::async(std::launch::async, [this] { return source_.batch(step_); });
  return own;
}

std::string AheadSource::place(std::int64_t step) {
  if (coming_.valid()) coming_.wait();
  return source_.place(step);
}

std::size_t tokens_of(const Sample& sample) {
  std::size_t tokens = 0;
  for (const Encoding& text : sample.texts) tokens += text.size();
  return tokens;
}

std::vector<std::vector<std::size_t>> make_batches(std::span<const Sample> samples,
                                                   std::int64_t batch_size, std::uint64_t seed,
                                                   std::int64_t epoch) {
  // Sorting within pools keeps batches random, yet of like lengths.
  constexpr std::size_t kPool = 50;
  const auto size = static_cast<std::size_t>(batch_size);
  Philox random(seed, static_cast<std::uint64_t>(epoch));
  std::vector<std::size_t> order(samples.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  random.shuffle(order);
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
  random.shuffle(batches);
  return batches;
}

std::vector<std::vector<std::size_t>> batches_by_length(std::span<const Sample> samples,
                                                        const Config& config) {
  constexpr std::int64_t kRows = 4096;
  std::vector<std::size_t> order(samples.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return tokens_of(samples[i]); });
  std::vector<std::vector<std::size_t>> batches;
  std::int64_t rows = kRows;
  for (const std::size_t i : order) {
    if (rows >= kRows) batches.emplace_back(), rows = 0;
    batches.back().push_back(i);
    for (const Encoding& text : samples[i].texts) {
      const std::size_t tokens = text.size();
      rows += rows_of(tokens, config, static_cast<std::int64_t>(tokens));
    }
  }
  return batches;
}

}  // namespace fnet
