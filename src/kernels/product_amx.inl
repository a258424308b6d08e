// Products by AMX: a tile register holds 16 rows of 64 bytes. A unit of packed weights is a row's
// element of such a tile as it stands, so only the multiplication differs from product.inl.

// What LDTILECFG reads: each tile's bytes a row, and its rows.
struct alignas(64) TileShapes {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t bytes[16] = {};
  std::uint8_t rows[16] = {};
};

inline constexpr std::size_t kTileUnits = 16;    // of a row of a tile
inline constexpr std::size_t kAmxRows = 2 * 16;  // of two tiles of sums
inline constexpr std::size_t kAmxBlock = 96;     // rows whose sums stay in L1
inline constexpr std::size_t kAmxPiece = 128;    // units of the weights that stay there: 16 KB

/// Sums 0 to 3 (upper rows left and right, lower rows left and right), rows 4 and 5, weights 6, 7.
inline TileShapes tile_shapes(std::size_t upper, std::size_t lower) {
  TileShapes shapes;
  for (std::size_t t = 0; t < 8; ++t) {
    const bool of_lower = t == 2 || t == 3 || t == 5;
    const std::size_t rows = t >= 6 ? kTileUnits : of_lower ? lower : upper;
    if (rows == 0) continue;
    shapes.rows[t] = static_cast<std::uint8_t>(rows);
    shapes.bytes[t] = 4 * kTileUnits;
  }
  return shapes;
}

// The compiler knows nothing of tiles, so only their order among these statements holds.
#define FNET_TILE_LOAD(number, p, stride) \
  asm volatile("tileloadd (%0,%1,1), %%tmm" #number : : "r"(p), "r"(stride) : "memory")
#define FNET_TILE_STORE(number, p, stride) \
  asm volatile("tilestored %%tmm" #number ", (%0,%1,1)" : : "r"(p), "r"(stride) : "memory")
#define FNET_TILE_PRODUCT(sums, left, right)                               \
  do {                                                                     \
    if constexpr (dtype == Dtype::int8) {                                  \
      asm volatile("tdpbusd %tmm" #right ", %tmm" #left ", %tmm" #sums);   \
    } else {                                                               \
      asm volatile("tdpbf16ps %tmm" #right ", %tmm" #left ", %tmm" #sums); \
    }                                                                      \
  } while (false)

/// Adds kTileUnits units to the sums; rows of the left factor `stride` units apart.
template <Dtype dtype, bool kLower>
inline void add_tile(const std::uint32_t* left, std::size_t upper, std::size_t stride,
                     const std::uint32_t* right) {
  FNET_TILE_LOAD(4, left, 4 * stride);
  FNET_TILE_LOAD(6, right, 4 * kPanel);
  FNET_TILE_PRODUCT(0, 4, 6);
  FNET_TILE_LOAD(7, right + kTileUnits, 4 * kPanel);
  FNET_TILE_PRODUCT(1, 4, 7);
  if constexpr (kLower) {
    FNET_TILE_LOAD(5, left + upper * stride, 4 * stride);
    FNET_TILE_PRODUCT(2, 5, 6);
    FNET_TILE_PRODUCT(3, 5, 7);
  }
}

/// Adds a piece of the weights to the sums of `upper` and `lower` rows: [rows, kPanel] of 4 bytes.
template <Dtype dtype, bool kLower>
void add_piece(const std::uint32_t* left, std::size_t upper, std::size_t lower,
               const RightChunk& right, std::uint32_t* sums, bool first, const char* next) {
  std::uint32_t* const lower_sums = sums + upper * kPanel;
  if (first) {
    asm volatile("tilezero %tmm0\n\ttilezero %tmm1");
    if constexpr (kLower) asm volatile("tilezero %tmm2\n\ttilezero %tmm3");
  } else {
    FNET_TILE_LOAD(0, sums, 4 * kPanel);
    FNET_TILE_LOAD(1, sums + kTileUnits, 4 * kPanel);
    if constexpr (kLower) {
      FNET_TILE_LOAD(2, lower_sums, 4 * kPanel);
      FNET_TILE_LOAD(3, lower_sums + kTileUnits, 4 * kPanel);
    }
  }
  const std::size_t whole = right.count / kTileUnits * kTileUnits;
  for (std::size_t i = 0; i < whole; i += kTileUnits) {
    for (std::size_t line = 0; line < 4 * kPanel * kTileUnits && next != nullptr; line += 64) {
      __builtin_prefetch(next + 4 * kPanel * i + line, 0, 2);
    }
    add_tile<dtype, kLower>(left + i, upper, kRowStride<dtype>, right.units + i * kPanel);
  }
  if (whole < right.count) {  // what follows the last units is not theirs
    alignas(64) std::uint32_t rows[kAmxRows][kTileUnits] = {}, weights[kTileUnits][kPanel] = {};
    const std::size_t rest = right.count - whole;
    for (std::size_t r = 0; r < upper + lower; ++r) {
      __builtin_memcpy(rows[r], left + r * kRowStride<dtype> + whole, 4 * rest);
    }
    __builtin_memcpy(weights, right.units + whole * kPanel, 4 * rest * kPanel);
    add_tile<dtype, kLower>(rows[0], upper, kTileUnits, weights[0]);
  }
  FNET_TILE_STORE(0, sums, 4 * kPanel);
  FNET_TILE_STORE(1, sums + kTileUnits, 4 * kPanel);
  if constexpr (kLower) {
    FNET_TILE_STORE(2, lower_sums, 4 * kPanel);
    FNET_TILE_STORE(3, lower_sums + kTileUnits, 4 * kPanel);
  }
}

/// Some rows: piece by piece of the weights, so that one stays in L1 for all of them.
template <Dtype dtype>
void multiply_some(const LeftChunk& left, std::size_t rows, const RightChunk& right, float* out,
                   bool add, const char* next) {
  alignas(64) TileSums<dtype, kAmxBlock> sums;
  const std::size_t count = (rows + kAmxRows - 1) / kAmxRows;
  std::size_t shaped = 0;
  for (std::size_t k = 0; k < right.count; k += kAmxPiece) {
    RightChunk piece = right;
    piece.units += k * kPanel;
    piece.count = right.count - k < kAmxPiece ? right.count - k : kAmxPiece;
    std::size_t at = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t height = rows / count + (i < rows % count);
      const std::size_t upper = height > 16 ? (height + 1) / 2 : height;
      if (height != shaped) {
        const TileShapes shapes = tile_shapes(upper, height - upper);
        asm volatile("ldtilecfg %0" : : "m"(shapes));
        shaped = height;
      }
      const auto add_rows = height > upper ? add_piece<dtype, true> : add_piece<dtype, false>;
      add_rows(left.units + at * kRowStride<dtype> + k, upper, height - upper, piece,
               (std::uint32_t*)sums[at], k == 0, i == 0 && next ? next + 4 * kPanel * k : nullptr);
      at += height;
    }
  }
  for (std::size_t r = 0; r < rows; ++r) {
    put_sums<dtype>(sums[r], left, right, r, out + r * kPanel, add);
  }
}

template <Dtype dtype>
void multiply_tiles(LeftChunk left, std::size_t rows, const RightChunk& right, float* out, bool add,
                    const char* next) {
  for (std::size_t first = 0; first < rows; first += kAmxBlock) {
    const std::size_t some = rows - first < kAmxBlock ? rows - first : kAmxBlock;
    multiply_some<dtype>(left, some, right, out, add, first == 0 ? next : nullptr);
    left.units += some * kRowStride<dtype>;
    if constexpr (dtype == Dtype::int8) left.scale += some, left.zero += some;
    out += some * kPanel;
  }
  asm volatile("tilerelease");
}

/// The bare products, over and over, on four tiles of sums.
template <Dtype dtype>
std::size_t spin_tiles(std::size_t steps) {
  const TileShapes shapes = tile_shapes(16, 16);
  asm volatile("ldtilecfg %0" : : "m"(shapes));
  for (std::size_t i = 0; i < steps; ++i) {
    FNET_TILE_PRODUCT(0, 4, 6);
    FNET_TILE_PRODUCT(1, 4, 7);
    FNET_TILE_PRODUCT(2, 5, 6);
    FNET_TILE_PRODUCT(3, 5, 7);
  }
  asm volatile("tilerelease");
  return 2 * kAmxRows * kPanel * kTileUnits * per_unit(dtype) * steps;
}

#undef FNET_TILE_LOAD
#undef FNET_TILE_STORE
#undef FNET_TILE_PRODUCT
