#include "fnet/train.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "blocks/model.h"
#include "model/batch.h"
#include "model/init.h"
#include "model/weights.h"
#include "train/algebra.h"
#include "train/module_weights.h"
#include "train/packing.h"

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

void check_lengths(const std::vector<std::int64_t>& lengths, std::int64_t texts,
                   std::int64_t rows) {
  require(lengths.empty() || static_cast<std::int64_t>(lengths.size()) == texts, Kind::usage,
          "lengths: expected one for each of the {} texts, found {}", texts, lengths.size());
  for (const std::int64_t length : lengths) {
    require(length >= 1 && length <= rows, Kind::usage, "lengths: expected 1 to {}, found {}", rows,
            length);
  }
}

/// Packs x [B, N, H] by `lengths`, applies `use(rows [T, H], Rows)`, and unpacks to [B, N, H].
template <class Use>
at::Tensor through_rows(const at::Tensor& x, const std::vector<std::int64_t>& lengths, Use&& use) {
  require(x.dim() == 3, Kind::usage, "x: expected [B, N, H], found {} axes", x.dim());
  check_lengths(lengths, x.size(0), x.size(1));
  Packing packing(x.size(0), x.size(1), lengths, 0, [](std::int64_t length) { return length; });
  packing.most = x.size(1);
  at::Tensor flat = x.reshape({-1, x.size(2)});
  if (!packing.whole)
    flat = flat.index_select(0, at::tensor(packing.source, at::kLong).to(x.device()));
  return packing.unpack(use(flat, packing.rows));
}

/// What a model's forward makes of its inputs.
struct PackedInputs {
  Packing packing;
  at::Tensor vectors, types, positions;  // [T, H], [T], [T]
};

PackedInputs pack_inputs(const FNetModelImpl& model, const Inputs& in) {
  const Config& c = model.config();
  const bool numbers = c.reads_numbers();
  const at::Tensor& own = numbers ? in.input_values : in.input_ids;
  require(own.defined() != in.inputs_embeds.defined(), Kind::usage,
          "inputs: expected either {} or inputs_embeds", numbers ? "input_values" : "input_ids");
  require(!(numbers ? in.input_ids : in.input_values).defined(), Kind::usage,
          "inputs: expected {} for input_type {}, found {}", numbers ? "input_values" : "input_ids",
          c.input_type, numbers ? "input_ids" : "input_values");
  const at::Tensor& given = own.defined() ? own : in.inputs_embeds;
  require(given.dim() == (in.input_ids.defined() ? 2 : 3), Kind::usage,
          "inputs: expected input_ids [B, N], input_values [B, N, F] or inputs_embeds [B, N, H], "
          "found {} axes",
          given.dim());
  const auto width = static_cast<std::int64_t>(c.input_shape().row_size());
  require(!in.input_values.defined() || given.size(2) == width, Kind::usage,
          "input_values: expected rows of {} numbers, found {}", width, given.size(-1));
  require(!in.inputs_embeds.defined() || given.size(2) == c.hidden_size, Kind::usage,
          "inputs_embeds: expected vectors of {} (hidden_size), found {}", c.hidden_size,
          given.size(-1));
  require(!in.token_type_ids.defined() || in.token_type_ids.sizes() == given.sizes().slice(0, 2),
          Kind::usage, "token_type_ids: expected the shape [B, N] of the inputs");
  const std::int64_t texts = given.size(0), columns = given.size(1);
  const at::Tensor& places = in.position_ids;
  require(!places.defined() || places.sizes() == given.sizes().slice(0, 2) ||
              places.sizes() == given.sizes().slice(1, 1),
          Kind::usage, "position_ids: expected the shape [B, N] or [N] of the inputs");
  require(texts > 0 && columns > 0, Kind::usage, "inputs: expected at least one text of one row");
  check_lengths(in.lengths, texts, columns);

  std::int64_t longest = columns;
  if (!in.lengths.empty()) longest = *std::ranges::max_element(in.lengths);

  // One more flat row past the texts' own stands for padding.
  PackedInputs packed{Packing(texts, columns, in.lengths, texts * columns,
                              [&](std::int64_t length) {
                                return rows_of(static_cast<std::size_t>(length), c, longest);
                              }),
                      {},
                      {},
                      {}};
  const at::Tensor index = at::tensor(packed.packing.source, at::kLong).to(given.device());
  const auto gather = [&](const at::Tensor& flat, const at::Tensor& padding) {
    return packed.packing.whole ? flat : at::cat({flat, padding}).index_select(0, index);
  };
  const at::Tensor pad_id =
      at::full({1}, c.pad_token_id, at::TensorOptions(at::kLong).device(given.device()));
  if (in.input_ids.defined()) {
    packed.vectors =
        model.word_embeddings(gather(in.input_ids.reshape({-1}).to(at::kLong), pad_id));
  } else if (in.input_values.defined()) {
    packed.vectors = model.input_embeddings(
        gather(given.reshape({-1, width}), at::zeros({1, width}, given.options())));
  } else {
    const at::Tensor padding = numbers
                                   ? model.input_embeddings(at::zeros({1, width}, given.options()))
                                   : model.word_embeddings(pad_id);
    packed.vectors = gather(given.reshape({-1, c.hidden_size}), padding);
  }
  if (in.token_type_ids.defined()) {
    packed.types = gather(in.token_type_ids.reshape({-1}).to(at::kLong), at::zeros_like(pad_id));
  }
  if (places.defined()) {
    const at::Tensor flat = places.to(at::kLong).expand({texts, columns}).reshape({-1});
    const auto [low, high] = at::aminmax(flat);
    require(low.item<std::int64_t>() >= 0 && high.item<std::int64_t>() < c.max_position_embeddings,
            Kind::input, "position_ids: expected 0 to {} (max_position_embeddings - 1), found {}",
            c.max_position_embeddings - 1,
            low.item<std::int64_t>() < 0 ? low.item<std::int64_t>() : high.item<std::int64_t>());
    // Padding rows keep their own.
    const at::Tensor counted =
        at::tensor(packed.packing.rows.positions<std::int64_t>(), at::kLong).to(given.device());
    packed.positions =
        at::where(index == texts * columns, counted, gather(flat, counted.slice(0, 0, 1)));
  }
  return packed;
}

Config without_head(Config config) {
  config.task = "encoder";
  config.labels.clear();
  config.heads.clear();
  config.wide_features = 0;
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
                                       const Rows& rows, const at::Tensor& given) {
  WeightMap map = weight_map(*this);
  if (is_training()) {
    // What a frozen norm tracks goes into a copy.
    for (const auto& item : named_buffers()) {
      if (frozen().contains(item.key())) map[item.key()] = item.value().clone();
    }
  }
  const auto ids = at::TensorOptions(at::kLong).device(vectors.device());
  const at::Tensor positions =
      given.defined() ? given
                      : at::tensor(rows.positions<std::int64_t>(), at::kLong).to(vectors.device());
  const at::Tensor kinds = types.defined() ? types : at::zeros({rows.total()}, ids);
  const Context<TorchTensor> context{.w = Weights<TorchTensor>(map),
                                     .config = config(),
                                     .rows = rows,
                                     .activation = parts().activation,
                                     .layer = -1,
                                     .dropout = dropout_of(*this, dropout_place())};
  const TorchTensor x = Embeddings::apply(TorchTensor(vectors), positions, kinds,
                                          context.under("embeddings"), parts());
  return Encoder::apply(x, context, parts());
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

void FNetWithHeadImpl::set_frozen(const std::set<std::string>& names) {
  FNetModule::set_frozen(names);
  std::set<std::string> inner;
  for (const std::string& name : names) inner.emplace(name_in_encoder(name));
  fnet->set_frozen(inner);
}

at::Tensor FNetWithHeadImpl::scores(const at::Tensor& hidden, const Rows& rows,
                                    const at::Tensor& picks, std::string_view head,
                                    const Bags* ngrams) {
  const HeadConfig own = config().head(head);
  const Pooling pooling = pooling_named(own.pooling);
  const WeightMap map = weight_map(*this);
  const Weights<TorchTensor> root(map);
  HeadContext<TorchTensor> context{{.w = root.under(head_place(head)),
                                    .config = config(),
                                    .rows = rows,
                                    .activation = parts().activation,
                                    .layer = config().num_hidden_layers,
                                    .dropout = dropout_of(*this, dropout_place())},
                                   root.under("fnet"),
                                   own,
                                   pooling};
  if (picks.defined()) context.picked = &picks;
  context.ngrams = ngrams;
  return fnet::apply(head_for(own.task), TorchTensor(hidden), context);
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
