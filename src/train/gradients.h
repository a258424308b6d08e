#pragma once

#include <torch/csrc/autograd/variable.h>
#include <torch/torch.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "train/ranks.h"

namespace fnet {

/// The sums of parameters' gradients over all processes. They are added up in buckets, each as soon
/// as a backward pass has made its last gradient, while that goes on.
/// Source: Li et al. 2020, "PyTorch Distributed: experiences on accelerating data parallel
/// training".
class GradientSums {
 public:
  /// Parameters of one type on one device, the same ones in each process. `ranks` must outlive this
  /// object.
  GradientSums(Ranks& ranks, std::vector<at::Tensor> parameters);
  ~GradientSums();
  GradientSums(const GradientSums&) = delete;
  GradientSums& operator=(const GradientSums&) = delete;

  /// The next backward pass is the step's last one here.
  void begin();

  /// Gives each parameter the sum of its gradients, none where no process has one. Whether any has.
  bool finish();

  /// Bytes of gradients in a bucket at most: the first is small, so that sums begin early.
  static constexpr std::int64_t kFirstBytes = std::int64_t{1} << 20,
                                kBytes = std::int64_t{25} << 20;

 private:
  /// Gradients side by side, and behind them a number for each: how many processes have it.
  struct Bucket {
    at::Tensor values;
    std::vector<std::size_t> parameters;
    std::size_t waits_for = 0;
  };
  struct Place {
    std::size_t bucket = 0, slot = 0;
    std::int64_t offset = 0;
    bool taken = false;
  };

  void take(std::size_t parameter);
  void start_ready();
  at::Tensor gradient(std::size_t parameter) const;
  at::Tensor count(std::size_t parameter) const;

  Ranks& ranks_;
  std::vector<at::Tensor> parameters_;
  std::vector<Bucket> buckets_;
  std::vector<Place> places_;
  /// What adds up a parameter's gradient in a backward pass, and our hook behind it. The kind of
  /// pointer differs between versions of torch.
  using Node = decltype(torch::autograd::impl::grad_accumulator(std::declval<at::Tensor>()));
  std::vector<std::pair<Node, std::uintptr_t>> hooks_;
  std::size_t started_ = 0;  // buckets, in order: all processes add up the same ones
  bool active_ = false;
};

}  // namespace fnet
