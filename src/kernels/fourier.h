#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>

#include "core/parallel.h"
#include "kernels/fourier_dft.h"
#include "kernels/fourier_kernels.h"
#include "kernels/kernels.h"
#include "kernels/types.h"
#include "kernels/workspace.h"

namespace fnet::kernels {

/// The tables to mix texts of L rows and H columns:
/// Y[n,k] = scale · Re Σ_{l,h} X[l,h]·exp(-2πi(nl/L + kh/H)), scale 1 or, `ortho`, 1/sqrt(L·H); for
/// the Hartley transform Re − Im of that sum, which has cos + sin in place of exp.
/// Either operator is its own transpose, so it is also its gradient.
///
/// Immutable: threads share it. The result's bytes depend on X, (L, H) and the instruction set
/// alone. Source: Lee-Thorp et al. 2022 (FNet), eq. 3; the formulas: blocks/mixer/fourier.h and
/// hartley.h.
class FourierPlan {
 public:
  /// Throws: usage unless length and hidden are in 1 … 2^24 and L·H ≤ 2^40.
  FourierPlan(std::size_t length, std::size_t hidden, bool ortho,
              SpectrumPart part = SpectrumPart::real);
  /// The same with the tables of length `hidden` from another plan.
  FourierPlan(std::size_t length, const FourierPlan& like);

  std::size_t length() const noexcept { return tables_.length; }
  std::size_t hidden() const noexcept { return tables_.hidden; }
  bool ortho() const noexcept { return ortho_; }
  const FourierTables& tables() const noexcept { return tables_; }
  /// Bytes of the tables that no other plan shares.
  std::size_t bytes() const noexcept;

 private:
  FourierPlan(std::size_t length, std::shared_ptr<const Dft> rows,
              std::shared_ptr<const LineDft> row, bool ortho, SpectrumPart part);

  bool ortho_;
  std::shared_ptr<const Dft> columns_, rows_;
  std::shared_ptr<const LineDft> row_;
  FourierTables tables_;
};

/// Plans by length for one hidden size, the most recently used ones kept. Safe to share.
class FourierPlans {
 public:
  /// Keeps plans of `max_bytes` in all, and always the last one.
  FourierPlans(std::size_t hidden, bool ortho, SpectrumPart part = SpectrumPart::real,
               std::size_t max_bytes = std::size_t{16} << 20);

  /// Throws: usage as FourierPlan does.
  std::shared_ptr<const FourierPlan> get(std::size_t length);

 private:
  using Uses = std::list<std::shared_ptr<const FourierPlan>>;

  const FourierPlan model_;  // of length 1: holds the tables that all share
  const std::size_t max_bytes_;
  std::mutex mutex_;
  Uses uses_;  // latest first
  std::unordered_map<std::size_t, Uses::iterator> by_length_;
  std::size_t bytes_ = 0;
};

/// The plans of a width that the whole process shares.
FourierPlans& fourier_plans(std::size_t hidden, bool ortho, SpectrumPart part = SpectrumPart::real);

/// One text of a batch. `y` may be `x` or `residual`.
struct FourierText {
  const FourierPlan* plan = nullptr;
  const float* x = nullptr;         ///< [L, H]
  const float* residual = nullptr;  ///< [L, H], added to the mixing; null for none
  float* y = nullptr;               ///< [L, H]
};

/// Bytes of workspace that a text takes, or a batch on so many threads: about half of [L, H]
/// floats, all of it for the Hartley transform, and 12·max(L, H) vectors a thread.
std::size_t fourier_bytes(const FourierPlan& plan, const Table& isa = table());
std::size_t fourier_bytes(std::span<const FourierText> texts, int threads,
                          const Table& isa = table());

/// y = norm(residual + mix(x)), on this thread.
void fourier_mix(const FourierText& text, const NormArgs& norm, Workspace& workspace,
                 const Table& isa = table());

/// The same for each text. Threads share the texts; a text that is a large part of the batch is
/// itself shared. The bytes are those of one text after the other.
void fourier_mix(std::span<const FourierText> texts, const NormArgs& norm, ThreadPool& pool,
                 Workspace& workspace, const Table& isa = table());

/// Row 0 of mix(x), y [H]: sums over the text, then one DFT of length H. Its sums have another
/// order than those of fourier_mix, so the last bits differ.
void fourier_first_row(const FourierPlan& plan, const float* x, float* y, Workspace& workspace,
                       const Table& isa = table());

}  // namespace fnet::kernels
