#include "fnet/train.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "blocks/model.h"
#include "model/init.h"
#include "model/weights.h"
#include "train/algebra.h"
#include "train/device.h"
#include "train/module_weights.h"
#include "train/packing.h"
#include "train/recompute.h"

namespace fnet::nn {
namespace {

/// Registers a tensor under a dotted path, with a plain module for each part of it.
void register_path(torch::nn::Module& root, std::string_view path, const at::Tensor& value,
                   bool trained) {
  torch::nn::Module* place = &root;
  for (;;) {
    const std::size_t dot = path.find('.');
    if (dot == std::string_view::npos) break;
    const std::string part(path.substr(0, dot));
    const auto children = place->named_children();
    if (const auto* child = children.find(part)) {
      place = child->get();
    } else {
      place = place->register_module(part, std::make_shared<torch::nn::Module>(part)).get();
    }
    path.remove_prefix(dot + 1);
  }
  if (trained) {
    place->register_parameter(std::string(path), value);
  } else {
    place->register_buffer(std::string(path), value);
  }
}

void register_weights(torch::nn::Module& root, const std::vector<WeightSpec>& specs, double range,
                      std::uint64_t seed) {
  for (const WeightSpec& spec : specs) {
    const std::vector<float> values = initial_values(spec, range, seed);
    register_path(root, spec.name, at::tensor(values, at::kFloat).view(spec.shape), spec.trained);
  }
}

/// Without a place of its own, each forward pass in training draws one from torch's generator.
Dropout<TorchTensor> dropout_of(const torch::nn::Module& module,
                                const std::optional<DropoutPlace>& place) {
  if (!module.is_training()) return {};
  if (place) return {true, place->seed, place->step};
  const at::Tensor drawn = at::randint(std::numeric_limits<std::int64_t>::max(), {1}, at::kLong);
  return {true, static_cast<std::uint64_t>(drawn.item<std::int64_t>()), 0};
}

Config without_head(Config config) {
  config.task = "encoder";
  config.labels.clear();
  config.heads.clear();
  config.head_name.clear();
  config.wide_features = 0;
  config.head_options.clear();
  return config;
}

}  // namespace

FourierMixingImpl::FourierMixingImpl(const std::string& norm) : ortho_(norm == "ortho") {
  require(ortho_ || norm == "backward", Kind::usage,
          "FourierMixing: norm: expected backward or ortho, found '{}'", printable(norm));
}

at::Tensor FourierMixingImpl::forward(const at::Tensor& x,
                                      const std::vector<std::int64_t>& lengths) {
  return through_rows(x, lengths, [&](const at::Tensor& packed, const Rows& rows) {
    return fourier_mix(packed, rows, ortho_).value;
  });
}

FNetEncoderBlockImpl::FNetEncoderBlockImpl(const Config& config, std::int64_t layer,
                                           std::uint64_t seed)
    : config_(config), parts_(std::make_shared<const Parts>(config_)), layer_(layer) {
  require(layer >= 0 && layer < config.num_hidden_layers, Kind::usage,
          "layer: expected 0 to {}, found {}", config.num_hidden_layers - 1, layer);
  Specs specs;
  EncoderBlock::weights(specs, config, *parts_, layer);
  register_weights(*this, specs.list(), config.initializer_range, seed);
}

at::Tensor FNetEncoderBlockImpl::forward_rows(const at::Tensor& x, const Rows& rows) {
  const WeightMap map = weight_map(*this);
  const Context<TorchTensor> context{.w = Weights<TorchTensor>(map),
                                     .config = config_,
                                     .rows = rows,
                                     .activation = parts_->activation,
                                     .layer = layer_,
                                     .dropout = dropout_of(*this, std::nullopt)};
  return EncoderBlock::apply(TorchTensor(x), context, *parts_);
}

at::Tensor FNetEncoderBlockImpl::forward(const at::Tensor& x,
                                         const std::vector<std::int64_t>& lengths) {
  return through_rows(x, lengths, [&](const at::Tensor& packed, const Rows& rows) {
    return forward_rows(packed, rows);
  });
}

FNetModule::FNetModule(Config config)
    : config_(std::move(config)), parts_(std::make_shared<const Parts>(config_)) {}

FNetModelImpl::FNetModelImpl(const Config& config, std::uint64_t seed)
    : FNetModule(without_head(config)) {
  register_weights(*this, model_tensors(this->config()), config.initializer_range, seed);
}

at::Tensor FNetModelImpl::word_embeddings(const at::Tensor& ids) const {
  const WeightMap map = weight_map(*this);
  return lookup(map.at("embeddings.word_embeddings.weight"), ids);
}

at::Tensor FNetModelImpl::input_embeddings(const at::Tensor& values) const {
  const WeightMap map = weight_map(*this);
  const Rows none;  // each row by itself
  const Context<TorchTensor> context{
      .w = Weights<TorchTensor>(map).under("embeddings"), .config = config(), .rows = none};
  const at::Tensor& like = map.at("embeddings.input_embeddings.std").value;
  return InputEmbeddings::apply(TorchTensor(values.to(like.scalar_type())), context).value;
}

at::Tensor FNetModelImpl::forward_rows(const at::Tensor& vectors, const at::Tensor& types,
                                       const Rows& rows, const at::Tensor& given,
                                       std::vector<at::Tensor>* hidden_states) {
  // What a block that is computed again still needs by then.
  struct Kept {
    WeightMap map;
    Rows rows;
  };
  const auto kept = std::make_shared<Kept>(Kept{weight_map(*this), rows});
  if (is_training()) {
    // What a frozen norm tracks goes into a copy.
    for (const auto& item : named_buffers()) {
      if (frozen().contains(item.key())) kept->map[item.key()] = item.value().clone();
    }
  }
  const auto ids = at::TensorOptions(at::kLong).device(vectors.device());
  const at::Tensor positions =
      given.defined() ? given
                      : on_device(rows.positions<std::int64_t>(), at::kLong, vectors.device());
  const at::Tensor kinds = types.defined() ? types : at::zeros({rows.total()}, ids);
  const Context<TorchTensor> context{.w = Weights<TorchTensor>(kept->map),
                                     .config = config(),
                                     .rows = kept->rows,
                                     .activation = parts().activation,
                                     .layer = -1,
                                     .dropout = dropout_of(*this, dropout_place())};
  const TorchTensor embedded = Embeddings::apply(TorchTensor(vectors), positions, kinds,
                                                 context.under("embeddings"), parts());
  // Blocks add to it, in its precision, whatever their products give.
  const TorchTensor x = embedded.value.to(vectors.scalar_type());
  std::vector<TorchTensor> states;
  const auto block = [&](const TorchTensor& in, const Context<TorchTensor>& c, const Parts& all) {
    if (!recompute() || !is_training()) return EncoderBlock::apply(in, c, all);
    return TorchTensor(recomputed(in, [kept, c, &all](const at::Tensor& v) {
      return EncoderBlock::apply(TorchTensor(v), c, all).value;
    }));
  };
  const at::Tensor last =
      Encoder::apply(x, context, parts(), hidden_states != nullptr ? &states : nullptr, block);
  for (const TorchTensor& state : states) hidden_states->push_back(state.value);
  return last;
}

FNetModelImpl::Output FNetModelImpl::forward(const Inputs& inputs) {
  const PackedInputs packed = pack_inputs(*this, inputs);
  const at::Tensor hidden =
      forward_rows(packed.vectors, packed.types, packed.packing.rows, packed.positions);
  Output output{packed.packing.unpack(hidden), {}};
  if (config().pooler) {
    const WeightMap map = weight_map(*this);
    const Context<TorchTensor> context{
        .w = Weights<TorchTensor>(map), .config = config(), .rows = packed.packing.rows};
    output.pooler_output = fnet::apply(PoolerPooling(), TorchTensor(hidden), context);
  }
  return output;
}

FNetWithHeadImpl::FNetWithHeadImpl(const Config& config, std::uint64_t seed) : FNetModule(config) {
  require(!config.head_names().empty(), Kind::usage,
          "FNetWithHead: expected a config with a head, found an encoder's");
  fnet = register_module("fnet", FNetModel(config, seed));
  // The encoder by itself has its own pooling; heads may read others.
  Specs poolings;
  pooling_weights(poolings.under("fnet"), this->config());
  std::vector<WeightSpec> specs = poolings.list();
  const WeightMap there = weight_map(*this);
  std::erase_if(specs, [&](const WeightSpec& spec) { return there.contains(spec.name); });
  for (WeightSpec& spec : head_specs(this->config())) specs.push_back(std::move(spec));
  register_weights(*this, specs, config.initializer_range, seed);
}

void FNetWithHeadImpl::set_dropout_place(std::optional<DropoutPlace> place) {
  FNetModule::set_dropout_place(place);
  fnet->set_dropout_place(place);
}

void FNetWithHeadImpl::set_recompute(bool recompute) {
  FNetModule::set_recompute(recompute);
  fnet->set_recompute(recompute);
}

void FNetWithHeadImpl::set_frozen(const std::set<std::string>& names) {
  FNetModule::set_frozen(names);
  std::set<std::string> inner;
  for (const std::string& name : names) inner.emplace(name_in_encoder(name));
  fnet->set_frozen(inner);
}

template <class Use>
at::Tensor FNetWithHeadImpl::with_head(const Rows& rows, std::string_view head, const Use& use) {
  const HeadConfig own = config().head(head);
  const Pooling pooling = pooling_named(own.pooling);
  const WeightMap map = weight_map(*this);
  const Weights<TorchTensor> root(map);
  HeadContext<TorchTensor> context{{.w = root.under(head_place(config().head_key(head))),
                                    .config = config(),
                                    .rows = rows,
                                    .activation = parts().activation,
                                    .layer = config().num_hidden_layers,
                                    .dropout = dropout_of(*this, dropout_place())},
                                   root.under("fnet"),
                                   own,
                                   pooling};
  return use(context).value;
}

at::Tensor FNetWithHeadImpl::scores(const at::Tensor& hidden, const Rows& rows,
                                    const at::Tensor& picks, std::string_view head,
                                    const Bags* ngrams) {
  return with_head(rows, head, [&](HeadContext<TorchTensor>& context) {
    if (picks.defined()) context.picked = &picks;
    context.ngrams = ngrams;
    return fnet::apply(make_head(context.head), TorchTensor(hidden), context);
  });
}

at::Tensor FNetWithHeadImpl::pooled(const at::Tensor& hidden, const Rows& rows,
                                    std::string_view head) {
  return with_head(rows, head, [&](const HeadContext<TorchTensor>& context) {
    const Head own = make_head(context.head);
    const auto* layered = std::get_if<SequenceClassification>(&own);
    const TorchTensor x(hidden);
    return layered != nullptr ? layered->read(x, context) : context.pool(x);
  });
}

at::Tensor FNetWithHeadImpl::wide_scores(const Bags& ngrams) {
  const WeightMap map = weight_map(*this);
  return WidePart::apply(ngrams, Weights<TorchTensor>(map));
}

at::Tensor FNetWithHeadImpl::forward_rows(const at::Tensor& vectors, const at::Tensor& types,
                                          const Rows& rows, const at::Tensor& positions) {
  return scores(fnet->forward_rows(vectors, types, rows, positions), rows);
}

at::Tensor FNetWithHeadImpl::forward(const Inputs& inputs) {
  const PackedInputs packed = pack_inputs(*fnet, inputs);
  const at::Tensor all =
      forward_rows(packed.vectors, packed.types, packed.packing.rows, packed.positions);
  return is_pooled(head_for(config().task)) ? all : packed.packing.unpack(all);
}

Config with_task(Config config, std::string_view task) {
  config.task = task;
  return config;
}

namespace {

template <class Model>
Model load_model(const std::filesystem::path& directory) {
  const Config config = Config::load(directory);
  Model model(config);
  const std::string& task = model->config().task;
  require(task == "encoder" || task == config.task, Kind::input,
          "{}: expected a model for {}, found one for {}", directory.string(), task, config.task);
  model->load_weights(directory);
  return model;
}

}  // namespace

FNetModel FNetModel::load(const std::filesystem::path& directory) {
  return load_model<FNetModel>(directory);
}

FNetForSequenceClassification FNetForSequenceClassification::load(
    const std::filesystem::path& directory) {
  return load_model<FNetForSequenceClassification>(directory);
}

FNetForTokenClassification FNetForTokenClassification::load(
    const std::filesystem::path& directory) {
  return load_model<FNetForTokenClassification>(directory);
}

}  // namespace fnet::nn
