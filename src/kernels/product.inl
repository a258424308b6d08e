// Products of a block of rows with packed weights; see product_kernels.h for the layouts.
// Units after which a sum in float32 is put down and a new one begun. 64 terms keep the rounding
// error below that of the usual libraries, and so do 88 where a tile has half as many sums, which
// are put down in half the time between two; 16-bit factors have larger errors of their own, so
// that only the room in L1 for what is widened bounds them; sums of bytes are exact.
constexpr std::size_t most_steps(Dtype dtype) {
  if (dtype == Dtype::float32) return kLanes < 16 ? 88 : 64;
  const bool widened = dtype == Dtype::bfloat16 && Step<Dtype::bfloat16>::kHalves > 1;
  return widened ? 128 : most_units(dtype);
}

// Units of a panel that every tile reads before any reads the next ones: few where the narrow tile
// would wait for what does not fit L1; where a tile reads a line for 24 products it need not be
// called so often.
constexpr std::size_t most_units_at_once(Dtype dtype) {
  if (dtype != Dtype::float32) return most_steps(dtype);
  return kLanes < 16 ? 3 * most_steps(dtype) : most_units(dtype);
}

template <Dtype dtype, std::size_t kRows>
using TileSums = typename Step<dtype>::Sum[kRows][2];

// What is read ahead: a line from `at` on, and one `stride` bytes on with each unit.
struct Fetch {
  const char* at;
  std::size_t stride;
};

// How the right factor lies: its words as they are multiplied, or units whose halves the tile
// widens.
enum class Right { words, units };

// Adds `steps` units.
template <Dtype dtype, std::size_t kRows, Right kRight>
__attribute__((always_inline)) inline void add_steps(TileSums<dtype, kRows>& sums,
                                                     const std::uint32_t* a, const std::uint32_t* b,
                                                     std::size_t steps, Fetch next) {
  using S = Step<dtype>;
  // A step of narrow vectors is short: several in a row make the last one foreseeable.
#pragma GCC unroll(kLanes < 16 ? 4 : 1)
  for (std::size_t i = 0; i < steps; ++i) {
    __builtin_prefetch(next.at + next.stride * i, 0, 2);
#pragma GCC unroll 2
    for (std::size_t h = 0; h < S::kHalves; ++h) {
      I32 b0 = load_units(b);
      I32 b1 = load_units(b + kLanes);
      if constexpr (kRight == Right::units) b0 = S::right(b0, h), b1 = S::right(b1, h);
      if (kRight == Right::words || h == 1) b += kPanel;
#pragma GCC unroll 12
      for (std::size_t r = 0; r < kRows; ++r) {
        const I32 left =
            I32{} + static_cast<int>(a[h * most_units(dtype) + r * kRowStride<dtype> + i]);
        sums[r][0] = S::apply(sums[r][0], left, b0);
        sums[r][1] = S::apply(sums[r][1], left, b1);
      }
    }
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
template <Dtype dtype, std::size_t kRows, Right kRight = Right::words>
void tile(LeftChunk left, const RightChunk& right, float* out, bool add, Fetch next) noexcept {
  constexpr std::size_t kWords = kRight == Right::words ? Step<dtype>::kHalves : 1;
  for (std::size_t k = 0; k < right.count; k += most_steps(dtype)) {
    const std::size_t count = right.count - k;
    TileSums<dtype, kRows> sums = {};
    add_steps<dtype, kRows, kRight>(sums, left.units + k, right.units + k * kPanel * kWords,
                                    count < most_steps(dtype) ? count : most_steps(dtype),
                                    {next.at + next.stride * k, next.stride});
#pragma GCC unroll 12
    for (std::size_t r = 0; r < kRows; ++r) {
      put_sums<dtype>(sums[r], left, right, r, out + r * kPanel, add || k > 0);
    }
  }
}

using TileFunction = void (*)(LeftChunk, const RightChunk&, float*, bool, Fetch) noexcept;

// The halves of units [count][panel], widened, as [count][2][panel]: once for all tiles.
template <Dtype dtype>
inline void widen_right(const std::uint32_t* units, std::size_t count, std::uint32_t* wide) {
  for (std::size_t i = 0; i < count * kPanel; i += kPanel, wide += 2 * kPanel) {
#pragma GCC unroll 4
    for (std::size_t part = 0; part < 4; ++part) {
      const std::size_t half = part / 2, at = part % 2 * kLanes;
      const I32 words = Step<dtype>::right(load_units(units + i + at), half);
      __builtin_memcpy(wide + half * kPanel + at, &words, sizeof words);
    }
  }
}

constexpr std::size_t fit(std::size_t rows) { return rows < kTileRows ? rows : kTileRows; }

template <Dtype dtype>
void multiply_as(LeftChunk left, std::size_t rows, const RightChunk& right, float* sums, bool add,
                 const char* next) {
  static constexpr TileFunction kTiles[] = {
      tile<dtype, fit(1)>, tile<dtype, fit(2)>,  tile<dtype, fit(3)>,  tile<dtype, fit(4)>,
      tile<dtype, fit(5)>, tile<dtype, fit(6)>,  tile<dtype, fit(7)>,  tile<dtype, fit(8)>,
      tile<dtype, fit(9)>, tile<dtype, fit(10)>, tile<dtype, fit(11)>, tile<dtype, fit(12)>};
  constexpr bool kHalved = Step<dtype>::kHalves > 1;
  // Low tiles have registers left to widen in.
  constexpr Right kIn = kHalved ? Right::units : Right::words;
  static constexpr TileFunction kLowTiles[] = {tile<dtype, fit(1), kIn>, tile<dtype, fit(2), kIn>,
                                               tile<dtype, fit(3), kIn>, tile<dtype, fit(4), kIn>};
  // Tiles of nearly equal height: 64 rows are 4 × 11 and 2 × 10, not 5 × 12 and a slow 4.
  const std::size_t count = (rows + kTileRows - 1) / kTileRows;
  const std::size_t height = rows / count;
  const std::size_t taller = rows % count;
  // The tiles share the reading ahead, for the first alone would wait for memory; one alone leaves
  // half of a wide panel to the machine.
  constexpr std::size_t kLine = 64;
  const std::size_t shared = (kPanel * 4 + count - 1) / count;
  const std::size_t stride = shared < kLine ? shared : kLine;
  const bool low = kHalved && count <= 2 && height + (taller > 0) <= std::size(kLowTiles);
  const TileFunction* tiles = low ? kLowTiles : kTiles;
  constexpr std::size_t kMost = most_units_at_once(dtype);
  alignas(64) std::uint32_t wide[kHalved ? 2 * kMost * kPanel : 1];
  for (std::size_t k = 0; k < right.count; k += kMost) {
    RightChunk piece = right;
    piece.units += k * kPanel;
    piece.count = right.count - k < kMost ? right.count - k : kMost;
    if constexpr (kHalved) {
      if (!low) {
        widen_right<dtype>(piece.units, piece.count, wide);
        piece.units = wide;
      }
    }
    LeftChunk rows_left = left;
    rows_left.units += k;
    float* out = sums;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t h = height + (i < taller);
      const Fetch fetch{next + k * kPanel * 4 + i * stride * piece.count, stride};
      tiles[h - 1](rows_left, piece, out, add || k > 0, fetch);
      rows_left.units += h * kRowStride<dtype>;
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

// Where an epilogue's result goes: numbers in rows `stride` apart, or a left factor in bfloat16.
struct NumberRows {
  float* out;
  std::size_t stride;
};
struct LeftRows {
  std::uint32_t* units;
  std::size_t column;
};

template <class Act, bool kGated>
void finish_as(const Epilogue& e, NumberRows to) {
  for (std::size_t column = 0; column < e.columns; column += kLanes) {
    const std::size_t n = e.columns - column < kLanes ? e.columns - column : kLanes;
    const F32 bias = e.bias != nullptr ? load_part(e.bias + column, n) : F32{};
    const F32 gate_bias = e.gate_bias != nullptr ? load_part(e.gate_bias + column, n) : F32{};
    for (std::size_t r = 0; r < e.rows; ++r) {
      F32 v = finished<Act, kGated>(e, r * kPanel + column, bias, gate_bias);
      if (e.add != nullptr) v += load_part(e.add + r * to.stride + column, n);
      float* p = to.out + r * to.stride + column;
      if (n == kLanes) {
        store(p, v);
      } else {
        store_part(p, n, v);
      }
    }
  }
}

// All of the panel: a row has room for it, and an unfinished unit must be whole, for old memory may
// hold a NaN.
template <class Act, bool kGated>
void finish_as(const Epilogue& e, LeftRows to) {
  F32 bias[2] = {}, gate_bias[2] = {};
  for (std::size_t h = 0; h * kLanes < e.columns; ++h) {
    const std::size_t left = e.columns - h * kLanes, n = left < kLanes ? left : kLanes;
    if (e.bias != nullptr) bias[h] = load_part(e.bias + h * kLanes, n);
    if (e.gate_bias != nullptr) gate_bias[h] = load_part(e.gate_bias + h * kLanes, n);
  }
  constexpr bool kWiden = Step<Dtype::bfloat16>::kHalves > 1;
  const std::size_t at = to.column / per_unit(Dtype::bfloat16);
  std::uint32_t narrow[kLanes];  // a panel in bfloat16
  for (std::size_t r = 0; r < e.rows; ++r) {
    std::uint32_t* row = to.units + r * kRowStride<Dtype::bfloat16>;
    auto* numbers = (std::uint16_t*)(kWiden ? narrow : row + at);
#pragma GCC unroll 2
    for (std::size_t h = 0; h < 2; ++h) {
      const std::size_t from = r * kPanel + h * kLanes;
      store_bf16(numbers + h * kLanes, finished<Act, kGated>(e, from, bias[h], gate_bias[h]));
    }
    if constexpr (kWiden) put_left<Dtype::bfloat16>(row, at, load_units(narrow));
  }
}

template <class Act, class To>
void finish_gated(const Epilogue& e, To to) {
  return e.gate_sums != nullptr ? finish_as<Act, true>(e, to) : finish_as<Act, false>(e, to);
}

template <class To>
void finish(const Epilogue& e, To to) {
  switch (e.activation) {
    case Activation::none:
      return finish_gated<None>(e, to);
    case Activation::gelu:
      return finish_gated<Gelu>(e, to);
    case Activation::gelu_tanh:
      return finish_gated<GeluTanh>(e, to);
    case Activation::relu:
      return finish_gated<Relu>(e, to);
    case Activation::sigmoid:
      return finish_gated<Sigmoid>(e, to);
    case Activation::silu:
      return finish_gated<Silu>(e, to);
    case Activation::squared_relu:
      return finish_gated<SquaredRelu>(e, to);
    case Activation::tanh:
      return finish_gated<Tanh>(e, to);
  }
}

inline void finish_f32(const Epilogue& e, float* out, std::size_t stride) noexcept {
  finish(e, NumberRows{out, stride});
}
inline void finish_bf16(const Epilogue& e, std::uint32_t* units, std::size_t column) noexcept {
  finish(e, LeftRows{units, column});
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
