#pragma once

#include <torch/torch.h>

#include <string_view>
#include <vector>

// CUDA is reached through what torch has for every device, so that one source builds with any
// torch.
namespace fnet {

/// Where a training computes, and what its products take their factors as.
struct Machine {
  at::Device device = at::kCPU;
  at::ScalarType products = at::kFloat;
};

/// By a training's options: `device` cpu, cuda or cuda:N, where cuda alone is the one of this
/// process's number on its machine, and `dtype`. Throws: usage where torch has no such device, or
/// the device no such products.
Machine machine_named(std::string_view device, std::string_view dtype, int local_rank = 0);

/// Numbers as a tensor on a device; that a copy is under way there holds nobody up.
template <class T>
at::Tensor on_device(const std::vector<T>& numbers, at::ScalarType type, at::Device device) {
  const at::Tensor own = at::tensor(numbers, type);
  return device.is_cuda() ? own.pin_memory().to(device, true) : own.to(device);
}

}  // namespace fnet
