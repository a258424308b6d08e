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
    case Activation::silu:
      return activate_as<Silu>(x, n, y);
    case Activation::tanh:
      return activate_as<Tanh>(x, n, y);
  }
}
