#include "core/error.h"
#include "runtime/engine_impl.h"

namespace fnet {

void Engine::watch(std::span<const Encoding> batch, const Watcher& watcher, bool added) const {
  const auto width = static_cast<std::size_t>(config().hidden_size);
  PassWatch watch;
  watch.wants_added = added;
  watch.show = [&](Stage stage, std::int64_t layer, const Tensor& x, const Rows& rows,
                   std::span<const float> sum) {
    for (std::int64_t i = 0; i < rows.texts(); ++i) {
      const std::size_t begin = static_cast<std::size_t>(rows.begin(i)) * width;
      const std::size_t size = static_cast<std::size_t>(rows.length(i)) * width;
      watcher({stage, layer, watch.first_text + static_cast<std::size_t>(i),
               x.values().subspan(begin, size), sum.empty() ? sum : sum.subspan(begin, size)});
    }
  };
  impl_->run(batch, false, [](ThreadPool&, std::size_t, const Batch&, const Tensor&) {}, &watch);
}

std::vector<std::vector<Matrix>> Engine::hidden_states(std::span<const Encoding> batch) const {
  const auto width = static_cast<std::size_t>(config().hidden_size);
  std::vector<std::vector<Matrix>> result(batch.size());
  watch(batch, [&](const HiddenState& state) {
    if (state.stage == Stage::mixing) return;
    std::vector<Matrix>& states = result[state.text];
    if (state.stage == Stage::final_norm) states.pop_back();
    Matrix& matrix = states.emplace_back(state.rows.size() / width, width);
    std::ranges::copy(state.rows, matrix.data.begin());
  });
  return result;
}

}  // namespace fnet
