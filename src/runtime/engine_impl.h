#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/parallel.h"
#include "fnet/engine.h"
#include "model/batch.h"
#include "runtime/model.h"
#include "runtime/packed_file.h"

// What an Engine is inside: engine.cpp and engine_scores.cpp answer with it, engine_watch.cpp looks
// into its passes.
namespace fnet {

struct Engine::Impl {
  Config config;
  EngineOptions options;
  std::optional<Tokenizer> tokenizer;
  std::vector<std::string> warnings;
  std::unique_ptr<Model> model;
  /// What one of the passes that run at the same time writes to.
  struct Place {
    PassMemory memory;
    std::atomic<std::size_t> bytes{0};  // of the memory, as the last pass left it
  };
  mutable Workers workers;
  mutable std::vector<Place> places;  // by ThreadPool::place()

  /// Copies each text's tokens to where `target(index of the text)` says.
  static void copy_tokens(ThreadPool& pool, const Rows& rows, const Tensor& x, auto&& target) {
    const auto copy = [&](std::size_t i, int) {
      const auto text = static_cast<std::int64_t>(i);
      const auto size = static_cast<std::size_t>(rows.length(text) * x.cols());
      std::copy_n(x.row(rows.begin(text)).data(), size, target(i));
    };
    pool.run(static_cast<std::size_t>(rows.texts()), std::ref(copy));
  }

  /// Rows of one pass through the model: enough for the products to run at full speed, small enough
  /// that activations stay a few megabytes.
  static constexpr std::int64_t kRowsPerPass = 4096;

  /// Calls use(threads, index of the first text, batch, hidden) for the texts in passes of bounded
  /// size. Each takes its turn among the passes of other callers. `watch` sees their hidden states,
  /// its `first_text` told before each pass.
  void run(std::span<const Encoding> texts, bool first_rows_only, auto&& use,
           PassWatch* watch = nullptr) const {
    std::int64_t longest = 0;
    for (const Encoding& text : texts) {
      longest = std::max(longest, static_cast<std::int64_t>(text.size()));
    }
    for (std::size_t begin = 0; begin < texts.size();) {
      std::size_t end = begin;
      for (std::int64_t rows = 0; end < texts.size(); ++end) {
        rows += rows_of(texts[end].size(), config, longest);
        if (rows > kRowsPerPass && end > begin) break;
      }
      ThreadPool pool(workers);
      Place& place = places[static_cast<std::size_t>(pool.place())];
      PassMemory& memory = place.memory;
      pack(texts.subspan(begin, end - begin), config, longest, memory.batch);
      if (watch != nullptr) watch->first_text = begin;
      const Tensor x = model->hidden(memory, first_rows_only, pool, watch);
      const TensorScope scope(pool, memory.whole, kernels::Dtype::float32);
      use(pool, begin, memory.batch, x);
      place.bytes = memory.bytes();
      begin = end;
    }
  }

  static bool reads_first_row(const Pooling& pooling) {
    return row_of(pooling).reach == Reach::first_row;
  }

  /// Throws: input where a pass overflowed.
  static void require_finite(std::span<const Matrix> results, std::string_view what);

  Impl(const Config& config_, const WeightSource& weights, const EngineOptions& options_,
       std::optional<Tokenizer> tokenizer_, PackedFile* file);
};

}  // namespace fnet
