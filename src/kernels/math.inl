// Elementary functions on vectors; rows.h states the bounds of the activations, and the tests hold
// all to them over all magnitudes. max(known, x) gives x where it is not a number: no activation
// hides one.

/// Added to x, it leaves the nearest integer n in the low bits, ready to be shifted into place.
constexpr float kNearest = 0x1.8p23F;

/// 2^(n + r) for |r| ≤ ½ and `shifted` = kNearest + n, by a minimax polynomial.
inline F32 power_of_two(F32 shifted, F32 r) {
  F32 p = fma(r, splat(0.00015353362F), splat(0.0013398875F));
  p = fma(p, r, splat(0.009618437F));
  p = fma(p, r, splat(0.055503324F));
  p = fma(p, r, splat(0.24022648F));
  p = fma(p, r, splat(0.6931472F));
  p = fma(p, r, splat(1.0F));
  return (F32)((I32)p + ((I32)shifted << 23));
}

/// 2^x for x clamped to [−126, 127], relative error below 1.5e-7.
inline F32 exp2(F32 x) {
  x = min(max(x, splat(-126.0F)), splat(127.0F));
  const F32 shifted = x + splat(kNearest);
  return power_of_two(shifted, x - (shifted - splat(kNearest)));
}

/// e^x for x clamped to [−87.3, 88.3], relative error below 1.5e-7.
inline F32 exp(F32 x) {
  x = min(max(x, splat(-87.3F)), splat(88.3F));
  const F32 shifted = fma(x, splat(1.44269504F), splat(kNearest));
  const F32 n = shifted - splat(kNearest);
  F32 r = fma(n, splat(-0.693359375F), x);  // ln2 in two parts: the first times n is exact
  r = fma(n, splat(2.12194440e-4F), r);
  return power_of_two(shifted, r * splat(1.44269504F));
}

inline F32 magnitude(F32 x) { return (F32)((I32)x & 0x7fffffff); }
inline F32 with_sign_of(F32 x, F32 sign) {
  return (F32)((I32)x | ((I32)sign & static_cast<int>(0x80000000)));
}

/// σ(x) + y·σ′(x), where 1 − σ would lose σ′'s digits.
inline F32 sigmoid_and_slope(F32 x, F32 y) {
  const F32 e = exp(-x);
  const F32 s = splat(1.0F) / (splat(1.0F) + e);
  return fma(y * s, e * s, s);
}

// Activations, `slope` being the derivative. Past ±10 the gelus' slopes are 0 and 1 in float32, and
// x³ stays finite on the way.
inline F32 within_ten(F32 x) { return min(max(x, splat(-10.0F)), splat(10.0F)); }

struct None {
  static F32 apply(F32 x) { return x; }
  static F32 slope(F32) { return splat(1.0F); }
};
struct Relu {
  static F32 apply(F32 x) { return max(F32{}, x); }
  static F32 slope(F32 x) { return select(x > F32{}, splat(1.0F), F32{}); }
};
struct SquaredRelu {
  static F32 apply(F32 x) {
    const F32 y = Relu::apply(x);
    return y * y;
  }
  static F32 slope(F32 x) { return splat(2.0F) * Relu::apply(x); }
};
struct Sigmoid {
  static F32 apply(F32 x) {  // exp clamps what is not a number
    return select(x == x, splat(1.0F) / (splat(1.0F) + exp(-x)), x);
  }
  static F32 slope(F32 x) {
    const F32 y = apply(x);
    return y * apply(-x);  // 1 − σ(x) would lose digits
  }
};
struct Silu {
  static F32 apply(F32 x) { return x / (splat(1.0F) + exp(-x)); }
  static F32 slope(F32 x) { return sigmoid_and_slope(x, x); }
};
/// x · (1 + tanh(u)) / 2 = x / (1 + 2^(−2u/ln 2)), u = sqrt(2/π) · (x + 0.044715 x³).
struct GeluTanh {
  static F32 apply(F32 x) {
    const F32 power = x * fma(x * x, splat(-0.102943240F), splat(-2.30220820F));
    return x / (splat(1.0F) + exp2(power));
  }
  static F32 slope(F32 x) {
    x = within_ten(x);
    return sigmoid_and_slope(x * fma(x * x, splat(0.0713548163F), splat(1.59576912F)),
                             x * fma(x * x, splat(0.214064449F), splat(1.59576912F)));
  }
};
/// x · Φ(x). Φ(−t) = 2^P(t), P fitted to log2 Φ(−t) with weight t · Φ(−t): the error of the result
/// stays below 1e-7, and no division is needed. From t = 10 on t · Φ(−t) is below 1e-22.
struct Gelu {
  /// log2 Φ(−t)
  static F32 log2_tail(F32 t) {
    F32 p = fma(t, splat(-1.6904031e-06F), splat(2.5083323e-05F));
    p = fma(p, t, splat(-0.00011446281F));
    p = fma(p, t, splat(-0.00032334172F));
    p = fma(p, t, splat(0.0073333834F));
    p = fma(p, t, splat(-0.0527142F));
    p = fma(p, t, splat(-0.45911545F));
    p = fma(p, t, splat(-1.1511233F));
    return fma(p, t, splat(-0.9999989F));
  }
  static F32 apply(F32 x) {
    const F32 t = min(magnitude(x), splat(10.0F));
    const F32 tail = t * exp2(log2_tail(t));
    return max(F32{}, x) - tail;  // x·Φ(x) = x − x·Φ(−x) for x > 0, and x·Φ(x) itself below
  }
  /// Φ(x) + x·φ(x)
  static F32 slope(F32 x) {
    x = within_ten(x);
    const F32 tail = exp2(log2_tail(magnitude(x)));
    const F32 density = splat(0.398942280F) * exp(splat(-0.5F) * x * x);
    return fma(x, density, select(x < F32{}, tail, splat(1.0F) - tail));
  }
};
/// A polynomial below 0.625, where 1 − 2 / (e^2x + 1) would lose digits.
struct Tanh {
  static F32 apply(F32 x) {
    const F32 t = magnitude(x);
    const F32 s = x * x;
    F32 p = fma(s, splat(-0.005704987F), splat(0.020639086F));
    p = fma(p, s, splat(-0.053739715F));
    p = fma(p, s, splat(0.13331442F));
    p = fma(p, s, splat(-0.3333328F));
    const F32 small = fma(p * s, x, x);
    const F32 large = splat(1.0F) - splat(2.0F) / (exp(t + t) + splat(1.0F));
    return select(t >= splat(0.625F), with_sign_of(large, x), small);
  }
  static F32 slope(F32 x) {
    const F32 y = apply(x);
    return fma(-y, y, splat(1.0F));
  }
};
