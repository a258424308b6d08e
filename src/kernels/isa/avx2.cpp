// Haswell, Zen and later.
#include "kernels/isa/prelude.h"

#if defined(__x86_64__)
FNET_TARGET_BEGIN("avx2,fma,f16c")
namespace fnet::kernels::avx2 {
constexpr std::string_view kName = "avx2";
#include "kernels/vec_avx2.h"
//
#include "kernels/all.inl"
}  // namespace fnet::kernels::avx2
FNET_TARGET_END
#endif
