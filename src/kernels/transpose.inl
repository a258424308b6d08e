// Moves between lanes in the compilers' own shuffles: one source for every vector width, one or two
// instructions each.

/// Lane i of the result is lane Pick::lane(i) of a, or of b from kLanes on.
template <class Pick, std::size_t... I>
inline F32 shuffle(F32 a, F32 b, std::index_sequence<I...>) {
  return __builtin_shufflevector(a, b, Pick::lane(I)...);
}
template <class Pick>
inline F32 shuffle(F32 a, F32 b) {
  return shuffle<Pick>(a, b, std::make_index_sequence<kLanes>{});
}

struct Backwards {
  static constexpr int lane(std::size_t i) { return static_cast<int>(kLanes - 1 - i); }
};
inline F32 reverse(F32 v) { return shuffle<Backwards>(v, v); }

/// In each quarter vector: `Run` lanes of a, then the same of b, and so on, from lane `First` on.
template <std::size_t Run, std::size_t First>
struct Interleave {
  static constexpr int lane(std::size_t i) {
    const std::size_t in = i % 4, pair = in / Run / 2, from_b = in / Run % 2;
    return static_cast<int>(i / 4 * 4 + First + pair * Run + in % Run + from_b * kLanes);
  }
};

/// Blocks of 4 lanes First, First + 2, … of a followed by b.
template <std::size_t First>
struct EveryOtherBlock {
  static constexpr int lane(std::size_t i) {
    return static_cast<int>((2 * (i / 4) + First) * 4 + i % 4);
  }
};

/// t[i] lane j becomes t[j] lane i.
inline void transpose(F32 (&t)[kLanes]) {
  // 4 × 4 inside each block of 4 lanes: then t[4i + c] block b is column 4b + c of rows 4i … 4i+3.
  for (std::size_t i = 0; i < kLanes; i += 4) {
    const F32 a = shuffle<Interleave<1, 0>>(t[i], t[i + 1]),
              b = shuffle<Interleave<1, 2>>(t[i], t[i + 1]);
    const F32 c = shuffle<Interleave<1, 0>>(t[i + 2], t[i + 3]),
              d = shuffle<Interleave<1, 2>>(t[i + 2], t[i + 3]);
    t[i] = shuffle<Interleave<2, 0>>(a, c);
    t[i + 1] = shuffle<Interleave<2, 2>>(a, c);
    t[i + 2] = shuffle<Interleave<2, 0>>(b, d);
    t[i + 3] = shuffle<Interleave<2, 2>>(b, d);
  }
  // Then the blocks, one bit of b a step.
  if constexpr (kLanes == 8) {
    for (std::size_t c = 0; c < 4; ++c) {
      const F32 low = t[c], high = t[c + 4];
      t[c] = shuffle<EveryOtherBlock<0>>(low, high);
      t[c + 4] = shuffle<EveryOtherBlock<1>>(low, high);
    }
  } else if constexpr (kLanes == 16) {
    for (std::size_t c = 0; c < 4; ++c) {
      const F32 even_low = shuffle<EveryOtherBlock<0>>(t[c], t[c + 4]);
      const F32 odd_low = shuffle<EveryOtherBlock<1>>(t[c], t[c + 4]);
      const F32 even_high = shuffle<EveryOtherBlock<0>>(t[c + 8], t[c + 12]);
      const F32 odd_high = shuffle<EveryOtherBlock<1>>(t[c + 8], t[c + 12]);
      t[c] = shuffle<EveryOtherBlock<0>>(even_low, even_high);
      t[c + 8] = shuffle<EveryOtherBlock<1>>(even_low, even_high);
      t[c + 4] = shuffle<EveryOtherBlock<0>>(odd_low, odd_high);
      t[c + 12] = shuffle<EveryOtherBlock<1>>(odd_low, odd_high);
    }
  }
}
