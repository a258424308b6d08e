#include "train/packing.h"

#include <string_view>

namespace fnet::nn {
namespace {

/// Throws input where an id is no row of its table.
void check_ids(const at::Tensor& ids, std::int64_t count, std::string_view name,
               std::string_view key) {
  const auto [low, high] = at::aminmax(ids);
  const std::int64_t least = low.item<std::int64_t>(), most = high.item<std::int64_t>();
  require(least >= 0 && most < count, Kind::input, "{}: expected 0 to {} ({} - 1), found {}", name,
          count - 1, key, least < 0 ? least : most);
}

}  // namespace

void check_lengths(const std::vector<std::int64_t>& lengths, std::int64_t texts,
                   std::int64_t rows) {
  require(lengths.empty() || static_cast<std::int64_t>(lengths.size()) == texts, Kind::usage,
          "lengths: expected one for each of the {} texts, found {}", texts, lengths.size());
  for (const std::int64_t length : lengths) {
    require(length >= 1 && length <= rows, Kind::usage, "lengths: expected 1 to {}, found {}", rows,
            length);
  }
}

at::Tensor Packing::unpack(const at::Tensor& packed) const {
  std::vector<std::int64_t> shape = packed.sizes().vec();
  shape[0] = most;
  shape.insert(shape.begin(), rows.texts());
  if (rows.total() == rows.texts() * most) return packed.view(shape);
  std::vector<std::int64_t> places;
  for (std::int64_t text = 0; text < rows.texts(); ++text) {
    for (std::int64_t i = 0; i < rows.rows(text); ++i) places.push_back(text * most + i);
  }
  shape[1] = packed.size(-1);
  const at::Tensor index = on_device(places, at::kLong, packed.device());
  at::Tensor flat = at::zeros({rows.texts() * most, packed.size(-1)}, packed.options());
  flat = flat.index_copy(0, index, packed);
  return flat.view({rows.texts(), most, packed.size(-1)});
}

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
  const at::Tensor index = on_device(packed.packing.source, at::kLong, given.device());
  const auto gather = [&](const at::Tensor& flat, const at::Tensor& padding) {
    return packed.packing.whole ? flat : at::cat({flat, padding}).index_select(0, index);
  };
  const at::Tensor pad_id =
      at::full({1}, c.pad_token_id, at::TensorOptions(at::kLong).device(given.device()));
  if (in.input_ids.defined()) {
    const at::Tensor ids = gather(in.input_ids.reshape({-1}).to(at::kLong), pad_id);
    check_ids(ids, c.vocab_size, "input_ids", "vocab_size");
    packed.vectors = model.word_embeddings(ids);
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
    check_ids(packed.types, c.type_vocab_size, "token_type_ids", "type_vocab_size");
  }
  if (places.defined()) {
    const at::Tensor flat = places.to(at::kLong).expand({texts, columns}).reshape({-1});
    // Padding rows keep their own.
    const at::Tensor counted =
        on_device(packed.packing.rows.positions<std::int64_t>(), at::kLong, given.device());
    packed.positions =
        at::where(index == texts * columns, counted, gather(flat, counted.slice(0, 0, 1)));
    check_ids(packed.positions, c.max_position_embeddings, "position_ids",
              "max_position_embeddings");
  }
  return packed;
}

at::Tensor hidden_of(FNetModelImpl& model, const Batch& batch, std::vector<at::Tensor>* states) {
  const at::Device device = model.parameters().front().device();
  const auto ids = [&](const std::vector<std::int32_t>& numbers) {
    return on_device(numbers, at::kLong, device);
  };
  const at::Tensor vectors =
      batch.values.empty()
          ? model.word_embeddings(ids(batch.ids))
          : model.input_embeddings(
                on_device(batch.values, at::kFloat, device).view({batch.rows.total(), -1}));
  return model.forward_rows(vectors, ids(batch.types), batch.rows, {}, states);
}

}  // namespace fnet::nn
