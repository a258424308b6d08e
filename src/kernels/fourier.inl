// Fourier mixing: Y[n,k] = Re Σ_{l,h} X[l,h]·exp(-2πi(nl/L + kh/H)).
//
// The real part of a DFT is the DFT of the even part, so only E[l,h] = X[l,h] + X[-l,-h] counts,
// and half of its columns determine it. Two steps:
//  - columns: one complex DFT of length L carries two blocks of columns of E, one in the real and
//    one in the imaginary part. Â[n,h] for n = 0…L/2, h = 0…H/2 goes, transposed, into `spectrum`.
//  - rows: Â[n,·] is Hermitian, Y[n,·] real, so one complex DFT of length H carries two blocks of
//    rows. Row n comes out, transposed back, and with it row L-n: Y[L-n,H-k] = Y[n,k].
// That is half the arithmetic of a real DFT one way and a complex one the other.

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

/// Columns 2·kLanes·pair and on of `x` into `spectrum` [groups of kLanes n][H/2+1] elements.
static void fourier_columns(const FourierTables& f, const float* x, std::size_t pair,
                            float* spectrum, float* work) noexcept {
  const std::size_t columns = f.hidden / 2 + 1, first = pair * kElement, length = f.length;
  const Elements z{work};
  float* const scratch = work + length * kElement;
  if (first + kElement <= columns) {
    dft(f.columns, scratch, EvenPart{x, length, f.hidden, first}, z);
  } else {
    gather_even_part(x, length, f.hidden, first, z);
    dft(f.columns, scratch, z, z);
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

/// Rows n and L-n of y from `mix`, row n of the mixing; mix[H] is overwritten.
[[gnu::always_inline]] inline void put_rows(const FourierTables& f, std::size_t n, float* mix,
                                            const float* residual, float* y, const NormArgs& norm) {
  const float scale = 0.25F * f.scale;
  const std::size_t hidden = f.hidden, mirror = n == 0 ? 0 : f.length - n;
  mix[hidden] = mix[0];
  put_row(mix, false, scale, residual ? residual + n * hidden : nullptr, y + n * hidden, hidden,
          norm);
  if (mirror == n) return;
  put_row(mix, true, scale, residual ? residual + mirror * hidden : nullptr, y + mirror * hidden,
          hidden, norm);
}

/// Rows n and L-n for n = first and on, one by one; `a` is their group of the spectrum.
[[gnu::noinline]] static void fourier_lines(const FourierTables& f, const float* a,
                                            std::size_t first, std::size_t rows,
                                            const float* residual, float* y, const NormArgs& norm,
                                            float* work) noexcept {
  const std::size_t hidden = f.hidden;
  float *const re = work, *const im = re + hidden, *const mix = im + hidden;
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t h = 0; h < hidden; ++h) {
      const bool mirrored = 2 * h > hidden;
      const float* from = a + (mirrored ? hidden - h : h) * kElement + i;
      re[h] = from[0];
      im[h] = mirrored ? -from[kLanes] : from[kLanes];
    }
    line_dft(f.row, re, im, mix, mix + hidden + kElement);
    put_rows(f, first + i, mix, residual, y, norm);
  }
}

/// Rows n and L-n for n of the groups 2·pair and 2·pair+1 of the spectrum.
static void fourier_rows(const FourierTables& f, const float* spectrum, std::size_t pair,
                         const float* residual, float* y, const NormArgs& norm,
                         float* work) noexcept {
  static constexpr float kZeros[kElement] = {};
  const std::size_t hidden = f.hidden, columns = hidden / 2 + 1;
  const std::size_t first = pair * kElement, rows = f.length / 2 + 1 - first;
  const float* a = spectrum + 2 * pair * columns * kElement;
  if (rows <= kMostLines && f.row.twiddles != nullptr) {
    return fourier_lines(f, a, first, rows, residual, y, norm, work);
  }
  const bool both = rows > kLanes;
  const Elements z{work};
  float* const mixed = work + hidden * kElement;
  const std::size_t pitch = hidden / kLanes * kLanes + kElement;
  dft(f.rows, mixed,
      Hermitian{a, both ? a + columns * kElement : kZeros, both ? kElement : 0, hidden}, z);

  // Transposed back: group g's row i at mixed[(g·kLanes + i)·pitch].
  for (std::size_t k = 0; k < hidden; k += kLanes) {
    for (std::size_t g = 0; g < (both ? 2 : 1); ++g) {
      F32 t[kLanes];
#pragma GCC unroll 16
      for (std::size_t i = 0; i < kLanes; ++i) {
        t[i] = k + i < hidden ? load(z.data + (k + i) * kElement + g * kLanes) : splat(0.0F);
      }
      transpose(t);
#pragma GCC unroll 16
      for (std::size_t i = 0; i < kLanes; ++i) store(mixed + (g * kLanes + i) * pitch + k, t[i]);
    }
  }
  for (std::size_t i = 0; i < rows && i < kElement; ++i) {
    put_rows(f, first + i, mixed + i * pitch, residual, y, norm);
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
  if (f.row.twiddles != nullptr) {
    float *const re = sums + hidden, *const mix = re + hidden;
    for (h = 0; h < hidden; ++h) re[h] = sums[h] + sums[h == 0 ? 0 : hidden - h];
    line_dft(f.row, re, nullptr, mix, mix + hidden + kElement);
    for (h = 0; h < hidden; ++h) y[h] = 0.5F * f.scale * mix[h];
    return;
  }
  const Elements z{work + (hidden + kLanes) / kLanes * kLanes};
  for (h = 0; h < hidden; ++h) {
    z.put(h, {splat(sums[h] + sums[h == 0 ? 0 : hidden - h]), splat(0.0F)});
  }
  dft(f.rows, z.data + hidden * kElement, z, z);
  for (h = 0; h < hidden; ++h) y[h] = 0.5F * f.scale * z.data[h * kElement];
}
