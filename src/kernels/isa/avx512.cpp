// Skylake-SP and later.
#include "kernels/isa/prelude.h"

#if defined(__x86_64__)
FNET_TARGET_BEGIN("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512cd")
namespace fnet::kernels::avx512 {
constexpr std::string_view kName = "avx512";
#include "kernels/vec_avx512.h"
//
#include "kernels/all.inl"
}  // namespace fnet::kernels::avx512
FNET_TARGET_END
#endif
