#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "blocks/weights.h"
#include "core/parallel.h"
#include "fnet/config.h"
#include "fnet/engine.h"
#include "kernels/types.h"
#include "model/batch.h"
#include "runtime/packed_file.h"
#include "runtime/tensor.h"

namespace fnet {

/// Where a pass spends its time, added up over all passes.
enum class Part {
  products,  ///< linear maps with what is fused to them: activation, residual, norm
  mixing,    ///< mixing with the residual and norm fused to it
  norms,     ///< norms by themselves, and the embeddings' sum and norm
};
inline constexpr std::array<std::string_view, 3> kPartNames = {"products", "mixing", "norms"};

class PartTimes {
 public:
  /// Adds the time from its making to its end.
  class Span {
   public:
    Span(PartTimes& times, Part part)
        : sum_(times.nanoseconds_[static_cast<std::size_t>(part)]), start_(Clock::now()) {}
    ~Span() { sum_ += std::chrono::nanoseconds(Clock::now() - start_).count(); }
    Span(const Span&) = delete;
    Span& operator=(const Span&) = delete;

   private:
    using Clock = std::chrono::steady_clock;
    std::atomic<std::int64_t>& sum_;
    Clock::time_point start_;
  };

  double seconds(std::size_t part) const { return 1e-9 * static_cast<double>(nanoseconds_[part]); }

 private:
  std::array<std::atomic<std::int64_t>, kPartNames.size()> nanoseconds_{};
};

/// What one pass writes to. It grows to the largest need and serves the next pass, so that repeated
/// passes take no memory.
class PassMemory {
 public:
  virtual ~PassMemory() = default;
  virtual std::size_t bytes() const {
    const std::size_t tokens = batch.ids.capacity() + batch.types.capacity();
    return (tokens + batch.positions.capacity()) * sizeof(std::int32_t);
  }

  Batch batch;
};

/// The encoder of a loaded model, from tokens to the last hidden state. Immutable.
class Model {
 public:
  virtual ~Model() = default;

  virtual std::unique_ptr<PassMemory> make_memory() const { return std::make_unique<PassMemory>(); }
  /// The last hidden state of memory.batch [T, H]; with `first_rows_only` just each text's first
  /// row [B, H]. It may lie in `memory`, which make_memory() gave: good until the next pass there.
  virtual Tensor hidden(PassMemory& memory, bool first_rows_only, ThreadPool& pool) const = 0;

  virtual std::size_t weight_bytes() const = 0;
  const PartTimes& times() const { return times_; }

 protected:
  mutable PartTimes times_;
};

/// Weights as tensors, for formulas. Takes those of `names` from the source, or all.
Weights<Tensor>::Map read_tensors(std::span<const WeightSpec> specs, const WeightSource& source);

/// The formulas of blocks/, op by op.
std::unique_ptr<Model> make_formula_model(const Config& config, const WeightSource& source);

/// The same through the kernels, in fused steps; a part without a kernel runs as its formula.
/// `file`: see PreparedWeights.
std::unique_ptr<Model> make_fused_model(const Config& config, const WeightSource& source,
                                        kernels::Dtype dtype, ThreadPool& pool,
                                        PackedFile* file = nullptr);

}  // namespace fnet
