// Operations on rows of activations outside the products.

inline void add_norm_rows(const float* x, const float* residual, std::size_t rows, std::size_t n,
                          const NormArgs& norm, float* y) noexcept {
  for (std::size_t r = 0; r < rows; ++r) {
    const std::size_t at = r * n;
    for (std::size_t i = 0; i < n; i += kLanes) {
      const std::size_t part = n - i < kLanes ? n - i : kLanes;
      F32 v = load_part(x + at + i, part);
      if (residual != nullptr) v += load_part(residual + at + i, part);
      store_part(y + at + i, part, v);
    }
    norm_row(y + at, n, norm);
  }
}

inline void norm_back_rows(const NormArgs& norm, const float* x, const float* grad,
                           std::size_t rows, std::size_t n, float* dx, float* weight_sums,
                           float* bias_sums) noexcept {
  for (std::size_t at = 0; at < rows * n; at += n)
    norm_back_row(norm, x + at, grad + at, n, dx + at, weight_sums, bias_sums);
}

inline void embed_rows(const Embedding& e, const std::int32_t* ids, const std::int32_t* positions,
                       const std::int32_t* types, std::size_t rows, float* y) noexcept {
  for (std::size_t r = 0; r < rows; ++r) {
    const float* word = e.word + static_cast<std::size_t>(ids[r]) * e.hidden;
    const float* position = e.position == nullptr
                                ? nullptr
                                : e.position + static_cast<std::size_t>(positions[r]) * e.hidden;
    const float* type =
        e.type == nullptr
            ? nullptr
            : e.type + (types == nullptr ? 0 : static_cast<std::size_t>(types[r])) * e.hidden;
    float* out = y + r * e.hidden;
    for (std::size_t i = 0; i < e.hidden; i += kLanes) {
      const std::size_t part = e.hidden - i < kLanes ? e.hidden - i : kLanes;
      F32 v = load_part(word + i, part);
      if (type != nullptr) v += load_part(type + i, part);
      if (position != nullptr) v += load_part(position + i, part);
      store_part(out + i, part, v);
    }
    norm_row(out, e.hidden, e.norm);
  }
}

template <class Act>
void activate_as(const float* x, std::size_t n, float* y) {
  for (std::size_t i = 0; i < n; i += kLanes) {
    const std::size_t part = n - i < kLanes ? n - i : kLanes;
    store_part(y + i, part, Act::apply(load_part(x + i, part)));
  }
}

inline void activate_span(Activation activation, const float* x, std::size_t n, float* y) noexcept {
  switch (activation) {
    case Activation::none:
      return activate_as<None>(x, n, y);
    case Activation::gelu:
      return activate_as<Gelu>(x, n, y);
    case Activation::gelu_tanh:
      return activate_as<GeluTanh>(x, n, y);
    case Activation::relu:
      return activate_as<Relu>(x, n, y);
    case Activation::sigmoid:
      return activate_as<Sigmoid>(x, n, y);
    case Activation::silu:
      return activate_as<Silu>(x, n, y);
    case Activation::squared_relu:
      return activate_as<SquaredRelu>(x, n, y);
    case Activation::tanh:
      return activate_as<Tanh>(x, n, y);
  }
}

template <class Op>
void combine_as(const Operand& a, const Operand& b, std::size_t rows, std::size_t columns, float* y,
                Op op) {
  for (std::size_t r = 0; r < rows; ++r) {
    const float* p = a.data + r * a.stride;
    const float* q = b.data + r * b.stride;
    float* out = y + r * columns;
    const F32 all_p = splat(*p), all_q = splat(*q);
    for (std::size_t i = 0; i < columns; i += kLanes) {
      const std::size_t part = columns - i < kLanes ? columns - i : kLanes;
      store_part(out + i, part,
                 op(a.one_column ? all_p : load_part(p + i, part),
                    b.one_column ? all_q : load_part(q + i, part)));
    }
  }
}

inline void combine_rows(Binary binary, const Operand& a, const Operand& b, std::size_t rows,
                         std::size_t columns, float* y) noexcept {
  switch (binary) {
    case Binary::add:
      return combine_as(a, b, rows, columns, y, [](F32 p, F32 q) { return p + q; });
    case Binary::subtract:
      return combine_as(a, b, rows, columns, y, [](F32 p, F32 q) { return p - q; });
    case Binary::multiply:
      return combine_as(a, b, rows, columns, y, [](F32 p, F32 q) { return p * q; });
    case Binary::divide:
      return combine_as(a, b, rows, columns, y, [](F32 p, F32 q) { return p / q; });
  }
}

inline void row_means(const float* x, std::size_t rows, std::size_t n, float* y) noexcept {
  for (std::size_t r = 0; r < rows; ++r) {
    y[r] = static_cast<float>(sum_of<1>(x + r * n, n, 0.0F) / static_cast<double>(n));
  }
}

// Adds the sum of each column of x [rows, columns] to sums, in pieces that keep its error small,
// and of which a chunk of a product has whole ones: its chunks add up to the same bits.
inline void add_columns(const float* x, std::size_t stride, std::size_t rows, std::size_t columns,
                        float* sums) noexcept {
  constexpr std::size_t kPiece = 32;
  for (std::size_t first = 0; first < rows; first += kPiece) {
    const std::size_t end = rows - first < kPiece ? rows : first + kPiece;
    for (std::size_t i = 0; i < columns; i += kLanes) {
      const std::size_t part = columns - i < kLanes ? columns - i : kLanes;
      F32 sum = {};
      for (std::size_t r = first; r < end; ++r) sum += load_part(x + r * stride + i, part);
      store_part(sums + i, part, load_part(sums + i, part) + sum);
    }
  }
}

// log Σ e^x. What is not a number makes it none, and so do infinite ones.
inline double log_sum_exp(const float* x, std::size_t n) noexcept {
  constexpr float kLowest = -std::numeric_limits<float>::max();
  F32 most = splat(kLowest), strange = {};
  for (std::size_t i = 0; i < n; i += kLanes) {
    const F32 v = n - i < kLanes ? load_or(x + i, n - i, kLowest) : load(x + i);
    most = max(most, v);
    strange = fma(v, F32{}, strange);
  }
  const float top = max(most);
  double total = 0;
  constexpr std::size_t kPiece = 64 * kLanes;  // as far as float32 adds up well
  for (std::size_t first = 0; first < n; first += kPiece) {
    const std::size_t end = n - first < kPiece ? n : first + kPiece;
    F32 sum = {};
    for (std::size_t i = first; i < end; i += kLanes) {
      const F32 v = end - i < kLanes ? load_or(x + i, end - i, kLowest) : load(x + i);
      sum += select(v == splat(kLowest), F32{}, exp(v - splat(top)));
    }
    total += sum_in_double(sum);
  }
  return static_cast<double>(top) + __builtin_log(total) + static_cast<double>(sum(strange));
}

// x ← scale · e^(x − less)
inline void scaled_exp(double less, float scale, std::size_t n, float* x) noexcept {
  const F32 near = splat(static_cast<float>(less));
  const F32 rest = splat(static_cast<float>(less - static_cast<float>(less)));
  for (std::size_t i = 0; i < n; i += kLanes) {
    const std::size_t part = n - i < kLanes ? n - i : kLanes;
    const F32 v = (load_part(x + i, part) - near) - rest;
    store_part(x + i, part, select(v < splat(-87.0F), F32{}, exp(v)) * splat(scale));
  }
}

// Philox 4×32-10 as core/random.h has it, of many blocks at once: the loops over `i` become
// vectors, which GCC would unroll into scalars were they as short as one.
inline constexpr std::size_t kBlocks = 64;

inline void philox_blocks(std::uint64_t seed, std::uint64_t first, std::uint32_t* words) {
  std::uint32_t c[4][kBlocks] = {};
  for (std::size_t i = 0; i < kBlocks; ++i) {
    c[0][i] = static_cast<std::uint32_t>(first + i);
    c[1][i] = static_cast<std::uint32_t>((first + i) >> 32);
  }
  auto k0 = static_cast<std::uint32_t>(seed);
  auto k1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (std::size_t i = 0; i < kBlocks; ++i) {
      const std::uint64_t p0 = std::uint64_t{0xD2511F53U} * c[0][i];
      const std::uint64_t p1 = std::uint64_t{0xCD9E8D57U} * c[2][i];
      c[0][i] = static_cast<std::uint32_t>(p1 >> 32) ^ c[1][i] ^ k0;
      c[1][i] = static_cast<std::uint32_t>(p1);
      c[2][i] = static_cast<std::uint32_t>(p0 >> 32) ^ c[3][i] ^ k1;
      c[3][i] = static_cast<std::uint32_t>(p0);
    }
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  for (std::size_t i = 0; i < kBlocks; ++i) {
    for (std::size_t w = 0; w < 4; ++w) words[4 * i + w] = c[w][i];
  }
}

// 16 random bits decide a number, so one block decides eight of them.
inline void dropout_span(std::uint64_t seed, std::uint64_t first, std::uint32_t threshold,
                         float scale, const float* x, std::size_t n, float* y) noexcept {
  constexpr std::size_t kNumbers = 8 * kBlocks;
  std::uint32_t words[4 * kBlocks];
  std::uint16_t bits[kNumbers];
  for (std::size_t at = 0; at < n; at += kNumbers, first += kBlocks) {
    philox_blocks(seed, first, words);
    __builtin_memcpy(bits, words, sizeof bits);
    const std::size_t count = n - at < kNumbers ? n - at : kNumbers;
    for (std::size_t i = 0; i < count; ++i) {
      y[at + i] = bits[i] >= threshold ? x[at + i] * scale : 0.0F;
    }
  }
}
