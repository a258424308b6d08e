#pragma once

#include <torch/torch.h>

namespace fnet {

/// at::cross_entropy_loss of scores [P, V] and targets [P], mean or sum. Where our kernels take it
/// with a gradient, the scores are kept once: the pass back, of which there can be only one, writes
/// their gradient in their place, so that whoever holds them has that afterwards.
at::Tensor cross_entropy(const at::Tensor& scores, const at::Tensor& targets,
                         at::Reduction::Reduction reduction);

}  // namespace fnet
