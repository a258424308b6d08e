// Alder Lake, Sierra Forest, Zen 5 and later, where AVX-512 is absent.
#include "kernels/isa/prelude.h"

#if defined(__x86_64__)
FNET_TARGET_BEGIN("avx2,fma,f16c,avxvnni")
namespace fnet::kernels::avx2_vnni {
constexpr std::string_view kName = "avx2_vnni";
#define FNET_VNNI
#include "kernels/vec_avx2.h"
#undef FNET_VNNI
//
#include "kernels/all.inl"
}  // namespace fnet::kernels::avx2_vnni
FNET_TARGET_END
#endif
