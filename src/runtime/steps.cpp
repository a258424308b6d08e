#include "runtime/steps.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "kernels/caches.h"
#include "kernels/rows.h"
#include "kernels/split.h"

namespace fnet {
namespace {

/// A tensor over memory that outlives it.
Tensor view(const float* data, std::size_t rows, std::size_t cols) {
  return {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(cols),
          std::shared_ptr<const float>(std::shared_ptr<const float>(), data)};
}

/// Rows of a block, `floats` numbers each, that stay in half of a core's L2, in whole register
/// tiles. A row's result does not depend on it.
std::size_t block_rows(std::size_t floats) {
  constexpr std::size_t kTiles = 24;
  const std::size_t rows = kernels::cache_sizes().l2 / 2 / (floats * sizeof(float));
  return std::clamp(rows / kTiles * kTiles, kTiles, 4 * kTiles);
}

/// Calls work(first row, rows) for all `count` rows: block by block on every thread, or all at once
/// on this one, whose products then use all threads, where there are few.
void for_blocks(std::size_t count, std::size_t most, kernels::Dtype dtype, const Pass& pass,
                const auto& work) {
  const auto threads = static_cast<std::size_t>(pass.pool.size());
  if (!kernels::split_rows(count, pass.pool, kernels::table())) {
    const TensorScope scope(pass.pool, pass.memory.whole, dtype);
    return work(0, count);
  }
  const kernels::RowBlocks blocks(count, most, threads);
  if (pass.memory.blocks.size() < threads) pass.memory.blocks.resize(threads);
  const auto task = [&](std::size_t b, int thread) {
    const TensorScope scope(this_thread(), pass.memory.blocks[static_cast<std::size_t>(thread)],
                            dtype);
    work(blocks.begin(b), blocks.size(b));
  };
  pass.pool.run(blocks.count(), std::ref(task));
}

/// For parts that look at one row at a time: a block of rows does not end where a text does.
const Rows kNoRows;

/// data = norm(data + the formula of x), both [count, width], for a part that looks at whole texts.
void add_formula(const auto& part, const Placed& placed, const float* x, float* data,
                 std::size_t count, const Rows& rows, const kernels::NormArgs& norm,
                 const Pass& pass) {
  const std::size_t width = placed.width();
  const TensorScope scope(pass.pool, pass.memory.whole, placed.dtype);
  const Tensor y = apply(part, view(x, count, width), placed.context(rows));
  kernels::add_norm(y.values().data(), data, count, width, norm, data, pass.pool);
}

}  // namespace

NormStep::NormStep(const Norm& part, Placed placed) : part_(&part), placed_(std::move(placed)) {
  if (placed_.formulas) return;
  const auto kind = std::visit([](const auto& p) { return norm_kernel(p); }, part);
  if (!kind) return;
  const auto values = [&](std::string_view name) {
    return placed_.w.has(name) ? placed_.w[name].values().data() : nullptr;
  };
  kernel_ = kernels::NormArgs{.kind = *kind,
                              .weight = values("weight"),
                              .bias = values("bias"),
                              .eps = static_cast<float>(placed_.context(kNoRows).eps())};
}

void NormStep::run(const float* x, float* y, std::size_t count, const Rows& rows,
                   const Pass& pass) const {
  const PartTimes::Span timed(pass.times, TimedPart::norms);
  const std::size_t width = placed_.width();
  if (kernel_) return kernels::add_norm(x, nullptr, count, width, *kernel_, y, pass.pool);
  const auto formula = [&](std::size_t first, std::size_t some, const Rows& texts) {
    const Tensor result =
        apply(*part_, view(x + first * width, some, width), placed_.context(texts));
    std::ranges::copy(result.values(), y + first * width);
  };
  if (row_of(*part_).reach != Reach::row) {
    const TensorScope scope(pass.pool, pass.memory.whole, placed_.dtype);
    return formula(0, count, rows);
  }
  for_blocks(count, block_rows(4 * width), placed_.dtype, pass,
             [&](std::size_t first, std::size_t some) { formula(first, some, kNoRows); });
}

MixerStep::MixerStep(const Mixer& part, Placed placed) : part_(&part), placed_(std::move(placed)) {
  if (!placed_.formulas) {
    kernel_ = std::visit([](const auto& p) { return mixer_kernel(p); }, part);
  }
  if (kernel_ == MixerKernel::fourier || kernel_ == MixerKernel::hartley) {
    plans_ =
        &kernels::fourier_plans(placed_.width(), placed_.config.fourier_norm == "ortho",
                                kernel_ == MixerKernel::hartley ? kernels::SpectrumPart::hartley
                                                                : kernels::SpectrumPart::real);
  }
}

void MixerStep::run(const float* x, float* data, const NormStep* after, const Pass& pass) const {
  const std::size_t width = placed_.width();
  const auto count = static_cast<std::size_t>(pass.rows().total());
  const kernels::NormArgs* fused = after == nullptr ? nullptr : after->kernel();
  const kernels::NormArgs norm = fused == nullptr ? kernels::NormArgs{} : *fused;
  {
    const PartTimes::Span timed(pass.times, TimedPart::mixing);
    if (plans_ != nullptr) {
      list_texts(x, data, pass);
      kernels::fourier_mix(pass.memory.texts, norm, pass.pool, pass.memory.mixing);
    } else if (kernel_ == MixerKernel::identity) {
      kernels::add_norm(x, data, count, width, norm, data, pass.pool);
    } else {
      add_formula(*part_, placed_, x, data, count, pass.rows(), norm, pass);
    }
  }
  if (after != nullptr && fused == nullptr) after->run(data, data, count, pass.rows(), pass);
}

void MixerStep::run_first_rows(const float* x, float* data, const NormStep* after,
                               const Rows& first, const Pass& pass) const {
  const std::size_t width = placed_.width();
  const auto count = static_cast<std::size_t>(first.total());
  pass.memory.mixed.resize(first.total(), placed_.config.hidden_size);
  float* mixed = pass.memory.mixed.fill().data();
  {
    const PartTimes::Span timed(pass.times, TimedPart::mixing);
    if (kernel_) {
      // Row 0 of a transform is a sum over the text and one DFT.
      list_texts(x, nullptr, pass);
      pass.memory.threads.resize(
          std::max(pass.memory.threads.size(), static_cast<std::size_t>(pass.pool.size())));
      const auto mix_text = [&](std::size_t i, int thread) {
        const kernels::FourierText& text = pass.memory.texts[i];
        if (plans_ != nullptr) {
          kernels::fourier_first_row(*text.plan, text.x, mixed + i * width,
                                     pass.memory.threads[static_cast<std::size_t>(thread)]);
        } else {
          std::copy_n(text.x, width, mixed + i * width);
        }
      };
      pass.pool.run(count, std::ref(mix_text));
    } else {
      const auto all = static_cast<std::size_t>(pass.rows().total());
      const TensorScope scope(pass.pool, pass.memory.whole, placed_.dtype);
      const Tensor rows =
          first_rows(apply(*part_, view(x, all, width), placed_.context(pass.rows())), pass.rows());
      std::ranges::copy(rows.values(), mixed);
    }
    const kernels::NormArgs* fused = after == nullptr ? nullptr : after->kernel();
    kernels::add_norm(mixed, data, count, width, fused == nullptr ? kernels::NormArgs{} : *fused,
                      data, pass.pool);
  }
  if (after != nullptr && after->kernel() == nullptr) after->run(data, data, count, first, pass);
}

/// The texts' places in `x`; the mixing is added to `data` where there is one.
void MixerStep::list_texts(const float* x, float* data, const Pass& pass) const {
  PassMemory& memory = pass.memory;
  const Rows& rows = pass.rows();
  memory.texts.clear();
  memory.plans.clear();
  for (std::int64_t i = 0; i < rows.texts(); ++i) {
    if (plans_ != nullptr)
      memory.plans.push_back(plans_->get(static_cast<std::size_t>(rows.rows(i))));
    const std::size_t begin = static_cast<std::size_t>(rows.begin(i)) * placed_.width();
    float* out = data == nullptr ? nullptr : data + begin;
    memory.texts.push_back(
        {plans_ == nullptr ? nullptr : memory.plans.back().get(), x + begin, out, out});
  }
}

FfnStep::FfnStep(const Ffn& part, Placed placed) : part_(&part), placed_(std::move(placed)) {
  if (placed_.formulas) return;
  const auto names =
      std::visit([&](const auto& p) { return ffn_kernel(p, placed_.activation); }, part);
  if (!names) return;
  const auto matrix = [&](std::string_view name) {
    return &placed_.w[std::string(name) + ".weight"].packed();
  };
  const auto bias = [&](std::string_view name) {
    const std::string key = std::string(name) + ".bias";
    return placed_.w.has(key) ? placed_.w[key].values().data() : nullptr;
  };
  kernel_.emplace();
  kernel_->up = matrix(names->up);
  kernel_->up_bias = bias(names->up);
  kernel_->down = matrix(names->down);
  kernel_->down_bias = bias(names->down);
  kernel_->activation = names->activation;
  if (!names->gate.empty()) {
    kernel_->gate = matrix(names->gate);
    kernel_->gate_bias = bias(names->gate);
  }
}

void FfnStep::run(const float* x, float* data, std::size_t count, const NormStep* after,
                  const Rows& rows, const Pass& pass) const {
  const std::size_t width = placed_.width();
  const kernels::NormArgs* fused = after == nullptr ? nullptr : after->kernel();
  const kernels::NormArgs norm = fused == nullptr ? kernels::NormArgs{} : *fused;
  {
    const PartTimes::Span timed(pass.times, TimedPart::products);
    if (kernel_) {
      kernels::FeedForward layer = *kernel_;
      layer.norm = norm;
      kernels::feed_forward(layer, x, data, data, count, pass.pool, pass.memory.products);
    } else if (row_of(*part_).reach != Reach::row) {
      add_formula(*part_, placed_, x, data, count, rows, norm, pass);
    } else {
      // The norm follows while a block's rows are in the cache.
      const bool formula_norm =
          after != nullptr && fused == nullptr && row_of(*after->part_).reach == Reach::row;
      const auto inner = static_cast<std::size_t>(placed_.config.intermediate_size);
      for_blocks(
          count, block_rows(4 * width + 3 * inner), placed_.dtype, pass,
          [&](std::size_t first, std::size_t some) {
            float* const out = data + first * width;
            Tensor y =
                apply(*part_, view(x + first * width, some, width), placed_.context(kNoRows));
            if (formula_norm) {
              y = apply(*after->part_, y + view(out, some, width), after->placed_.context(kNoRows));
              std::ranges::copy(y.values(), out);
              return;
            }
            kernels::table().rows.add_norm(y.values().data(), out, some, width, norm, out);
          });
      if (formula_norm) return;
    }
  }
  if (after != nullptr && fused == nullptr) after->run(data, data, count, rows, pass);
}

}  // namespace fnet
