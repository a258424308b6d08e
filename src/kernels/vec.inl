// What every vec_<isa>.h has in common. Loads and stores need no alignment.
inline F32 load(const float* p) {
  F32 v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
inline void store(float* p, F32 v) { __builtin_memcpy(p, &v, sizeof v); }
inline F32 splat(float x) { return x - F32{}; }  // folded away, where 0 + x would turn −0 into 0
inline F32 to_float(I32 v) { return __builtin_convertvector(v, F32); }
inline I32 to_int(F32 v) { return __builtin_convertvector(v, I32); }  // truncates

/// Sum and maximum of all lanes: halves folded, the same order in every call.
inline float sum(F32 v) {
  float lane[kLanes];
  store(lane, v);
  for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) lane[i] += lane[i + half];
  }
  return lane[0];
}
inline float max(F32 v) {
  float lane[kLanes];
  store(lane, v);
  for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i)
      lane[i] = lane[i] > lane[i + half] ? lane[i] : lane[i + half];
  }
  return lane[0];
}

/// Sum of all lanes for what goes into a whole row.
inline double sum_in_double(F32 v) {
  float lane[kLanes];
  store(lane, v);
  double total = 0.0;
  for (const float value : lane) total += value;
  return total;
}

#ifndef FNET_DOT_INSTRUCTIONS
/// The nearest bfloat16 in the upper half, ties to even; a NaN stays one.
inline I32 rounded_bf16(F32 v) {
  const I32 bits = (I32)v;
  const I32 rounded = bits + 0x7fff + ((bits >> 16) & 1);
  return (I32)select(v == v, (F32)rounded, (F32)(bits | 0x400000));
}
inline void store_bf16(std::uint16_t* p, F32 v) { store_high_halves(p, rounded_bf16(v)); }
/// Both as bfloat16, `high` in the upper halves.
inline I32 pairs_bf16(F32 low, F32 high) {
  constexpr int kUpper = static_cast<int>(0xffff0000);
  return ((rounded_bf16(low) >> 16) & 0xffff) | (rounded_bf16(high) & kUpper);
}
#endif
