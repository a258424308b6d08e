#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fnet/api.h"
#include "fnet/config.h"
#include "fnet/error.h"
#include "fnet/finetune.h"

// FNet as ordinary torch::nn::Modules: parameters carry Hugging Face's names, so a state dict, an
// optimiser or a larger module of yours treats them as any other. The only public header that
// includes torch.
namespace fnet {

struct Bags;
struct Rows;
struct Parts;

namespace nn {

/// Where in a training a forward pass stands. Dropout is a function of it and of the place in the
/// model, so that a step is the same whatever ran before it.
struct DropoutPlace {
  std::uint64_t seed = 0, step = 0;
};

/// What a model reads: B texts of up to N rows, as tokens, vectors or, where it reads them,
/// numbers.
struct Inputs {
  at::Tensor input_ids;               ///< [B, N] int64
  at::Tensor inputs_embeds;           ///< [B, N, H] in place of the word embeddings
  at::Tensor token_type_ids;          ///< [B, N] int64; not defined: all 0
  std::vector<std::int64_t> lengths;  ///< [B] rows of each text; empty: N each
  at::Tensor position_ids = {};       ///< [B, N] or [N] int64; not defined: 0, 1, 2, … in each text
  /// [B, N, F] rows of numbers, of a model that reads them, in place of input_ids.
  at::Tensor input_values = {};
};

/// The Fourier transform over a text's rows and their columns, real part. No parameters.
class FNET_API FourierMixingImpl : public torch::nn::Module {
 public:
  /// `norm`: backward, or ortho for 1/√(N·H). Throws: usage.
  explicit FourierMixingImpl(const std::string& norm = "backward");

  /// x [B, N, H] → [B, N, H]. With `lengths` [B], each text is mixed over its own rows, and rows
  /// past it are 0.
  at::Tensor forward(const at::Tensor& x, const std::vector<std::int64_t>& lengths = {});

 protected:
  FORWARD_HAS_DEFAULT_ARGS({1, torch::nn::AnyValue(std::vector<std::int64_t>())})

 private:
  bool ortho_;
};
TORCH_MODULE(FourierMixing);

/// One encoder block, made of the rows of the tables that the config names.
class FNET_API FNetEncoderBlockImpl : public torch::nn::Module {
 public:
  /// `layer` picks the mixer where the config names one for each. New weights follow from the seed.
  explicit FNetEncoderBlockImpl(const Config& config, std::int64_t layer = 0,
                                std::uint64_t seed = 0);

  /// x [B, N, H] → [B, N, H]; `lengths` as in FourierMixing.
  at::Tensor forward(const at::Tensor& x, const std::vector<std::int64_t>& lengths = {});

  /// Packed rows [T, H] → [T, H].
  at::Tensor forward_rows(const at::Tensor& x, const Rows& rows);

 protected:
  FORWARD_HAS_DEFAULT_ARGS({1, torch::nn::AnyValue(std::vector<std::int64_t>())})

 private:
  Config config_;
  std::shared_ptr<const Parts> parts_;
  std::int64_t layer_;
};
TORCH_MODULE(FNetEncoderBlock);

/// How load_weights takes the weights of a directory.
struct LoadWeightsOptions {
  /// The head stays as it is: the directory's may be missing, of another task or of another shape.
  bool new_head = false;
  bool new_wide = false;  ///< only the wide part of the head stays as it is
  /// Whatever does not fit is left out. Some matrix of the blocks or embeddings must fit.
  bool skip_mismatch = false;
  /// What becomes of position tables for another max_position_embeddings: copy keeps those in
  /// common and leaves the others as they are, interpolate reads the table from end to end at as
  /// many places as there are now.
  std::string positions = "copy";
  /// Of each row of the word embeddings, the directory's rows whose mean it becomes; none: it stays
  /// as it is. Empty: rows in common are kept.
  std::vector<std::vector<std::int32_t>> vocabulary = {};
};

/// What load_weights found, by the model's names.
struct LoadedWeights {
  std::vector<std::string> loaded;      ///< taken from the directory, `resized` among them
  std::vector<std::string> resized;     ///< of another shape there, and made to fit
  std::vector<std::string> missing;     ///< not there: as they were
  std::vector<std::string> mismatched;  ///< left out, with the shapes: as they were
  std::vector<std::string> unexpected;  ///< the directory's names that the model has no place for
};

/// What the models share: a config, weights by name, and a directory to live in.
class FNET_API FNetModule : public torch::nn::Module {
 public:
  const Config& config() const noexcept { return config_; }

  /// Replaces the weights by those of a model directory of this config. Its max_position_embeddings
  /// and vocab_size may be others: see the options; filters of the spectrum are interpolated.
  /// Throws: input where a tensor is missing, not expected or has another shape, unless the options
  /// allow it; nothing is changed then.
  LoadedWeights load_weights(const std::filesystem::path& directory,
                             const LoadWeightsOptions& options = {});

  /// Writes config.json and model.safetensors; the directory is made where it is not there.
  /// Throws: system.
  void save(const std::filesystem::path& directory) const;

  /// Names of the weights that patterns fit: whole names or their starts up to a dot, with the
  /// shell's `*`, `?` and `[…]`, where `fnet.` may be left out. Throws: usage where a pattern fits
  /// none, with the nearest names.
  std::vector<std::string> weights_like(std::span<const std::string> patterns) const;

  /// From now on these weights stay as they are, and all others learn: parameters take no gradient,
  /// and running statistics do not move.
  virtual void set_frozen(const std::set<std::string>& names);

  /// Places the dropout of the forward passes to come. Without one, as at first, each draws its own
  /// from torch's generator.
  virtual void set_dropout_place(std::optional<DropoutPlace> place) { dropout_place_ = place; }

  /// From now on training keeps of each block only what it reads, and the pass back computes the
  /// rest again: less memory, a third more time, the same gradients bit for bit. The module must
  /// live until then.
  virtual void set_recompute(bool recompute) { recompute_ = recompute; }

 protected:
  /// Throws: input where the config is not valid.
  explicit FNetModule(Config config);

  const Parts& parts() const noexcept { return *parts_; }
  const std::optional<DropoutPlace>& dropout_place() const noexcept { return dropout_place_; }
  const std::set<std::string>& frozen() const noexcept { return frozen_; }
  bool recompute() const noexcept { return recompute_; }

 private:
  Config config_;
  std::shared_ptr<const Parts> parts_;
  std::optional<DropoutPlace> dropout_place_;
  std::set<std::string> frozen_;
  bool recompute_ = false;
};

/// The encoder: embeddings, blocks, pooler. Hugging Face's FNetModel.
class FNET_API FNetModelImpl : public FNetModule {
 public:
  struct Output {
    at::Tensor last_hidden_state;  ///< [B, M, H]; M the most rows of a text; rows past a text are 0
    at::Tensor pooler_output;      ///< [B, H]; not defined in a model without pooler weights
  };

  /// New weights follow from the seed as in `fnet init`. Throws: input where the config is not
  /// valid.
  explicit FNetModelImpl(const Config& config, std::uint64_t seed = 0);

  /// Mixes each text over the rows that the config's length policy gives it.
  /// Throws: usage where the shapes do not fit each other, input where a text does not fit the
  /// model.
  Output forward(const Inputs& inputs);
  Output forward(const at::Tensor& input_ids, const std::vector<std::int64_t>& lengths = {}) {
    return forward(Inputs{input_ids, {}, {}, lengths});
  }

  /// The last hidden state [T, H] of packed rows. `vectors` [T, H] are word embeddings or what
  /// stands in their place, `types` and `positions` [T] int64 or not defined. `hidden_states` gets
  /// what each layer reads, and then the last hidden state, as Hugging Face's output_hidden_states.
  at::Tensor forward_rows(const at::Tensor& vectors, const at::Tensor& types, const Rows& rows,
                          const at::Tensor& positions = {},
                          std::vector<at::Tensor>* hidden_states = nullptr);

  /// Word embeddings of ids: [T] → [T, H].
  at::Tensor word_embeddings(const at::Tensor& ids) const;

  /// What a model that reads numbers has in their place: [T, F] → [T, H].
  at::Tensor input_embeddings(const at::Tensor& values) const;
};

class FNET_API FNetModel : public torch::nn::ModuleHolder<FNetModelImpl> {
 public:
  using torch::nn::ModuleHolder<FNetModelImpl>::ModuleHolder;
  using Impl = FNetModelImpl;

  /// Reads a model directory; a head in it is left out. Throws: input.
  static FNetModel load(const std::filesystem::path& directory);
};

/// An encoder with the heads that its config names.
class FNET_API FNetWithHeadImpl : public FNetModule {
 public:
  /// Throws: input where the config is not valid, usage where it has no head.
  explicit FNetWithHeadImpl(const Config& config, std::uint64_t seed = 0);

  /// Scores of the model's own head: [B, C] where it reads one vector a text, else [B, M, C], as
  /// last_hidden_state.
  at::Tensor forward(const Inputs& inputs);
  at::Tensor forward(const at::Tensor& input_ids, const std::vector<std::int64_t>& lengths = {}) {
    return forward(Inputs{input_ids, {}, {}, lengths});
  }

  /// The same of packed rows: [B, C] or [T, C].
  at::Tensor forward_rows(const at::Tensor& vectors, const at::Tensor& types, const Rows& rows,
                          const at::Tensor& positions = {});

  /// Scores of a head from the encoder's last hidden state [T, H]: [B, C]; of a head that scores
  /// rows [T, C], or with `picks`, int64 row numbers [P], [P, C]. `head`: its name; empty: the
  /// model's own. Of a wide head without `ngrams`, as in `forward`: its deep part's alone.
  /// Throws: usage where there is none of that name.
  at::Tensor scores(const at::Tensor& hidden, const Rows& rows, const at::Tensor& picks = {},
                    std::string_view head = {}, const Bags* ngrams = nullptr);

  /// What a head that scores texts reads of each, behind its pooling and its layers: [T, H] →
  /// [B, width]. `head`: as in `scores`.
  at::Tensor pooled(const at::Tensor& hidden, const Rows& rows, std::string_view head = {});

  /// What the wide part of the model's own head adds to the scores: [B, C].
  at::Tensor wide_scores(const Bags& ngrams);

  void set_dropout_place(std::optional<DropoutPlace> place) override;
  void set_recompute(bool recompute) override;
  void set_frozen(const std::set<std::string>& names) override;

  FNetModel fnet{nullptr};

 private:
  template <class Use>
  at::Tensor with_head(const Rows& rows, std::string_view head, const Use& use);
};
TORCH_MODULE(FNetWithHead);

/// `config` for another task.
FNET_API Config with_task(Config config, std::string_view task);

/// A label for each text. Hugging Face's FNetForSequenceClassification.
class FNET_API FNetForSequenceClassificationImpl : public FNetWithHeadImpl {
 public:
  /// The classes are `config.labels`.
  explicit FNetForSequenceClassificationImpl(const Config& config, std::uint64_t seed = 0)
      : FNetWithHeadImpl(with_task(config, "text-classification"), seed) {}
};

class FNET_API FNetForSequenceClassification
    : public torch::nn::ModuleHolder<FNetForSequenceClassificationImpl> {
 public:
  using torch::nn::ModuleHolder<FNetForSequenceClassificationImpl>::ModuleHolder;
  using Impl = FNetForSequenceClassificationImpl;

  /// Reads a model directory. Throws: input.
  static FNetForSequenceClassification load(const std::filesystem::path& directory);
};

/// A label for each token. Hugging Face's FNetForTokenClassification.
class FNET_API FNetForTokenClassificationImpl : public FNetWithHeadImpl {
 public:
  /// The classes are `config.labels`.
  explicit FNetForTokenClassificationImpl(const Config& config, std::uint64_t seed = 0)
      : FNetWithHeadImpl(with_task(config, "token-classification"), seed) {}
};

class FNET_API FNetForTokenClassification
    : public torch::nn::ModuleHolder<FNetForTokenClassificationImpl> {
 public:
  using torch::nn::ModuleHolder<FNetForTokenClassificationImpl>::ModuleHolder;
  using Impl = FNetForTokenClassificationImpl;

  /// Reads a model directory. Throws: input.
  static FNetForTokenClassification load(const std::filesystem::path& directory);
};

}  // namespace nn
}  // namespace fnet
