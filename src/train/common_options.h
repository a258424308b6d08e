#pragma once

#include "model/config_fields.h"

namespace fnet {

// Options that the trainings share: parts of the lists of finetune, pretrain and distill.

template <class O, class Visit>
void optimizer_options(Visit&& option) {
  option("weight_decay", &O::weight_decay, Allowed::range(0, 10),
         "AdamW's decay; biases and norms are left out");
  option("max_grad_norm", &O::max_grad_norm, Allowed::range(0, 1'000'000),
         "clip the gradient's norm; 0: never");
}

template <class O, class Visit>
void average_option(Visit&& option) {
  option("average", &O::average, Allowed::range(0, 0.99999),
         "decay of the weights' moving average; 0: the last weights");
}

template <class O, class Visit>
void checkpoint_options(Visit&& option) {
  option(
      "checkpoint_steps", &O::checkpoint_steps, Allowed::range(-1, 1'000'000'000),
      "steps between two checkpoints, from which the same command goes on; -1: by time, 0: none");
  option("keep_checkpoints", &O::keep_checkpoints, Allowed::range(1, 1'000),
         "checkpoints that stand at a time, until the run ends");
}

template <class O, class Visit>
void machine_options(Visit&& option) {
  option("device", &O::device, Allowed::any(),
         "where the model learns: cpu, or where torch has CUDA cuda or cuda:N");
  option("dtype", &O::dtype, Allowed::one_of({"float32", "bfloat16", "float16"}),
         "of the factors of products while it learns; weights and sums are float32; float16: with "
         "CUDA, and the loss is scaled");
  option(
      "recompute", &O::recompute, Allowed::any(),
      "keep of each block only what it reads, and compute the rest again for the gradients: less "
      "memory, a third more time, the same result");
  option("seed", &O::seed, Allowed::any(), "the same command and seed give the same model");
  option("threads", &O::threads, Allowed::range(0, 1'024), "0: one for each core");
}

}  // namespace fnet
