#pragma once

// Everything the .inl files may use from outside, included before a target region begins: what is
// first seen inside a region is compiled for its instruction set, and an inline std function
// compiled so would replace, as a weak symbol, the baseline's own in every program.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 warns of its own _mm512_undefined_ps.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "kernels/kernels.h"

#define FNET_PRAGMA(text) _Pragma(#text)

/// Functions between BEGIN and END are compiled for the features named ("avx2,fma").
#if defined(__clang__)
#define FNET_TARGET_BEGIN(features) \
  FNET_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define FNET_TARGET_END FNET_PRAGMA(clang attribute pop)
#else
#define FNET_TARGET_BEGIN(features) FNET_PRAGMA(GCC push_options) FNET_PRAGMA(GCC target(features))
#define FNET_TARGET_END FNET_PRAGMA(GCC pop_options)
#endif
