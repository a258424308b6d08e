#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
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

/// What a model reads: B texts of up to N rows, as tokens or as vectors.
struct Inputs {
  at::Tensor input_ids;               ///< [B, N] int64
  at::Tensor inputs_embeds;           ///< [B, N, H] in place of the word embeddings
  at::Tensor token_type_ids;          ///< [B, N] int64; not defined: all 0
  std::vector<std::int64_t> lengths;  ///< [B] rows of each text; empty: N each
  at::Tensor position_ids = {};       ///< [B, N] or [N] int64; not defined: 0, 1, 2, … in each text
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

/// What the models share: a config, weights by name, and a directory to live in.
class FNET_API FNetModule : public torch::nn::Module {
 public:
  const Config& config() const noexcept { return config_; }

  /// Replaces the weights by those of a model directory of this config. With `new_head`, the head
  /// stays as it is: the directory's may be missing, of another task or of another shape. Its
  /// max_position_embeddings may be another one: positions in common keep their rows, further ones
  /// stay as they are, and filters of the spectrum are interpolated.
  /// With `new_wide`, only the wide part of the head stays as it is.
  /// Throws: input where a tensor is missing, not expected or has another shape.
  void load_weights(const std::filesystem::path& directory, bool new_head = false,
                    bool new_wide = false);

  /// Writes config.json and model.safetensors; the directory is made where it is not there.
  /// Throws: system.
  void save(const std::filesystem::path& directory) const;

  /// Places the dropout of the forward passes to come. Without one, as at first, each draws its own
  /// from torch's generator.
  virtual void set_dropout_place(std::optional<DropoutPlace> place) { dropout_place_ = place; }

 protected:
  /// Throws: input where the config is not valid.
  explicit FNetModule(Config config);

  const Parts& parts() const noexcept { return *parts_; }
  const std::optional<DropoutPlace>& dropout_place() const noexcept { return dropout_place_; }

 private:
  Config config_;
  std::shared_ptr<const Parts> parts_;
  std::optional<DropoutPlace> dropout_place_;
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
  /// stands in their place, `types` and `positions` [T] int64 or not defined.
  at::Tensor forward_rows(const at::Tensor& vectors, const at::Tensor& types, const Rows& rows,
                          const at::Tensor& positions = {});

  /// Word embeddings of ids: [T] → [T, H].
  at::Tensor word_embeddings(const at::Tensor& ids) const;
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

  /// What the wide part of the model's own head adds to the scores: [B, C].
  at::Tensor wide_scores(const Bags& ngrams);

  void set_dropout_place(std::optional<DropoutPlace> place) override;

  FNetModel fnet{nullptr};
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
