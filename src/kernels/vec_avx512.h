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
#else
inline F32 dot_bf16(F32 sum, I32 a, I32 b) {
  const I32 high = (I32)_mm512_set1_epi32(static_cast<int>(0xffff0000));
  sum = fma((F32)(a & high), (F32)(b & high), sum);
  return fma((F32)(a << 16), (F32)(b << 16), sum);
}
inline I32 dot_int8(I32 sum, I32 a, I32 b) {
  const __m512i even = _mm512_and_si512((__m512i)a, _mm512_set1_epi16(0xff));
  const __m512i odd = _mm512_srli_epi16((__m512i)a, 8);
  const __m512i b_even = _mm512_srai_epi16(_mm512_slli_epi16((__m512i)b, 8), 8);
  const __m512i b_odd = _mm512_srai_epi16((__m512i)b, 8);
  return sum + (I32)_mm512_madd_epi16(even, b_even) + (I32)_mm512_madd_epi16(odd, b_odd);
}
#endif
inline void store_high_halves(std::uint16_t* p, I32 v) {
  _mm256_storeu_si256((__m256i*)p, _mm512_cvtepi32_epi16(_mm512_srli_epi32((__m512i)v, 16)));
}
inline void store_u8(std::uint8_t* p, I32 v) {
  _mm_storeu_si128((__m128i*)p, _mm512_cvtepi32_epi8((__m512i)v));
}
