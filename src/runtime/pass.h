#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/parallel.h"
#include "fnet/engine.h"
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

/// Who sees the hidden state between the steps of a pass; without one a pass does nothing for it.
struct PassWatch {
  bool wants_added = false;    ///< what each step adds: norms then run by themselves
  std::size_t first_text = 0;  ///< of the pass at work, among the caller's
  std::vector<float> added;    ///< [T, H]
  /// x [T, H] after a step; `added` is empty where it is not wanted or there is none.
  std::function<void(Stage, std::int64_t layer, const Tensor& x, const Rows&,
                     std::span<const float> added)>
      show;
};

/// A forward pass at work.
struct Pass {
  PassMemory& memory;
  ThreadPool& pool;
  PartTimes& times;
  PassWatch* watch = nullptr;

  const Rows& rows() const { return memory.batch.rows; }
};

}  // namespace fnet
