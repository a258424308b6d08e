#pragma once

namespace fnet {

/// Seconds that the parts of a training step took.
struct StepSeconds {
  double batch = 0;     ///< its samples
  double forward = 0;   ///< the loss
  double backward = 0;  ///< its gradients
  double update = 0;    ///< norm, clipping and the optimizer's step

  double total() const noexcept { return batch + forward + backward + update; }
};

}  // namespace fnet
