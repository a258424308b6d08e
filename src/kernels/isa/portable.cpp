// Whatever the compiler's baseline is: SSE2 on x86-64, NEON on aarch64.
#include "kernels/isa/prelude.h"

namespace fnet::kernels::portable {
constexpr std::string_view kName = "portable";
#if defined(__aarch64__)
#include "kernels/vec_neon.h"
#else
#include "kernels/vec_portable.h"
#endif
//
#include "kernels/all.inl"
}  // namespace fnet::kernels::portable
