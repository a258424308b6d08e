// Products of a block of rows with packed weights; see product_kernels.h for the layouts.
inline I32 load_units(const std::uint32_t* p) {
  I32 v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

// One step of a sum: a unit of the left factor times a vector of units of the right.
template <Dtype dtype>
struct Step {
  using Sum = F32;
  static F32 apply(F32 sum, std::uint32_t a, I32 b) {
    if constexpr (dtype == Dtype::float32) {
      return fma(splat(__builtin_bit_cast(float, a)), (F32)b, sum);
    } else {
      return dot_bf16(sum, I32{} + static_cast<int>(a), b);
    }
  }
};
template <>
struct Step<Dtype::int8> {
  using Sum = I32;
  static I32 apply(I32 sum, std::uint32_t a, I32 b) {
    return dot_int8(sum, I32{} + static_cast<int>(a), b);
  }
};

// Steps after which a sum in float32 is put down and a new one begun: 64 terms keep the rounding
// error below that of the usual libraries; 16-bit factors have larger errors of their own, and sums
// of bytes are exact.
constexpr std::size_t most_steps(Dtype dtype) {
  return dtype == Dtype::float32 ? 64 : longest_chunk(dtype);
}

// A register tile: kRows × kPanel sums. The order of each sum is that of the units: it is the same
// in every tile. Fetches one line of `next` a step.
template <Dtype dtype, std::size_t kRows>
void tile(LeftChunk left, const RightChunk& right, float* out, bool add,
          const char* next) noexcept {
  constexpr std::size_t kStride = row_stride(dtype);
  const std::uint32_t* a = left.units;
  const std::uint32_t* b = right.units;
  for (std::size_t k = 0; k < right.count; k += most_steps(dtype)) {
    const std::size_t steps =
        right.count - k < most_steps(dtype) ? right.count - k : most_steps(dtype);
    typename Step<dtype>::Sum sums[kRows][2] = {};
    for (std::size_t i = 0; i < steps; ++i, ++a, b += kPanel) {
      const I32 b0 = load_units(b);
      const I32 b1 = load_units(b + kLanes);
      __builtin_prefetch(next, 0, 2);
      next += 64;
#pragma GCC unroll 12
      for (std::size_t r = 0; r < kRows; ++r) {
        sums[r][0] = Step<dtype>::apply(sums[r][0], a[r * kStride], b0);
        sums[r][1] = Step<dtype>::apply(sums[r][1], a[r * kStride], b1);
      }
    }
#pragma GCC unroll 12
    for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
      for (std::size_t h = 0; h < 2; ++h) {
        float* p = out + r * kPanel + h * kLanes;
        F32 v;
        if constexpr (dtype == Dtype::int8) {
          const I32 offset =
              load_units((const std::uint32_t*)right.sums + h * kLanes) * left.zero[r];
          v = to_float(sums[r][h] - offset) *
              (load(right.scale + h * kLanes) * splat(left.scale[r]));
        } else {
          v = sums[r][h];
        }
        store(p, add ? load(p) + v : v);
      }
    }
    add = true;
  }
}

using TileFunction = void (*)(LeftChunk, const RightChunk&, float*, bool, const char*) noexcept;

constexpr std::size_t fit(std::size_t rows) { return rows < kTileRows ? rows : kTileRows; }

template <Dtype dtype>
void multiply_as(LeftChunk left, std::size_t rows, const RightChunk& right, float* sums, bool add,
                 const char* next) {
  static constexpr TileFunction kTiles[] = {
      tile<dtype, fit(1)>, tile<dtype, fit(2)>,  tile<dtype, fit(3)>,  tile<dtype, fit(4)>,
      tile<dtype, fit(5)>, tile<dtype, fit(6)>,  tile<dtype, fit(7)>,  tile<dtype, fit(8)>,
      tile<dtype, fit(9)>, tile<dtype, fit(10)>, tile<dtype, fit(11)>, tile<dtype, fit(12)>};
  // Tiles of nearly equal height: 64 rows are 4 × 11 and 2 × 10, not 5 × 12 and a slow 4.
  const std::size_t count = (rows + kTileRows - 1) / kTileRows;
  const std::size_t height = rows / count;
  const std::size_t taller = rows % count;
  const std::size_t line = right.count * kPanel * 4 / 2;  // two tiles share the fetching
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t h = height + (i < taller);
    kTiles[h - 1](left, right, sums, add, next + (i % 2 == 0 ? 0 : line));
    left.units += h * row_stride(dtype);
    if constexpr (dtype == Dtype::int8) left.scale += h, left.zero += h;
    sums += h * kPanel;
  }
}

inline void multiply(Dtype dtype, LeftChunk left, std::size_t rows, const RightChunk& right,
                     float* sums, bool add, const void* next) noexcept {
  const auto* p = static_cast<const char*>(next);
  switch (dtype) {
    case Dtype::float32:
      return multiply_as<Dtype::float32>(left, rows, right, sums, add, p);
    case Dtype::bfloat16:
      return multiply_as<Dtype::bfloat16>(left, rows, right, sums, add, p);
    case Dtype::int8:
      return multiply_as<Dtype::int8>(left, rows, right, sums, add, p);
  }
}

template <class Act, bool kGated>
inline F32 finished(const Epilogue& e, std::size_t at, F32 bias, F32 gate_bias) {
  const F32 v = load(e.sums + at) + bias;
  if constexpr (kGated) return Act::apply(load(e.gate_sums + at) + gate_bias) * v;
  return Act::apply(v);
}

inline void put(float* p, F32 v) { store(p, v); }
inline void put(std::uint16_t* p, F32 v) { store_bf16(p, v); }
inline void put_part(float* p, std::size_t n, F32 v) { store_part(p, n, v); }
inline void put_part(std::uint16_t* p, std::size_t n, F32 v) {
  std::uint16_t lanes[kLanes];
  store_bf16(lanes, v);
  __builtin_memcpy(p, lanes, n * sizeof *p);
}

template <class Act, bool kGated, class Out>
void finish_as(const Epilogue& e, Out* out, std::size_t stride) {
  for (std::size_t column = 0; column < e.columns; column += kLanes) {
    const std::size_t n = e.columns - column < kLanes ? e.columns - column : kLanes;
    const F32 bias = e.bias != nullptr ? load_part(e.bias + column, n) : F32{};
    const F32 gate_bias = e.gate_bias != nullptr ? load_part(e.gate_bias + column, n) : F32{};
    for (std::size_t r = 0; r < e.rows; ++r) {
      const F32 v = finished<Act, kGated>(e, r * kPanel + column, bias, gate_bias);
      Out* p = out + r * stride + column;
      if (n == kLanes) {
        put(p, v);
      } else {
        put_part(p, n, v);
      }
    }
  }
}

template <class Act, class Out>
void finish_gated(const Epilogue& e, Out* out, std::size_t stride) {
  return e.gate_sums != nullptr ? finish_as<Act, true>(e, out, stride)
                                : finish_as<Act, false>(e, out, stride);
}

template <class Out>
void finish(const Epilogue& e, Out* out, std::size_t stride) noexcept {
  switch (e.activation) {
    case Activation::none:
      return finish_gated<None>(e, out, stride);
    case Activation::gelu:
      return finish_gated<Gelu>(e, out, stride);
    case Activation::gelu_tanh:
      return finish_gated<GeluTanh>(e, out, stride);
    case Activation::relu:
      return finish_gated<Relu>(e, out, stride);
    case Activation::sigmoid:
      return finish_gated<Sigmoid>(e, out, stride);
    case Activation::silu:
      return finish_gated<Silu>(e, out, stride);
    case Activation::tanh:
      return finish_gated<Tanh>(e, out, stride);
  }
}

template <class Act>
void finish_slope_as(const float* sums, const float* at, std::size_t rows, std::size_t columns,
                     float* out, std::size_t stride) {
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t i = 0; i < columns; i += kLanes) {
      const std::size_t n = columns - i < kLanes ? columns - i : kLanes;
      const F32 slope = Act::slope(load_part(at + r * stride + i, n));
      store_part(out + r * stride + i, n, load(sums + r * kPanel + i) * slope);
    }
  }
}

inline void finish_slope(Activation activation, const float* sums, const float* at,
                         std::size_t rows, std::size_t columns, float* out,
                         std::size_t stride) noexcept {
  switch (activation) {
    case Activation::none:
      return finish_slope_as<None>(sums, at, rows, columns, out, stride);
    case Activation::gelu:
      return finish_slope_as<Gelu>(sums, at, rows, columns, out, stride);
    case Activation::gelu_tanh:
      return finish_slope_as<GeluTanh>(sums, at, rows, columns, out, stride);
    case Activation::relu:
      return finish_slope_as<Relu>(sums, at, rows, columns, out, stride);
    case Activation::sigmoid:
      return finish_slope_as<Sigmoid>(sums, at, rows, columns, out, stride);
    case Activation::silu:
      return finish_slope_as<Silu>(sums, at, rows, columns, out, stride);
    case Activation::tanh:
      return finish_slope_as<Tanh>(sums, at, rows, columns, out, stride);
  }
}

inline void finish_rows(const float* sums, std::size_t block_rows, const float* bias,
                        const float* residual, NormArgs norm, std::size_t rows, std::size_t n,
                        float* y) noexcept {
  for (std::size_t r = 0; r < rows; ++r) {
    float* out = y + r * n;
    for (std::size_t i = 0; i < n; i += kLanes) {
      const std::size_t part = n - i < kLanes ? n - i : kLanes;
      F32 v = load(sums + (i / kPanel * block_rows + r) * kPanel + i % kPanel);
      if (bias != nullptr) v += load_part(bias + i, part);
      if (residual != nullptr) v += load_part(residual + r * n + i, part);
      store_part(out + i, part, v);
    }
    norm_row(out, n, norm);
  }
}
