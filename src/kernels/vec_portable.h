// Vectors of 128 bits in the compiler's own extension: SSE2 or whatever the baseline has.
#include "kernels/vec_128.inl"

inline constexpr std::size_t kTileRows = 4;  // 4 × 2 sums of 16 registers

inline F32 select(I32 mask, F32 a, F32 b) { return (F32)(((I32)a & mask) | ((I32)b & ~mask)); }
inline F32 fma(F32 a, F32 b, F32 c) { return a * b + c; }
inline F32 sqrt(F32 a) {
  for (std::size_t i = 0; i < kLanes; ++i) a[i] = __builtin_sqrtf(a[i]);
  return a;
}
inline F32 min(F32 a, F32 b) { return select(a < b, a, b); }
inline F32 max(F32 a, F32 b) { return select(a > b, a, b); }
// Adding and taking away 1.5·2^23 leaves the nearest integer, for |a| < 2^22.
inline F32 round(F32 a) {
  const F32 magic = {12582912.0F, 12582912.0F, 12582912.0F, 12582912.0F};
  return (a + magic) - magic;
}

inline constexpr std::size_t kBf16Halves = 2, kInt8Halves = 1;
inline F32 dot_bf16(F32 sum, I32 a, I32 b) { return fma((F32)a, (F32)b, sum); }
inline I32 dot_int8(I32 sum, I32 a, I32 b) {
  for (int shift = 0; shift < 32; shift += 8) {
    sum += ((a >> shift) & 255) * ((b << (24 - shift)) >> 24);
  }
  return sum;
}
inline void store_high_halves(std::uint16_t* p, I32 v) {
  for (std::size_t i = 0; i < kLanes; ++i) {
    p[i] = static_cast<std::uint16_t>(static_cast<std::uint32_t>(v[i]) >> 16);
  }
}
