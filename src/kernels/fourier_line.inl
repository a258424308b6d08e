// The DFT of one row by itself, of which only the real part is wanted. Elsewhere a lane is a row,
// and one row would leave the other lanes idle; here, with H = kLine·m, lanes are columns of the
// row as a matrix [m][kLine]: DFTs of length m down the columns, twiddles, and, transposed, DFTs of
// length kLine across. Source: Bailey 1990 (four steps).

/// kLanes columns of the matrix, from `first` on.
struct LineColumns {
  const float *re, *im;  // [H]; im null for zeros
  std::size_t first;
  [[gnu::always_inline]] Complex get(std::size_t j) const {
    const std::size_t at = j * kLine + first;
    return {load(re + at), im == nullptr ? splat(0.0F) : load(im + at)};
  }
};

/// An element times its twiddle, one for each lane, whose parts lie kLine floats apart.
[[gnu::always_inline]] inline void twiddle_line(const float* twiddle, float* element) {
  const Complex w = {load(twiddle), load(twiddle + kLine)};
  const Complex rest = {load(twiddle + 2 * kLine), load(twiddle + 3 * kLine)};
  store_complex(element, times(load_complex(element), w, rest));
}

/// out [H] = Re DFT(re + i·im). `work`: LineTables::elements() elements.
static void line_dft(const LineTables& f, const float* re, const float* im, float* out,
                     float* work) noexcept {
  static_assert(kLine % kLanes == 0);
  const std::size_t m = f.down.length;
  float* const across = work + kLine / kLanes * m * kElement;
  float* const scratch = across + kLine * kElement;
  for (std::size_t s = 0; s < kLine; s += kLanes) {
    float* const to = work + s / kLanes * m * kElement;
    dft(f.down, scratch, LineColumns{re, im, s}, Elements{to});
    for (std::size_t k = 0; k < m; ++k) {
      twiddle_line(f.twiddles + 4 * k * kLine + s, to + k * kElement);
    }
  }
  for (std::size_t k = 0; k < m; k += kLanes) {
    const std::size_t count = m - k < kLanes ? m - k : kLanes;
    for (std::size_t s = 0; s < kLine; s += kLanes) {
      const float* from = work + (s / kLanes * m + k) * kElement;
      for (std::size_t part = 0; part < kElement; part += kLanes) {
        F32 t[kLanes];
        for (std::size_t i = 0; i < kLanes; ++i) {
          t[i] = i < count ? load(from + i * kElement + part) : splat(0.0F);
        }
        transpose(t);
        for (std::size_t i = 0; i < kLanes; ++i) store(across + (s + i) * kElement + part, t[i]);
      }
    }
    dft(f.across, scratch, Elements{across}, Elements{across});
    for (std::size_t j = 0; j < kLine; ++j) {
      store_part(out + j * m + k, count, load(across + j * kElement));
    }
  }
}
