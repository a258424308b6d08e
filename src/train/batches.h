#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tasks/task.h"

namespace fnet {

/// Tokens of all of a sample's texts.
std::size_t tokens_of(const Sample& sample);

/// Batches of an epoch, as indices into the samples: a pure function of (seed, epoch, lengths),
/// with texts of like length together so that equal ones share a transform.
std::vector<std::vector<std::size_t>> make_batches(std::span<const Sample> samples,
                                                   std::int64_t batch_size, std::uint64_t seed,
                                                   std::int64_t epoch);

/// Weights [classes] under which each class has the same part in the loss: n / (classes · n_c), 0
/// for a class that does not occur. Source: scikit-learn's "balanced".
std::vector<double> balanced_weights(std::span<const Sample> samples, std::size_t classes);

}  // namespace fnet
