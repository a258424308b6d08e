#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "blocks/parts.h"
#include "kernels/rows.h"
#include "kernels/types.h"

// Which parts of the tables have kernels: an overload for each, by its type. What has none runs as
// its formula.
namespace fnet {

/// A feed-forward as kernels::FeedForward runs it: its linear maps by name, and its activation.
struct FfnKernel {
  std::string_view up, gate, down;  ///< gate empty: not gated
  kernels::Activation activation;
};

/// What mixes x and adds it: a transform, or nothing but the sum.
enum class MixerKernel { fourier, hartley, identity };

/// The kernels' activation of a row of the table, if there is one.
inline std::optional<kernels::Activation> kernel_of(Activation activation) {
  constexpr std::array kKernels = {
#define FNET_ACTIVATION(name, function, help) kernels::activation_named(#function),
#include "model/kinds.def"
  };
  return kKernels[static_cast<std::size_t>(activation)];
}

inline std::optional<kernels::NormKind> norm_kernel(const LayerNorm&) {
  return kernels::NormKind::layer_norm;
}
inline std::optional<kernels::NormKind> norm_kernel(const RmsNorm&) {
  return kernels::NormKind::rms_norm;
}

// A layer norm whose bias is not there.
inline std::optional<kernels::NormKind> norm_kernel(const ZeroCenteredRmsNorm&) {
  return kernels::NormKind::layer_norm;
}
inline std::optional<kernels::NormKind> norm_kernel(const NoNorm&) {
  return kernels::NormKind::none;
}

inline std::optional<FfnKernel> ffn_kernel(const Mlp&, Activation activation) {
  const auto kernel = kernel_of(activation);
  if (!kernel) return {};
  return FfnKernel{"intermediate.dense", "", "output.dense", *kernel};
}
template <Activation act>
std::optional<FfnKernel> ffn_kernel(const Gated<act>&, Activation) {
  const auto kernel = kernel_of(act);
  if (!kernel) return {};
  return FfnKernel{"intermediate.dense", "intermediate.gate", "output.dense", *kernel};
}

inline std::optional<MixerKernel> mixer_kernel(const FourierMixing& part) {
  if (part.zeroes_padding()) return {};
  return MixerKernel::fourier;
}
inline std::optional<MixerKernel> mixer_kernel(const HartleyMixing&) {
  return MixerKernel::hartley;
}
inline std::optional<MixerKernel> mixer_kernel(const IdentityMixing&) {
  return MixerKernel::identity;
}

// Every other part.
inline std::optional<kernels::NormKind> norm_kernel(const Part&) { return {}; }
inline std::optional<FfnKernel> ffn_kernel(const Part&, Activation) { return {}; }
inline std::optional<MixerKernel> mixer_kernel(const Part&) { return {}; }

}  // namespace fnet
