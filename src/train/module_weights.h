#pragma once

#include "blocks/weights.h"
#include "train/algebra.h"

namespace fnet::nn {

using WeightMap = Weights<TorchTensor>::Map;

/// Parameters and buffers by name.
WeightMap weight_map(const torch::nn::Module& module);

}  // namespace fnet::nn
