#if defined(__aarch64__)
#include <sys/auxv.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <array>
#include <cstdlib>
#include <vector>

#include "core/error.h"
#include "kernels/kernels.h"

namespace fnet::kernels {

#if defined(__x86_64__)
namespace avx512_amx {
extern const Table kTable;
}
namespace avx512_bf16 {
extern const Table kTable;
}
namespace avx512 {
extern const Table kTable;
}
namespace avx2_vnni {
extern const Table kTable;
}
namespace avx2 {
extern const Table kTable;
}
#elif defined(__aarch64__)
namespace neon_dot {
extern const Table kTable;
}
#endif
namespace portable {
extern const Table kTable;
}

namespace {

#if defined(__x86_64__)
/// CPUID, leaf 7, subleaf 1: EAX bit 4. Compilers of 2022 do not all know its name.
bool has_avx_vnni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 4 & 1U) != 0;
}

/// CPUID, leaf 7: EDX bits 22, 24 and 25 are AMX's bfloat16, tiles and int8. Linux saves tiles only
/// for a process that has asked for them.
bool has_amx() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kTiles = 1U << 22 | 1U << 24 | 1U << 25;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kTiles) != kTiles) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
#endif

struct Candidate {
  const Table* table;
  bool supported;
};

// Best first. One line an instruction set; __builtin_cpu_supports also asks whether the operating
// system saves the registers.
auto candidates() {
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  const bool bf16 =
      avx512 && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16");
#elif defined(__aarch64__)
  constexpr unsigned long kDot = HWCAP2_BF16 | HWCAP2_I8MM;
  const bool dot = (getauxval(AT_HWCAP2) & kDot) == kDot;
#endif
  return std::to_array<Candidate>({
#if defined(__x86_64__)
      {&avx512_amx::kTable, bf16 && has_amx()},
      {&avx512_bf16::kTable, bf16},
      {&avx512::kTable, avx512},
      {&avx2_vnni::kTable, avx2 && has_avx_vnni()},
      {&avx2::kTable, avx2},
#elif defined(__aarch64__)
      {&neon_dot::kTable, dot},
#endif
      {&portable::kTable, true},
  });
}

struct Choice {
  const Table* table;
  std::string reason;
};

Choice choose() {
  const char* wanted = std::getenv("FNET_ISA");
  if (wanted == nullptr || *wanted == '\0') return {tables().front(), "best of this CPU's"};
  std::string names;
  for (const Table* t : tables()) {
    if (t->name == wanted) return {t, "FNET_ISA=" + std::string(wanted)};
    names += (names.empty() ? "" : ", ") + std::string(t->name);
  }
  fail(Kind::usage, "FNET_ISA: expected one of {} (what this CPU can run), found '{}'", names,
       printable(wanted));
}

const Choice& choice() {
  static const Choice chosen = choose();
  return chosen;
}

}  // namespace

const Table& table() { return *choice().table; }

std::string table_reason() { return choice().reason; }

std::span<const Table* const> tables() {
  static const std::vector<const Table*> supported = [] {
    std::vector<const Table*> list;
    for (const Candidate& c : candidates()) {
      if (c.supported) list.push_back(c.table);
    }
    return list;
  }();
  return supported;
}

}  // namespace fnet::kernels
