#pragma once

#include <string_view>

#include "fnet/pretrain.h"
#include "model/config_fields.h"
#include "train/common_options.h"

namespace fnet {

/// The one list of the options of pretraining that are plain values, as `finetune_options` is that
/// of finetune.
template <class Visit>
void pretrain_options(Visit&& option) {
  using O = PretrainOptions;
  const auto range = Allowed::range;
  option("objective", &O::objective, Allowed::one_of({"mlm", "mlm+sop", "mlm+nsp"}),
         "masked tokens; the order of two pieces of a document, or whether they are of one, too");
  option("masking", &O::masking, Allowed::one_of({"token", "whole-word", "span"}),
         "what is masked together");
  option("mask_prob", &O::mask_prob, range(1e-6, 1), "share of the tokens that are masked");
  option("max_predictions", &O::max_predictions, range(0, 1'000'000),
         "masked tokens of a text at most; 0: any number");
  option("steps", &O::steps, range(1, 1e9), "steps of the run");
  option("batch_size", &O::batch_size, range(1, 65'536), "texts a step, of all processes together");
  option("accumulate", &O::accumulate, range(1, 65'536),
         "parts of a step's texts that are read one after the other: less memory, the same step");
  option("max_length", &O::max_length, Allowed::any(), "tokens a text; 0: the model's limit");
  option("learning_rate", &O::learning_rate, range(0, 10), "learning rate at its peak");
  option("warmup", &O::warmup, range(0, 1), "share of the steps until the peak");
  option("schedule", &O::schedule, Allowed::one_of({"linear", "cosine", "constant"}),
         "of the learning rate after the peak: down to 0, or as it is");
  optimizer_options<O>(option);
  average_option<O>(option);
  option("eval_steps", &O::eval_steps, range(1, 1e9), "steps between two evaluations on dev");
  option("eval_texts", &O::eval_texts, range(1, 1'000'000), "texts of dev at most");
  checkpoint_options<O>(option);
  option("rank_timeout", &O::rank_timeout, range(1, 86'400),
         "of several processes: seconds until one that does not answer ends them all");
  machine_options<O>(option);
}

}  // namespace fnet
