#pragma once

#include <span>

#include "blocks/weights.h"
#include "core/parallel.h"
#include "fnet/engine.h"
#include "kernels/types.h"
#include "runtime/packed_file.h"
#include "runtime/tensor.h"

namespace fnet {

/// Adds weights to the map as formulas and kernels read them: those of products packed in `dtype`,
/// all others as they are. `file`: null, or taken from where it is ready(), or else filled for its
/// write(). Throws: input or usage where the source or the file has not as many values as the spec.
void load_weights(std::span<const WeightSpec> specs, const WeightSource& source,
                  kernels::Dtype dtype, ThreadPool& pool, PackedFile* file,
                  Weights<Tensor>::Map& map);

}  // namespace fnet
