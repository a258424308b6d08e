// Fourier mixing: Y[n,k] = Re Σ_{l,h} X[l,h]·exp(-2πi(nl/L + kh/H)).
//
// The real part of a DFT is the DFT of the even part, so only E[l,h] = X[l,h] + X[-l,-h] counts,
// and half of its columns determine it. Two steps:
//  - columns: one complex DFT of length L carries two blocks of columns of E, one in the real and
//    one in the imaginary part. Â[n,h] for n = 0…L/2, h = 0…H/2 goes, transposed, into `spectrum`.
//  - rows: Â[n,·] is Hermitian, Y[n,·] real, so one complex DFT of length H carries two blocks of
//    rows. Row n comes out, transposed back, and with it row L-n: Y[L-n,H-k] = Y[n,k].
// That is half the arithmetic of a real DFT one way and a complex one the other.
//
// The Hartley transform, Re F − Im F, has no mirrors and takes all of it: the columns of X itself,
// then F[n,·], a complex DFT of length H of one block of rows. F[L-n,k] = conj F[n,H-k] gives row
// n as re − im and row L-n, mirrored, as re + im.

/// Rows of E, columns first … first+2·kLanes-1, all of them ≤ H/2.
struct EvenPart {
  const float* x;  // [L, H]
  std::size_t length, hidden, first;

  [[gnu::always_inline]] Complex get(std::size_t l) const {
    const float* row = x + l * hidden + first;
    const float* mirror_row = x + (l == 0 ? 0 : length - l) * hidden;
    const float* mirror = mirror_row + (hidden - first - (kLanes - 1));
    F32 a;
    if (first == 0) [[unlikely]] {  // column 0 is its own mirror
      alignas(64) float lanes[kLanes + 1];
      store(lanes + 1, reverse(load(mirror - 1)));
      lanes[0] = mirror_row[0];
      a = load(lanes);
    } else {
      a = reverse(load(mirror));
    }
    return {load(row) + a, load(row + kLanes) + reverse(load(mirror - kLanes))};
  }
};

/// The same for columns that reach over H/2: those are zero.
[[gnu::noinline]] static void gather_even_part(const float* x, std::size_t length,
                                               std::size_t hidden, std::size_t first,
                                               Elements to) noexcept {
  const std::size_t count = hidden / 2 + 1 - first;
  for (std::size_t l = 0; l < length; ++l) {
    const float* row = x + l * hidden;
    const float* mirror = x + (l == 0 ? 0 : length - l) * hidden;
    alignas(64) float lanes[kElement] = {};
    for (std::size_t i = 0; i < count && i < kElement; ++i) {
      const std::size_t h = first + i;
      lanes[i] = row[h] + mirror[h == 0 ? 0 : hidden - h];
    }
    to.put(l, load_complex(lanes));
  }
}

/// Columns of x itself, which reach over H: those are zero.
[[gnu::noinline]] static void gather_columns(const float* x, std::size_t length, std::size_t hidden,
                                             std::size_t first, Elements to) noexcept {
  const std::size_t count = hidden - first;
  for (std::size_t l = 0; l < length; ++l) {
    alignas(64) float lanes[kElement] = {};
    __builtin_memcpy(lanes, x + l * hidden + first, count * sizeof(float));
    to.put(l, load_complex(lanes));
  }
}

/// kLanes values of n, from `first` on, of one quarter of a pair (re or im of Â or B̂), transposed
/// to `to`. Z = Â + iB̂ and both columns are real, so 2Â = Z[n] + conj Z[-n] and
/// 2iB̂ = Z[n] - conj Z[-n]; `part` is 0 for the real parts of Z, kLanes for the imaginary ones.
template <class Combine>
[[gnu::always_inline]] inline void separate(const float* z, std::size_t length, std::size_t first,
                                            std::size_t part, Combine combine, float* to,
                                            std::size_t columns) {
  F32 t[kLanes];
  for (std::size_t i = 0; i < kLanes; ++i) {
    const std::size_t n = first + i, mirror = n == 0 ? 0 : length - n;
    t[i] = 2 * n > length
               ? splat(0.0F)
               : combine.of(load(z + n * kElement + part), load(z + mirror * kElement + part));
  }
  transpose(t);
  for (std::size_t j = 0; j < kLanes && j < columns; ++j) store(to + j * kElement, t[j]);
}
struct Added {
  static F32 of(F32 a, F32 b) { return a + b; }
};
struct Subtracted {
  static F32 of(F32 a, F32 b) { return a - b; }
};
struct Opposed {
  static F32 of(F32 a, F32 b) { return b - a; }
};

/// Columns that the spectrum has.
inline std::size_t spectrum_columns(const FourierTables& f) {
  return f.part == SpectrumPart::hartley ? f.hidden : f.hidden / 2 + 1;
}

/// Columns 2·kLanes·pair and on of `x` into `spectrum` [groups of kLanes n][columns] elements.
static void fourier_columns(const FourierTables& f, const float* x, std::size_t pair,
                            float* spectrum, float* work) noexcept {
  const bool hartley = f.part == SpectrumPart::hartley;
  const std::size_t columns = spectrum_columns(f), first = pair * kElement, length = f.length;
  const Elements z{work};
  float* const scratch = work + length * kElement;
  const bool whole = first + kElement <= columns;
  if (whole && !hartley) {
    dft(f.columns, scratch, EvenPart{x, length, f.hidden, first}, z);
  } else {
    Elements from = z;
    if (whole) {
      from = {const_cast<float*>(x) + first, f.hidden};
    } else if (hartley) {
      gather_columns(x, length, f.hidden, first, z);
    } else {
      gather_even_part(x, length, f.hidden, first, z);
    }
    dft(f.columns, scratch, from, z);
  }
  for (std::size_t n = 0; 2 * n <= length; n += kLanes) {
    float* to = spectrum + (n / kLanes * columns + first) * kElement;
    separate(work, length, n, 0, Added{}, to, columns - first);
    separate(work, length, n, kLanes, Subtracted{}, to + kLanes, columns - first);
    if (first + kLanes >= columns) continue;
    to += kLanes * kElement;
    separate(work, length, n, kLanes, Added{}, to, columns - first - kLanes);
    separate(work, length, n, 0, Opposed{}, to + kLanes, columns - first - kLanes);
  }
}

/// Two groups of rows of the spectrum as one: Â + iB̂, over all H frequencies; Â[H-h] = conj Â[h].
struct Hermitian {
  const float *a, *b;  // [H/2+1] elements; b may be one zero element of stride 0
  std::size_t b_stride, hidden;

  [[gnu::always_inline]] Complex get(std::size_t h) const {
    const bool mirrored = 2 * h > hidden;
    const std::size_t at = mirrored ? hidden - h : h;
    const F32 sign = splat(mirrored ? -1.0F : 1.0F);
    const Complex p = load_complex(a + at * kElement), q = load_complex(b + at * b_stride);
    return {fma(-sign, q.im, p.re), fma(sign, p.im, q.re)};
  }
};

/// y = norm(residual + scale·mix), one row. `mirrored`: of mix[(H-k) mod H]; mix[H] = mix[0].
[[gnu::always_inline]] inline void put_row(const float* mix, bool mirrored, float scale,
                                           const float* residual, float* y, std::size_t hidden,
                                           const NormArgs& norm) {
  const F32 factor = splat(scale);
  std::size_t k = 0;
  for (; k + kLanes <= hidden; k += kLanes) {
    const F32 v = mirrored ? reverse(load(mix + hidden - k - (kLanes - 1))) : load(mix + k);
    store(y + k, residual ? fma(factor, v, load(residual + k)) : factor * v);
  }
  for (; k < hidden; ++k) {
    const float v = scale * mix[mirrored ? hidden - k : k];
    y[k] = residual ? residual[k] + v : v;
  }
  norm_row(y, hidden, norm);
}

/// Row n of y from `mix`, or, mirrored, row L-n, unless that is the same one; mix[H] is
/// overwritten.
[[gnu::always_inline]] inline void put_line(const FourierTables& f, std::size_t n, bool mirrored,
                                            float* mix, const float* residual, float* y,
                                            const NormArgs& norm) {
  // Separating two columns doubles both, and so does the even part.
  const float scale = (f.part == SpectrumPart::hartley ? 0.5F : 0.25F) * f.scale;
  const std::size_t hidden = f.hidden, row = mirrored && n > 0 ? f.length - n : n;
  if (mirrored && row == n) return;
  mix[hidden] = mix[0];
  put_row(mix, mirrored, scale, residual ? residual + row * hidden : nullptr, y + row * hidden,
          hidden, norm);
}
[[gnu::always_inline]] inline void put_lines(const FourierTables& f, std::size_t n, float* mix,
                                             float* mirrored_mix, const float* residual, float* y,
                                             const NormArgs& norm) {
  put_line(f, n, false, mix, residual, y, norm);
  put_line(f, n, true, mirrored_mix, residual, y, norm);
}

/// Rows n and L-n for n = first and on, one by one; `a` is their group of the spectrum.
[[gnu::noinline]] static void fourier_lines(const FourierTables& f, const float* a,
                                            std::size_t first, std::size_t rows,
                                            const float* residual, float* y, const NormArgs& norm,
                                            float* work) noexcept {
  const std::size_t hidden = f.hidden;
  float *const re = work, *const im = re + hidden, *const mix = im + hidden;
  float* const scratch = mix + hidden + kElement;
  for (std::size_t i = 0; i < rows; ++i) {
    if (f.part == SpectrumPart::hartley) {  // re ∓ im of a DFT are the real parts of 1 ± i times it
      for (int side = 0; side < 2; ++side) {
        const bool mirrored = side == 1;
        for (std::size_t h = 0; h < hidden; ++h) {
          const float *from = a + h * kElement + i, sum = from[0] + from[kLanes];
          re[h] = mirrored ? sum : from[0] - from[kLanes];
          im[h] = mirrored ? from[kLanes] - from[0] : sum;
        }
        line_dft(f.row, re, im, mix, scratch);
        put_line(f, first + i, mirrored, mix, residual, y, norm);
      }
      continue;
    }
    for (std::size_t h = 0; h < hidden; ++h) {
      const bool mirrored = 2 * h > hidden;
      const float* from = a + (mirrored ? hidden - h : h) * kElement + i;
      re[h] = from[0];
      im[h] = mirrored ? -from[kLanes] : from[kLanes];
    }
    line_dft(f.row, re, im, mix, scratch);
    put_lines(f, first + i, mix, mix, residual, y, norm);
  }
}

/// Elements of two blocks of rows, [H], transposed: block g's row i to
/// mixed[(g·kLanes + i)·pitch]. `Take::of(element, g)`: what of an element is block g's.
template <class Take>
[[gnu::always_inline]] inline void transpose_back(const float* z, std::size_t hidden,
                                                  std::size_t blocks, float* mixed,
                                                  std::size_t pitch) {
  for (std::size_t k = 0; k < hidden; k += kLanes) {
    for (std::size_t g = 0; g < blocks; ++g) {
      F32 t[kLanes];
#pragma GCC unroll 16
      for (std::size_t i = 0; i < kLanes; ++i) {
        t[i] = k + i < hidden ? Take::of(z + (k + i) * kElement, g) : splat(0.0F);
      }
      transpose(t);
#pragma GCC unroll 16
      for (std::size_t i = 0; i < kLanes; ++i) store(mixed + (g * kLanes + i) * pitch + k, t[i]);
    }
  }
}
struct OnePart {
  static F32 of(const float* element, std::size_t g) { return load(element + g * kLanes); }
};
struct HartleyPart {
  static F32 of(const float* element, std::size_t g) {
    const F32 re = load(element), im = load(element + kLanes);
    return g == 0 ? re - im : re + im;
  }
};

/// Rows n and L-n for n of the groups 2·task and 2·task+1 of the spectrum, of group `task` for the
/// Hartley transform.
static void fourier_rows(const FourierTables& f, const float* spectrum, std::size_t task,
                         const float* residual, float* y, const NormArgs& norm,
                         float* work) noexcept {
  static constexpr float kZeros[kElement] = {};
  const bool hartley = f.part == SpectrumPart::hartley;
  const std::size_t hidden = f.hidden, columns = spectrum_columns(f);
  const std::size_t of_task = hartley ? kLanes : kElement;
  const std::size_t first = task * of_task, rows = f.length / 2 + 1 - first;
  const float* a = spectrum + first / kLanes * columns * kElement;
  if (rows <= kMostLines && f.row.twiddles != nullptr) {
    return fourier_lines(f, a, first, rows, residual, y, norm, work);
  }
  const bool both = rows > kLanes;
  const Elements z{work};
  float* const mixed = work + hidden * kElement;
  const std::size_t pitch = hidden / kLanes * kLanes + kElement;
  if (hartley) {
    dft(f.rows, mixed, Elements{const_cast<float*>(a)}, z);
    transpose_back<HartleyPart>(work, hidden, 2, mixed, pitch);
  } else {
    dft(f.rows, mixed,
        Hermitian{a, both ? a + columns * kElement : kZeros, both ? kElement : 0, hidden}, z);
    transpose_back<OnePart>(work, hidden, both ? 2 : 1, mixed, pitch);
  }
  for (std::size_t i = 0; i < rows && i < of_task; ++i) {
    float* const mix = mixed + i * pitch;
    put_lines(f, first + i, mix, hartley ? mix + kLanes * pitch : mix, residual, y, norm);
  }
}

/// Row 0: the columns' sums, then one DFT of length H. `work` begins with H floats for the sums.
static void fourier_first_row(const FourierTables& f, const float* x, float* y,
                              float* work) noexcept {
  // Sums of 64 rows, then the sums of these: the error grows with the square root of L / 64.
  constexpr std::size_t kBlock = 64;
  const std::size_t hidden = f.hidden;
  float* const sums = work;
  std::size_t h = 0;
  for (; h < hidden; h += kLanes) {
    const std::size_t count = hidden - h < kLanes ? hidden - h : kLanes;
    F32 total = splat(0.0F);
    for (std::size_t l = 0; l < f.length; l += kBlock) {
      F32 sum = splat(0.0F);
      const std::size_t end = l + kBlock < f.length ? l + kBlock : f.length;
      for (std::size_t i = l; i < end; ++i) {
        const float* p = x + i * hidden + h;
        sum += count == kLanes ? load(p) : load_part(p, count);
      }
      total += sum;
    }
    store_part(sums + h, count, total);
  }
  // Twice the even part, or (1 + i) times the sums, whose DFT's real part is re − im of theirs.
  const bool hartley = f.part == SpectrumPart::hartley;
  const float scale = hartley ? f.scale : 0.5F * f.scale;
  const auto real = [&](std::size_t at) {
    return hartley ? sums[at] : sums[at] + sums[at == 0 ? 0 : hidden - at];
  };
  if (f.row.twiddles != nullptr) {
    float *const re = sums + hidden, *const mix = re + hidden;
    for (h = 0; h < hidden; ++h) re[h] = real(h);
    line_dft(f.row, re, hartley ? re : nullptr, mix, mix + hidden + kElement);
    for (h = 0; h < hidden; ++h) y[h] = scale * mix[h];
    return;
  }
  const Elements z{work + (hidden + kLanes) / kLanes * kLanes};
  for (h = 0; h < hidden; ++h) {
    z.put(h, {splat(real(h)), splat(hartley ? real(h) : 0.0F)});
  }
  dft(f.rows, z.data + hidden * kElement, z, z);
  for (h = 0; h < hidden; ++h) y[h] = scale * z.data[h * kElement];
}
