// exp and exp2 are parts of other kernels: here they are compiled alone, for each instruction set.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "kernels/isa/prelude.h"

#define FNET_SPAN(function)                                       \
  void function##_span(const float* x, std::size_t n, float* y) { \
    for (std::size_t i = 0; i < n; i += kLanes) {                 \
      const std::size_t part = n - i < kLanes ? n - i : kLanes;   \
      store_part(y + i, part, function(load_part(x + i, part)));  \
    }                                                             \
  }
#define FNET_SPANS FNET_SPAN(exp) FNET_SPAN(exp2)

namespace fnet::kernels {

#if defined(__x86_64__)
FNET_TARGET_BEGIN("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512cd")
namespace avx512_math {
#include "kernels/vec_avx512.h"
//
#include "kernels/vec.inl"
//
#include "kernels/math.inl"
FNET_SPANS
}  // namespace avx512_math
FNET_TARGET_END
FNET_TARGET_BEGIN("avx2,fma,f16c")
namespace avx2_math {
#include "kernels/vec_avx2.h"
//
#include "kernels/vec.inl"
//
#include "kernels/math.inl"
FNET_SPANS
}  // namespace avx2_math
FNET_TARGET_END
#endif
namespace portable_math {
#if defined(__aarch64__)
#include "kernels/vec_neon.h"
#else
#include "kernels/vec_portable.h"
#endif
//
#include "kernels/vec.inl"
//
#include "kernels/math.inl"
FNET_SPANS
}  // namespace portable_math

namespace {

using Span = void (*)(const float* x, std::size_t n, float* y);
struct Functions {
  Span exp, exp2;
};

Functions functions_of([[maybe_unused]] std::string_view isa) {
#if defined(__x86_64__)
  if (isa.starts_with("avx512")) return {avx512_math::exp_span, avx512_math::exp2_span};
  if (isa == "avx2") return {avx2_math::exp_span, avx2_math::exp2_span};
#endif
  return {portable_math::exp_span, portable_math::exp2_span};
}

/// Largest relative error of `function` over its range, tiny arguments and ones to be clamped.
double worst_error(Span function, double (*exact)(double), float least, float most) {
  std::vector<float> x = {-1e30F, least - 3.0F, 1e30F, most + 3.0F};
  for (float v = least; v <= most; v += 1e-4F) x.push_back(v);
  for (float v = 1.0F; v > 1e-10F; v *= 0.99F) x.insert(x.end(), {v, -v});
  std::vector<float> y(x.size());
  function(x.data(), x.size(), y.data());
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double want = exact(std::clamp(x[i], least, most));
    worst = std::max(worst, std::abs(y[i] / want - 1));
  }
  return worst;
}

TEST(exp, stays_within_its_stated_error_and_clamps) {
  for (const Table* isa : tables()) {
    EXPECT_LE(worst_error(functions_of(isa->name).exp, std::exp, -87.3F, 88.3F), 1.5e-7)
        << isa->name;
  }
}

TEST(exp2, stays_within_its_stated_error_and_clamps) {
  for (const Table* isa : tables()) {
    EXPECT_LE(worst_error(functions_of(isa->name).exp2, std::exp2, -126.0F, 127.0F), 1.5e-7)
        << isa->name;
  }
}

}  // namespace
}  // namespace fnet::kernels
