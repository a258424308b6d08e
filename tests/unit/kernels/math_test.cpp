// exp is a part of other kernels: here it is compiled alone, for each instruction set.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "kernels/isa/prelude.h"

#define FNET_EXP_SPAN                                           \
  void exp_span(const float* x, std::size_t n, float* y) {      \
    for (std::size_t i = 0; i < n; i += kLanes) {               \
      const std::size_t part = n - i < kLanes ? n - i : kLanes; \
      store_part(y + i, part, exp(load_part(x + i, part)));     \
    }                                                           \
  }

namespace fnet::kernels {

#if defined(__x86_64__)
FNET_TARGET_BEGIN("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512cd")
namespace avx512_math {
#include "kernels/vec_avx512.h"
//
#include "kernels/vec.inl"
//
#include "kernels/math.inl"
FNET_EXP_SPAN
}  // namespace avx512_math
FNET_TARGET_END
FNET_TARGET_BEGIN("avx2,fma,f16c")
namespace avx2_math {
#include "kernels/vec_avx2.h"
//
#include "kernels/vec.inl"
//
#include "kernels/math.inl"
FNET_EXP_SPAN
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
FNET_EXP_SPAN
}  // namespace portable_math

namespace {

auto exp_of([[maybe_unused]] std::string_view isa) {
#if defined(__x86_64__)
  if (isa.starts_with("avx512")) return avx512_math::exp_span;
  if (isa == "avx2") return avx2_math::exp_span;
#endif
  return portable_math::exp_span;
}

TEST(exp, stays_within_its_stated_error_and_clamps) {
  std::vector<float> x;
  for (float v = -87.3F; v <= 88.3F; v += 1e-4F) x.push_back(v);
  for (float v = 1.0F; v > 1e-10F; v *= 0.99F) x.insert(x.end(), {v, -v});
  x.insert(x.end(), {-1e30F, -90.0F, 1e30F, 90.0F});  // as −87.3 and 88.3
  std::vector<float> y(x.size());
  for (const Table* isa : tables()) {
    exp_of(isa->name)(x.data(), x.size(), y.data());
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double want = std::exp(static_cast<double>(std::clamp(x[i], -87.3F, 88.3F)));
      worst = std::max(worst, std::abs(y[i] / want - 1));
    }
    EXPECT_LE(worst, 1.5e-7) << isa->name;
  }
}

}  // namespace
}  // namespace fnet::kernels
