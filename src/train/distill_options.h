#pragma once

#include <string_view>

#include "fnet/distill.h"
#include "model/config_fields.h"
#include "train/common_options.h"

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
  option(
      "hidden_weight", &O::hidden_weight, range(0, 1'000),
      "weight of the likeness of what each layer makes of a text's rows, which needs a teacher of "
      "the model's width beside it");
  option("epochs", &O::epochs, range(1, 1'000'000), "passes over the texts");
  option("steps", &O::steps, range(0, 1e9), "steps of the run; 0: as many as the epochs have");
  option("batch_size", &O::batch_size, range(1, 65'536), "texts a step");
  option("max_length", &O::max_length, Allowed::any(),
         "tokens of a text that are read; 0: the model's limit");
  option("learning_rate", &O::learning_rate, range(0, 10), "learning rate at its peak");
  option("warmup", &O::warmup, range(0, 1), "share of the steps until the peak");
  optimizer_options<O>(option);
  average_option<O>(option);
  option("eval_steps", &O::eval_steps, range(1, 1e9), "steps between two evaluations on dev");
  option("eval_texts", &O::eval_texts, range(2, 5'000), "texts of dev at most");
  checkpoint_options<O>(option);
  machine_options<O>(option);
}

}  // namespace fnet
