#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "fnet/finetune.h"
#include "fnet/train.h"
#include "tasks/task.h"
#include "text/ngrams.h"

namespace fnet {

/// Whether training ends in a model with a wide part; `may_begin`: it starts from a new one, or
/// from one that has it. Throws: usage where it is asked for and the task can have none.
bool wants_wide(const TaskOptions& options, const Task& task, bool may_begin);

/// The n-grams of samples that a wide part can hold, which scores `labels` in at most 4 MB.
NgramTable learn_ngrams(std::span<const Sample> samples, std::size_t labels);

/// Fits the model's wide part, whose n-grams are the table's, to samples. `class_weights` [C];
/// empty: all alike.
void fit_wide_head(nn::FNetWithHeadImpl& model, const NgramTable& table,
                   std::span<const Sample> samples, std::span<const double> class_weights);

/// What the scores of a head's two parts are multiplied by before they are added.
struct Shares {
  double deep = 1, wide = 1;
};

/// The shares, steps of sqrt(2) apart, under which the sum has the lowest cross-entropy: scores
/// [B, C], targets [B]. `may_drop`: 0 is among the wide part's. So few texts as there may be must
/// not make the sum too sure: as in Platt 1999, §2.2, the right class counts (B + 1) / (B + C).
Shares best_shares(const at::Tensor& deep, const at::Tensor& wide, const at::Tensor& targets,
                   bool may_drop);

}  // namespace fnet
