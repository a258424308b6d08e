#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "blocks/weights.h"
#include "core/parallel.h"
#include "fnet/config.h"
#include "fnet/engine.h"
#include "runtime/batch.h"
#include "runtime/tensor.h"

namespace fnet {

/// The encoder of a loaded model, from tokens to the last hidden state. Immutable.
class Model {
 public:
  virtual ~Model() = default;

  /// The last hidden state [T, H]; with `first_rows_only` just each text's first row [B, H].
  virtual Tensor hidden(const Batch& batch, bool first_rows_only, ThreadPool& pool) const = 0;

  virtual std::size_t weight_bytes() const = 0;
  virtual std::size_t workspace_bytes() const { return 0; }
};

/// Weights as tensors, for formulas. Takes those of `names` from the source, or all.
Weights<Tensor>::Map read_tensors(std::span<const WeightSpec> specs, const WeightSource& source);

/// The formulas of blocks/, op by op.
std::unique_ptr<Model> make_formula_model(const Config& config, const WeightSource& source);

/// The same through the kernels, in fused steps; a part without a kernel runs as its formula.
std::unique_ptr<Model> make_fused_model(const Config& config, const WeightSource& source,
                                        std::string_view dtype, ThreadPool& pool);

}  // namespace fnet
