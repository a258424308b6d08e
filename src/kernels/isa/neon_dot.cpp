// Neoverse V1 and N2, Apple M2 and later: dot products of bfloat16 and of int8.
#include "kernels/isa/prelude.h"

#if defined(__aarch64__)
#define FNET_DOT_INSTRUCTIONS
#if defined(__clang__)
FNET_TARGET_BEGIN("bf16,i8mm")
#else
FNET_TARGET_BEGIN("arch=armv8.2-a+bf16+i8mm")
#endif
namespace fnet::kernels::neon_dot {
constexpr std::string_view kName = "neon_dot";
#include "kernels/vec_neon.h"
//
#include "kernels/all.inl"
}  // namespace fnet::kernels::neon_dot
FNET_TARGET_END
#endif
