// What mixes the rows of each text, as operators.
#include <cmath>
#include <vector>

#include "export/tensor.h"

namespace fnet {
namespace {

using Whole = std::int64_t;
constexpr Whole kFloat = OnnxGraph::kFloat;

OnnxTensor product(const OnnxTensor& matrix, const OnnxTensor& x) {
  return {x.texts(), x.graph().add("MatMul", {matrix.name(), x.name()}), x.cols()};
}

OnnxTensor value(const OnnxTensor& like, const std::string& name, Whole cols = 1) {
  return {like.texts(), name, cols};
}

/// A whole number as a factor of float.
OnnxTensor as_float(const OnnxTensor& like, const std::string& name) {
  return value(like, like.graph().add("Cast", {name}, {{"to", kFloat}}));
}

struct Spectrum {
  OnnxTensor cos, sin;  ///< x [B, N, H] times the columns' waves: [B, N, H / 2 + 1]
};

Spectrum spectrum(const OnnxTensor& x) {
  const Whole half = x.cols() / 2 + 1;
  const OnnxTensor both =
      value(x, x.graph().add("MatMul", {x.name(), x.texts().column_waves()}), 2 * half);
  return {columns(both, 0, half), columns(both, half, half)};
}

/// Columns k and H − k of a transform differ in the sign of its sines alone: with P and Q for
/// k ≤ H / 2, they are P − Q and P + Q. So half of each product is enough.
OnnxTensor both_halves(const OnnxTensor& p, const OnnxTensor& q, Whole hidden) {
  const OnnxTensor front = p - q;
  if (hidden < 3) return columns(front, 0, hidden);
  const OnnxTensor sum = p + q;
  OnnxGraph& g = p.graph();
  const OnnxTensor back =
      value(p,
            g.add("Slice", {sum.name(), g.integers({(hidden - 1) / 2}), g.integers({0}),
                            g.integers({-1}), g.integers({-1})}),
            (hidden - 1) / 2);
  return concat({front, back});
}

struct Complex {
  OnnxTensor real, imag;
};

/// The transform over both axes by the operator DFT.
Complex dft(const OnnxTensor& x, bool ortho) {
  OnnxGraph& g = x.graph();
  std::string y = g.add("Unsqueeze", {x.name(), g.integers({-1})});
  for (const Whole axis : {2, 1}) y = g.add("DFT", {y}, {{"axis", axis}});
  const auto part = [&](Whole i) {
    const OnnxTensor p =
        value(x, g.add("Gather", {y, g.integer(i)}, {{"axis", Whole{-1}}}), x.cols());
    return ortho ? p * value(x, x.texts().ortho_scale()) : p;
  };
  return {part(0), part(1)};
}

}  // namespace

OnnxTensor fourier_mix(const OnnxTensor& x, const Rows&, bool ortho) {
  if (x.texts().fourier() == OnnxFourier::dft) return dft(x, ortho).real;
  const OnnxTexts::Waves waves = x.texts().waves(ortho);
  const Spectrum s = spectrum(x);
  return both_halves(product(value(x, waves.cos), s.cos), product(value(x, waves.sin), s.sin),
                     x.cols());
}

OnnxTensor hartley_mix(const OnnxTensor& x, const Rows&, bool ortho) {
  if (x.texts().fourier() == OnnxFourier::dft) {
    const Complex y = dft(x, ortho);
    return y.real - y.imag;
  }
  const OnnxTexts::Waves waves = x.texts().waves(ortho);
  const OnnxTensor cos = value(x, waves.cos), sin = value(x, waves.sin);
  const Spectrum s = spectrum(x);
  return both_halves(product(cos + sin, s.cos), product(sin - cos, s.sin), x.cols());
}

OnnxTensor attention(const OnnxTensor& q, const OnnxTensor& k, const OnnxTensor& v, const Rows&,
                     Whole heads, const DropoutAt<OnnxTensor>&) {
  OnnxGraph& g = q.graph();
  const auto by_heads = [&](const OnnxTensor& x, std::vector<Whole> order) {
    const std::string split = g.add("Reshape", {x.name(), g.integers({0, 0, heads, -1})});
    return g.add("Transpose", {split}, {{"perm", std::move(order)}});
  };
  const std::string product =
      g.add("MatMul", {by_heads(q, {0, 2, 1, 3}), by_heads(k, {0, 2, 3, 1})});
  const double scale = 1 / std::sqrt(static_cast<double>(q.cols() / heads));
  // Padding is not asked: e^(−10^9) is 0. Tokens [B, N, 1] → [B, 1, 1, N].
  const std::string asked =
      g.add("Unsqueeze",
            {g.add("Transpose", {q.texts().tokens()}, {{"perm", std::vector<Whole>{0, 2, 1}}}),
             g.integers({1})});
  const std::string scores =
      g.add("Where", {asked, g.add("Mul", {product, g.number(scale)}), g.number(-1e9)});
  const std::string weights = g.add("Softmax", {scores}, {{"axis", Whole{-1}}});
  const std::string y = g.add("MatMul", {weights, by_heads(v, {0, 2, 1, 3})});
  const std::string rows = g.add("Transpose", {y}, {{"perm", std::vector<Whole>{0, 2, 1, 3}}});
  return value(q, g.add("Reshape", {rows, g.integers({0, 0, -1})}), q.cols());
}

OnnxTensor mix_rows(const OnnxTensor& matrix, const OnnxTensor& x, const Rows& rows) {
  OnnxGraph& g = x.graph();
  const std::string& n = x.texts().rows();
  const std::string part = g.add(
      "Slice", {matrix.name(), g.integers({0, 0}), g.add("Concat", {n, n}, {{"axis", Whole{0}}})});
  return product(value(x, part), x.texts().padded() ? x : zero_padding(x, rows));
}

OnnxTensor filter_spectrum(const OnnxTensor& x, const Rows&, const OnnxTensor& real,
                           const OnnxTensor& imag) {
  OnnxTexts& texts = x.texts();
  OnnxGraph& g = x.graph();
  // Frequencies j from 0 to N / 2; of a text of n rows those up to n / 2 count.
  const std::string end = g.add("Add", {g.add("Div", {texts.rows(), g.integer(2)}), g.integer(1)});
  const std::string j = g.add("Range", {g.integer(0), g.add("Squeeze", {end}), g.integer(1)});
  const std::string twice = g.add("Unsqueeze", {g.add("Mul", {j, g.integer(2)}), g.integers({1})});

  // The filter at j / n of a turn, by straight lines between its points: [B, M, H].
  const std::string last = g.add("Sub", {g.add("Shape", {real.name()}), g.integer(1)});
  const std::string most = g.add("Gather", {last, g.integer(0)});
  const std::string place = g.add("Mul", {twice, most});
  const std::string below = g.add("Min", {g.add("Div", {place, texts.owned()}), most});
  const std::string above = g.add("Min", {g.add("Add", {below, g.integer(1)}), most});
  const OnnxTensor n = as_float(x, texts.owned());
  const OnnxTensor share = as_float(x, g.add("Mod", {place, texts.owned()})) / n;
  const auto filter = [&](const OnnxTensor& table) {
    const auto at = [&](const std::string& rows) {
      const std::string flat = g.add("Squeeze", {rows, g.integers({2})});
      return value(x, g.add("Gather", {table.name(), flat}), x.cols());
    };
    const OnnxTensor low = at(below);
    return low + (at(above) - low) * share;
  };
  const OnnxTensor w_real = filter(real), w_imag = filter(imag);

  const OnnxTexts::Waves waves = texts.waves(false);
  const auto first = [&](const std::string& matrix, Whole axis) {
    return value(x, g.add("Slice", {matrix, g.integers({0}), end, g.integers({axis})}));
  };
  const OnnxTensor re = product(first(waves.cos, 1), x);
  const OnnxTensor im = product(first(waves.sin, 1), x) * -1.0;
  // Back: all but the frequencies 0 and n / 2 stand for two.
  const std::string positive = g.add("And", {g.add("Greater", {twice, g.integer(0)}),
                                             g.add("LessOrEqual", {twice, texts.owned()})});
  const OnnxTensor count =
      as_float(x, g.add("Less", {twice, texts.owned()})) + as_float(x, positive);
  const OnnxTensor y_real = (w_real * re - w_imag * im) * count / n;
  const OnnxTensor y_imag = (w_real * im + w_imag * re) * count / n;
  return product(first(waves.cos, 2), y_real) - product(first(waves.sin, 2), y_imag);
}

}  // namespace fnet
