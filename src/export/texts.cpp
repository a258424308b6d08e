#include "export/texts.h"

#include <cmath>
#include <numbers>
#include <vector>

#include "core/error.h"

namespace fnet {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;
constexpr std::int64_t kFloat = OnnxGraph::kFloat, kInt64 = OnnxGraph::kInt64;

}  // namespace

OnnxTexts::OnnxTexts(OnnxGraph& graph, const Config& config, OnnxFourier fourier)
    : graph_(graph),
      fourier_(fourier),
      hidden_size_(config.hidden_size),
      padded_(config.lengths().kind == LengthPolicy::Kind::fixed),
      fixed_(config.lengths().length) {
  require(config.lengths().kind != LengthPolicy::Kind::batch, Kind::input,
          "config: length_policy: expected exact or fixed:N for ONNX, found batch: a text's answer "
          "would depend on the others beside it; set it in config.json");
  OnnxGraph& g = graph_;
  const bool numbers = config.reads_numbers();
  const OnnxGraph::Axis texts = "batch_size", length_axis = "sequence_length";
  const auto input = [&](const char* name) { return g.add_input(name, {texts, length_axis}); };
  const auto width = static_cast<std::int64_t>(config.input_shape().row_size());
  const std::string given = numbers
                                ? g.add_input("input_values", {texts, length_axis, width}, kFloat)
                                : input("input_ids");
  const std::string mask = input("attention_mask"),
                    types = numbers ? g.add("Mul", {mask, g.integer(0)}) : input("token_type_ids");
  const std::string rows = g.add("Gather", {g.add("Shape", {given}), g.integers({1})});  // [1]
  const std::string length = g.add("Squeeze", {rows});
  const std::string row = g.add("Range", {g.integer(0), length, g.integer(1)});
  const std::string count =
      g.add("ReduceSum", {mask, g.integers({1})}, {{"keepdims", std::int64_t{1}}});  // [B, 1]
  const std::string inside = g.add("Less", {row, count});                            // [B, L]
  const std::string zero = guard(mask, inside, count, length);
  const auto tokens_or = [&](const std::string& values, std::int64_t other) {
    return g.add("Where", {inside, values, g.integer(other)});
  };
  if (numbers) {
    const std::string none = g.add("Cast", {zero}, {{"to", kFloat}});
    values_ = g.add("Where", {g.add("Unsqueeze", {inside, g.integers({2})}),
                              g.add("Add", {given, none}), g.number(0)});
  } else {
    ids_ = tokens_or(g.add("Add", {given, zero}), config.pad_token_id);
  }
  types_ = tokens_or(types, 0);
  tokens_ = inside;
  positions_ = row;
  rows_ = input_rows_ = rows;
  owned_ = g.add("Unsqueeze", {count, g.integers({2})});
  lengths_ = g.add("Cast", {owned_}, {{"to", kFloat}});
  if (padded_) {
    rows_ = g.integers({fixed_});
    const std::string missing = g.add("Sub", {rows_, rows});
    const auto pads = [&](const std::vector<std::int64_t>& before,
                          const std::vector<std::int64_t>& behind) {
      std::vector<std::string> parts = {g.integers(before), missing};
      if (!behind.empty()) parts.push_back(g.integers(behind));
      return g.add("Concat", parts, {{"axis", std::int64_t{0}}});
    };
    const auto pad = [&](const std::string& values, std::int64_t with) {
      return g.add("Pad", {values, pads({0, 0, 0}, {}), g.integer(with)});
    };
    if (numbers) {
      values_ = g.add("Pad", {values_, pads({0, 0, 0, 0}, {0}), g.number(0)});
    } else {
      ids_ = pad(ids_, config.pad_token_id);
    }
    types_ = pad(types_, 0);
    const std::string whole = g.add("Cast", {inside}, {{"to", kInt64}});
    tokens_ = g.add("Greater", {pad(whole, 0), g.integer(0)});
    positions_ = g.add("Range", {g.integer(0), g.integer(fixed_), g.integer(1)});
    owned_ = g.add("Reshape", {rows_, g.integers({1, 1, 1})});
  }
  tokens_ = g.add("Unsqueeze", {tokens_, g.integers({2})});
}

/// A zero that the run does not get past where the inputs are none that the graph answers: it is
/// looked up in a table of one entry. The node's name is in the error.
std::string OnnxTexts::guard(const std::string& mask, const std::string& inside,
                             const std::string& count, const std::string& length) {
  OnnxGraph& g = graph_;
  const bool whole = fourier_ == OnnxFourier::dft && !padded_;
  const std::string expected = whole ? g.integer(1) : g.add("Cast", {inside}, {{"to", kInt64}});
  const auto least = [&](const std::string& values) {
    return g.add("ReduceMin", {values}, {{"keepdims", std::int64_t{0}}});
  };
  const std::string equal = g.add("Cast", {g.add("Equal", {mask, expected})}, {{"to", kInt64}});
  const std::string good = g.add("Min", {least(equal), least(count)});  // 0 or less where it is not
  std::string place = g.add("Sub", {g.integer(1), g.add("Min", {good, g.integer(1)})});
  std::string name = whole ? "attention_mask_is_ones_as_texts_of_one_batch_have_equal_lengths"
                           : "attention_mask_is_ones_then_zeros_in_every_row";
  if (padded_) {
    name += "_and_a_text_has_at_most_" + std::to_string(fixed_) + "_tokens";
    const std::string over = g.add("Sub", {length, g.integer(fixed_)});
    place = g.add("Add", {place, g.add("Max", {over, g.integer(0)})});
  }
  return g.add("Gather", {g.integers({0}), place}, {}, name);
}

std::string OnnxTexts::ortho_scale() {
  if (scale_.empty()) {
    OnnxGraph& g = graph_;
    const std::string size = g.add("Cast", {owned_}, {{"to", kFloat}});
    const std::string area = g.add("Mul", {size, g.number(static_cast<double>(hidden_size_))});
    scale_ = g.add("Reciprocal", {g.add("Sqrt", {area})});
  }
  return scale_;
}

const OnnxTexts::Waves& OnnxTexts::waves(bool ortho) {
  const auto [found, fresh] = waves_.try_emplace(ortho);
  Waves& waves = found->second;
  if (!fresh) return waves;
  OnnxGraph& g = graph_;
  if (ortho) {
    const Waves plain = this->waves(false);
    waves = {g.add("Mul", {plain.cos, ortho_scale()}), g.add("Mul", {plain.sin, ortho_scale()})};
    return waves;
  }
  // i · j mod n in whole numbers: the angle is exact but for its last rounding, however long a
  // text.
  const std::string down = g.add("Unsqueeze", {positions_, g.integers({1})});
  const std::string steps = g.add("Mod", {g.add("Mul", {down, positions_}), owned_});
  const std::string step =
      g.add("Div", {g.number(kTurn), g.add("Cast", {owned_}, {{"to", kFloat}})});
  const std::string angle = g.add("Mul", {g.add("Cast", {steps}, {{"to", kFloat}}), step});
  waves = {g.add("Cos", {angle}), g.add("Sin", {angle})};
  if (padded_) return waves;
  const std::string rows = g.add("Cast", {tokens_}, {{"to", kFloat}});  // [B, N, 1]
  const std::string both = g.add(
      "Mul", {rows, g.add("Transpose", {rows}, {{"perm", std::vector<std::int64_t>{0, 2, 1}}})});
  waves = {g.add("Mul", {waves.cos, both}), g.add("Mul", {waves.sin, both})};
  return waves;
}

const std::string& OnnxTexts::column_waves() {
  if (!column_waves_.empty()) return column_waves_;
  column_waves_ = "column_waves";
  const std::int64_t half = hidden_size_ / 2 + 1;
  std::vector<float> waves;
  for (std::int64_t i = 0; i < hidden_size_; ++i) {
    for (std::int64_t c = 0; c < 2 * half; ++c) {
      const double angle = kTurn * static_cast<double>(i * (c % half) % hidden_size_) /
                           static_cast<double>(hidden_size_);
      waves.push_back(static_cast<float>(c < half ? std::cos(angle) : std::sin(angle)));
    }
  }
  graph_.add_values(column_waves_, {hidden_size_, 2 * half}, waves);
  return column_waves_;
}

std::string OnnxTexts::unpadded(const std::string& x) const {
  if (!padded_) return x;
  return graph_.add("Slice", {x, graph_.integers({0}), input_rows_, graph_.integers({1})});
}

}  // namespace fnet
