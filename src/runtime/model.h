#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "blocks/model.h"
#include "core/bags.h"
#include "core/parallel.h"
#include "fnet/config.h"
#include "fnet/engine.h"
#include "kernels/types.h"
#include "runtime/packed_file.h"
#include "runtime/pass.h"
#include "runtime/steps.h"
#include "text/ngrams.h"

namespace fnet {

/// A loaded model: its weights, and the steps of its forward pass. Immutable.
class Model {
 public:
  /// `formulas`: without kernels, for comparing. `file`: see load_weights. Throws: as load_weights
  /// and Parts.
  Model(const Config& config, const WeightSource& source, kernels::Dtype dtype, bool formulas,
        ThreadPool& pool, PackedFile* file = nullptr);
  Model(const Model&) = delete;  // steps point into it
  Model& operator=(const Model&) = delete;

  /// The last hidden state of memory.batch [T, H]; with `first_rows_only` just each text's first
  /// row [B, H]. It lies in `memory`: good until the next pass there. `watch` may be null, and must
  /// be where `first_rows_only`.
  Tensor hidden(PassMemory& memory, bool first_rows_only, ThreadPool& pool,
                PassWatch* watch = nullptr) const;

  /// What its heads and poolings get; they are computed in float32.
  HeadContext<Tensor> head_context(std::string_view name, const HeadConfig& head,
                                   const Pooling& pooling, const Rows& rows) const;

  /// Whether the model can pool so: a pooling may need weights.
  bool has_weights_of(const Pooling& pooling) const;

  const Config& config() const { return config_; }

  /// What the wide part of its own head reads of texts. Throws: usage where their words were not
  /// counted.
  Bags ngrams_of(std::span<const Encoding> texts) const;

  std::size_t weight_bytes() const;
  const PartTimes& times() const { return times_; }

  /// The steps in order, by place, each with how it runs: `kernel`, `kernel with norm` or
  /// `formula`.
  std::vector<std::pair<std::string, std::string>> paths() const;

 private:
  struct Layer {
    NormStep mixing_norm, output_norm;
    MixerStep mixer;
    FfnStep ffn;
  };

  Tensor embed_numbers(const Pass& pass) const;
  void embed(const Pass& pass) const;
  void run_layer(std::size_t layer, const Pass& pass) const;
  void run_step(Stage stage, std::size_t layer, const NormStep* after, const Pass& pass,
                const auto& run) const;
  void run_first_rows(const Layer& layer, const Pass& pass) const;
  void copy_first_rows(const Pass& pass) const;
  bool pre() const { return config_.norm_position == "pre"; }
  std::size_t width() const { return static_cast<std::size_t>(config_.hidden_size); }

  Config config_;
  Parts parts_;
  Weights<Tensor>::Map weights_;
  NgramTable ngrams_;  // that the wide part of its own head knows
  std::optional<NormStep> embedding_norm_, final_norm_;
  const Tensor *words_ = nullptr, *positions_, *types_;
  std::optional<Placed> numbers_;  // of a model that reads them: where its embeddings stand
  const Tensor *projection_ = nullptr, *projection_bias_ = nullptr;
  std::vector<Layer> layers_;
  mutable PartTimes times_;
};

/// One row a text, as `first_rows_only` leaves them.
Rows single_rows(std::int64_t texts);

}  // namespace fnet
