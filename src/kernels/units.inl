// The units in which products are taken, and how rows of the left factor hold them.
inline constexpr std::size_t kPanel = 2 * kLanes;

inline I32 load_units(const std::uint32_t* p) {
  I32 v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

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

// Units of a row of the left factor: those of a longest chunk.
constexpr std::size_t most_units(Dtype dtype) { return longest_chunk(dtype) / per_unit(dtype); }

// Words from one row of the left factor to the next. Where units are multiplied by halves, a row
// has the first halves of all, then the second ones, widened once for all panels. Fixed, so that a
// tile's addresses are constants, and no multiple of 4 KiB, which would put all rows of a tile into
// one cache set; it leaves room for a whole vector past the last number.
template <Dtype dtype>
inline constexpr std::size_t kRowStride = Step<dtype>::kHalves * most_units(dtype) + 16;

// Puts units into a row of the left factor, from unit `at` on.
template <Dtype dtype>
inline void put_left(std::uint32_t* row, std::size_t at, I32 units) {
  if constexpr (Step<dtype>::kHalves == 1) {
    __builtin_memcpy(row + at, &units, sizeof units);
  } else {
    for (std::size_t h = 0; h < 2; ++h) {
      const I32 half = Step<dtype>::left(units, h);
      __builtin_memcpy(row + h * most_units(dtype) + at, &half, sizeof half);
    }
  }
}
