#pragma once

#include <torch/torch.h>

#include <functional>

namespace fnet {

/// f(x) of which only x is kept: the pass back computes it again, and then its gradients, which
/// f's parameters get at once. f must give the same again, and be all that its captures need.
/// Source: Chen et al. 2016, "Training deep nets with sublinear memory cost".
at::Tensor recomputed(const at::Tensor& x, std::function<at::Tensor(const at::Tensor&)> f);

/// Whether this thread computes something again: what changes with a step has changed already.
bool recomputing();

}  // namespace fnet
