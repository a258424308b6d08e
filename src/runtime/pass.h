#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/parallel.h"
#include "kernels/fourier.h"
#include "kernels/workspace.h"
#include "model/batch.h"
#include "runtime/tensor.h"

namespace fnet {

/// Where a pass spends its time, added up over all passes.
enum class TimedPart {
  products,  ///< linear maps with what is fused to them: activation, residual, norm
  mixing,    ///< mixing with the residual and norm fused to it
  norms,     ///< norms by themselves, and the embeddings' sum and norm
};
inline constexpr std::array<std::string_view, 3> kTimedPartNames = {"products", "mixing", "norms"};

class PartTimes {
 public:
  /// Adds the time from its making to its end.
  class Span {
   public:
    Span(PartTimes& times, TimedPart part)
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
  std::array<std::atomic<std::int64_t>, kTimedPartNames.size()> nanoseconds_{};
};

/// What one pass writes to. It grows to the largest need and serves the next pass, so that repeated
/// passes take no memory.
struct PassMemory {
  Batch batch;
  Tensor x;                   // [T, H]
  Tensor first, mixed;        // [B, H]
  std::vector<float> normed;  // [T, H], of models with the norm before
  kernels::Workspace products, mixing;
  std::vector<kernels::Workspace> threads;  // one each, for texts' first rows
  std::vector<kernels::FourierText> texts;
  std::vector<std::shared_ptr<const kernels::FourierPlan>> plans;
  Arena whole;                // of formulas over all rows
  std::vector<Arena> blocks;  // one a thread, of formulas over blocks of rows

  float* take_rows(std::size_t size) {
    if (normed.size() < size) normed.resize(size);
    return normed.data();
  }
  std::size_t bytes() const;
};

/// A forward pass at work.
struct Pass {
  PassMemory& memory;
  ThreadPool& pool;
  PartTimes& times;

  const Rows& rows() const { return memory.batch.rows; }
};

}  // namespace fnet
