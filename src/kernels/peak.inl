// The bare instruction of a product, over and over: 24 independent sums (12 with 16 registers).
template <Dtype dtype>
std::size_t spin(std::size_t steps) {
  constexpr std::size_t kSums = kTileRows >= 8 ? 24 : 2 * kTileRows;
  using Sum = typename Step<dtype>::Sum;
  Sum sums[kSums];
  // NOLINTBEGIN(modernize-loop-convert): loops that are known to be unrolled whole
#pragma GCC unroll 24  // an array indexed by a loop would live in memory
  for (std::size_t j = 0; j < kSums; ++j) {
    Sum start = {};
    asm volatile("" : "+m"(start));  // else all sums are one and the same
    sums[j] = start;
  }
  I32 b = I32{} + 0x01010101;
  for (std::size_t i = 0; i < steps; ++i) {
    asm volatile("" : "+m"(b));  // else the loop is a constant
    const I32 value = b;
#pragma GCC unroll 24
    for (std::size_t j = 0; j < kSums; ++j) {
      sums[j] = Step<dtype>::apply(sums[j], I32{} + 0x01010101, value);
    }
  }
  Sum total = {};
#pragma GCC unroll 24
  for (std::size_t j = 0; j < kSums; ++j) total += sums[j];
  // NOLINTEND(modernize-loop-convert)
  asm volatile("" : : "m"(total));
  return 2 * kSums * kLanes * per_unit(dtype) / Step<dtype>::kHalves * steps;
}

/// Does `steps` steps and says how many operations they were.
inline std::size_t spin(Dtype dtype, std::size_t steps) noexcept {
#ifdef FNET_AMX
  constexpr std::size_t kSteps = 5;  // of vectors take as long as one of tiles
  if (dtype == Dtype::bfloat16) return spin_tiles<Dtype::bfloat16>(steps / kSteps);
  if (dtype == Dtype::int8) return spin_tiles<Dtype::int8>(steps / kSteps);
#endif
  switch (dtype) {
    case Dtype::float32:
      return spin<Dtype::float32>(steps);
    case Dtype::bfloat16:
      return spin<Dtype::bfloat16>(steps);
    case Dtype::int8:
      break;
  }
  return spin<Dtype::int8>(steps);
}
