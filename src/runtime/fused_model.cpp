#include <algorithm>
#include <mutex>
#include <optional>

#include "blocks/model.h"
#include "core/error.h"
#include "kernels/fourier.h"
#include "kernels/product.h"
#include "kernels/rows.h"
#include "runtime/model.h"

namespace fnet {
namespace {

using kernels::Activation;
using Type = kernels::Dtype;  // of products; fnet::Dtype is that of files
using kernels::NormArgs;
using kernels::NormKind;
using kernels::PackedMatrix;

// ---- which rows of the tables have kernels ------------------------------------------------------

std::optional<NormKind> norm_kernel(std::string_view name) {
  if (name == "layer_norm") return NormKind::layer_norm;
  if (name == "rms_norm") return NormKind::rms_norm;
  return {};
}

std::optional<Activation> activation_kernel(std::string_view name) {
  if (name == "gelu_new" || name == "gelu_pytorch_tanh") return Activation::gelu_tanh;
  if (name == "gelu") return Activation::gelu;
  if (name == "relu") return Activation::relu;
  if (name == "silu") return Activation::silu;
  if (name == "tanh") return Activation::tanh;
  return {};
}

bool has_kernels(const Config& c) {
  return norm_kernel(c.norm_type) && activation_kernel(c.hidden_act) &&
         (c.ffn_type == "mlp" || c.ffn_type == "swiglu") &&
         std::ranges::all_of(
             c.mixers, [](const std::string& m) { return m == "fourier" || m == "identity"; });
}

// ---- weights ------------------------------------------------------------------------------------

/// Reads the weights below one place of the model.
class Reader {
 public:
  Reader(const Config& config, const WeightSource& source, Type dtype, ThreadPool& pool)
      : source_(source), dtype_(dtype), pool_(pool) {
    for (const WeightSpec& spec : model_weights(config)) shapes_[spec.name] = spec.shape;
  }

  std::vector<float> values(const std::string& name) const {
    const auto& shape = shapes_.at(name);
    std::vector<float> v = source_(name, shape);
    std::size_t size = 1;
    for (const std::int64_t d : shape) size *= static_cast<std::size_t>(d);
    require(v.size() == size, Kind::usage, "weight '{}': expected {} values, found {}", name, size,
            v.size());
    return v;
  }
  std::vector<float> values_if_any(const std::string& name) const {
    return shapes_.contains(name) ? values(name) : std::vector<float>();
  }
  PackedMatrix matrix(const std::string& name, std::optional<Type> dtype = {}) const {
    const auto& shape = shapes_.at(name);
    return kernels::pack(values(name).data(), static_cast<std::size_t>(shape[0]),
                         static_cast<std::size_t>(shape[1]), dtype.value_or(dtype_), &pool_);
  }

 private:
  const WeightSource& source_;
  Type dtype_;
  ThreadPool& pool_;
  std::map<std::string, std::vector<std::int64_t>> shapes_;
};

struct Norm {
  std::vector<float> weight, bias;
  NormArgs args;

  Norm() = default;
  Norm(const Reader& read, const std::string& place, std::string_view type, double eps)
      : weight(read.values(place + ".weight")), bias(read.values_if_any(place + ".bias")) {
    args.kind = *norm_kernel(type);
    args.weight = weight.data();
    args.bias = bias.empty() ? nullptr : bias.data();
    args.eps = static_cast<float>(eps);
  }
};

struct Linear {
  PackedMatrix weight;
  std::vector<float> bias;

  Linear() = default;
  Linear(const Reader& read, const std::string& place, std::optional<Type> dtype = {})
      : weight(read.matrix(place + ".weight", dtype)), bias(read.values_if_any(place + ".bias")) {}
  const float* bias_or_null() const { return bias.empty() ? nullptr : bias.data(); }
};

struct Layer {
  bool fourier = true;
  Norm mixing_norm, output_norm;
  Linear up, gate, down;

  Layer(const Reader& read, const std::string& place, const Config& c, std::string_view mixer)
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
    f.up_bias = up.bias_or_null();
    f.down = &down.weight;
    f.down_bias = down.bias_or_null();
    f.activation = *activation_kernel(c.hidden_act);
    if (c.ffn_type == "swiglu") {
      f.gate = &gate.weight;
      f.activation = Activation::silu;
    }
    if (c.norm_position == "post") f.norm = output_norm.args;
    return f;
  }

  std::size_t bytes() const {
    return up.weight.bytes() + gate.weight.bytes() + down.weight.bytes();
  }
};

// ---- the forward pass ---------------------------------------------------------------------------

/// What one pass needs besides the weights; kept and used again.
struct Scratch {
  kernels::Workspace products, mixing;
  std::vector<kernels::Workspace> threads;  // one each
  std::vector<float> rows;                  // [T, H]
  std::vector<kernels::FourierText> texts;
  std::vector<std::shared_ptr<const kernels::FourierPlan>> plans;

  float* take_rows(std::size_t size) {
    if (rows.size() < size) rows.resize(size);
    return rows.data();
  }
  std::size_t bytes() const {
    std::size_t sum = products.size() + mixing.size() + rows.capacity() * sizeof(float);
    for (const auto& workspace : threads) sum += workspace.size();
    return sum;
  }
};

class FusedModel final : public Model {
 public:
  FusedModel(const Config& config, const WeightSource& source, Type dtype, ThreadPool& pool)
      : config_(config),
        plans_(kernels::fourier_plans(static_cast<std::size_t>(config.hidden_size),
                                      config.fourier_norm == "ortho")) {
    const Reader read(config, source, dtype, pool);
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

  Tensor hidden(const Batch& batch, bool first_rows_only, ThreadPool& pool) const override {
    const auto scratch = borrow();
    Tensor x = embed(batch, pool, *scratch);
    const std::size_t last = layers_.size() - 1;
    for (std::size_t i = 0; i < last; ++i)
      x = block(layers_[i], std::move(x), batch.rows, pool, *scratch);
    x = first_rows_only ? first_rows_of_block(layers_[last], x, batch.rows, pool, *scratch)
                        : block(layers_[last], std::move(x), batch.rows, pool, *scratch);
    if (final_norm_) normalize(final_norm_->args, x, x.fill().data(), pool);
    return x;
  }

  std::size_t weight_bytes() const override {
    std::size_t bytes = (words_.size() + positions_.size() + types_.size()) * sizeof(float);
    if (projection_) bytes += projection_->weight.bytes();
    for (const Layer& layer : layers_) bytes += layer.bytes();
    return bytes;
  }

  std::size_t workspace_bytes() const override {
    const std::lock_guard lock(mutex_);
    std::size_t bytes = 0;
    for (const auto& scratch : idle_) bytes += scratch->bytes();
    return bytes;
  }

 private:
  bool pre() const { return config_.norm_position == "pre"; }
  std::size_t width() const { return static_cast<std::size_t>(config_.hidden_size); }

  Tensor embed(const Batch& batch, ThreadPool& pool, Scratch& scratch) const {
    Tensor x(batch.rows.total(), config_.hidden_size);
    const auto rows = static_cast<std::size_t>(batch.rows.total());
    float* sums = projection_ ? scratch.take_rows(rows * width()) : x.fill().data();
    {
      const PartTimes::Span timed(times_, Part::norms);
      kernels::embed(
          {words_.data(), positions_.data(), types_.data(), width(), embedding_norm_.args},
          batch.ids.data(), batch.positions.data(), batch.types.data(), rows, sums, pool);
    }
    if (projection_) {
      const PartTimes::Span timed(times_, Part::products);
      kernels::linear(sums, rows, projection_->weight, projection_->bias_or_null(),
                      Activation::none, x.fill().data(), pool, scratch.products);
    }
    return x;
  }

  void normalize(const NormArgs& norm, const Tensor& x, float* y, ThreadPool& pool) const {
    const PartTimes::Span timed(times_, Part::norms);
    kernels::add_norm(x.values().data(), nullptr, static_cast<std::size_t>(x.rows()), width(), norm,
                      y, pool);
  }

  /// x ← norm(residual + mix(x)), or x ← residual + mix(norm(x)) before the feed-forward.
  Tensor block(const Layer& layer, Tensor x, const Rows& rows, ThreadPool& pool,
               Scratch& scratch) const {
    const auto count = static_cast<std::size_t>(x.rows());
    float* data = x.fill().data();
    float* normed = pre() ? scratch.take_rows(count * width()) : data;
    const NormArgs after = pre() ? NormArgs{} : layer.mixing_norm.args;
    if (pre()) normalize(layer.mixing_norm.args, x, normed, pool);
    mix(layer, rows, normed, data, after, pool, scratch);
    if (pre()) normalize(layer.output_norm.args, x, normed, pool);
    feed_forward(layer, normed, data, count, pool, scratch);
    return x;
  }

  /// data ← norm(data + mix(source)).
  void mix(const Layer& layer, const Rows& rows, const float* source, float* data,
           const NormArgs& after, ThreadPool& pool, Scratch& scratch) const {
    const PartTimes::Span timed(times_, Part::mixing);
    if (layer.fourier) {
      list_texts(rows, source, data, scratch);
      kernels::fourier_mix(scratch.texts, after, pool, scratch.mixing);
    } else {
      kernels::add_norm(source, data, static_cast<std::size_t>(rows.total()), width(), after, data,
                        pool);
    }
  }

  /// data ← [norm](data + ffn(x)), the norm in post-norm models.
  void feed_forward(const Layer& layer, const float* x, float* data, std::size_t rows,
                    ThreadPool& pool, Scratch& scratch) const {
    const PartTimes::Span timed(times_, Part::products);
    kernels::feed_forward(layer.feed_forward(config_), x, data, data, rows, pool, scratch.products);
  }

  /// What `block` gives for each text's first row alone. Source: DESIGN: row 0 of the mixing is a
  /// sum over the text and one DFT.
  Tensor first_rows_of_block(const Layer& layer, const Tensor& x, const Rows& rows,
                             ThreadPool& pool, Scratch& scratch) const {
    Tensor first = first_rows(x, rows);
    const auto count = static_cast<std::size_t>(first.rows());
    float* data = first.fill().data();
    const float* source = x.values().data();
    if (pre()) {
      float* normed = scratch.take_rows(static_cast<std::size_t>(x.rows()) * width());
      normalize(layer.mixing_norm.args, x, normed, pool);
      source = normed;
    }
    Tensor mixed(first.rows(), first.cols());
    mix_first_rows(layer, rows, source, mixed, pool, scratch);
    kernels::add_norm(mixed.values().data(), data, count, width(),
                      pre() ? NormArgs{} : layer.mixing_norm.args, data, pool);
    float* normed = data;
    if (pre()) {
      normed = mixed.fill().data();
      normalize(layer.output_norm.args, first, normed, pool);
    }
    feed_forward(layer, normed, data, count, pool, scratch);
    return first;
  }

  /// The mixing's first row of each text: `mixed` [B, H].
  void mix_first_rows(const Layer& layer, const Rows& rows, const float* source, Tensor& mixed,
                      ThreadPool& pool, Scratch& scratch) const {
    const PartTimes::Span timed(times_, Part::mixing);
    const auto row_of = [&](std::size_t text) { return mixed.fill().data() + text * width(); };
    list_texts(rows, source, nullptr, scratch);
    scratch.threads.resize(static_cast<std::size_t>(pool.size()));
    pool.run(scratch.texts.size(), [&](std::size_t i, int thread) {
      const kernels::FourierText& text = scratch.texts[i];
      if (layer.fourier) {
        kernels::fourier_first_row(*text.plan, text.x, row_of(i),
                                   scratch.threads[static_cast<std::size_t>(thread)]);
      } else {
        std::copy_n(text.x, width(), row_of(i));
      }
    });
  }

  /// The texts' places in `source`; the mixing is added to `target` where there is one.
  void list_texts(const Rows& rows, const float* source, float* target, Scratch& scratch) const {
    scratch.texts.clear();
    scratch.plans.clear();
    for (std::int64_t i = 0; i < rows.texts(); ++i) {
      scratch.plans.push_back(plans_.get(static_cast<std::size_t>(rows.rows(i))));
      const std::size_t begin = static_cast<std::size_t>(rows.begin(i)) * width();
      float* out = target == nullptr ? nullptr : target + begin;
      scratch.texts.push_back({scratch.plans.back().get(), source + begin, out, out});
    }
  }

  /// Scratch for one call, given back at its end: as many as there are callers at once.
  std::shared_ptr<Scratch> borrow() const {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) idle_.push_back(std::make_unique<Scratch>());
    Scratch* scratch = idle_.back().release();
    idle_.pop_back();
    return {scratch, [this](Scratch* used) {
              const std::lock_guard back(mutex_);
              idle_.emplace_back(used);
            }};
  }

  Config config_;
  std::vector<float> words_, positions_, types_;
  Norm embedding_norm_;
  std::optional<Linear> projection_;
  std::vector<Layer> layers_;
  std::optional<Norm> final_norm_;
  kernels::FourierPlans& plans_;  // by length
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Scratch>> idle_;
};

Type dtype_of(std::string_view name) {
  if (name == "float32") return Type::float32;
  if (name == "bfloat16") return Type::bfloat16;
  require(name == "int8", Kind::usage, "--dtype: expected float32, bfloat16 or int8, found '{}'",
          printable(name));
  return Type::int8;
}

}  // namespace

std::unique_ptr<Model> make_fused_model(const Config& config, const WeightSource& source,
                                        std::string_view dtype, ThreadPool& pool) {
  const Type type = dtype_of(dtype);
  if (!has_kernels(config)) return make_formula_model(config, source);
  return std::make_unique<FusedModel>(config, source, type, pool);
}

}  // namespace fnet
