#pragma once

#include <cstddef>
#include <cstdint>
#include <future>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tasks/task.h"

namespace fnet {

/// Samples by their position in a training run. What a step gets is a function of the step alone,
/// so a run can begin at any.
class Source {
 public:
  virtual ~Source() = default;

  /// Steps between two evaluations; of a data set, those of one pass over it.
  virtual std::int64_t epoch_steps() const = 0;

  /// The samples of a step of the run, from 0. Steps are asked for in order.
  virtual std::vector<Sample> batch(std::int64_t step) = 0;

  /// Where a step's samples come from, for messages: "train.tsv lines 3,7".
  virtual std::string place(std::int64_t step) = 0;
};

/// A data set in memory, in an order of its own in each epoch.
class MemorySource : public Source {
 public:
  /// `lines`: of each sample in `file`. `seed`: of the order.
  MemorySource(std::vector<Sample> samples, std::vector<std::size_t> lines, std::string file,
               std::int64_t batch_size, std::uint64_t seed);

  std::int64_t epoch_steps() const override;
  std::vector<Sample> batch(std::int64_t step) override;
  std::string place(std::int64_t step) override;

 private:
  const std::vector<std::size_t>& indices(std::int64_t step);

  std::vector<Sample> samples_;
  std::vector<std::size_t> lines_;
  std::string file_;
  std::int64_t batch_size_;
  std::uint64_t seed_;
  std::int64_t epoch_ = 0;  // whose batches these are
  std::vector<std::vector<std::size_t>> batches_;
};

/// Another source, whose next batch a thread reads while a step is under way.
class AheadSource : public Source {
 public:
  /// `source` must outlive this object.
  explicit AheadSource(Source& source) : source_(source) {}

  std::int64_t epoch_steps() const override { return source_.epoch_steps(); }
  std::vector<Sample> batch(std::int64_t step) override;
  std::string place(std::int64_t step) override;

 private:
  Source& source_;
  std::int64_t step_ = -1;                   // of the batch that comes
  std::future<std::vector<Sample>> coming_;  // its end is waited for
};

/// Of a step's samples, [first, last + 1) that belong to a part of so many: each sample to one, in
/// order, and to no part more than one more than to another.
inline std::pair<std::int64_t, std::int64_t> part_of(std::int64_t samples, std::int64_t part,
                                                     std::int64_t parts) {
  return {samples * part / parts, samples * (part + 1) / parts};
}

/// Tokens of a sample's texts.
std::size_t tokens_of(const Sample& sample);

/// Batches of an epoch, as indices into the samples: a pure function of (seed, epoch, lengths),
/// with texts of like length together so that equal ones share a transform.
std::vector<std::vector<std::size_t>> make_batches(std::span<const Sample> samples,
                                                   std::int64_t batch_size, std::uint64_t seed,
                                                   std::int64_t epoch);

/// All samples in batches of like length for passes without gradients, as indices: each of as many
/// as take some thousand rows of a model.
std::vector<std::vector<std::size_t>> batches_by_length(std::span<const Sample> samples,
                                                        const Config& config);

}  // namespace fnet
