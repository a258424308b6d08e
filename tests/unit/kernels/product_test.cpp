#include "kernels/product.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "core/error.h"
#include "reference.h"

namespace fnet::kernels {
namespace {

using reference::normals;
using reference::relative_error;

constexpr Dtype kDtypes[] = {Dtype::float32, Dtype::bfloat16, Dtype::int8};

std::string where(const Table& isa, Dtype dtype, std::size_t rows, std::size_t n, std::size_t k) {
  return std::string(isa.name) + " dtype " + std::to_string(static_cast<int>(dtype)) + " rows " +
         std::to_string(rows) + " n " + std::to_string(n) + " k " + std::to_string(k);
}

// Relative to the largest output, for random factors. float32: a chunk of 512 sums loses about
// sqrt(512)/2 half-ulps at worst, 1e-6 with room. bfloat16: each factor is off by up to 2^-9,
// errors add as their root: 2^-9 · sqrt(2) over the spread of outputs. int8: x is off by up to half
// of (max−min)/255, about 6/510 of its deviation, w by 4/254.
double bound(Dtype dtype) {
  return dtype == Dtype::float32 ? 1e-6 : dtype == Dtype::bfloat16 ? 6e-3 : 3e-2;
}

struct Shape {
  std::size_t rows, n, k;
};

TEST(linear, is_the_naive_product_for_every_table_type_and_size) {
  const Shape shapes[] = {{1, 1, 1},      {1, 37, 7},   {7, 1, 37},   {5, 33, 64},
                          {12, 32, 1030}, {13, 65, 37}, {24, 37, 37}, {25, 64, 64},
                          {100, 96, 37},  {49, 7, 768}, {3, 768, 1},  {31, 100, 3072}};
  ThreadPool pool(2);
  Workspace workspace;
  for (const Table* isa : tables()) {
    for (const Dtype dtype : kDtypes) {
      for (const auto& [rows, n, k] : shapes) {
        const auto x = normals(rows * k, 1);
        const auto w = normals(n * k, 2);
        const auto bias = normals(n, 3);
        const PackedMatrix packed = pack(w.data(), n, k, dtype, &pool, *isa);
        for (const Activation act : {Activation::none, Activation::gelu}) {
          auto want = reference::linear(x, rows, w, n, bias);
          for (double& v : want) v = reference::activate(act, v);
          std::vector<float> y(rows * n, NAN);
          linear(x.data(), rows, packed, bias.data(), act, y.data(), pool, workspace);
          // With few terms a single rounding shows undiluted.
          EXPECT_LE(relative_error(y, want), bound(dtype) * (k < 64 ? 3 : 1))
              << where(*isa, dtype, rows, n, k);
        }
      }
    }
  }
}

// Whole numbers within −127…127, whose row holds −128 · s and 127 · s so that the steps are exact:
// the int8 product must then be the integer product without any error.
TEST(linear, int8_sums_are_exact) {
  ThreadPool pool(2);
  Workspace workspace;
  for (const Table* isa : tables()) {
    for (const std::size_t k : {4UL, 37UL, 768UL}) {
      const std::size_t rows = 29, n = 45;
      Philox random(9, k);
      std::vector<float> x(rows * k), w(n * k);
      for (std::size_t i = 0; i < x.size(); ++i) {
        const std::size_t column = i % k;
        x[i] = column == 0   ? -128.0F
               : column == 1 ? 127.0F
                             : static_cast<float>(random.below(256)) - 128.0F;
      }
      for (std::size_t i = 0; i < w.size(); ++i) {
        w[i] = i % k == 0 ? 127.0F : static_cast<float>(random.below(255)) - 127.0F;
      }
      const PackedMatrix packed = pack(w.data(), n, k, Dtype::int8, nullptr, *isa);
      std::vector<float> y(rows * n);
      linear(x.data(), rows, packed, nullptr, Activation::none, y.data(), pool, workspace);
      const auto want = reference::linear(x, rows, w, n);
      for (std::size_t i = 0; i < y.size(); ++i) {
        ASSERT_EQ(y[i], static_cast<float>(want[i])) << where(*isa, Dtype::int8, rows, n, k);
      }
    }
  }
}

// The integer sums are exact, and what follows them is the same arithmetic.
TEST(linear, int8_gives_the_same_bits_in_every_table) {
  ThreadPool pool(2);
  Workspace workspace;
  for (const auto& [rows, n, k] : {Shape{1, 1, 1},
                                   {16, 32, 64},
                                   {17, 33, 70},
                                   {31, 45, 1100},
                                   {70, 64, 2048},
                                   {130, 7, 516}}) {
    const auto x = normals(rows * k, 1);
    const auto w = normals(n * k, 2);
    std::vector<float> first;
    for (const Table* isa : tables()) {
      const PackedMatrix packed = pack(w.data(), n, k, Dtype::int8, nullptr, *isa);
      std::vector<float> y(rows * n);
      linear(x.data(), rows, packed, nullptr, Activation::none, y.data(), pool, workspace);
      if (first.empty()) first = y;
      EXPECT_EQ(y, first) << where(*isa, Dtype::int8, rows, n, k);
    }
  }
}

// TDPBF16PS as Intel's manual has it: 16 pairs are summed, the even and the odd factors apart, and
// added to what is there.
float tile_product(const float* x, const float* w, std::size_t k) {
  float all = 0;
  for (std::size_t first = 0; first < k; first += 32) {
    float even = 0, odd = 0;
    for (std::size_t i = first; i < std::min(first + 32, k); i += 2) {
      even = std::fma(x[i], w[i], even);
      if (i + 1 < k) odd = std::fma(x[i + 1], w[i + 1], odd);
    }
    all += even + odd;
  }
  return all;
}

TEST(linear, bfloat16_tiles_sum_in_the_order_of_the_manual) {
  const auto amx = std::ranges::find(tables(), std::string_view("avx512_amx"), &Table::name);
  if (amx == tables().end()) GTEST_SKIP() << "this CPU has no AMX, or the system withholds it";
  ThreadPool pool(2);
  Workspace workspace;
  for (const auto& [rows, n, k] : {Shape{1, 1, 1}, {33, 33, 37}, {20, 32, 64}, {130, 45, 1000}}) {
    auto x = normals(rows * k, 1), w = normals(n * k, 2);
    for (float& v : x) v = reference::rounded_to_bf16(v);
    for (float& v : w) v = reference::rounded_to_bf16(v);
    const PackedMatrix packed = pack(w.data(), n, k, Dtype::bfloat16, nullptr, **amx);
    std::vector<float> y(rows * n);
    linear(x.data(), rows, packed, nullptr, Activation::none, y.data(), pool, workspace);
    for (std::size_t i = 0; i < y.size(); ++i) {
      ASSERT_EQ(y[i], tile_product(&x[i / n * k], &w[i % n * k], k))
          << where(**amx, Dtype::bfloat16, rows, n, k) << " at " << i;
    }
  }
}

// Row 1 has a NaN, row 2 an infinity.
TEST(linear, rows_that_are_not_finite_have_no_finite_product_and_touch_no_other) {
  ThreadPool pool(2);
  Workspace workspace;
  const std::size_t rows = 5, n = 45, k = 70;
  for (const Table* isa : tables()) {
    for (const Dtype dtype : kDtypes) {
      auto x = normals(rows * k, 1);
      const auto w = normals(n * k, 2);
      x[1 * k + 66] = NAN;
      x[2 * k + 3] = INFINITY;
      const PackedMatrix packed = pack(w.data(), n, k, dtype, nullptr, *isa);
      std::vector<float> y(rows * n);
      linear(x.data(), rows, packed, nullptr, Activation::none, y.data(), pool, workspace);
      for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t j = 0; j < n; ++j) {
          ASSERT_EQ(!std::isfinite(y[r * n + j]), r == 1 || r == 2)
              << where(*isa, dtype, rows, n, k) << " row " << r << " column " << j;
        }
      }
    }
  }
}

// Their steps are too small to divide by; what they add to a sum is far below its rounding.
TEST(linear, int8_takes_the_smallest_numbers_as_zero) {
  ThreadPool pool(2);
  Workspace workspace;
  const std::size_t rows = 3, n = 33, k = 70;
  for (const Table* isa : tables()) {
    auto x = normals(rows * k, 1);
    auto w = normals(n * k, 2);
    for (std::size_t i = 0; i < k; ++i) x[i] *= 1e-38F, w[i] *= 1e-38F;  // the first row of each
    const PackedMatrix packed = pack(w.data(), n, k, Dtype::int8, nullptr, *isa);
    std::vector<float> y(rows * n);
    linear(x.data(), rows, packed, nullptr, Activation::none, y.data(), pool, workspace);
    const auto want = reference::linear(x, rows, w, n);
    EXPECT_LE(relative_error(y, want), 9e-2) << isa->name;
    for (std::size_t j = 0; j < n; ++j) EXPECT_LE(std::fabs(y[j]), 1e-30F) << isa->name;
  }
}

struct Layer {
  std::size_t hidden, inner;
  std::vector<float> up, gate, down, up_bias, gate_bias, down_bias, weight, shift;
  PackedMatrix packed_up, packed_gate, packed_down;
  FeedForward layer;

  Layer(std::size_t h, std::size_t f, bool gated, Activation act, NormKind kind, Dtype dtype,
        const Table& isa)
      : hidden(h), inner(f) {
    const auto scale = [](std::size_t n) { return 1.0F / std::sqrt(static_cast<float>(n)); };
    up = normals(f * h, 1, scale(h)), gate = normals(f * h, 2, scale(h));
    down = normals(h * f, 3, scale(f));
    up_bias = normals(f, 4), gate_bias = normals(f, 5), down_bias = normals(h, 6);
    weight = normals(h, 7), shift = normals(h, 8);
    packed_up = pack(up.data(), f, h, dtype, nullptr, isa);
    packed_gate = pack(gate.data(), f, h, dtype, nullptr, isa);
    packed_down = pack(down.data(), h, f, dtype, nullptr, isa);
    layer = {.up = &packed_up,
             .gate = gated ? &packed_gate : nullptr,
             .down = &packed_down,
             .up_bias = up_bias.data(),
             .gate_bias = gated ? gate_bias.data() : nullptr,
             .down_bias = down_bias.data(),
             .activation = act,
             .norm = {.kind = kind, .weight = weight.data(), .bias = nullptr, .eps = 1e-5F}};
    if (kind == NormKind::layer_norm) layer.norm.bias = shift.data();
  }

  std::vector<double> want(const std::vector<float>& x, const std::vector<float>& residual) const {
    const std::size_t rows = x.size() / hidden;
    auto inside = reference::linear(x, rows, up, inner, up_bias);
    if (layer.gate != nullptr) {
      const auto gates = reference::linear(x, rows, gate, inner, gate_bias);
      for (std::size_t i = 0; i < inside.size(); ++i) {
        inside[i] *= reference::activate(layer.activation, gates[i]);
      }
    } else {
      for (double& v : inside) v = reference::activate(layer.activation, v);
    }
    auto y = reference::linear(inside, rows, down, hidden, down_bias);
    for (std::size_t i = 0; i < residual.size(); ++i) y[i] += residual[i];
    reference::normalize(y, hidden, layer.norm);
    return y;
  }
};

TEST(feed_forward, is_its_formula_for_every_table_type_norm_and_size) {
  ThreadPool pool(2);
  Workspace workspace;
  for (const Table* isa : tables()) {
    for (const Dtype dtype : kDtypes) {
      for (const auto& [rows, h, f] :
           {Shape{1, 37, 64}, {7, 64, 37}, {60, 37, 1100}, {100, 64, 129}, {3, 128, 2100}}) {
        for (const bool gated : {false, true}) {
          const NormKind kind = gated ? NormKind::rms_norm : NormKind::layer_norm;
          const Layer net(h, f, gated, gated ? Activation::silu : Activation::gelu_tanh, kind,
                          dtype, *isa);
          const auto x = normals(rows * h, 9);
          std::vector<float> y = x;  // in place
          feed_forward(net.layer, y.data(), y.data(), rows, pool, workspace);
          EXPECT_LE(relative_error(y, net.want(x, x)), bound(dtype))
              << where(*isa, dtype, rows, h, f) << (gated ? " gated" : "");
        }
      }
    }
  }
}

TEST(feed_forward, takes_a_residual_of_its_own_and_none) {
  ThreadPool pool(2);
  Workspace workspace;
  const Layer net(37, 64, false, Activation::relu, NormKind::none, Dtype::float32, table());
  for (const std::size_t rows : {3UL, 61UL}) {
    const auto x = normals(rows * 37, 9);
    const auto residual = normals(rows * 37, 10);
    std::vector<float> y(rows * 37);
    feed_forward(net.layer, x.data(), residual.data(), y.data(), rows, pool, workspace);
    EXPECT_LE(relative_error(y, net.want(x, residual)), 1e-6);
    feed_forward(net.layer, x.data(), nullptr, y.data(), rows, pool, workspace);
    EXPECT_LE(relative_error(y, net.want(x, {})), 1e-6);
  }
}

// The promise of the length policies: bytes depend on the row alone.
TEST(feed_forward, gives_a_row_the_same_bits_in_any_batch_on_any_number_of_threads) {
  constexpr std::size_t kRows = 131, kHidden = 100, kInner = 1500;
  const auto x = normals(kRows * kHidden, 9);
  for (const Table* isa : tables()) {
    for (const Dtype dtype : kDtypes) {
      const Layer net(kHidden, kInner, true, Activation::gelu, NormKind::layer_norm, dtype, *isa);
      std::vector<float> whole(x.size());
      ThreadPool one(1);
      Workspace workspace;
      feed_forward(net.layer, x.data(), whole.data(), kRows, one, workspace);
      for (const int threads : {1, 2, 3}) {
        ThreadPool pool(threads);
        for (const auto& [first, rows] : {std::pair{0UL, kRows},
                                          {5UL, 1UL},
                                          {130UL, 1UL},
                                          {17UL, 13UL},
                                          {40UL, 47UL},
                                          {3UL, 60UL},
                                          {1UL, 128UL}}) {
          std::vector<float> part(rows * kHidden);
          feed_forward(net.layer, x.data() + first * kHidden, part.data(), rows, pool, workspace);
          EXPECT_EQ(std::memcmp(part.data(), whole.data() + first * kHidden, part.size() * 4), 0)
              << where(*isa, dtype, rows, first, static_cast<std::size_t>(threads));
          std::vector<float> line(rows * kInner), all(rows * kInner);
          linear(x.data() + first * kHidden, rows, net.packed_up, nullptr, Activation::tanh,
                 line.data(), pool, workspace);
          for (std::size_t r = 0; r < rows; ++r) {
            linear(x.data() + (first + r) * kHidden, 1, net.packed_up, nullptr, Activation::tanh,
                   all.data() + r * kInner, one, workspace);
          }
          EXPECT_EQ(line, all) << where(*isa, dtype, rows, first, kInner);
        }
      }
    }
  }
}

TEST(feed_forward, takes_no_memory_once_its_workspace_has_grown) {
  ThreadPool pool(2);
  Workspace workspace;
  const Layer net(64, 128, false, Activation::gelu, NormKind::layer_norm, Dtype::int8, table());
  auto x = normals(100 * 64, 9);
  feed_forward(net.layer, x.data(), x.data(), 100, pool, workspace);
  const std::size_t size = workspace.size();
  const std::byte* memory = workspace.take(1);
  for (const std::size_t rows : {100UL, 10UL, 1UL}) {
    feed_forward(net.layer, x.data(), x.data(), rows, pool, workspace);
  }
  EXPECT_EQ(workspace.size(), size);
  EXPECT_EQ(workspace.take(1), memory);
}

TEST(feed_forward, refuses_matrices_that_do_not_fit) {
  ThreadPool pool(1);
  Workspace workspace;
  Layer net(16, 32, false, Activation::gelu, NormKind::none, Dtype::float32, table());
  net.layer.down = &net.packed_up;
  std::vector<float> x(16);
  EXPECT_THROW(feed_forward(net.layer, x.data(), x.data(), 1, pool, workspace), Error);
}

}  // namespace
}  // namespace fnet::kernels
