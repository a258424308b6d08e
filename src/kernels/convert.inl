// Both factors of a product in the units it is taken in.
struct Range {
  float least, most;  // zero included
  float strange;      // 0, or NaN where a number is not finite
};

inline Range range_of(const float* x, std::size_t n) {
  F32 low = {};
  F32 high = {};
  F32 zeros = {};
  for (std::size_t i = 0; i < n; i += kLanes) {
    const F32 v = n - i < kLanes ? load_part(x + i, n - i) : load(x + i);
    low = min(low, v);
    high = max(high, v);
    zeros = fma(v, F32{}, zeros);
  }
  return {-max(-low), max(high), sum(zeros)};
}

// 1 / step; 0 for a step whose inverse is not finite, and for NaN.
inline float inverse_of(float step) { return step >= 0x1p-126F ? 1.0F / step : 0.0F; }

inline void quantize_row(const float* x, std::size_t n, std::uint8_t* out, float* scale,
                         std::int32_t* zero) {
  const auto [least, most, strange] = range_of(x, n);
  const float step = (most - least) / 255.0F + strange;  // NaN makes the row's products NaN
  const float inverse = inverse_of(step);
  const float origin = inverse > 0.0F ? __builtin_floorf(-least * inverse + 0.5F) : 0.0F;
  *scale = step;
  *zero = static_cast<std::int32_t>(origin);
  for (std::size_t i = 0; i < n; i += kLanes) {
    const std::size_t part = n - i < kLanes ? n - i : kLanes;
    const F32 v = part < kLanes ? load_part(x + i, part) : load(x + i);
    const F32 q = round(fma(v, splat(inverse), splat(origin)));
    store_u8(out + i, to_int(min(max(q, F32{}), splat(255.0F))));
  }
}

inline void convert_row(const float* x, std::size_t length, float* out) {
  for (std::size_t i = 0; i < length; i += kLanes) {
    store(out + i, length - i < kLanes ? load_part(x + i, length - i) : load(x + i));
  }
}
inline void convert_row(const float* x, std::size_t length, std::uint16_t* out) {
  for (std::size_t i = 0; i < length; i += kLanes) {
    store_bf16(out + i, length - i < kLanes ? load_part(x + i, length - i) : load(x + i));
  }
}

template <Dtype dtype>
void convert_as(const float* x, std::size_t stride, std::size_t rows, std::size_t length,
                LeftChunk out) {
  constexpr bool kWiden = Step<dtype>::kHalves > 1;
  std::uint32_t narrow[kWiden ? most_units(dtype) + kLanes : 1] = {};
  for (std::size_t r = 0; r < rows; ++r, x += stride) {
    std::uint32_t* row = out.units + r * kRowStride<dtype>;
    std::uint32_t* units = kWiden ? narrow : row;
    if constexpr (dtype == Dtype::int8) {
      quantize_row(x, length, (std::uint8_t*)units, out.scale + r, out.zero + r);
    } else if constexpr (dtype == Dtype::bfloat16) {
      convert_row(x, length, (std::uint16_t*)units);
    } else {
      convert_row(x, length, (float*)units);
    }
    for (std::size_t i = 0; kWiden && i < units_of(length, dtype); i += kLanes) {
      put_left<dtype>(row, i, load_units(narrow + i));
    }
  }
}

inline void convert(Dtype dtype, const float* x, std::size_t stride, std::size_t rows,
                    std::size_t length, LeftChunk out) noexcept {
  switch (dtype) {
    case Dtype::float32:
      return convert_as<Dtype::float32>(x, stride, rows, length, out);
    case Dtype::bfloat16:
      return convert_as<Dtype::bfloat16>(x, stride, rows, length, out);
    case Dtype::int8:
      return convert_as<Dtype::int8>(x, stride, rows, length, out);
  }
}

// One output's weights as units; returns their int8 sum.
inline std::int32_t pack_column(Dtype dtype, const float* w, std::size_t length, float inverse,
                                std::uint32_t* units) {
  I32 total = {};
  for (std::size_t i = 0; i < length; i += kLanes) {
    const F32 v = length - i < kLanes ? load_part(w + i, length - i) : load(w + i);
    if (dtype == Dtype::float32) {
      store((float*)units + i, v);
    } else if (dtype == Dtype::bfloat16) {
      store_bf16((std::uint16_t*)units + i, v);
    } else {
      const I32 q = to_int(round(v * splat(inverse)));
      store_u8((std::uint8_t*)units + i, q);
      total += q;
    }
  }
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < kLanes; ++i) sum += total[i];
  return sum;
}

// to [columns, rows] = the transpose of from [rows, columns].
inline void transpose_units(const float* from, std::size_t from_stride, std::size_t rows,
                            std::size_t columns, float* to, std::size_t to_stride) {
  for (std::size_t r = 0; r < rows; r += kLanes) {
    for (std::size_t c = 0; c < columns; c += kLanes) {
      if (r + kLanes <= rows && c + kLanes <= columns) {
        F32 t[kLanes];
        for (std::size_t i = 0; i < kLanes; ++i) t[i] = load(from + (r + i) * from_stride + c);
        transpose(t);
        for (std::size_t i = 0; i < kLanes; ++i) store(to + (c + i) * to_stride + r, t[i]);
        continue;
      }
      for (std::size_t i = r; i < rows && i < r + kLanes; ++i) {
        for (std::size_t j = c; j < columns && j < c + kLanes; ++j) {
          to[j * to_stride + i] = from[i * from_stride + j];
        }
      }
    }
  }
}

inline void pack(Dtype dtype, const float* weights, std::size_t stride, std::size_t columns,
                 std::size_t length, const float* scale, std::uint32_t* units,
                 std::int32_t* sums) noexcept {
  const std::size_t count = units_of(length, dtype);
  constexpr std::size_t kStride = kRowStride<Dtype::float32>;
  float converted[kLanes * kStride];  // some columns of a longest chunk
  for (std::size_t j = 0; j < kPanel; ++j) {
    float* column = converted + j % kLanes * kStride;
    std::int32_t sum = 0;
    if (j < columns) {
      const float inverse = scale != nullptr ? inverse_of(scale[j]) : 0.0F;
      sum = pack_column(dtype, weights + j * stride, length, inverse, (std::uint32_t*)column);
    } else {
      __builtin_memset(column, 0, count * sizeof *column);
    }
    if (sums != nullptr) sums[j] = sum;
    if (j % kLanes == kLanes - 1) {
      transpose_units(converted, kStride, kLanes, count, (float*)units + (j + 1 - kLanes), kPanel);
    }
  }
}

// Units of kLanes columns, n of them in x [length, …]: each one number of row k in float32, in
// bfloat16 one of row k and one of the row below it.
inline F32 units_of_columns(Dtype dtype, const float* x, std::size_t stride, std::size_t k,
                            std::size_t length, std::size_t n) {
  const F32 upper = load_part(x + k * stride, n);
  if (dtype == Dtype::float32) return upper;
  const F32 lower = k + 1 < length ? load_part(x + (k + 1) * stride, n) : F32{};
  return (F32)pairs_bf16(upper, lower);
}

inline void pack_rows(Dtype dtype, const float* b, std::size_t stride, std::size_t columns,
                      std::size_t length, std::uint32_t* units) noexcept {
  for (std::size_t k = 0; k < length; k += per_unit(dtype), units += kPanel) {
    for (std::size_t j = 0; j < kPanel; j += kLanes) {
      const std::size_t left = columns > j ? columns - j : 0;
      store((float*)units + j,
            units_of_columns(dtype, b + j, stride, k, length, left < kLanes ? left : kLanes));
    }
  }
}

// In the order in which x lies, so that a page of it is seen once.
inline void convert_columns(Dtype dtype, const float* x, std::size_t stride, std::size_t rows,
                            std::size_t length, LeftChunk out) noexcept {
  if (dtype == Dtype::float32) {
    transpose_units(x, stride, length, rows, (float*)out.units, kRowStride<Dtype::float32>);
    return;
  }
  constexpr std::size_t kPair = per_unit(Dtype::bfloat16), kNumbers = kLanes * kPair;
  for (std::size_t k = 0; k < length; k += kNumbers) {
    for (std::size_t r = 0; r < rows; r += kLanes) {
      const std::size_t n = rows - r < kLanes ? rows - r : kLanes;
      F32 t[kLanes];
      for (std::size_t i = 0; i < kLanes; ++i) {
        const std::size_t at = k + i * kPair;
        t[i] = at < length ? units_of_columns(dtype, x + r, stride, at, length, n) : F32{};
      }
      transpose(t);
      for (std::size_t i = 0; i < n; ++i) {
        put_left<Dtype::bfloat16>(out.units + (r + i) * kRowStride<Dtype::bfloat16>, k / kPair,
                                  (I32)t[i]);
      }
    }
  }
}
