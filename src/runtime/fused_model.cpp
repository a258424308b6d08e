#include <algorithm>
#include <functional>
#include <optional>

#include "blocks/model.h"
#include "core/error.h"
#include "kernels/fourier.h"
#include "kernels/product.h"
#include "kernels/rows.h"
#include "runtime/model.h"
#include "runtime/prepared_weights.h"

namespace fnet {
namespace {

using kernels::Activation;
using kernels::NormArgs;
using kernels::NormKind;
using kernels::PackedMatrix;

// ---- which rows of the tables have kernels ------------------------------------------------------

std::optional<NormKind> norm_kernel(std::string_view name) {
  if (name == "layer_norm") return NormKind::layer_norm;
  if (name == "rms_norm") return NormKind::rms_norm;
  return {};
}

bool has_kernels(const Config& c) {
  return norm_kernel(c.norm_type) && kernels::activation_named(c.hidden_act) &&
         (c.ffn_type == "mlp" || c.ffn_type == "swiglu") &&
         std::ranges::all_of(
             c.mixers, [](const std::string& m) { return m == "fourier" || m == "identity"; });
}

// ---- weights ------------------------------------------------------------------------------------

struct Norm {
  Floats weight, bias;
  NormArgs args;

  Norm() = default;
  Norm(const PreparedWeights& read, const std::string& place, std::string_view type, double eps)
      : weight(read.values(place + ".weight")), bias(read.values_if_any(place + ".bias")) {
    args.kind = *norm_kernel(type);
    args.weight = weight.data();
    args.bias = bias.data_or_null();
    args.eps = static_cast<float>(eps);
  }
};

struct Linear {
  PackedMatrix weight;
  Floats bias;

  Linear() = default;
  Linear(const PreparedWeights& read, const std::string& place)
      : weight(read.matrix(place + ".weight")), bias(read.values_if_any(place + ".bias")) {}
  std::size_t bytes() const { return weight.stored().size(); }
};

struct Layer {
  bool fourier = true;
  Norm mixing_norm, output_norm;
  Linear up, gate, down;

  Layer(const PreparedWeights& read, const std::string& place, const Config& c,
        std::string_view mixer)
      : fourier(mixer == "fourier"),
        mixing_norm(read, place + ".fourier.output.LayerNorm", c.norm_type, c.layer_norm_eps),
        output_norm(read, place + ".output.LayerNorm", c.norm_type, c.layer_norm_eps),
        up(read, place + ".intermediate.dense"),
        down(read, place + ".output.dense") {
    if (c.ffn_type == "swiglu") gate = Linear(read, place + ".intermediate.gate");
  }

  kernels::FeedForward feed_forward(const Config& c) const {
    kernels::FeedForward f;
    f.up = &up.weight;
    f.up_bias = up.bias.data_or_null();
    f.down = &down.weight;
    f.down_bias = down.bias.data_or_null();
    f.activation = *kernels::activation_named(c.hidden_act);
    if (c.ffn_type == "swiglu") {
      f.gate = &gate.weight;
      f.activation = Activation::silu;
    }
    if (c.norm_position == "post") f.norm = output_norm.args;
    return f;
  }

  std::size_t bytes() const { return up.bytes() + gate.bytes() + down.bytes(); }
};

// ---- the forward pass ---------------------------------------------------------------------------

class FusedMemory final : public PassMemory {
 public:
  Tensor x;             // [T, H]
  Tensor first, mixed;  // [B, H]
  kernels::Workspace products, mixing;
  std::vector<kernels::Workspace> threads;  // one each
  std::vector<kernels::FourierText> texts;
  std::vector<std::shared_ptr<const kernels::FourierPlan>> plans;

  float* take_rows(std::size_t size) {
    if (rows_.size() < size) rows_.resize(size);
    return rows_.data();
  }
  std::size_t bytes() const override {
    std::size_t sum =
        PassMemory::bytes() + products.size() + mixing.size() + rows_.capacity() * sizeof(float);
    for (const Tensor* tensor : {&x, &first, &mixed}) sum += tensor->capacity_bytes();
    for (const auto& workspace : threads) sum += workspace.size();
    return sum;
  }

 private:
  std::vector<float> rows_;  // [T, H], of models with the norm before
};

class FusedModel final : public Model {
 public:
  FusedModel(const Config& config, const PreparedWeights& read)
      : config_(config),
        plans_(kernels::fourier_plans(static_cast<std::size_t>(config.hidden_size),
                                      config.fourier_norm == "ortho")) {
    const std::string place(encoder_place(config));
    const std::string root = place.empty() ? "" : place + ".";
    words_ = read.values(root + "embeddings.word_embeddings.weight");
    positions_ = read.values(root + "embeddings.position_embeddings.weight");
    types_ = read.values(root + "embeddings.token_type_embeddings.weight");
    embedding_norm_ =
        Norm(read, root + "embeddings.LayerNorm", config.norm_type, config.embedding_eps());
    if (config.embedding_projection) projection_.emplace(read, root + "embeddings.projection");
    for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
      layers_.emplace_back(read, root + "encoder.layer." + std::to_string(i), config,
                           config.mixer(i));
    }
    if (config.norm_position == "pre") {
      final_norm_.emplace(read, root + "encoder.LayerNorm", config.norm_type,
                          config.layer_norm_eps);
    }
  }

  std::unique_ptr<PassMemory> make_memory() const override {
    return std::make_unique<FusedMemory>();
  }

  Tensor hidden(PassMemory& pass, bool first_rows_only, ThreadPool& pool) const override {
    auto& memory = static_cast<FusedMemory&>(pass);
    const Rows& rows = pass.batch.rows;
    embed(pool, memory);
    const std::size_t last = layers_.size() - 1;
    for (std::size_t i = 0; i < last; ++i) block(layers_[i], rows, pool, memory);
    if (first_rows_only) {
      first_rows_of_block(layers_[last], rows, pool, memory);
    } else {
      block(layers_[last], rows, pool, memory);
    }
    Tensor& y = first_rows_only ? memory.first : memory.x;
    if (final_norm_) normalize(final_norm_->args, y, y.fill().data(), pool);
    return y;
  }

  std::size_t weight_bytes() const override {
    std::size_t bytes = (words_.size() + positions_.size() + types_.size()) * sizeof(float);
    if (projection_) bytes += projection_->bytes();
    for (const Layer& layer : layers_) bytes += layer.bytes();
    return bytes;
  }

 private:
  bool pre() const { return config_.norm_position == "pre"; }
  std::size_t width() const { return static_cast<std::size_t>(config_.hidden_size); }

  void embed(ThreadPool& pool, FusedMemory& memory) const {
    const Batch& batch = memory.batch;
    Tensor& x = memory.x;
    x.resize(batch.rows.total(), config_.hidden_size);
    const auto rows = static_cast<std::size_t>(batch.rows.total());
    float* data = x.fill().data();
    {
      const PartTimes::Span timed(times_, Part::norms);
      kernels::embed(
          {words_.data(), positions_.data(), types_.data(), width(), embedding_norm_.args},
          batch.ids.data(), batch.positions.data(), batch.types.data(), rows, data, pool);
    }
    if (projection_) {
      const PartTimes::Span timed(times_, Part::products);
      kernels::linear(data, rows, projection_->weight, projection_->bias.data_or_null(),
                      Activation::none, data, pool, memory.products);
    }
  }

  void normalize(const NormArgs& norm, const Tensor& x, float* y, ThreadPool& pool) const {
    const PartTimes::Span timed(times_, Part::norms);
    kernels::add_norm(x.values().data(), nullptr, static_cast<std::size_t>(x.rows()), width(), norm,
                      y, pool);
  }

  /// x ← norm(residual + mix(x)), or x ← residual + mix(norm(x)) before the feed-forward.
  void block(const Layer& layer, const Rows& rows, ThreadPool& pool, FusedMemory& memory) const {
    Tensor& x = memory.x;
    const auto count = static_cast<std::size_t>(x.rows());
    float* data = x.fill().data();
    float* normed = pre() ? memory.take_rows(count * width()) : data;
    const NormArgs after = pre() ? NormArgs{} : layer.mixing_norm.args;
    if (pre()) normalize(layer.mixing_norm.args, x, normed, pool);
    mix(layer, rows, normed, data, after, pool, memory);
    if (pre()) normalize(layer.output_norm.args, x, normed, pool);
    feed_forward(layer, normed, data, count, pool, memory);
  }

  /// data ← norm(data + mix(source)).
  void mix(const Layer& layer, const Rows& rows, const float* source, float* data,
           const NormArgs& after, ThreadPool& pool, FusedMemory& memory) const {
    const PartTimes::Span timed(times_, Part::mixing);
    if (layer.fourier) {
      list_texts(rows, source, data, memory);
      kernels::fourier_mix(memory.texts, after, pool, memory.mixing);
    } else {
      kernels::add_norm(source, data, static_cast<std::size_t>(rows.total()), width(), after, data,
                        pool);
    }
  }

  /// data ← [norm](data + ffn(x)), the norm in post-norm models.
  void feed_forward(const Layer& layer, const float* x, float* data, std::size_t rows,
                    ThreadPool& pool, FusedMemory& memory) const {
    const PartTimes::Span timed(times_, Part::products);
    kernels::feed_forward(layer.feed_forward(config_), x, data, data, rows, pool, memory.products);
  }

  /// What `block` gives for each text's first row alone. Source: DESIGN: row 0 of the mixing is a
  /// sum over the text and one DFT.
  void first_rows_of_block(const Layer& layer, const Rows& rows, ThreadPool& pool,
                           FusedMemory& memory) const {
    const auto count = static_cast<std::size_t>(rows.texts());
    memory.first.resize(rows.texts(), config_.hidden_size);
    memory.mixed.resize(rows.texts(), config_.hidden_size);
    float* data = memory.first.fill().data();
    float* mixed = memory.mixed.fill().data();
    for (std::size_t i = 0; i < count; ++i) {
      std::ranges::copy(memory.x.row(rows.begin(static_cast<std::int64_t>(i))), data + i * width());
    }
    const float* source = memory.x.values().data();
    if (pre()) {
      float* normed = memory.take_rows(memory.x.values().size());
      normalize(layer.mixing_norm.args, memory.x, normed, pool);
      source = normed;
    }
    mix_first_rows(layer, rows, source, mixed, pool, memory);
    kernels::add_norm(mixed, data, count, width(), pre() ? NormArgs{} : layer.mixing_norm.args,
                      data, pool);
    float* normed = pre() ? mixed : data;
    if (pre()) normalize(layer.output_norm.args, memory.first, normed, pool);
    feed_forward(layer, normed, data, count, pool, memory);
  }

  /// The mixing's first row of each text: `mixed` [B, H].
  void mix_first_rows(const Layer& layer, const Rows& rows, const float* source, float* mixed,
                      ThreadPool& pool, FusedMemory& memory) const {
    const PartTimes::Span timed(times_, Part::mixing);
    list_texts(rows, source, nullptr, memory);
    memory.threads.resize(static_cast<std::size_t>(pool.size()));
    const auto mix_text = [&](std::size_t i, int thread) {
      const kernels::FourierText& text = memory.texts[i];
      if (layer.fourier) {
        kernels::fourier_first_row(*text.plan, text.x, mixed + i * width(),
                                   memory.threads[static_cast<std::size_t>(thread)]);
      } else {
        std::copy_n(text.x, width(), mixed + i * width());
      }
    };
    pool.run(memory.texts.size(), std::ref(mix_text));
  }

  /// The texts' places in `source`; the mixing is added to `target` where there is one.
  void list_texts(const Rows& rows, const float* source, float* target, FusedMemory& memory) const {
    memory.texts.clear();
    memory.plans.clear();
    for (std::int64_t i = 0; i < rows.texts(); ++i) {
      memory.plans.push_back(plans_.get(static_cast<std::size_t>(rows.rows(i))));
      const std::size_t begin = static_cast<std::size_t>(rows.begin(i)) * width();
      float* out = target == nullptr ? nullptr : target + begin;
      memory.texts.push_back({memory.plans.back().get(), source + begin, out, out});
    }
  }

  Config config_;
  Floats words_, positions_, types_;
  Norm embedding_norm_;
  std::optional<Linear> projection_;
  std::vector<Layer> layers_;
  std::optional<Norm> final_norm_;
  kernels::FourierPlans& plans_;  // by length
};

}  // namespace

std::unique_ptr<Model> make_fused_model(const Config& config, const WeightSource& source,
                                        kernels::Dtype dtype, ThreadPool& pool, PackedFile* file) {
  if (!has_kernels(config)) return make_formula_model(config, source);
  return std::make_unique<FusedModel>(config, PreparedWeights(config, source, dtype, pool, file));
}

}  // namespace fnet
