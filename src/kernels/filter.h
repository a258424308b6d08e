#pragma once

#include "core/parallel.h"
#include "core/rows.h"
#include "kernels/kernels.h"
#include "kernels/workspace.h"

namespace fnet::kernels {

/// y = irfft(filter · rfft(x)) along each text, column by column: x and y [T, hidden], not the
/// same. A text's bytes depend on that text alone. Source: Rao et al. 2021 (GFNet), of one axis;
/// the formula: blocks/mixer/gfilter.h. Throws: usage where a text is longer than 2^24 rows.
void filter(const Rows& rows, const Filter& filter, const float* x, float* y, ThreadPool& pool,
            Workspace& workspace, const Table& isa = table());

}  // namespace fnet::kernels
