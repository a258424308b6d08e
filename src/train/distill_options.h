#pragma once

#include <string_view>

#include "fnet/distill.h"
#include "model/config_fields.h"

namespace fnet {

/// The one list of the options of distilling that are plain values, as `finetune_options` is that
/// of finetune.
template <class Visit>
void distill_options(Visit&& option) {
  using O = DistillOptions;
  const auto range = Allowed::range;
  option("loss", &O::loss, Allowed::one_of({"cosine", "squared_error", "similarity"}),
         "1 - the cosine with the teacher's vector; the square of the distance to it; or only how "
         "alike the texts are to each other");
  option("similarity_weight", &O::similarity_weight, range(0, 1'000),
         "weight of the likeness of the batch's texts beside the first loss");
  option("epochs", &O::epochs, range(1, 1'000'000), "passes over the texts");
  option("steps", &O::steps, range(0, 1e9), "steps of the run; 0: as many as the epochs have");
  option("batch_size", &O::batch_size, range(1, 65'536), "texts a step");
  option("max_length", &O::max_length, Allowed::any(),
         "tokens of a text that are read; 0: the model's limit");
  option("learning_rate", &O::learning_rate, range(0, 10), "learning rate at its peak");
  option("warmup", &O::warmup, range(0, 1), "share of the steps until the peak");
  option("weight_decay", &O::weight_decay, range(0, 10),
         "AdamW's decay; biases and norms are left out");
  option("max_grad_norm", &O::max_grad_norm, range(0, 1'000'000),
         "clip the gradient's norm; 0: never");
  option("average", &O::average, range(0, 0.99999),
         "decay of the weights' moving average; 0: the last weights");
  option("eval_steps", &O::eval_steps, range(1, 1e9), "steps between two evaluations on dev");
  option("eval_texts", &O::eval_texts, range(2, 5'000), "texts of dev at most");
  option(
      "checkpoint_steps", &O::checkpoint_steps, range(-1, 1'000'000'000),
      "steps between two checkpoints, from which the same command goes on; -1: by time, 0: none");
  option("keep_checkpoints", &O::keep_checkpoints, range(1, 1'000),
         "checkpoints that stand at a time, until the run ends");
  option("dtype", &O::dtype, Allowed::one_of({"float32", "bfloat16"}),
         "of the factors of products while it learns; weights and sums are float32");
  option("seed", &O::seed, Allowed::any(), "the same command and seed give the same model");
  option("threads", &O::threads, range(0, 1'024), "0: one for each core");
}

}  // namespace fnet
