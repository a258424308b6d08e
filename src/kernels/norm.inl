// Norms of one row, in place. Four partial sums a vector wide, so that the order depends on n alone.

// What lies past the row's end counts as `pad`.
inline F32 load_or(const float* x, std::size_t i, std::size_t n, float pad) {
  if (n - i >= kLanes) return load(x + i);
  float lanes[kLanes];
  for (std::size_t j = 0; j < kLanes; ++j) lanes[j] = i + j < n ? x[i + j] : pad;
  return load(lanes);
}

inline void norm_row(float* y, std::size_t n, const NormArgs& norm) {
  if (norm.kind == NormKind::none) return;
  const bool centred = norm.kind == NormKind::layer_norm;
  const auto count = static_cast<float>(n);
  float mean = 0.0F;
  if (centred) {
    F32 s[4] = {};
    for (std::size_t i = 0; i < n; i += kLanes) s[i / kLanes % 4] += load_or(y, i, n, 0.0F);
    mean = sum((s[0] + s[1]) + (s[2] + s[3])) / count;
  }
  // A second pass over the centred row: no cancellation, however far the mean is from zero.
  F32 s[4] = {};
  for (std::size_t i = 0; i < n; i += kLanes) {
    const F32 d = load_or(y, i, n, mean) - splat(mean);
    s[i / kLanes % 4] = fma(d, d, s[i / kLanes % 4]);
  }
  const float variance = sum((s[0] + s[1]) + (s[2] + s[3])) / count;
  const F32 scale = splat(1.0F / __builtin_sqrtf(variance + norm.eps));
  for (std::size_t i = 0; i < n; i += kLanes) {
    const std::size_t part = n - i < kLanes ? n - i : kLanes;
    F32 v = (load_part(y + i, part) - splat(mean)) * scale;
    if (norm.weight != nullptr) v *= load_part(norm.weight + i, part);
    if (norm.bias != nullptr) v += load_part(norm.bias + i, part);
    store_part(y + i, part, v);
  }
}
