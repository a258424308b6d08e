#include "train/mix_by_torch.h"

#include <cmath>
#include <map>
#include <mutex>
#include <numbers>
#include <tuple>
#include <vector>

#include "train/algebra.h"

namespace fnet {
namespace {

using kernels::SpectrumPart;

/// Rows and columns together up to which the matrices are taken: they need fewer and simpler steps,
/// and no plan for each number of texts, but work that grows with both.
constexpr std::int64_t kMostByMatrices = 384;

/// Half of the spectrum is the other half mirrored and conjugated: Y[−n, −k] = conj Y[n, k].
at::Tensor by_transform(const at::Tensor& x, SpectrumPart part) {
  const at::Tensor half = at::fft_rfft2(x, {}, {1, 2});
  const bool both = part == SpectrumPart::hartley;
  const at::Tensor real = at::real(half), imag = at::imag(half);
  const at::Tensor rest =
      (both ? real + imag : real).narrow(2, 1, x.size(2) - half.size(2)).flip({1, 2}).roll(1, 1);
  return at::cat({both ? real - imag : real, rest}, 2);
}

/// What a matrix of waves holds: for rows [C | S]; for columns [C | −S], or of the Hartley
/// transform [C + S | C − S].
enum class Waves : std::uint8_t { rows, columns, hartley_columns };

/// [n, 2n], C = cos(2π jk / n), S = sin(2π jk / n), kept once it is made.
at::Tensor waves(std::int64_t n, Waves kind, const at::TensorOptions& options) {
  static std::mutex mutex;
  using Key = std::tuple<std::int64_t, Waves, at::ScalarType, at::DeviceType, at::DeviceIndex>;
  // Never destroyed: by then a device's memory may be gone.
  static auto& kept = *new std::map<Key, at::Tensor>;
  const std::lock_guard lock(mutex);
  at::Tensor& matrix = kept[{n, kind, c10::typeMetaToScalarType(options.dtype()),
                             options.device().type(), options.device().index()}];
  if (matrix.defined()) return matrix;
  const at::Tensor count = at::arange(n, at::kLong);
  const at::Tensor angle = at::outer(count, count).remainder(n).to(at::kDouble) *
                           (2 * std::numbers::pi / static_cast<double>(n));
  const at::Tensor c = angle.cos(), s = angle.sin();
  const at::Tensor both = kind == Waves::rows      ? at::cat({c, s}, 1)
                          : kind == Waves::columns ? at::cat({c, -s}, 1)
                                                   : at::cat({c + s, c - s}, 1);
  return matrix = both.to(options);
}

/// Re F = C(XC) − S(XS), and Re F − Im F = C(XC + XS) + S(XC − XS).
at::Tensor by_matrices(const at::Tensor& x, SpectrumPart part) {
  const std::int64_t texts = x.size(0), rows = x.size(1), hidden = x.size(2);
  const Waves columns = part == SpectrumPart::hartley ? Waves::hartley_columns : Waves::columns;
  const at::Tensor by_columns = at::matmul(x, waves(hidden, columns, x.options()))
                                    .view({texts, rows, 2, hidden})
                                    .transpose(1, 2)
                                    .reshape({texts, 2 * rows, hidden});
  return at::bmm(waves(rows, Waves::rows, x.options()).expand({texts, -1, -1}), by_columns);
}

}  // namespace

MixWay mix_way(std::int64_t rows, std::int64_t hidden) {
  return rows + hidden <= kMostByMatrices ? MixWay::matrices : MixWay::transform;
}

at::Tensor mix_texts(const at::Tensor& x, bool ortho, SpectrumPart part, MixWay way) {
  const at::Tensor y = way == MixWay::matrices ? by_matrices(x, part) : by_transform(x, part);
  return ortho ? y / std::sqrt(static_cast<double>(x.size(1) * x.size(2))) : y;
}

at::Tensor mix_by_torch(const at::Tensor& x, const Rows& rows, bool ortho, SpectrumPart part) {
  // In its own precision, whatever products take elsewhere.
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  const at::Tensor wide = widened(x);
  std::map<std::int64_t, std::vector<std::int64_t>> by_length;
  for (std::int64_t text = 0; text < rows.texts(); ++text)
    by_length[rows.rows(text)].push_back(text);
  const auto mix = [&](const at::Tensor& texts) {
    return mix_texts(texts, ortho, part, mix_way(texts.size(1), texts.size(2)));
  };
  if (by_length.size() == 1) {
    const at::Tensor texts = wide.reshape({rows.texts(), -1, x.size(1)});
    return mix(texts).view(x.sizes()).to(x.scalar_type());
  }
  std::vector<at::Tensor> mixed(static_cast<std::size_t>(rows.texts()));
  for (const auto& [length, texts] : by_length) {
    std::vector<at::Tensor> alike;
    for (const std::int64_t text : texts) alike.push_back(wide.narrow(0, rows.begin(text), length));
    const std::vector<at::Tensor> done = mix(at::stack(alike)).unbind();
    for (std::size_t i = 0; i < texts.size(); ++i)
      mixed[static_cast<std::size_t>(texts[i])] = done[i];
  }
  return at::cat(mixed).to(x.scalar_type());
}

}  // namespace fnet
