#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "blocks/part_kernels.h"
#include "blocks/parts.h"
#include "kernels/product.h"
#include "runtime/pass.h"
#include "runtime/tensor.h"

// The steps that a forward pass is made of. Each chooses once how it runs: by a kernel where its
// part has one, else by its formula.
namespace fnet {

/// A part at its place in a loaded model.
struct Placed {
  const Config& config;
  Weights<Tensor> w;
  Activation activation;
  std::int64_t layer;
  kernels::Dtype dtype;  ///< of products
  bool formulas;         ///< no kernels: for comparing

  Placed under(std::string_view place) const {
    Placed inner = *this;
    inner.w = w.under(place);
    return inner;
  }
  Context<Tensor> context(const Rows& rows) const {
    return {.w = w, .config = config, .rows = rows, .activation = activation, .layer = layer};
  }
  std::size_t width() const { return static_cast<std::size_t>(config.hidden_size); }
};

/// norm(x).
class NormStep {
 public:
  NormStep(const Norm& part, Placed placed);

  /// What a kernel that ends in a norm takes, where this norm has one.
  const kernels::NormArgs* kernel() const { return kernel_ ? &*kernel_ : nullptr; }

  /// y ← norm(x) for `count` rows, by itself; y may be x. `rows`: where their texts lie.
  void run(const float* x, float* y, std::size_t count, const Rows& rows, const Pass& pass) const;

 private:
  friend class FfnStep;
  const Norm* part_;
  Placed placed_;
  std::optional<kernels::NormArgs> kernel_;
};

/// data ← norm(data + mix(x)).
class MixerStep {
 public:
  MixerStep(const Mixer& part, Placed placed);

  bool has_kernel() const { return kernel_.has_value(); }

  /// x and data [T, H], perhaps the same. `after`: null for no norm.
  void run(const float* x, float* data, const NormStep* after, const Pass& pass) const;

  /// The same for each text's first row: data [B, H], x [T, H].
  void run_first_rows(const float* x, float* data, const NormStep* after, const Rows& first,
                      const Pass& pass) const;

 private:
  void list_texts(const float* x, float* data, const Pass& pass) const;

  const Mixer* part_;
  Placed placed_;
  std::optional<MixerKernel> kernel_;
  kernels::FourierPlans* plans_ = nullptr;
};

/// data ← norm(data + ffn(x)).
class FfnStep {
 public:
  FfnStep(const Ffn& part, Placed placed);

  bool has_kernel() const { return kernel_.has_value(); }

  /// x and data [count, H], perhaps the same. `after`: null for no norm. `rows`: their texts.
  void run(const float* x, float* data, std::size_t count, const NormStep* after, const Rows& rows,
           const Pass& pass) const;

 private:
  const Ffn* part_;
  Placed placed_;
  std::optional<kernels::FeedForward> kernel_;
};

}  // namespace fnet
