// Norms of one row, in place.

// What lies past the row's end counts as `pad`.
inline F32 load_or(const float* x, std::size_t n, float pad) {
  float lanes[kLanes];
  for (std::size_t j = 0; j < kLanes; ++j) lanes[j] = j < n ? x[j] : pad;
  return load(lanes);
}

/// Σ (x − centre)^power of a row, power 1 or 2. Four partial sums a vector wide keep the adders
/// busy and the rounding error small; their order depends on n alone.
template <int power>
inline double sum_of(const float* x, std::size_t n, float centre) {
  const F32 c = splat(centre);
  F32 s0 = {}, s1 = {}, s2 = {}, s3 = {};
  std::size_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    const F32 d0 = load(x + i) - c;
    const F32 d1 = load(x + i + kLanes) - c;
    const F32 d2 = load(x + i + 2 * kLanes) - c;
    const F32 d3 = load(x + i + 3 * kLanes) - c;
    s0 = power == 1 ? s0 + d0 : fma(d0, d0, s0);
    s1 = power == 1 ? s1 + d1 : fma(d1, d1, s1);
    s2 = power == 1 ? s2 + d2 : fma(d2, d2, s2);
    s3 = power == 1 ? s3 + d3 : fma(d3, d3, s3);
  }
  for (; i < n; i += kLanes) {
    const F32 d = (n - i < kLanes ? load_or(x + i, n - i, centre) : load(x + i)) - c;
    s0 = power == 1 ? s0 + d : fma(d, d, s0);
  }
  return sum_in_double((s0 + s1) + (s2 + s3));
}

/// What a row is centred at and divided by, in double: see norm_row.
struct RowScale {
  double mean, scale;
};
inline RowScale row_scale(const float* x, std::size_t n, const NormArgs& norm) {
  const auto count = static_cast<double>(n);
  const double mean = norm.kind == NormKind::layer_norm ? sum_of<1>(x, n, 0.0F) / count : 0.0;
  const double variance = sum_of<2>(x, n, static_cast<float>(mean)) / count;
  return {mean, 1.0 / __builtin_sqrt(variance + static_cast<double>(norm.eps))};
}

/// The variance is taken in a second pass over the centred row: no cancellation, however far the
/// mean is from zero. An error of the mean or the scale is one of the whole row, which nothing
/// later averages out: both keep more than float32 holds, and a number is rounded once before its
/// weight and bias.
inline void norm_row(float* y, std::size_t n, const NormArgs& norm) noexcept {
  if (norm.kind == NormKind::none) return;
  const auto [mean, scale] = row_scale(y, n, norm);
  const auto centre = static_cast<float>(mean);
  const F32 c = splat(centre), c_rest = splat(static_cast<float>(mean - centre));
  const F32 s = splat(static_cast<float>(scale));
  const F32 s_rest = splat(static_cast<float>(scale - static_cast<float>(scale)));
  for (std::size_t i = 0; i < n; i += kLanes) {
    const std::size_t part = n - i < kLanes ? n - i : kLanes;
    const F32 x = load_part(y + i, part);
    const F32 d = x - c;
    const F32 d_rest = ((x - d) - c) - c_rest;
    F32 v = fma(d, s, fma(d, s_rest, d_rest * s));
    if (norm.weight != nullptr) {
      const F32 weight = load_part(norm.weight + i, part);
      v = norm.bias != nullptr ? fma(v, weight, load_part(norm.bias + i, part)) : v * weight;
    } else if (norm.bias != nullptr) {
      v += load_part(norm.bias + i, part);
    }
    store_part(y + i, part, v);
  }
}

/// The way back through a norm of one row x by the gradient of its result: dx, and what is added to
/// the gradients of weight and bias, each null or [n]. With u = (x − mean) · scale and g = grad ·
/// weight, dx = scale · (g − mean of g − u · mean of g·u), a mean that is not taken being 0.
inline void norm_back_row(const NormArgs& norm, const float* x, const float* grad, std::size_t n,
                          float* dx, float* weight_sums, float* bias_sums) noexcept {
  const auto [mean, scale] = row_scale(x, n, norm);
  const F32 c = splat(static_cast<float>(mean)), s = splat(static_cast<float>(scale));
  F32 sum_g = {}, sum_gu = {};
  for (std::size_t i = 0; i < n; i += kLanes) {
    const std::size_t part = n - i < kLanes ? n - i : kLanes;
    const F32 d = load_part(grad + i, part);
    const F32 g = norm.weight != nullptr ? d * load_part(norm.weight + i, part) : d;
    const F32 u = (load_part(x + i, part) - c) * s;
    sum_g += g;
    sum_gu = fma(g, u, sum_gu);
    if (weight_sums != nullptr)
      store_part(weight_sums + i, part, fma(d, u, load_part(weight_sums + i, part)));
    if (bias_sums != nullptr) store_part(bias_sums + i, part, load_part(bias_sums + i, part) + d);
  }
  const auto count = static_cast<double>(n);
  const bool centred = norm.kind == NormKind::layer_norm;
  const F32 mean_g = splat(centred ? static_cast<float>(sum_in_double(sum_g) / count) : 0.0F);
  const F32 mean_gu = splat(static_cast<float>(sum_in_double(sum_gu) / count));
  for (std::size_t i = 0; i < n; i += kLanes) {
    const std::size_t part = n - i < kLanes ? n - i : kLanes;
    const F32 d = load_part(grad + i, part);
    const F32 g = norm.weight != nullptr ? d * load_part(norm.weight + i, part) : d;
    const F32 u = (load_part(x + i, part) - c) * s;
    store_part(dx + i, part, s * (g - mean_g - u * mean_gu));
  }
}
