// Vectors of AVX2 with FMA.
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

inline F32 dot_bf16(F32 sum, I32 a, I32 b) {
  const I32 high = (I32)_mm256_set1_epi32(static_cast<int>(0xffff0000));
  sum = fma((F32)(a & high), (F32)(b & high), sum);
  return fma((F32)(a << 16), (F32)(b << 16), sum);
}
// 16-bit products: exact, where vpmaddubsw would saturate.
inline I32 dot_int8(I32 sum, I32 a, I32 b) {
  const __m256i even = _mm256_and_si256((__m256i)a, _mm256_set1_epi16(0xff));
  const __m256i odd = _mm256_srli_epi16((__m256i)a, 8);
  const __m256i b_even = _mm256_srai_epi16(_mm256_slli_epi16((__m256i)b, 8), 8);
  const __m256i b_odd = _mm256_srai_epi16((__m256i)b, 8);
  return sum + (I32)_mm256_madd_epi16(even, b_even) + (I32)_mm256_madd_epi16(odd, b_odd);
}
inline void store_high_halves(std::uint16_t* p, I32 v) {
  const __m256i wide = _mm256_srli_epi32((__m256i)v, 16);
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(wide, wide), 0x08);
  _mm_storeu_si128((__m128i*)p, _mm256_castsi256_si128(packed));
}
inline void store_u8(std::uint8_t* p, I32 v) {
  for (std::size_t i = 0; i < kLanes; ++i) p[i] = static_cast<std::uint8_t>(v[i]);
}
