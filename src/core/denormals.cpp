#include "core/denormals.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace fnet {
namespace {

// The control register of a thread's float arithmetic.
#if defined(__x86_64__)
constexpr std::uint64_t kFlush = 0x8040;  // results and operands: bits FZ and DAZ of MXCSR
std::uint64_t control() { return _mm_getcsr(); }
void set_control(std::uint64_t value) { _mm_setcsr(static_cast<unsigned>(value)); }
#elif defined(__aarch64__)
constexpr std::uint64_t kFlush = std::uint64_t{1} << 24;  // bit FZ of FPCR: both
std::uint64_t control() {
  std::uint64_t value;
  asm volatile("mrs %0, fpcr" : "=r"(value));
  return value;
}
void set_control(std::uint64_t value) { asm volatile("msr fpcr, %0" ::"r"(value)); }
#else
constexpr std::uint64_t kFlush = 0;
std::uint64_t control() { return 0; }
void set_control(std::uint64_t) {}
#endif

}  // namespace

DenormalsAreZero::DenormalsAreZero() : before_(control()) { set_control(before_ | kFlush); }

DenormalsAreZero::~DenormalsAreZero() { set_control(before_); }

}  // namespace fnet
