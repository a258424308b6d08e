// Vectors of AVX-512; FNET_DOT_INSTRUCTIONS adds vdpbf16ps and vpdpbusd.
inline constexpr std::size_t kLanes = 16;
inline constexpr std::size_t kTileRows =
    12;  // 12 × 2 sums, 2 of the weights, 1 broadcast: 27 of 32

using F32 = float __attribute__((vector_size(64)));
using I32 = std::int32_t __attribute__((vector_size(64)));

inline F32 fma(F32 a, F32 b, F32 c) { return _mm512_fmadd_ps(a, b, c); }
inline F32 min(F32 a, F32 b) { return _mm512_min_ps(a, b); }
inline F32 max(F32 a, F32 b) { return _mm512_max_ps(a, b); }
inline F32 sqrt(F32 a) { return _mm512_sqrt_ps(a); }
inline F32 round(F32 a) { return _mm512_roundscale_ps(a, 0); }
inline F32 select(I32 mask, F32 a, F32 b) {
  return _mm512_mask_blend_ps(_mm512_movepi32_mask((__m512i)mask), b, a);
}

inline F32 load_part(const float* p, std::size_t n) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << n) - 1), p);
}
inline void store_part(float* p, std::size_t n, F32 v) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1U << n) - 1), v);
}

#ifdef FNET_DOT_INSTRUCTIONS
inline constexpr std::size_t kBf16Halves = 1, kInt8Halves = 1;
inline F32 dot_bf16(F32 sum, I32 a, I32 b) {
  return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}
// By hand, because GCC 12 copies the accumulators of the intrinsic.
inline I32 dot_int8(I32 sum, I32 a, I32 b) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
}
inline void store_bf16(std::uint16_t* p, F32 v) {
  const __m256bh half = _mm512_cvtneps_pbh(v);
  __builtin_memcpy(p, &half, sizeof half);
}
inline I32 pairs_bf16(F32 low, F32 high) {
  const __m512i lower = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(low));
  const __m512i upper = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(high));
  return (I32)_mm512_or_si512(lower, _mm512_slli_epi32(upper, 16));
}
#else
inline constexpr std::size_t kBf16Halves = 2, kInt8Halves = 2;
inline F32 dot_bf16(F32 sum, I32 a, I32 b) { return fma((F32)a, (F32)b, sum); }
// Products of 16-bit numbers: exact, where vpmaddubsw would saturate unless weights had 7 bits. By
// hand, because GCC 12 puts all products of a step before their sums, for which there is no room.
inline I32 dot_int8(I32 sum, I32 a, I32 b) {
  I32 product;
  asm("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+v"(sum), "=&v"(product) : "v"(a), "v"(b));
  return sum;
}
#endif
inline void store_high_halves(std::uint16_t* p, I32 v) {
  _mm256_storeu_si256((__m256i*)p, _mm512_cvtepi32_epi16(_mm512_srli_epi32((__m512i)v, 16)));
}
inline void store_u8(std::uint8_t* p, I32 v) {
  _mm_storeu_si128((__m128i*)p, _mm512_cvtepi32_epi8((__m512i)v));
}
