#pragma once

#include <torch/torch.h>

#include <cstdint>

#include "core/rows.h"
#include "kernels/fourier_kernels.h"

namespace fnet {

/// Re F of each text's rows of x [T, H], or Re F − Im F, F = FFT2, by torch: in fp32 or of a wider
/// type, on any device, texts of one length together.
at::Tensor mix_by_torch(const at::Tensor& x, const Rows& rows, bool ortho,
                        kernels::SpectrumPart part);

/// How: by the transform, or by two products with matrices of cosines and sines.
enum class MixWay : std::uint8_t { transform, matrices };

/// The way that is taken of texts of so many rows.
MixWay mix_way(std::int64_t rows, std::int64_t hidden);

/// The same of texts of one length: [B, N, H] → [B, N, H].
at::Tensor mix_texts(const at::Tensor& x, bool ortho, kernels::SpectrumPart part, MixWay way);

}  // namespace fnet
