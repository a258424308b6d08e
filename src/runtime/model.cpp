#include "runtime/model.h"

#include <algorithm>
#include <functional>

#include "core/error.h"
#include "kernels/rows.h"
#include "runtime/load_weights.h"

namespace fnet {

std::size_t PassMemory::bytes() const {
  const std::size_t ids =
      batch.ids.capacity() + batch.types.capacity() + batch.positions.capacity();
  std::size_t sum = ids * sizeof(std::int32_t) + batch.values.capacity() * sizeof(float) +
                    products.size() + mixing.size() + normed.capacity() * sizeof(float) +
                    whole.bytes();
  for (const Tensor* tensor : {&x, &first, &mixed}) sum += tensor->bytes();
  for (const auto& workspace : threads) sum += workspace.size();
  for (const Arena& arena : blocks) sum += arena.bytes();
  return sum;
}

Rows single_rows(std::int64_t texts) {
  Rows rows;
  for (std::int64_t i = 0; i < texts; ++i) rows.add(1);
  return rows;
}

Model::Model(const Config& config, const WeightSource& source, kernels::Dtype dtype, bool formulas,
             ThreadPool& pool, PackedFile* file)
    : config_(config), parts_(config_) {
  // Heads and poolings are small and keep float32, whatever the layers have.
  Specs encoder, rest;
  Encoder::weights(encoder.under(encoder_place(config_)), config_, parts_);
  pooling_weights(rest.under(encoder_place(config_)), config_);
  head_weights(rest, config_);
  load_weights(encoder.list(), source, dtype, pool, file, weights_);
  load_weights(rest.list(), source, kernels::Dtype::float32, pool, nullptr, weights_);

  if (config_.wide_features > 0) {
    const Weights<Tensor> own(weights_);
    ngrams_ = NgramTable(own["wide.keys"].values(), own["wide.idf"].values());
  }

  const Placed root{config_,
                    Weights<Tensor>(weights_).under(encoder_place(config_)),
                    parts_.activation,
                    -1,
                    dtype,
                    formulas};
  const Placed embeddings = root.under("embeddings");
  if (config_.reads_numbers()) {
    numbers_.emplace(embeddings);
  } else {
    words_ = &embeddings.w["word_embeddings.weight"];
  }
  positions_ = &embeddings.w["position_embeddings.weight"];
  types_ = &embeddings.w["token_type_embeddings.weight"];
  embedding_norm_.emplace(parts_.norm, embeddings.under("LayerNorm"));
  if (config_.embedding_projection) {
    projection_ = &embeddings.w["projection.weight"];
    projection_bias_ = &embeddings.w["projection.bias"];
  }
  layers_.reserve(static_cast<std::size_t>(config_.num_hidden_layers));
  for (std::int64_t i = 0; i < config_.num_hidden_layers; ++i) {
    Placed place = root.under(Encoder::block_place(i));
    place.layer = i;
    const Mixer& mixer = parts_.mixer(i);
    layers_.push_back({{parts_.norm, place.under(EncoderBlock::kMixingNorm)},
                       {parts_.norm, place.under(EncoderBlock::kOutputNorm)},
                       {mixer, place.under(row_of(mixer).name)},
                       {parts_.ffn, place}});
  }
  if (pre()) {
    Placed place = root.under("encoder.LayerNorm");
    place.layer = config_.num_hidden_layers;
    final_norm_.emplace(parts_.norm, place);
  }
}

HeadContext<Tensor> Model::head_context(std::string_view name, const HeadConfig& head,
                                        const Pooling& pooling, const Rows& rows) const {
  const Weights<Tensor> root(weights_);
  return {{.w = root.under(head_place(name)),
           .config = config_,
           .rows = rows,
           .activation = parts_.activation,
           .layer = config_.num_hidden_layers},
          root.under(encoder_place(config_)),
          head,
          pooling};
}

Bags Model::ngrams_of(std::span<const Encoding> texts) const {
  Bags bags;
  for (const Encoding& text : texts) {
    require(text.ngrams.has_value(), Kind::usage,
            "encoding: expected the words that a wide head reads, found none: encode the text with "
            "Engine::encode, or with EncodeOptions::ngrams");
    ngrams_.add(*text.ngrams, bags);
  }
  return bags;
}

bool Model::has_weights_of(const Pooling& pooling) const {
  Specs specs;
  add_weights(pooling, specs.under(encoder_place(config_)), config_);
  return std::ranges::all_of(specs.list(),
                             [&](const WeightSpec& spec) { return weights_.contains(spec.name); });
}

Tensor Model::hidden(PassMemory& memory, bool first_rows_only, ThreadPool& pool,
                     PassWatch* watch) const {
  const Pass pass{memory, pool, times_, watch};
  embed(pass);
  if (watch != nullptr) watch->show(Stage::embeddings, -1, memory.x, pass.rows(), {});
  const std::size_t last = layers_.size() - 1;
  for (std::size_t i = 0; i < last; ++i) run_layer(i, pass);
  // A part that looks at a whole text needs all of its rows.
  const bool all = !first_rows_only || row_of(parts_.norm).reach != Reach::row ||
                   row_of(parts_.ffn).reach != Reach::row;
  if (all) {
    run_layer(last, pass);
  } else {
    run_first_rows(layers_.back(), pass);
  }
  Tensor& y = all ? memory.x : memory.first;
  if (final_norm_) {
    final_norm_->run(y.values().data(), y.fill().data(), static_cast<std::size_t>(y.rows()),
                     all ? pass.rows() : single_rows(y.rows()), pass);
    if (watch != nullptr) {
      watch->show(Stage::final_norm, config_.num_hidden_layers, memory.x, pass.rows(), {});
    }
  }
  if (all && first_rows_only) copy_first_rows(pass);
  return first_rows_only ? memory.first : memory.x;
}

void Model::copy_first_rows(const Pass& pass) const {
  const Rows& rows = pass.rows();
  pass.memory.first.resize(rows.texts(), config_.hidden_size);
  float* out = pass.memory.first.fill().data();
  for (std::int64_t i = 0; i < rows.texts(); ++i) {
    out = std::ranges::copy(pass.memory.x.row(rows.begin(i)), out).out;
  }
}

/// What stands in the place of a table of word embeddings: a row for each row of the batch.
Tensor Model::embed_numbers(const Pass& pass) const {
  const PartTimes::Span timed(times_, TimedPart::products);
  const TensorScope scope(pass.pool, pass.memory.whole, numbers_->dtype);
  const Batch& batch = pass.memory.batch;
  const std::int64_t rows = batch.rows.total();
  const Tensor values(rows, static_cast<std::int64_t>(batch.values.size()) / rows,
                      std::shared_ptr<const float>(std::shared_ptr<void>(), batch.values.data()));
  return InputEmbeddings::apply(values, numbers_->context(batch.rows));
}

void Model::embed(const Pass& pass) const {
  const Batch& batch = pass.memory.batch;
  Tensor& x = pass.memory.x;
  x.resize(batch.rows.total(), config_.hidden_size);
  const auto rows = static_cast<std::size_t>(batch.rows.total());
  float* data = x.fill().data();
  const kernels::NormArgs* norm = embedding_norm_->kernel();
  const Tensor words = numbers_ ? embed_numbers(pass) : *words_;
  {
    const PartTimes::Span timed(times_, TimedPart::norms);
    kernels::embed({words.values().data(), positions_->values().data(), types_->values().data(),
                    width(), norm == nullptr ? kernels::NormArgs{} : *norm},
                   batch.ids.data(), batch.positions.data(), batch.types.data(), rows, data,
                   pass.pool);
  }
  if (norm == nullptr) embedding_norm_->run(data, data, rows, batch.rows, pass);
  if (projection_ == nullptr) return;
  const PartTimes::Span timed(times_, TimedPart::products);
  kernels::linear(data, rows, projection_->packed(), projection_bias_->values().data(),
                  kernels::Activation::none, data, pass.pool, pass.memory.products);
}

/// A step that leaves memory.x ← norm(x + f(x)): run(norm), where the norm may be null. Who watches
/// sees it, and f(x) where that is wanted.
void Model::run_step(Stage stage, std::size_t layer, const NormStep* after, const Pass& pass,
                     const auto& run) const {
  PassWatch* const watch = pass.watch;
  if (watch == nullptr) return run(after);
  Tensor& x = pass.memory.x;
  watch->added.clear();
  if (!watch->wants_added) {
    run(after);
  } else {
    watch->added.assign(x.values().begin(), x.values().end());
    run(nullptr);
    std::ranges::transform(x.values(), watch->added, watch->added.begin(), std::minus());
    if (after != nullptr) {
      float* const data = x.fill().data();
      after->run(data, data, static_cast<std::size_t>(x.rows()), pass.rows(), pass);
    }
  }
  watch->show(stage, static_cast<std::int64_t>(layer), x, pass.rows(), watch->added);
}

/// x ← norm(x + mix(x)), then norm(x + ffn(x)); with the norm before, x + mix(norm(x)), then
/// x + ffn(norm(x)).
void Model::run_layer(std::size_t index, const Pass& pass) const {
  const Layer& layer = layers_[index];
  const Rows& rows = pass.rows();
  const auto count = static_cast<std::size_t>(pass.memory.x.rows());
  float* const data = pass.memory.x.fill().data();
  float* const normed = pre() ? pass.memory.take_rows(count * width()) : data;
  const auto norm_before = [&](const NormStep& norm) {
    if (pre()) norm.run(data, normed, count, rows, pass);
  };
  const auto norm_after = [&](const NormStep& norm) { return pre() ? nullptr : &norm; };
  norm_before(layer.mixing_norm);
  run_step(Stage::mixing, index, norm_after(layer.mixing_norm), pass,
           [&](const NormStep* norm) { layer.mixer.run(normed, data, norm, pass); });
  norm_before(layer.output_norm);
  run_step(Stage::feed_forward, index, norm_after(layer.output_norm), pass,
           [&](const NormStep* norm) { layer.ffn.run(normed, data, count, norm, rows, pass); });
}

/// What run_layer gives for each text's first row alone.
void Model::run_first_rows(const Layer& layer, const Pass& pass) const {
  PassMemory& memory = pass.memory;
  const Rows& rows = pass.rows();
  const Rows first = single_rows(rows.texts());
  const auto count = static_cast<std::size_t>(rows.texts());
  copy_first_rows(pass);
  float* data = memory.first.fill().data();
  const float* x = memory.x.values().data();
  if (!pre()) {
    layer.mixer.run_first_rows(x, data, &layer.mixing_norm, first, pass);
    layer.ffn.run(data, data, count, &layer.output_norm, first, pass);
    return;
  }
  float* normed = memory.take_rows(memory.x.values().size());
  layer.mixing_norm.run(x, normed, static_cast<std::size_t>(memory.x.rows()), rows, pass);
  layer.mixer.run_first_rows(normed, data, nullptr, first, pass);
  layer.output_norm.run(data, normed, count, first, pass);
  layer.ffn.run(normed, data, count, nullptr, first, pass);
}

std::size_t Model::weight_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [name, tensor] : weights_) bytes += tensor.bytes();
  return bytes;
}

std::vector<std::pair<std::string, std::string>> Model::paths() const {
  std::vector<std::pair<std::string, std::string>> list;
  const auto add = [&](std::string place, std::string_view part, bool kernel, bool with_norm) {
    list.emplace_back(std::move(place) + std::string(part), !kernel     ? "formula"
                                                            : with_norm ? "kernel with norm"
                                                                        : "kernel");
  };
  const auto add_norm = [&](const std::string& place, const NormStep& norm) {
    add(place, row_of(parts_.norm).name, norm.kernel() != nullptr, false);
  };
  add_norm("embeddings.", *embedding_norm_);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    const std::string place = Encoder::block_place(static_cast<std::int64_t>(i)) + ".";
    const bool fused = !pre() && layer.mixing_norm.kernel() != nullptr;
    if (pre()) add_norm(place, layer.mixing_norm);
    add(place, row_of(parts_.mixers[i]).name, layer.mixer.has_kernel(), fused);
    if (!pre() && (!fused || !layer.mixer.has_kernel())) add_norm(place, layer.mixing_norm);
    if (pre()) add_norm(place, layer.output_norm);
    add(place, row_of(parts_.ffn).name, layer.ffn.has_kernel(), fused);
    if (!pre() && (!fused || !layer.ffn.has_kernel())) add_norm(place, layer.output_norm);
  }
  if (final_norm_) add_norm("encoder.", *final_norm_);
  return list;
}

}  // namespace fnet
