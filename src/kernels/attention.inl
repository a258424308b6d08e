// Softmax over blocks of keys: the largest score and the sum of the weights so far are kept, and
// what has been summed is scaled when a larger score comes. Source: Milakov & Gimelshein 2018; Dao
// et al. 2022 (FlashAttention).

/// Lanes of the scores of a row from key `key` on; what lies past the last key counts as -infinity.
[[gnu::always_inline]] inline F32 load_scores(const float* p, std::size_t key, std::size_t keys) {
  return key + kLanes <= keys ? load(p) : load_or(p, keys - key, -__builtin_inff());
}

inline void softmax_step(const float* scores, std::size_t rows, std::size_t keys, bool first,
                         const SoftmaxState& state, float* weights, std::size_t stride, float* sums,
                         std::size_t sum_panels) noexcept {
  for (std::size_t r = 0; r < rows; ++r) {
    const auto at = [&](std::size_t key) {
      return scores + (key / kPanel * rows + r) * kPanel + key % kPanel;
    };
    F32 largest = splat(-__builtin_inff());
    for (std::size_t key = 0; key < keys; key += kLanes) {
      largest = max(largest, load_scores(at(key), key, keys));
    }
    float most = state.scale * max(largest);
    if (!first && !(most > state.most[r])) most = state.most[r];
    const F32 scale = splat(state.scale), offset = splat(-most);
    F32 total = splat(0.0F);
    float* const row = weights + r * stride;
    for (std::size_t key = 0; key < keys; key += kLanes) {
      const std::size_t part = keys - key < kLanes ? keys - key : kLanes;
      const F32 power = fma(scale, load_scores(at(key), key, keys), offset);
      // exp2 clamps: what is not a number has to stay that, and what is past the end to be 0.
      F32 weight = select(power == power, exp2(power), power);
      if (part < kLanes) {
        float lanes[kLanes];
        store(lanes, weight);
        weight = load_or(lanes, part, 0.0F);
      }
      store_part(row + key, part, weight);
      total += weight;
    }
    if (first) {
      state.most[r] = most;
      state.total[r] = sum(total);
      continue;
    }
    float factor = 1.0F;
    if (most > state.most[r]) {
      float lanes[kLanes];
      store(lanes, exp2(splat(state.most[r] - most)));
      factor = lanes[0];
      for (std::size_t p = 0; p < sum_panels; ++p) {
        float* const out = sums + (p * rows + r) * kPanel;
        for (std::size_t i = 0; i < kPanel; i += kLanes) {
          store(out + i, load(out + i) * splat(factor));
        }
      }
    }
    state.most[r] = most;
    state.total[r] = state.total[r] * factor + sum(total);
  }
}

inline void finish_softmax(const float* sums, const float* total, std::size_t rows,
                           std::size_t columns, float* y, std::size_t stride) noexcept {
  for (std::size_t r = 0; r < rows; ++r) {
    const F32 share = splat(1.0F) / splat(total[r]);
    for (std::size_t i = 0; i < columns; i += kLanes) {
      const std::size_t part = columns - i < kLanes ? columns - i : kLanes;
      const float* from = sums + (i / kPanel * rows + r) * kPanel + i % kPanel;
      store_part(y + r * stride + i, part, load(from) * share);
    }
  }
}
