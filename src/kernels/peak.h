#pragma once

#include <cstddef>

#include "kernels/kernels.h"

namespace fnet::kernels {

/// What `threads` cores do at most in products of this type, in 1e9 operations a second (a multiply
/// and an add count two): the best of several runs of a loop of independent multiply-adds in
/// registers, about 0.1 s in all.
double measure_peak(Dtype dtype, int threads, const Table& isa = table());

/// How fast `threads` cores read `bytes` again and again, each its own part, in 1e9 bytes a second:
/// the best of several runs, about 0.1 s in all.
double measure_read(std::size_t bytes, int threads);

}  // namespace fnet::kernels
