// Both factors of a product in the units it is taken in.
inline constexpr std::size_t kPanel = 2 * kLanes;

// Least and greatest of a row, zero included.
inline void range_of(const float* x, std::size_t n, float* least, float* most) {
  F32 low = {};
  F32 high = {};
  for (std::size_t i = 0; i < n; i += kLanes) {
    const F32 v = n - i < kLanes ? load_part(x + i, n - i) : load(x + i);
    low = min(low, v);
    high = max(high, v);
  }
  *least = -max(-low);
  *most = max(high);
}

inline void quantize_row(const float* x, std::size_t n, std::uint8_t* out, float* scale,
                         std::int32_t* zero) {
  float least;
  float most;
  range_of(x, n, &least, &most);
  const float step = (most - least) / 255.0F;
  const float inverse = step > 0.0F ? 1.0F / step : 0.0F;
  const float origin = __builtin_floorf(-least * inverse + 0.5F);
  *scale = step;
  *zero = static_cast<std::int32_t>(origin);
  for (std::size_t i = 0; i < n; i += kLanes) {
    const std::size_t part = n - i < kLanes ? n - i : kLanes;
    const F32 v = part < kLanes ? load_part(x + i, part) : load(x + i);
    const F32 q = round(fma(v, splat(inverse), splat(origin)));
    store_u8(out + i, to_int(min(max(q, F32{}), splat(255.0F))));
  }
}

inline void convert(Dtype dtype, const float* x, std::size_t stride, std::size_t rows,
                    std::size_t length, LeftChunk out) noexcept {
  for (std::size_t r = 0; r < rows; ++r, x += stride) {
    std::uint32_t* units = out.units + r * row_stride(dtype);
    // The stride leaves room for a whole vector past the last number.
    if (dtype == Dtype::int8) {
      quantize_row(x, length, (std::uint8_t*)units, out.scale + r, out.zero + r);
      continue;
    }
    for (std::size_t i = 0; i < length; i += kLanes) {
      const F32 v = length - i < kLanes ? load_part(x + i, length - i) : load(x + i);
      if (dtype == Dtype::float32) {
        store((float*)units + i, v);
      } else {
        store_bf16((std::uint16_t*)units + i, v);
      }
    }
  }
}

inline std::uint32_t bf16_bits(float x) {
  std::uint16_t lanes[kLanes];
  store_bf16(lanes, splat(x));
  return lanes[0];
}

inline void pack(Dtype dtype, const float* weights, std::size_t stride, std::size_t columns,
                 std::size_t length, const float* scale, std::uint32_t* units,
                 std::int32_t* sums) noexcept {
  const std::size_t group = per_unit(dtype);
  for (std::size_t j = 0; j < kPanel; ++j) {
    const float* w = weights + (j < columns ? j : 0) * stride;
    const float inverse = scale != nullptr && scale[j] > 0.0F ? 1.0F / scale[j] : 0.0F;
    std::int32_t total = 0;
    for (std::size_t i = 0; i < length; i += group) {
      std::uint32_t unit = 0;
      for (std::size_t g = 0; g < group && i + g < length && j < columns; ++g) {
        if (dtype == Dtype::float32) {
          unit = __builtin_bit_cast(std::uint32_t, w[i]);
        } else if (dtype == Dtype::bfloat16) {
          unit |= bf16_bits(w[i + g]) << (16 * g);
        } else {
          const auto q = static_cast<std::int32_t>(__builtin_rintf(w[i + g] * inverse));
          unit |= (static_cast<std::uint32_t>(q) & 255U) << (8 * g);
          total += q;
        }
      }
      units[i / group * kPanel + j] = unit;
    }
    if (sums != nullptr) sums[j] = total;
  }
}
