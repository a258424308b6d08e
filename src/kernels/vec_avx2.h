// Vectors of AVX2 with FMA; FNET_VNNI adds vpdpbusd of 256 bits.
inline constexpr std::size_t kLanes = 8;
inline constexpr std::size_t kTileRows = 6;  // 6 × 2 sums, 2 of the weights, 1 broadcast: 15 of 16

using F32 = float __attribute__((vector_size(32)));
using I32 = std::int32_t __attribute__((vector_size(32)));

inline F32 fma(F32 a, F32 b, F32 c) { return _mm256_fmadd_ps(a, b, c); }
inline F32 min(F32 a, F32 b) { return _mm256_min_ps(a, b); }
inline F32 max(F32 a, F32 b) { return _mm256_max_ps(a, b); }
inline F32 sqrt(F32 a) { return _mm256_sqrt_ps(a); }
inline F32 round(F32 a) { return _mm256_round_ps(a, 8); }
inline F32 select(I32 mask, F32 a, F32 b) { return _mm256_blendv_ps(b, a, (__m256)mask); }

inline __m256i first_lanes(std::size_t n) {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), index);
}
inline F32 load_part(const float* p, std::size_t n) {
  return _mm256_maskload_ps(p, first_lanes(n));
}
inline void store_part(float* p, std::size_t n, F32 v) {
  _mm256_maskstore_ps(p, first_lanes(n), v);
}

inline constexpr std::size_t kBf16Halves = 2;
inline F32 dot_bf16(F32 sum, I32 a, I32 b) { return fma((F32)a, (F32)b, sum); }
#ifdef FNET_VNNI
inline constexpr std::size_t kInt8Halves = 1;
// By hand, because GCC 12 copies the accumulators of the intrinsic.
inline I32 dot_int8(I32 sum, I32 a, I32 b) {
  asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
  return sum;
}
#else
inline constexpr std::size_t kInt8Halves = 2;
// Products of 16-bit numbers: exact, where vpmaddubsw would saturate unless weights had 7 bits. By
// hand, because GCC 12 puts all products of a step before their sums, for which there is no room.
inline I32 dot_int8(I32 sum, I32 a, I32 b) {
  I32 product;
  asm("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(sum), "=&x"(product) : "x"(a), "x"(b));
  return sum;
}
#endif
inline void store_high_halves(std::uint16_t* p, I32 v) {
  const __m256i wide = _mm256_srli_epi32((__m256i)v, 16);
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(wide, wide), 0x08);
  _mm_storeu_si128((__m128i*)p, _mm256_castsi256_si128(packed));
}
inline void store_u8(std::uint8_t* p, I32 v) {
  // The low byte of each lane to the front of its half, then both halves together.
  const __m256i low = _mm256_shuffle_epi8((__m256i)v, _mm256_set1_epi32(0x0c080400));
  const __m256i both = _mm256_permutevar8x32_epi32(low, _mm256_setr_epi32(0, 4, 0, 0, 0, 0, 0, 0));
  _mm_storel_epi64((__m128i*)p, _mm256_castsi256_si128(both));
}
