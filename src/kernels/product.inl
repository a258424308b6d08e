// Products of a block of rows with packed weights; see product_kernels.h for the layouts.
// Units as 16-bit numbers.
using I16 = std::int16_t __attribute__((vector_size(sizeof(I32))));
using U16 = std::uint16_t __attribute__((vector_size(sizeof(I32))));

// One step of a sum: a word of the left factor, in every lane, times a vector of words of the
// right. A word is a unit where the instruction set has such a product (kHalves 1); else a unit's
// two halves follow each other, widened: bfloat16 to float32, bytes to pairs of 16 bits.
template <Dtype dtype>
struct Step {
  static constexpr std::size_t kHalves = 1;
  using Sum = F32;
  static F32 apply(F32 sum, I32 a, I32 b) { return fma((F32)a, (F32)b, sum); }
};
template <>
struct Step<Dtype::bfloat16> {
  static constexpr std::size_t kHalves = kBf16Halves;
  using Sum = F32;
  static F32 apply(F32 sum, I32 a, I32 b) { return dot_bf16(sum, a, b); }
  static I32 right(I32 units, std::size_t h) {
    return h == 0 ? units & static_cast<int>(0xffff0000) : units << 16;
  }
  static I32 left(I32 units, std::size_t h) { return right(units, h); }
};
template <>
struct Step<Dtype::int8> {
  static constexpr std::size_t kHalves = kInt8Halves;
  using Sum = I32;
  static I32 apply(I32 sum, I32 a, I32 b) { return dot_int8(sum, a, b); }
  static I32 right(I32 units, std::size_t h) {  // signed, the even bytes first
    return (I32)((h == 0 ? (I16)((U16)units << 8) : (I16)units) >> 8);
  }
  static I32 left(I32 units, std::size_t h) {  // unsigned
    return (I32)(h == 0 ? (U16)units & 0xff : (U16)units >> 8);
  }
};

// Steps after which a sum in float32 is put down and a new one begun: 64 terms keep the rounding
// error below that of the usual libraries; 16-bit factors have larger errors of their own, and sums
// of bytes are exact.
constexpr std::size_t most_steps(Dtype dtype) {
  return dtype == Dtype::float32 ? 64 : longest_chunk(dtype);
}

template <Dtype dtype, std::size_t kRows>
using TileSums = typename Step<dtype>::Sum[kRows][2];

// Adds `steps` units; of each, half h of row r stands at a[h] + r · stride. Fetches one line of
// `next` a unit.
template <Dtype dtype, std::size_t kRows>
__attribute__((always_inline)) inline void add_steps(TileSums<dtype, kRows>& sums,
                                                     const std::uint32_t* const* a,
                                                     std::size_t stride, const std::uint32_t* b,
                                                     std::size_t steps, const char* next) {
  using S = Step<dtype>;
  // A step of narrow vectors is short: several in a row make the end of 64 foreseeable.
#pragma GCC unroll(kLanes < 16 ? 4 : 1)
  for (std::size_t i = 0; i < steps; ++i, b += kPanel) {
    __builtin_prefetch(next + 64 * i, 0, 2);
#pragma GCC unroll 2
    for (std::size_t h = 0; h < S::kHalves; ++h) {
      I32 b0 = load_units(b);
      I32 b1 = load_units(b + kLanes);
      if constexpr (S::kHalves > 1) b0 = S::right(b0, h), b1 = S::right(b1, h);
#pragma GCC unroll 12
      for (std::size_t r = 0; r < kRows; ++r) {
        const I32 left = I32{} + static_cast<int>(a[h][r * stride + i]);
        sums[r][0] = S::apply(sums[r][0], left, b0);
        sums[r][1] = S::apply(sums[r][1], left, b1);
      }
    }
  }
}

// Adds units whose left factor has to be widened first, some at a time so that they stay in L1.
template <Dtype dtype, std::size_t kRows>
__attribute__((always_inline)) inline void add_widened(TileSums<dtype, kRows>& sums,
                                                       const std::uint32_t* a,
                                                       const std::uint32_t* b, std::size_t steps,
                                                       const char* next) {
  constexpr std::size_t kWide = 64;
  alignas(64) std::uint32_t wide[2][kRows][kWide];
  const std::uint32_t* const halves[2] = {wide[0][0], wide[1][0]};
  for (std::size_t i = 0; i < steps; i += kWide) {
    const std::size_t some = steps - i < kWide ? steps - i : kWide;
    for (std::size_t r = 0; r < kRows; ++r) {
      for (std::size_t k = 0; k < some; k += kLanes) {
        const I32 units = load_units(a + r * row_stride(dtype) + i + k);
        for (std::size_t h = 0; h < 2; ++h) {
          const I32 half = Step<dtype>::left(units, h);
          __builtin_memcpy(&wide[h][r][k], &half, sizeof half);
        }
      }
    }
    add_steps<dtype, kRows>(sums, halves, kWide, b + i * kPanel, some, next + 64 * i);
  }
}

// The sums of row r of a tile, as numbers, to out [panel] or added to it.
template <Dtype dtype>
__attribute__((always_inline)) inline void put_sums(const typename Step<dtype>::Sum* sums,
                                                    const LeftChunk& left, const RightChunk& right,
                                                    std::size_t r, float* out, bool add) {
#pragma GCC unroll 2
  for (std::size_t h = 0; h < 2; ++h) {
    float* p = out + h * kLanes;
    F32 v;
    if constexpr (dtype == Dtype::int8) {
      const I32 offset = load_units((const std::uint32_t*)right.sums + h * kLanes) * left.zero[r];
      v = to_float(sums[h] - offset) * (load(right.scale + h * kLanes) * splat(left.scale[r]));
    } else {
      v = sums[h];
    }
    store(p, add ? load(p) + v : v);
  }
}

// A register tile: kRows × kPanel sums. The order of each sum is that of the units: it is the same
// in every tile.
template <Dtype dtype, std::size_t kRows>
void tile(LeftChunk left, const RightChunk& right, float* out, bool add,
          const char* next) noexcept {
  TileSums<dtype, kRows> sums = {};
  if constexpr (Step<dtype>::kHalves == 1) {
    const std::uint32_t* a = left.units;
    add_steps<dtype, kRows>(sums, &a, row_stride(dtype), right.units, right.count, next);
  } else {
    add_widened<dtype, kRows>(sums, left.units, right.units, right.count, next);
  }
#pragma GCC unroll 12
  for (std::size_t r = 0; r < kRows; ++r) {
    put_sums<dtype>(sums[r], left, right, r, out + r * kPanel, add);
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
  // Piece by piece, so that one of the weights stays in L1 for all tiles.
  for (std::size_t k = 0; k < right.count; k += most_steps(dtype)) {
    RightChunk piece = right;
    piece.units += k * kPanel;
    piece.count = right.count - k < most_steps(dtype) ? right.count - k : most_steps(dtype);
    const std::size_t bytes = piece.count * kPanel * 4;
    LeftChunk rows_left = left;
    rows_left.units += k;
    float* out = sums;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t h = height + (i < taller);
      // A line a step: one tile of a panel of 64 bytes fetches all of it, the others what is there
      // already; of a wider one, two tiles share the fetching.
      constexpr bool kShared = kPanel * 4 > 64;
      const char* fetched = next + k * kPanel * 4 + (i % 2 == 0 ? 0 : bytes / 2);
      if (!kShared && i > 0) fetched = (const char*)piece.units;
      kTiles[h - 1](rows_left, piece, out, add || k > 0, fetched);
      rows_left.units += h * row_stride(dtype);
      if constexpr (dtype == Dtype::int8) rows_left.scale += h, rows_left.zero += h;
      out += h * kPanel;
    }
  }
}

#ifdef FNET_AMX
#include "kernels/product_amx.inl"
#endif

inline void multiply(Dtype dtype, LeftChunk left, std::size_t rows, const RightChunk& right,
                     float* sums, bool add, const void* next) noexcept {
  const auto* p = static_cast<const char*>(next);
  switch (dtype) {
    case Dtype::float32:
      return multiply_as<Dtype::float32>(left, rows, right, sums, add, p);
#ifdef FNET_AMX
    case Dtype::bfloat16:
      return multiply_tiles<Dtype::bfloat16>(left, rows, right, sums, add, p);
    case Dtype::int8:
      return multiply_tiles<Dtype::int8>(left, rows, right, sums, add, p);
#else
    case Dtype::bfloat16:
      return multiply_as<Dtype::bfloat16>(left, rows, right, sums, add, p);
    case Dtype::int8:
      return multiply_as<Dtype::int8>(left, rows, right, sums, add, p);
#endif
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
    case Activation::squared_relu:
      return finish_gated<SquaredRelu>(e, out, stride);
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
    case Activation::squared_relu:
      return finish_slope_as<SquaredRelu>(sums, at, rows, columns, out, stride);
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
