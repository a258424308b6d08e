#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "fnet/finetune.h"
#include "fnet/train.h"
#include "tasks/task.h"
#include "text/ngrams.h"
#include "train/losses.h"

namespace fnet {

/// Whether training ends in a model with a wide part; `may_begin`: it starts from a new one, or
/// from one that has it. Throws: usage where it is asked for and the task can have none.
bool wants_wide(const TaskOptions& options, const Task& task, bool may_begin);

/// The n-grams of samples that a wide part can hold, which scores `labels` in at most 4 MB.
NgramTable learn_ngrams(std::span<const Sample> samples, std::size_t labels);

/// Fits the model's wide part, whose n-grams are the table's, to samples. `class_weights` [C], of
/// cross_entropy; empty: all alike.
void fit_wide_head(nn::FNetWithHeadImpl& model, Loss loss, const NgramTable& table,
                   std::span<const Sample> samples, std::span<const double> class_weights);

/// What the wide part of the model's own head adds to the scores of samples: [S, C]. Not defined
/// where it has none.
at::Tensor wide_scores(nn::FNetWithHeadImpl& model, std::span<const Sample> samples);

/// What the scores of a head's two parts are multiplied by before they are added.
struct Shares {
  double deep = 1, wide = 1;
  double loss = 0;  ///< under them
};

/// The shares under which the sum of two parts' scores [B, C] has the lowest loss. `may_drop`: 0 is
/// among the wide part's; without a wide part the deep one's share is chosen. So few texts as there
/// may be must not make the sum too sure: as in Platt 1999, §2.2, the right one of C classes counts
/// (B + 1) / (B + C), of each label of several (B + 1) / (B + 2). Of squared_error, whose parts
/// both tell the value, the two are together 1, in steps of 1/16; of the others each is a power of
/// sqrt(2).
Shares best_shares(Loss loss, Scored deep, const at::Tensor& wide, bool may_drop);

}  // namespace fnet
