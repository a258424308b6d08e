#pragma once

#include <cstddef>

#include "core/parallel.h"
#include "core/rows.h"
#include "kernels/kernels.h"
#include "kernels/workspace.h"

namespace fnet::kernels {

/// y = softmax(q kᵀ / √d) v for each text and each head, d = hidden / heads columns of q, k, v and
/// y [T, hidden] by themselves. All rows of a text ask, its tokens (Rows::length) answer.
///
/// Takes memory for some hundred rows a thread, however long a text is. A text's bytes do not
/// depend on the other texts or on the number of threads. Both products have factors in `dtype`, or
/// in bfloat16 for int8, whose scales would be those of whole rows of weights; all else is float32.
/// `heads` divides `hidden`. Source: Vaswani et al. 2017, §3.2; the formula:
/// blocks/mixer/attention.h.
void attention(const Rows& rows, const float* q, const float* k, const float* v, std::size_t hidden,
               std::size_t heads, Dtype dtype, float* y, ThreadPool& pool, Workspace& workspace,
               const Table& isa = table());

}  // namespace fnet::kernels
