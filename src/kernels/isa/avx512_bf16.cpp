// Zen 4, Sapphire Rapids and later: dot products of bfloat16 and of int8.
#include "kernels/isa/prelude.h"

#if defined(__x86_64__)
#define FNET_DOT_INSTRUCTIONS
FNET_TARGET_BEGIN("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512vnni,avx512bf16")
namespace fnet::kernels::avx512_bf16 {
constexpr std::string_view kName = "avx512_bf16";
#include "kernels/vec_avx512.h"
//
#include "kernels/all.inl"
}  // namespace fnet::kernels::avx512_bf16
FNET_TARGET_END
#endif
