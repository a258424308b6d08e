// A filter of the spectrum along a text: y = IDFT(filter · DFT(x)), column by column. One complex
// transform each way carries two blocks of columns, one in its real and one in its imaginary part;
// lanes are columns, so nothing is transposed.

/// A block of columns of the filter between two of its frequencies.
struct FilterLanes {
  const float *below, *above;  // [hidden]
  float share;                 // of what is above

  [[gnu::always_inline]] F32 get(std::size_t column, std::size_t count) const {
    const F32 a = load_part(below + column, count), b = load_part(above + column, count);
    return fma(splat(share), b - a, a);
  }
};

/// A block's spectrum times the filter; `real`: only the real part counts.
[[gnu::always_inline]] inline Complex filtered(Complex a, const FilterLanes& re,
                                               const FilterLanes& im, std::size_t column,
                                               std::size_t count, bool real) {
  if (count == 0) return {splat(0.0F), splat(0.0F)};
  const Complex w = {re.get(column, count), im.get(column, count)};
  const F32 none = splat(0.0F);
  return {fma(a.re, w.re, -(a.im * w.im)), real ? none : fma(a.re, w.im, a.im * w.re)};
}

static void filter_columns(const DftTables& f, const Filter& filter, const float* x,
                           std::size_t task, float* y, float* work) noexcept {
  const std::size_t length = f.length, hidden = filter.hidden, first = task * kElement;
  const std::size_t count = hidden - first < kElement ? hidden - first : kElement;
  const std::size_t count_a = count < kLanes ? count : kLanes, count_b = count - count_a;
  const Elements z{work};
  float* const scratch = work + length * kElement;
  if (count == kElement) {
    dft(f, scratch, Elements{const_cast<float*>(x) + first, hidden}, z);
  } else {
    gather_columns(x, length, hidden, first, z);
    dft(f, scratch, z, z);
  }

  // Z = Â + iB̂, of which 2Â = Z[n] + conj Z[-n] and 2iB̂ = Z[n] − conj Z[-n]. What goes back is the
  // conjugate, whose DFT is the conjugate of the inverse, times L.
  const std::size_t last = filter.frequencies - 1;
  for (std::size_t n = 0; 2 * n <= length; ++n) {
    const std::size_t mirror = n == 0 ? 0 : length - n;
    const std::size_t place = n * 2 * last, below = place / length;
    const std::size_t above = below < last ? below + 1 : last;
    const float share =
        static_cast<float>(static_cast<double>(place % length) / static_cast<double>(length));
    const FilterLanes re{filter.re + below * hidden, filter.re + above * hidden, share};
    const FilterLanes im{filter.im + below * hidden, filter.im + above * hidden, share};
    const Complex p = z.get(n), q = z.get(mirror);
    const Complex a = filtered({p.re + q.re, p.im - q.im}, re, im, first, count_a, mirror == n);
    const Complex b =
        filtered({p.im + q.im, q.re - p.re}, re, im, first + count_a, count_b, mirror == n);
    z.put(n, {a.re - b.im, -(a.im + b.re)});
    z.put(mirror, {a.re + b.im, a.im - b.re});
  }
  dft(f, scratch, z, z);
  const F32 scale = splat(static_cast<float>(0.5 / static_cast<double>(length)));
  for (std::size_t l = 0; l < length; ++l) {
    const Complex c = z.get(l);
    float* const to = y + l * hidden + first;
    store_part(to, count_a, c.re * scale);
    if (count_b > 0) store_part(to + kLanes, count_b, -c.im * scale);
  }
}
