// What vectors of 128 bits have in common, without masked loads and stores.
inline constexpr std::size_t kLanes = 4;

using F32 = float __attribute__((vector_size(16)));
using I32 = std::int32_t __attribute__((vector_size(16)));

inline F32 load_part(const float* p, std::size_t n) {
  F32 v = {};
  if (n == kLanes) {
    __builtin_memcpy(&v, p, sizeof v);
  } else {
    for (std::size_t i = 0; i < n; ++i) v[i] = p[i];
  }
  return v;
}
inline void store_part(float* p, std::size_t n, F32 v) {
  if (n == kLanes) {
    __builtin_memcpy(p, &v, sizeof v);
  } else {
    for (std::size_t i = 0; i < n; ++i) p[i] = v[i];
  }
}
inline void store_u8(std::uint8_t* p, I32 v) {
  for (std::size_t i = 0; i < kLanes; ++i) p[i] = static_cast<std::uint8_t>(v[i]);
}
