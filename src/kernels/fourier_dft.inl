// Complex DFTs of any length over vectors: an element is a complex number in each lane, stored as
// a vector of real parts and one of imaginary parts. Lanes never mix, so a lane's result does not
// depend on its neighbours.

/// One complex number a lane.
struct Complex {
  F32 re, im;
};

constexpr std::size_t kElement = 2 * kLanes;

[[gnu::always_inline]] inline Complex operator+(Complex a, Complex b) {
  return {a.re + b.re, a.im + b.im};
}
[[gnu::always_inline]] inline Complex operator-(Complex a, Complex b) {
  return {a.re - b.re, a.im - b.im};
}
/// -i·a
[[gnu::always_inline]] inline Complex turn(Complex a) { return {a.im, -a.re}; }

/// a + s·b
[[gnu::always_inline]] inline Complex add_scaled(Complex a, F32 s, Complex b) {
  return {fma(s, b.re, a.re), fma(s, b.im, a.im)};
}
[[gnu::always_inline]] inline Complex add_scaled(Complex a, float s, Complex b) {
  return add_scaled(a, splat(s), b);
}

/// a·(w + rest): what is left of w goes first, so that only w's own products round.
[[gnu::always_inline]] inline Complex times(Complex a, Complex w, Complex rest) {
  const Complex small = {fma(a.im, rest.im, -(a.re * rest.re)), fma(a.re, rest.im, a.im * rest.re)};
  return {fma(a.re, w.re, -fma(a.im, w.im, small.re)), fma(a.im, w.re, fma(a.re, w.im, small.im))};
}
[[gnu::always_inline]] inline Complex times(Complex a, const Factor& w) {
  return times(a, {splat(w.re), splat(w.im)}, {splat(w.re_rest), splat(w.im_rest)});
}

[[gnu::always_inline]] inline Complex load_complex(const float* p) {
  return {load(p), load(p + kLanes)};
}
[[gnu::always_inline]] inline void store_complex(float* p, Complex c) {
  store(p, c.re);
  store(p + kLanes, c.im);
}

// Where a transform reads and writes: `Complex get(j)` and `void put(k, c)`.

/// Elements in memory, `stride` floats apart.
struct Elements {
  float* data;
  std::size_t stride = kElement;
  [[gnu::always_inline]] Complex get(std::size_t j) const {
    return load_complex(data + j * stride);
  }
  [[gnu::always_inline]] void put(std::size_t k, Complex c) const {
    store_complex(data + k * stride, c);
  }
};

/// Elements first, first + step, … of another source or sink.
template <class Base>
struct Every {
  const Base& base;
  std::size_t first, step;
  [[gnu::always_inline]] Complex get(std::size_t j) const { return base.get(first + j * step); }
  [[gnu::always_inline]] void put(std::size_t k, Complex c) const { base.put(first + k * step, c); }
};

/// Elements multiplied by `twiddles` on their way into memory.
struct Twiddled {
  Elements to;
  const Factor* twiddles;
  [[gnu::always_inline]] void put(std::size_t k, Complex c) const {
    to.put(k, times(c, twiddles[k]));
  }
};

/// The conjugate of elements times `kernel`.
struct Convolved {
  Elements to;
  const Factor* kernel;
  [[gnu::always_inline]] void put(std::size_t k, Complex c) const {
    const Complex product = times(c, kernel[k]);
    to.put(k, {product.re, -product.im});
  }
};

// Butterflies: v becomes its own DFT.

[[gnu::always_inline]] inline void butterfly(Complex (&v)[2]) {
  const Complex a = v[0], b = v[1];
  v[0] = a + b;
  v[1] = a - b;
}

[[gnu::always_inline]] inline void butterfly(Complex (&v)[3]) {
  constexpr float kSine = 0.86602540378443864676F;
  const Complex sum = v[1] + v[2], difference = v[1] - v[2];
  const Complex middle = add_scaled(v[0], -0.5F, sum);
  const Complex side = turn(difference);
  v[0] = v[0] + sum;
  v[1] = add_scaled(middle, kSine, side);
  v[2] = add_scaled(middle, -kSine, side);
}

[[gnu::always_inline]] inline void butterfly(Complex (&v)[4]) {
  const Complex a = v[0] + v[2], b = v[0] - v[2], c = v[1] + v[3], d = turn(v[1] - v[3]);
  v[0] = a + c;
  v[1] = b + d;
  v[2] = a - c;
  v[3] = b - d;
}

[[gnu::always_inline]] inline void butterfly(Complex (&v)[8]) {
  constexpr float kHalf = 0.70710678118654752440F;
  Complex even[4] = {v[0], v[2], v[4], v[6]}, odd[4] = {v[1], v[3], v[5], v[7]};
  butterfly(even);
  butterfly(odd);
  const Complex a = {odd[1].re + odd[1].im, odd[1].im - odd[1].re};
  const Complex b = turn(odd[2]);
  const Complex c = {odd[3].im - odd[3].re, -odd[3].re - odd[3].im};
  v[0] = even[0] + odd[0];
  v[4] = even[0] - odd[0];
  v[1] = add_scaled(even[1], kHalf, a);
  v[5] = add_scaled(even[1], -kHalf, a);
  v[2] = even[2] + b;
  v[6] = even[2] - b;
  v[3] = add_scaled(even[3], kHalf, c);
  v[7] = add_scaled(even[3], -kHalf, c);
}

/// cos and sin of 2πjk/R for 1 ≤ j, k ≤ R/2.
template <int R>
struct OddRoots;
template <>
struct OddRoots<5> {
  static constexpr float kCos[2] = {0.30901699437494742410F, -0.80901699437494742410F};
  static constexpr float kSin[2] = {0.95105651629515357212F, 0.58778525229247312917F};
};
template <>
struct OddRoots<7> {
  static constexpr float kCos[3] = {0.62348980185873353053F, -0.22252093395631440429F,
                                    -0.90096886790241912624F};
  static constexpr float kSin[3] = {0.78183148246802980871F, 0.97492791218182360702F,
                                    0.43388373911755812048F};
};

/// 5 and 7 points: outputs k and R-k share their sums over cosines and sines.
template <int R>
[[gnu::always_inline]] inline void butterfly(Complex (&v)[R]) {
  constexpr int kHalf = R / 2;
  Complex sum[kHalf], difference[kHalf];
#pragma GCC unroll 8
  for (int j = 1; j <= kHalf; ++j) {
    sum[j - 1] = v[j] + v[R - j];
    difference[j - 1] = v[j] - v[R - j];
  }
  const Complex first = v[0];
#pragma GCC unroll 8
  for (int j = 0; j < kHalf; ++j) v[0] = v[0] + sum[j];
#pragma GCC unroll 8
  for (int k = 1; k <= kHalf; ++k) {
    Complex even = first, odd = {splat(0.0F), splat(0.0F)};
#pragma GCC unroll 8
    for (int j = 1; j <= kHalf; ++j) {
      const int turns = j * k % R;
      const bool mirrored = turns > kHalf;
      const float cosine = OddRoots<R>::kCos[(mirrored ? R - turns : turns) - 1];
      const float sine =
          (mirrored ? -1.0F : 1.0F) * OddRoots<R>::kSin[(mirrored ? R - turns : turns) - 1];
      even = add_scaled(even, cosine, sum[j - 1]);
      odd = add_scaled(odd, sine, difference[j - 1]);
    }
    v[k] = even + turn(odd);
    v[R - k] = even - turn(odd);
  }
}

/// One Stockham pass of radix R: `blocks` sets of R inputs, blocks·stride elements apart, `stride`
/// neighbours each. Source: Swarztrauber 1984, the autosort form.
template <int R, class From, class To>
[[gnu::always_inline]] inline void pass(std::size_t blocks, std::size_t stride,
                                        const Factor* twiddles, From from, To to) {
  for (std::size_t p = 0; p < blocks; ++p) {
    const Factor* w = twiddles + (R - 1) * p;
    for (std::size_t q = 0; q < stride; ++q) {
      Complex v[R];
#pragma GCC unroll 8
      for (int j = 0; j < R; ++j)
        v[j] = from.get(q + stride * (p + static_cast<std::size_t>(j) * blocks));
      butterfly(v);
      to.put(q + stride * R * p, v[0]);
#pragma GCC unroll 8
      for (int k = 1; k < R; ++k) {
        to.put(q + stride * (R * p + static_cast<std::size_t>(k)),
               blocks == 1 ? v[k] : times(v[k], w[k - 1]));
      }
    }
  }
}

/// Outputs k … k+Count-1 of an odd butterfly, and their mirrors radix-k …, from the sums of its
/// mirrored inputs (at `sums`) and their differences (half elements further on).
template <int Count, class Put>
[[gnu::always_inline]] inline void odd_outputs(const DftPass& f, std::size_t k, Complex first,
                                               const float* sums, const Put& put) {
  const std::size_t half = f.radix / 2;
  const float* matrix = f.matrix + 2 * (k - 1) * half;
  Complex even[Count], odd[Count];
#pragma GCC unroll 4
  for (int c = 0; c < Count; ++c) even[c] = first, odd[c] = {splat(0.0F), splat(0.0F)};
  for (std::size_t j = 0; j < half; ++j) {
    const Complex sum = load_complex(sums + j * kElement);
    const Complex difference = load_complex(sums + (half + j) * kElement);
#pragma GCC unroll 4
    for (int c = 0; c < Count; ++c) {
      const float* w = matrix + 2 * (static_cast<std::size_t>(c) * half + j);
      even[c] = add_scaled(even[c], w[0], sum);
      odd[c] = add_scaled(odd[c], w[1], difference);
    }
  }
#pragma GCC unroll 4
  for (std::size_t c = 0; c < Count; ++c) {
    put.put(k + c, even[c] + turn(odd[c]));
    put.put(f.radix - k - c, even[c] - turn(odd[c]));
  }
}

/// Outputs of one butterfly: to.put(first + k·step), times its twiddle.
template <class To>
struct Outputs {
  const To& to;
  std::size_t first, step;
  const Factor* twiddles;  // of k = 1, 2, …; null for none
  [[gnu::always_inline]] void put(std::size_t k, Complex c) const {
    to.put(first + k * step, twiddles == nullptr || k == 0 ? c : times(c, twiddles[k - 1]));
  }
};

/// A pass of any odd radix, by the definition; `sums` has room for radix elements.
template <class From, class To>
[[gnu::noinline]] void odd_pass(const DftPass& f, std::size_t blocks, std::size_t stride,
                                float* sums, From from, To to) noexcept {
  const std::size_t radix = f.radix, half = radix / 2;
  for (std::size_t p = 0; p < blocks; ++p) {
    const Factor* w = f.twiddles == nullptr ? nullptr : f.twiddles + (radix - 1) * p;
    for (std::size_t q = 0; q < stride; ++q) {
      const Outputs<To> outputs{to, q + stride * radix * p, stride, w};
      const Complex first = from.get(q + stride * p);
      Complex total = first;
      for (std::size_t j = 1; j <= half; ++j) {
        const Complex a = from.get(q + stride * (p + j * blocks));
        const Complex b = from.get(q + stride * (p + (radix - j) * blocks));
        total = total + (a + b);
        store_complex(sums + (j - 1) * kElement, a + b);
        store_complex(sums + (half + j - 1) * kElement, a - b);
      }
      outputs.put(0, total);
      std::size_t k = 1;
      for (; k + 3 <= half; k += 4) odd_outputs<4>(f, k, first, sums, outputs);
      for (; k <= half; ++k) odd_outputs<1>(f, k, first, sums, outputs);
    }
  }
}

template <class From, class To>
[[gnu::always_inline]] inline void any_pass(const DftPass& f, std::size_t blocks,
                                            std::size_t stride, float* sums, From from, To to) {
  switch (f.radix) {
    case 2:
      return pass<2>(blocks, stride, f.twiddles, from, to);
    case 3:
      return pass<3>(blocks, stride, f.twiddles, from, to);
    case 4:
      return pass<4>(blocks, stride, f.twiddles, from, to);
    case 5:
      return pass<5>(blocks, stride, f.twiddles, from, to);
    case 7:
      return pass<7>(blocks, stride, f.twiddles, from, to);
    case 8:
      return pass<8>(blocks, stride, f.twiddles, from, to);
    default:
      return odd_pass(f, blocks, stride, sums, from, to);
  }
}

/// A transform that stays in the L1 cache; `scratch`: 3 · length elements.
template <class From, class To>
[[gnu::noinline]] void dft_short(const DftShort& f, float* scratch, From from, To to) noexcept {
  float* a = scratch;
  float* b = a + f.length * kElement;
  float* sums = b + f.length * kElement;
  if (f.count <= 1) {
    if (f.count == 0) {
      to.put(0, from.get(0));
      return;
    }
    any_pass(f.passes[0], 1, 1, sums, from, Elements{a});
    for (std::size_t k = 0; k < f.length; ++k) to.put(k, Elements{a}.get(k));
    return;
  }
  std::size_t stride = f.passes[0].radix;
  any_pass(f.passes[0], f.length / stride, 1, sums, from, Elements{a});
  for (std::size_t i = 1; i + 1 < f.count; ++i) {
    const DftPass& step = f.passes[i];
    any_pass(step, f.length / (stride * step.radix), stride, sums, Elements{a}, Elements{b});
    stride *= step.radix;
    float* const swap = a;
    a = b;
    b = swap;
  }
  any_pass(f.passes[f.count - 1], 1, stride, sums, Elements{a}, to);
}

/// The DFT of length f.work_length. `to` may write where `from` reads.
template <class From, class To>
[[gnu::always_inline]] inline void dft_smooth(const DftTables& f, float* scratch, From from,
                                              To to) {
  if (f.outer.length == 1) return dft_short(f.inner, scratch, from, to);
  const std::size_t outer = f.outer.length, inner = f.inner.length, pitch = f.pitch * kElement;
  float* matrix = scratch + 3 * (outer > inner ? outer : inner) * kElement;
  for (std::size_t j = 0; j < inner; ++j) {
    dft_short(f.outer, scratch, Every<From>{from, j, inner},
              Twiddled{{matrix + j * kElement, pitch}, f.twiddles + outer * j});
  }
  for (std::size_t k = 0; k < outer; ++k) {
    dft_short(f.inner, scratch, Elements{matrix + k * pitch}, Every<To>{to, k, outer});
  }
}

/// The DFT of length f.length; `scratch`: f.scratch elements. `to` may write where `from` reads.
template <class From>
[[gnu::always_inline]] inline void dft(const DftTables& f, float* scratch, From from, Elements to) {
  if (f.chirp == nullptr) return dft_smooth(f, scratch, from, to);
  const Elements chirped{scratch};
  scratch += f.work_length * kElement;
  for (std::size_t j = 0; j < f.length; ++j) chirped.put(j, times(from.get(j), f.chirp[j]));
  for (std::size_t j = f.length; j < f.work_length; ++j) {
    chirped.put(j, {splat(0.0F), splat(0.0F)});
  }
  dft_smooth(f, scratch, chirped, Convolved{chirped, f.kernel});
  dft_smooth(f, scratch, chirped, chirped);  // the inverse: a conjugate before and one after
  for (std::size_t k = 0; k < f.length; ++k) {
    const Complex c = chirped.get(k);
    to.put(k, times({c.re, -c.im}, f.chirp[k]));
  }
}
