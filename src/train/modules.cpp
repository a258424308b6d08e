#include "fnet/train.h"

#include <algorithm>
#include <span>

#include "core/file.h"
#include "model/batch.h"
#include "model/init.h"
#include "model/weights.h"
#include "train/algebra.h"
// The formulas, over the algebra above.
#include "blocks/model.h"

namespace fnet::nn {
namespace {

/// Registers a tensor under a dotted path, with a plain module for each part of it.
void register_path(torch::nn::Module& root, std::string_view path, const at::Tensor& value) {
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
  place->register_parameter(std::string(path), value);
}

void register_weights(torch::nn::Module& root, const std::vector<WeightSpec>& specs, double range,
                      std::uint64_t seed) {
  for (const WeightSpec& spec : specs) {
    const std::vector<float> values = initial_values(spec, range, seed);
    register_path(root, spec.name, at::tensor(values, at::kFloat).view(spec.shape));
  }
}

Weights<at::Tensor>::Map weight_map(const torch::nn::Module& module) {
  Weights<at::Tensor>::Map map;
  for (const auto& item : module.named_parameters()) map.emplace(item.key(), item.value());
  return map;
}

Drop drop_of(const torch::nn::Module& module, const Config& config) {
  return Drop{module.is_training() ? config.hidden_dropout_prob : 0.0};
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

/// Where packed rows come from in a flat [B·N, …]: entry t is the row's index there, or `padding`.
struct Door {
  Rows rows;
  std::vector<std::int64_t> source;
  std::int64_t most = 0;  // rows of a text
  bool whole = true;      // the packed rows are the flat ones as they are

  /// `rows_of(length)`: the rows that a text takes.
  template <class RowsOf>
  Door(std::int64_t texts, std::int64_t columns, const std::vector<std::int64_t>& lengths,
       std::int64_t padding, RowsOf&& rows_of) {
    for (std::int64_t text = 0; text < texts; ++text) {
      const std::int64_t length =
          lengths.empty() ? columns : lengths[static_cast<std::size_t>(text)];
      const std::int64_t count = rows_of(length);
      rows.add(count, length);
      most = std::max(most, count);
      whole = whole && count == columns && length == columns;
      for (std::int64_t i = 0; i < count; ++i) {
        source.push_back(i < length ? text * columns + i : padding);
      }
    }
  }

  /// [T, …] → [B, most, …], 0 past a text's rows.
  at::Tensor unpack(const at::Tensor& packed) const {
    std::vector<std::int64_t> shape = packed.sizes().vec();
    shape[0] = most;
    shape.insert(shape.begin(), rows.texts());
    if (rows.total() == rows.texts() * most) return packed.view(shape);
    std::vector<std::int64_t> places;
    for (std::int64_t text = 0; text < rows.texts(); ++text) {
      for (std::int64_t i = 0; i < rows.rows(text); ++i) places.push_back(text * most + i);
    }
    shape[1] = packed.size(-1);
    const at::Tensor index = at::tensor(places, at::kLong).to(packed.device());
    at::Tensor flat = at::zeros({rows.texts() * most, packed.size(-1)}, packed.options());
    flat = flat.index_copy(0, index, packed);
    return flat.view({rows.texts(), most, packed.size(-1)});
  }
};

/// Packs x [B, N, H] by `lengths`, applies `use(rows [T, H], Rows)`, and unpacks to [B, N, H].
template <class Use>
at::Tensor through_rows(const at::Tensor& x, const std::vector<std::int64_t>& lengths, Use&& use) {
  require(x.dim() == 3, Kind::usage, "x: expected [B, N, H], found {} axes", x.dim());
  check_lengths(lengths, x.size(0), x.size(1));
  Door door(x.size(0), x.size(1), lengths, 0, [](std::int64_t length) { return length; });
  door.most = x.size(1);
  at::Tensor flat = x.reshape({-1, x.size(2)});
  if (!door.whole) flat = flat.index_select(0, at::tensor(door.source, at::kLong).to(x.device()));
  return door.unpack(use(flat, door.rows));
}

/// What FNetModule::forward makes of its inputs.
struct Packed {
  Door door;
  at::Tensor vectors, types;  // [T, H], [T]
};

Packed pack_inputs(const FNetModelImpl& model, const Inputs& in) {
  const Config& c = model.config();
  require(in.input_ids.defined() != in.inputs_embeds.defined(), Kind::usage,
          "inputs: expected either input_ids or inputs_embeds");
  const at::Tensor& given = in.input_ids.defined() ? in.input_ids : in.inputs_embeds;
  require(given.dim() == (in.input_ids.defined() ? 2 : 3), Kind::usage,
          "inputs: expected input_ids [B, N] or inputs_embeds [B, N, H], found {} axes",
          given.dim());
  require(!in.inputs_embeds.defined() || given.size(2) == c.hidden_size, Kind::usage,
          "inputs_embeds: expected vectors of {} (hidden_size), found {}", c.hidden_size,
          given.size(-1));
  require(!in.token_type_ids.defined() || in.token_type_ids.sizes() == given.sizes().slice(0, 2),
          Kind::usage, "token_type_ids: expected the shape [B, N] of the inputs");
  const std::int64_t texts = given.size(0), columns = given.size(1);
  require(texts > 0 && columns > 0, Kind::usage, "inputs: expected at least one text of one row");
  check_lengths(in.lengths, texts, columns);

  std::int64_t longest = columns;
  if (!in.lengths.empty()) longest = *std::ranges::max_element(in.lengths);

  // One more flat row past the texts' own stands for padding.
  Packed packed{Door(texts, columns, in.lengths, texts * columns,
                     [&](std::int64_t length) {
                       return rows_of(static_cast<std::size_t>(length), c, longest);
                     }),
                {},
                {}};
  const at::Tensor index = at::tensor(packed.door.source, at::kLong).to(given.device());
  const auto gather = [&](const at::Tensor& flat, const at::Tensor& padding) {
    return packed.door.whole ? flat : at::cat({flat, padding}).index_select(0, index);
  };
  const at::Tensor pad_id =
      at::full({1}, c.pad_token_id, at::TensorOptions(at::kLong).device(given.device()));
  if (in.input_ids.defined()) {
    packed.vectors =
        model.word_embeddings(gather(in.input_ids.reshape({-1}).to(at::kLong), pad_id));
  } else {
    packed.vectors = gather(given.reshape({-1, c.hidden_size}), model.word_embeddings(pad_id));
  }
  if (in.token_type_ids.defined()) {
    packed.types = gather(in.token_type_ids.reshape({-1}).to(at::kLong), at::zeros_like(pad_id));
  }
  return packed;
}

std::vector<WeightSpec> head_specs(const Config& config) {
  std::vector<WeightSpec> specs = model_weights(config);
  std::erase_if(specs, [](const WeightSpec& spec) { return spec.name.starts_with("fnet."); });
  return specs;
}

Config without_head(Config config) {
  config.task = "encoder";
  config.labels.clear();
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
    return fourier_mix(packed, rows, ortho_);
  });
}

FNetEncoderBlockImpl::FNetEncoderBlockImpl(const Config& config, std::int64_t layer,
                                           std::uint64_t seed)
    : config_(config), layer_(layer) {
  config.validate();
  require(layer >= 0 && layer < config.num_hidden_layers, Kind::usage,
          "layer: expected 0 to {}, found {}", config.num_hidden_layers - 1, layer);
  Specs specs;
  EncoderBlock::weights(specs, config, config.mixer(layer));
  register_weights(*this, specs.list(), config.initializer_range, seed);
}

at::Tensor FNetEncoderBlockImpl::forward_rows(const at::Tensor& x, const Rows& rows) {
  const auto map = weight_map(*this);
  return EncoderBlock::apply(x, rows, Weights<at::Tensor>(map), config_, config_.mixer(layer_),
                             drop_of(*this, config_));
}

at::Tensor FNetEncoderBlockImpl::forward(const at::Tensor& x,
                                         const std::vector<std::int64_t>& lengths) {
  return through_rows(x, lengths, [&](const at::Tensor& packed, const Rows& rows) {
    return forward_rows(packed, rows);
  });
}

FNetModule::FNetModule(Config config) : config_(std::move(config)) { config_.validate(); }

void FNetModule::load_weights(const std::filesystem::path& directory, bool new_head) {
  WeightOptions options;
  options.allow_unexpected = new_head || !config_.has_head();
  if (new_head) {
    for (const WeightSpec& spec : head_specs(config_)) options.may_be_missing.push_back(spec.name);
    // Encoders come without the pooler that this model may read.
    options.may_be_missing.push_back("fnet.pooler.");
  }
  const WeightReader reader = WeightReader::open(directory, model_weights(config_), options);
  const at::NoGradGuard no_grad;
  for (auto& item : named_parameters()) {
    if (!reader.has(item.key())) continue;
    const std::vector<float> values = reader.read(item.key());
    item.value().copy_(at::tensor(values, at::kFloat).view(item.value().sizes()));
  }
}

void FNetModule::save(const std::filesystem::path& directory) const {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  require(!error, Kind::system, "{}: cannot make the directory: {}", directory.string(),
          error.message());
  const auto parameters = named_parameters();
  at::Tensor value;  // keeps what the span shows
  save_weights(directory, model_weights(config_), [&](const std::string& name) {
    value = parameters[name].detach().to(at::kCPU, at::kFloat).contiguous();
    return std::span(value.const_data_ptr<float>(), static_cast<std::size_t>(value.numel()));
  });
  write_file(directory / "config.json", config_.to_json());
}

FNetModelImpl::FNetModelImpl(const Config& config, std::uint64_t seed)
    : FNetModule(without_head(config)) {
  register_weights(*this, model_weights(this->config()), config.initializer_range, seed);
}

at::Tensor FNetModelImpl::word_embeddings(const at::Tensor& ids) const {
  const auto map = weight_map(*this);
  return lookup(Weights<at::Tensor>(map)["embeddings.word_embeddings.weight"], ids);
}

at::Tensor FNetModelImpl::forward_rows(const at::Tensor& vectors, const at::Tensor& types,
                                       const Rows& rows) {
  const auto map = weight_map(*this);
  const Weights<at::Tensor> w(map);
  const auto ids = at::TensorOptions(at::kLong).device(vectors.device());
  const at::Tensor positions =
      at::tensor(rows.positions<std::int64_t>(), at::kLong).to(vectors.device());
  const at::Tensor kinds = types.defined() ? types : at::zeros({rows.total()}, ids);
  const Drop drop = drop_of(*this, config());
  const at::Tensor x =
      Embeddings::apply(vectors, positions, kinds, w.under("embeddings"), config(), drop);
  return Encoder::apply(x, rows, w, config(), drop);
}

FNetModelImpl::Output FNetModelImpl::forward(const Inputs& inputs) {
  const Packed packed = pack_inputs(*this, inputs);
  const at::Tensor hidden = forward_rows(packed.vectors, packed.types, packed.door.rows);
  Output output{packed.door.unpack(hidden), {}};
  if (config().pooler) {
    const auto map = weight_map(*this);
    output.pooler_output = pool("pooler", hidden, packed.door.rows, Weights<at::Tensor>(map));
  }
  return output;
}

FNetWithHeadImpl::FNetWithHeadImpl(const Config& config, std::string_view task, std::uint64_t seed)
    : FNetModule([&] {
        Config own = config;
        own.task = task;
        return own;
      }()) {
  fnet = register_module("fnet", FNetModel(config, seed));
  register_weights(*this, head_specs(this->config()), config.initializer_range, seed);
}

at::Tensor FNetWithHeadImpl::forward_rows(const at::Tensor& vectors, const at::Tensor& types,
                                          const Rows& rows) {
  const at::Tensor hidden = fnet->forward_rows(vectors, types, rows);
  const auto map = weight_map(*this);
  return head(hidden, rows, Weights<at::Tensor>(map), config(), drop_of(*this, config()));
}

at::Tensor FNetWithHeadImpl::forward(const Inputs& inputs) {
  const Packed packed = pack_inputs(*fnet, inputs);
  const at::Tensor scores = forward_rows(packed.vectors, packed.types, packed.door.rows);
  return config().task == "token-classification" ? packed.door.unpack(scores) : scores;
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
