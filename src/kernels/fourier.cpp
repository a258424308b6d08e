#include "kernels/fourier.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <tuple>
#include <utility>

#include "core/error.h"
#include "kernels/split.h"

namespace fnet::kernels {
namespace {

/// Floats up to a multiple of 64 bytes, to which vectors are aligned.
std::size_t aligned(std::size_t floats) { return (floats + 15) / 16 * 16; }

/// How one text is cut, in floats and tasks; the layouts are those of fourier.inl.
struct Shape {
  std::size_t column_tasks, row_tasks;  ///< each of two blocks of `lanes`
  std::size_t spectrum, work;

  Shape(const FourierTables& f, std::size_t lanes) {
    const std::size_t element = 2 * lanes;
    const bool all = f.part == SpectrumPart::hartley;  // no half of it is the other's mirror
    const std::size_t stored = all ? f.hidden : f.hidden / 2 + 1, half_length = f.length / 2 + 1;
    const std::size_t of_task = all ? lanes : element;
    column_tasks = (stored + element - 1) / element;
    row_tasks = (half_length + of_task - 1) / of_task;
    spectrum = aligned((half_length + lanes - 1) / lanes * stored * element);
    const std::size_t columns = (f.length + f.columns.scratch) * element;
    const std::size_t transposed = element * (f.hidden + element);
    const std::size_t rows = f.hidden * element + std::max(f.rows.scratch * element, transposed);
    const std::size_t first_row = f.hidden + lanes + (f.hidden + f.rows.scratch) * element;
    const std::size_t line = 3 * f.hidden + element + f.row.elements(lanes) * element;
    work = aligned(std::max({columns, rows, first_row, line}));
  }
};

float* take(Workspace& workspace, std::size_t bytes) {
  return reinterpret_cast<float*>(workspace.take(bytes));
}

std::shared_ptr<const Dft> checked_dft(const char* name, std::size_t n) {
  require(n >= 1 && n <= std::size_t{1} << 24, Kind::usage,
          "FourierPlan: {}: expected 1 to 16777216, found {}", name, n);
  return std::make_shared<const Dft>(n);
}

void mix(const FourierText& text, const NormArgs& norm, float* spectrum, const Table& isa) {
  const FourierTables& f = text.plan->tables();
  const Shape shape(f, isa.lanes);
  float* const work = spectrum + shape.spectrum;
  for (std::size_t i = 0; i < shape.column_tasks; ++i) {
    isa.fourier.columns(f, text.x, i, spectrum, work);
  }
  for (std::size_t i = 0; i < shape.row_tasks; ++i) {
    isa.fourier.rows(f, spectrum, i, text.residual, text.y, norm, work);
  }
}

/// Which part of the rows, and so which thread, each text of a batch belongs to, asked one after
/// the other: the part that holds all of it but less than 64 rows, as in the steps before and
/// after. Else all threads share the text: barriers and exchange cost less than the work of 64
/// rows.
class TextParts {
 public:
  static constexpr std::size_t kShared = SIZE_MAX;

  TextParts(std::span<const FourierText> texts, std::size_t threads) : parts_{0, threads} {
    for (const FourierText& text : texts) parts_.total += text.plan->length();
  }
  std::size_t next(const FourierText& text) {
    const std::size_t begin = begin_, end = begin + text.plan->length();
    begin_ = end;
    while (parts_.begin(part_ + 1) <= begin) ++part_;
    for (std::size_t part = part_; part < parts_.parts && parts_.begin(part) < end; ++part) {
      const std::size_t before = std::max(begin, parts_.begin(part)) - begin;
      const std::size_t after = end - std::min(end, parts_.begin(part + 1));
      if (before + after < 64) return part;
    }
    return kShared;
  }

 private:
  Split parts_;
  std::size_t begin_ = 0, part_ = 0;
};

/// Where scratch goes: `spectrum` floats for the texts that all share, then `each` floats a thread.
struct Layout {
  std::size_t threads;
  std::size_t spectrum = 0, each = 0;

  Layout(std::span<const FourierText> texts, std::size_t thread_count, std::size_t lanes)
      : threads(thread_count) {
    TextParts parts(texts, threads);
    for (const FourierText& text : texts) {
      const Shape shape(text.plan->tables(), lanes);
      if (parts.next(text) == TextParts::kShared) {
        spectrum = std::max(spectrum, shape.spectrum);
        each = std::max(each, shape.work);
      } else {
        each = std::max(each, shape.spectrum + shape.work);
      }
    }
  }
  std::size_t bytes() const { return (spectrum + threads * each) * sizeof(float); }
};

}  // namespace

FourierPlan::FourierPlan(std::size_t length, std::size_t hidden, bool ortho, SpectrumPart part)
    : FourierPlan(length, checked_dft("hidden", hidden), nullptr, ortho, part) {}

FourierPlan::FourierPlan(std::size_t length, const FourierPlan& like)
    : FourierPlan(length, like.rows_, like.row_, like.ortho_, like.tables_.part) {}

FourierPlan::FourierPlan(std::size_t length, std::shared_ptr<const Dft> rows,
                         std::shared_ptr<const LineDft> row, bool ortho, SpectrumPart part)
    : ortho_(ortho), rows_(std::move(rows)), row_(std::move(row)) {
  const std::size_t hidden = rows_->tables().length;
  if (row_ == nullptr) row_ = std::make_shared<const LineDft>(hidden);
  columns_ = length == hidden ? rows_ : checked_dft("length", length);
  require(length <= (std::size_t{1} << 40) / hidden, Kind::usage,
          "FourierPlan: length {} × hidden {}: expected at most 2^40 values", length, hidden);
  tables_ = {.length = length,
             .hidden = hidden,
             .columns = columns_->tables(),
             .rows = rows_->tables(),
             .row = row_->tables(),
             .scale = 1.0F,
             .part = part};
  if (ortho) {
    tables_.scale = static_cast<float>(
        1.0 / std::sqrt(static_cast<double>(length) * static_cast<double>(hidden)));
  }
}

std::size_t FourierPlan::bytes() const noexcept {
  return sizeof *this + (columns_ == rows_ ? 0 : columns_->bytes());
}

FourierPlans::FourierPlans(std::size_t hidden, bool ortho, SpectrumPart part, std::size_t max_bytes)
    : model_(1, hidden, ortho, part), max_bytes_(max_bytes) {}

std::shared_ptr<const FourierPlan> FourierPlans::get(std::size_t length) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = by_length_.find(length); found != by_length_.end()) {
      uses_.splice(uses_.begin(), uses_, found->second);
      return uses_.front();
    }
  }
  // Made without the lock: another thread may make the same plan, and the first one in stays.
  auto plan = std::make_shared<const FourierPlan>(length, model_);
  const std::lock_guard lock(mutex_);
  if (const auto found = by_length_.find(length); found != by_length_.end()) return *found->second;
  bytes_ += plan->bytes();
  uses_.push_front(plan);
  by_length_.emplace(length, uses_.begin());
  while (bytes_ > max_bytes_ && uses_.size() > 1) {
    bytes_ -= uses_.back()->bytes();
    by_length_.erase(uses_.back()->length());
    uses_.pop_back();
  }
  return plan;
}

FourierPlans& fourier_plans(std::size_t hidden, bool ortho, SpectrumPart part) {
  static std::mutex mutex;
  static std::map<std::tuple<std::size_t, bool, SpectrumPart>, FourierPlans> all;
  const std::lock_guard lock(mutex);
  return all.try_emplace({hidden, ortho, part}, hidden, ortho, part).first->second;
}

std::size_t fourier_bytes(const FourierPlan& plan, const Table& isa) {
  const Shape shape(plan.tables(), isa.lanes);
  return (shape.spectrum + shape.work) * sizeof(float);
}

std::size_t fourier_bytes(std::span<const FourierText> texts, int threads, const Table& isa) {
  return Layout(texts, static_cast<std::size_t>(threads), isa.lanes).bytes();
}

void fourier_mix(const FourierText& text, const NormArgs& norm, Workspace& workspace,
                 const Table& isa) {
  mix(text, norm, take(workspace, fourier_bytes(*text.plan, isa)), isa);
}

void fourier_mix(std::span<const FourierText> texts, const NormArgs& norm, ThreadPool& pool,
                 Workspace& workspace, const Table& isa) {
  const Layout layout(texts, static_cast<std::size_t>(pool.size()), isa.lanes);
  float* const spectrum = take(workspace, layout.bytes());
  const auto work = [&](int thread) {
    return spectrum + layout.spectrum + static_cast<std::size_t>(thread) * layout.each;
  };
  // By reference: a std::function of these lambdas themselves would take memory.
  TextParts parts(texts, layout.threads);
  for (const FourierText& text : texts) {
    if (parts.next(text) != TextParts::kShared) continue;
    const Shape shape(text.plan->tables(), isa.lanes);
    const auto column_task = [&](std::size_t i, int thread) {
      isa.fourier.columns(text.plan->tables(), text.x, i, spectrum, work(thread));
    };
    const auto row_task = [&](std::size_t i, int thread) {
      isa.fourier.rows(text.plan->tables(), spectrum, i, text.residual, text.y, norm, work(thread));
    };
    pool.run(shape.column_tasks, std::cref(column_task));
    pool.run(shape.row_tasks, std::cref(row_task));
  }
  const auto own_texts = [&](std::size_t part, int thread) {
    TextParts of_texts(texts, layout.threads);
    for (const FourierText& text : texts) {
      if (of_texts.next(text) == part) mix(text, norm, work(thread), isa);
    }
  };
  pool.run(layout.threads, std::cref(own_texts));
}

void fourier_first_row(const FourierPlan& plan, const float* x, float* y, Workspace& workspace,
                       const Table& isa) {
  isa.fourier.first_row(plan.tables(), x, y, take(workspace, fourier_bytes(plan, isa)));
}

}  // namespace fnet::kernels
