// Sapphire Rapids and later: AVX-512 with tiles for bfloat16 and int8.
#include "kernels/isa/prelude.h"

#if defined(__x86_64__)
#define FNET_DOT_INSTRUCTIONS
#define FNET_AMX
FNET_TARGET_BEGIN("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512vnni,avx512bf16")
namespace fnet::kernels::avx512_amx {
constexpr std::string_view kName = "avx512_amx";
#include "kernels/vec_avx512.h"
//
#include "kernels/all.inl"
}  // namespace fnet::kernels::avx512_amx
FNET_TARGET_END
#endif
