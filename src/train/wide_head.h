#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "fnet/finetune.h"
#include "fnet/train.h"
#include "tasks/task.h"
#include "text/ngrams.h"

namespace fnet {

/// Whether training ends in a model with a wide part; `has`: it starts from one that has it.
/// Throws: usage where it is asked for and the task can have none.
bool wants_wide(const FinetuneOptions& options, const Task& task, bool has);

/// The n-grams of samples that a wide part can hold, which scores `labels` in at most 4 MB.
NgramTable learn_ngrams(std::span<const Sample> samples, std::size_t labels);

/// Fits the model's wide part, whose n-grams are the table's, to samples. `class_weights` [C];
/// empty: all alike.
void fit_wide_head(nn::FNetWithHeadImpl& model, const NgramTable& table,
                   std::span<const Sample> samples, std::span<const double> class_weights);

}  // namespace fnet
