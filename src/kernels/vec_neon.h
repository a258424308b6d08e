// Vectors of NEON; FNET_DOT_INSTRUCTIONS adds bfdot and usdot.
#include "kernels/vec_128.inl"

inline constexpr std::size_t kTileRows = 8;  // 8 × 2 sums, 2 of the weights, 1 broadcast: 19 of 32

inline F32 fma(F32 a, F32 b, F32 c) {
  return (F32)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
inline F32 min(F32 a, F32 b) { return (F32)vminq_f32((float32x4_t)a, (float32x4_t)b); }
inline F32 max(F32 a, F32 b) { return (F32)vmaxq_f32((float32x4_t)a, (float32x4_t)b); }
inline F32 sqrt(F32 a) { return (F32)vsqrtq_f32((float32x4_t)a); }
inline F32 round(F32 a) { return (F32)vrndnq_f32((float32x4_t)a); }
inline F32 select(I32 mask, F32 a, F32 b) {
  return (F32)vbslq_f32((uint32x4_t)mask, (float32x4_t)a, (float32x4_t)b);
}

#ifdef FNET_DOT_INSTRUCTIONS
inline constexpr std::size_t kBf16Halves = 1, kInt8Halves = 1;
// By hand, because clang before 16 has the intrinsics only in files compiled for them as a whole.
inline F32 dot_bf16(F32 sum, I32 a, I32 b) {
  asm("bfdot %0.4s, %1.8h, %2.8h" : "+w"(sum) : "w"(a), "w"(b));
  return sum;
}
inline I32 dot_int8(I32 sum, I32 a, I32 b) {
  asm("usdot %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(a), "w"(b));
  return sum;
}
inline I32 to_bf16(F32 v) {  // in the lower half of the vector
  I32 halves;
  asm("bfcvtn %0.4h, %1.4s" : "=w"(halves) : "w"(v));
  return halves;
}
inline void store_bf16(std::uint16_t* p, F32 v) {
  const I32 halves = to_bf16(v);
  __builtin_memcpy(p, &halves, sizeof halves / 2);
}
inline I32 pairs_bf16(F32 low, F32 high) {
  return (I32)vzip1q_u16((uint16x8_t)to_bf16(low), (uint16x8_t)to_bf16(high));
}
#else
inline constexpr std::size_t kBf16Halves = 2, kInt8Halves = 1;
inline F32 dot_bf16(F32 sum, I32 a, I32 b) { return fma((F32)a, (F32)b, sum); }
// Products of 16-bit numbers, exact: pairs of the first eight bytes' and of the last eight's.
inline I32 dot_int8(I32 sum, I32 a, I32 b) {
  const auto half = [](int8x8_t weights, uint8x8_t bytes) {
    const int16x8_t x = vreinterpretq_s16_u16(vmovl_u8(bytes)), w = vmovl_s8(weights);
    return vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(w)),
                      vmull_s16(vget_high_s16(x), vget_high_s16(w)));
  };
  const auto x = (uint8x16_t)a;
  const auto w = (int8x16_t)b;
  return sum + (I32)vpaddq_s32(half(vget_low_s8(w), vget_low_u8(x)),
                               half(vget_high_s8(w), vget_high_u8(x)));
}
#endif
inline void store_high_halves(std::uint16_t* p, I32 v) {
  vst1_u16(p, vshrn_n_u32((uint32x4_t)v, 16));
}
