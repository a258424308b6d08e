#include "fnet/config.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "core/error.h"
#include "core/numbers.h"
#include "model/config_fields.h"
#include "model/kinds.h"
#include "model/other_names.h"

namespace fnet {
namespace {

std::string show(const std::string& v) { return v; }
std::string show(std::int64_t v) { return fmt::format("{}", v); }
std::string show(double v) { return fmt::format("{}", v); }
std::string show(bool v) { return v ? "true" : "false"; }
std::string show(const std::vector<std::string>& v) { return fmt::format("{}", fmt::join(v, ",")); }
std::string show(const PartOptions& options) {
  std::vector<std::string> items;
  for (const auto& [name, value] : options) {
    items.push_back(name + "=" + std::visit([](const auto& v) { return show(v); }, value));
  }
  return show(items);
}

template <class Number>
Number parse_number(std::string_view key, std::string_view text, std::string_view expected) {
  const auto value = to_number<Number>(text);
  require(value.has_value(), Kind::usage, "config: {}: expected {}, found '{}'", key, expected,
          printable(text));
  return *value;
}
void parse(std::string_view key, std::string_view text, std::int64_t& out) {
  out = parse_number<std::int64_t>(key, text, "an integer");
}
void parse(std::string_view key, std::string_view text, double& out) {
  out = parse_number<double>(key, text, "a number");
}
void parse(std::string_view key, std::string_view text, bool& out) {
  require(text == "true" || text == "false", Kind::usage,
          "config: {}: expected true or false, found '{}'", key, printable(text));
  out = text == "true";
}
void parse(std::string_view, std::string_view text, std::string& out) { out = text; }
void parse(std::string_view, std::string_view text, std::vector<std::string>& out) {
  out.clear();
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    out.emplace_back(text.substr(begin, comma - begin));
    begin = comma + 1;
  }
}

void parse(std::string_view key, std::string_view, PartOptions&) {
  fail(Kind::usage, "config: {}: expected {}.<option>=<value>; `fnet info` lists the options", key,
       key);
}

/// An option's value as JSON would have it: a boolean, a number, else a word.
PartOptions::mapped_type parse_option(std::string_view text) {
  if (text == "true" || text == "false") return text == "true";
  if (const auto whole = to_number<std::int64_t>(text)) return *whole;
  if (const auto number = to_number<double>(text)) return *number;
  return std::string(text);
}

/// Numbers in a row of a model that reads them.
constexpr std::size_t kMaxRowSize = std::size_t{1} << 20;

/// What a head's entry of config.json is called in messages.
std::string head_key(const std::string& name) {
  return name.empty() ? "id2label" : fmt::format("heads.{}", name);
}

/// As many labels as the problem has. Source: transformers, FNetForSequenceClassification.forward.
void check_problem(const std::string& place, const HeadConfig& head) {
  if (architecture_of(head.task) != "FNetForSequenceClassification") return;
  const std::size_t found = head.labels.size();
  require(head.problem_type != "regression" || found == 1, Kind::input,
          "config: {}: expected one label for regression, found {}", place, found);
  require(head.problem_type != "single_label_classification" || found > 1, Kind::input,
          "config: {}: expected at least two labels for {}, found one, with which transformers "
          "means regression",
          place, head.problem_type);
}

/// The options of what the model reads.
void check_input(const Config& c) {
  config_fields([&](std::string_view name, auto member, const Allowed&, std::string_view) {
    require(c.uses(name) || c.*member == Config().*member, Kind::input,
            "config: {}: expected it left out for input_type {}, found {}", name, c.input_type,
            show(c.*member));
  });
  if (!c.reads_numbers()) return;
  const InputShape shape = c.input_shape();
  require(shape.row_size() <= kMaxRowSize, Kind::input,
          "config: expected at most {} numbers in a row, found {}", kMaxRowSize, shape.row_size());
  if (!shape.image()) return;
  require(shape.height % shape.patch == 0 && shape.width % shape.patch == 0, Kind::input,
          "config: patch_size: expected one that divides images of {} x {} pixels, found {}",
          shape.height, shape.width, shape.patch);
  const auto rows = (shape.height / shape.patch) * (shape.width / shape.patch);
  require(static_cast<std::int64_t>(rows) <= c.longest_text(), Kind::input,
          "config: max_position_embeddings: expected at least the {} patches of an image, found {}",
          rows, c.longest_text());
}

void check_head(const std::string& name, const HeadConfig& head, const Config& config) {
  const std::string place = head_key(name);
  require(!config.reads_numbers() || may_read_numbers(head.task), Kind::input,
          "config: {}: expected text-classification or none for input_type {}, found {}",
          name.empty() ? "task" : place + ".task", config.input_type, head.task);
  check_value(name.empty() ? "task" : place + ".task", head.task, Allowed::one_of(task_kinds()));
  check_value(name.empty() ? "pooling" : place + ".pooling", head.pooling,
              Allowed::one_of(pooling_kinds()));
  if (!head.problem_type.empty())
    check_value(place + ".problem_type", head.problem_type, problem_types());
  require(
      config.pooler || head.pooling != "pooler" || name.empty(), Kind::input,
      "config: {}.pooling: expected another one, found 'pooler' in a model without pooler weights",
      place);
  require(name.find('.') == name.npos, Kind::input,
          "config: heads: expected names without a dot, found '{}'", printable(name));
  require(!head.labels.empty() || !has_labels(head.task), Kind::input,
          "config: {}: expected labels for {}, found none", place, head.task);
  std::uint64_t bytes = 0;
  for (const std::string& label : head.labels) bytes += label.size();
  require(static_cast<std::int64_t>(head.labels.size()) <= kMaxLabels && bytes <= kMaxLabelBytes,
          Kind::input,
          "config: {}: expected at most {} labels of {} bytes together, found {} of {}", place,
          kMaxLabels, kMaxLabelBytes, head.labels.size(), bytes);
  check_problem(place, head);
  std::vector<std::string> sorted = head.labels;
  std::ranges::sort(sorted);
  const auto twice = std::ranges::adjacent_find(sorted);
  require(twice == sorted.end(), Kind::input,
          "config: {}: expected each label once, found '{}' twice", place,
          twice == sorted.end() ? "" : printable(*twice));
}

/// A whole number above 0, and nothing else.
std::optional<std::int64_t> count_of(std::string_view digits) {
  const auto count = to_number<std::int64_t>(digits);
  return count && *count > 0 ? count : std::nullopt;
}

}  // namespace

LengthPolicy LengthPolicy::parse(std::string_view text) {
  if (text == "exact") return {Kind::exact, 0};
  if (text == "batch") return {Kind::batch, 0};
  constexpr std::string_view fixed = "fixed:";
  if (text.starts_with(fixed)) {
    if (const auto length = count_of(text.substr(fixed.size()))) return {Kind::fixed, *length};
  }
  fail(fnet::Kind::usage, "length_policy: expected exact, fixed:N (N > 0) or batch, found '{}'",
       printable(text));
}

std::optional<MixerLayout> MixerLayout::parse(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == text.npos) return {};
  constexpr std::string_view kNames[] = {"bottom", "middle", "mixed", "top"};
  const auto found = std::ranges::find(kNames, text.substr(0, colon));
  const auto layers = count_of(text.substr(colon + 1));
  require(found != std::end(kNames) && layers, fnet::Kind::usage,
          "mixers: expected bottom:N, middle:N, mixed:N or top:N (N > 0), found '{}'",
          printable(text));
  return MixerLayout{static_cast<Kind>(found - std::begin(kNames)), *layers};
}

bool MixerLayout::has_attention(std::int64_t layer, std::int64_t count) const {
  switch (kind) {
    case Kind::bottom:
      return layer < layers;
    case Kind::middle:
      return count - layers <= 2 * layer && 2 * layer < count + layers;
    case Kind::mixed:
      return layer % (count / layers) == 0;
    case Kind::top:
      break;
  }
  return layer >= count - layers;
}

Config Config::preset(std::string_view variant) {
  struct Row {
    std::string_view name;
    std::int64_t hidden, layers, inner;
  };
  constexpr Row rows[] = {{"tiny", 256, 4, 512},
                          {"small", 512, 6, 2048},
                          {"base", 768, 12, 3072},
                          {"large", 1024, 24, 4096}};
  for (const Row& row : rows) {
    if (row.name != variant) continue;
    Config config;
    config.hidden_size = row.hidden;
    config.num_hidden_layers = row.layers;
    config.intermediate_size = row.inner;
    return config;
  }
  fail(fnet::Kind::usage, "variant: expected {}, found '{}'", fmt::join(variants(), ", "),
       printable(variant));
}

std::span<const std::string_view> Config::variants() {
  static constexpr std::string_view names[] = {"tiny", "small", "base", "large"};
  return names;
}

void Config::set(std::string_view key, std::string_view value) {
  key = our_key(key);
  if (const OtherName* other = other_name(key, value)) {
    require(!other->settings.empty(), fnet::Kind::usage, "config: {}: '{}' {}", key, value,
            other->reason);
    for (std::size_t begin = 0; begin < other->settings.size();) {
      const std::size_t end = std::min(other->settings.find(' ', begin), other->settings.size());
      assign(other->settings.substr(begin, end - begin));
      begin = end + 1;
    }
    return;
  }
  bool found = false;
  const std::size_t dot = key.find('.');
  const std::string_view option = dot == key.npos ? "" : key.substr(dot + 1);
  config_fields([&](std::string_view name, auto member, const Allowed&, std::string_view) {
    if (name == key) {
      parse(name, value, this->*member);
      found = true;
    }
    if constexpr (std::is_same_v<decltype(member), PartOptions Config::*>) {
      if (option.empty() || name != key.substr(0, dot)) return;
      (this->*member)[std::string(option)] = parse_option(value);
      found = true;
    }
  });
  if (found) return;
  const std::string near = nearest(key, config_keys());
  fail(fnet::Kind::usage, "config: unknown key '{}'{}", printable(key),
       near.empty() ? "; `fnet info` lists the keys" : "; did you mean '" + near + "'?");
}

void Config::assign(std::string_view setting) {
  const std::size_t equals = setting.find('=');
  require(equals != std::string_view::npos, fnet::Kind::usage,
          "config: expected key=value, found '{}'", printable(setting));
  set(setting.substr(0, equals), setting.substr(equals + 1));
}

void Config::set_vocabulary(std::int64_t size, std::int64_t pad, std::int64_t bos,
                            std::int64_t eos) {
  vocab_size = size;
  if (pad >= 0) pad_token_id = pad;
  if (bos >= 0) bos_token_id = bos;
  if (eos >= 0) eos_token_id = eos;
}

void Config::validate() const {
  LengthPolicy policy;
  std::optional<MixerLayout> layout;
  try {
    policy = lengths();
    if (mixers.size() == 1) layout = MixerLayout::parse(mixers[0]);
  } catch (const Error& error) {
    fail(fnet::Kind::input, "config: {}", error.what());
  }
  const Config defaults;  // problem_type's says nothing, and is none of its words
  config_fields([&](std::string_view name, auto member, const Allowed& allowed, std::string_view) {
    const bool of_layout = name == "mixers" && layout;
    if (!of_layout && this->*member != defaults.*member) check_value(name, this->*member, allowed);
  });
  require(!layout || layout->layers <= num_hidden_layers, fnet::Kind::input,
          "config: mixers: expected attention in 1 to {} layers (num_hidden_layers), found '{}'",
          num_hidden_layers, mixers[0]);
  require(policy.length <= max_position_embeddings, fnet::Kind::input,
          "config: length_policy: expected at most max_position_embeddings ({}) rows, found {}",
          max_position_embeddings, policy.length);
  require(mixers.size() == 1 || static_cast<std::int64_t>(mixers.size()) == num_hidden_layers,
          fnet::Kind::input, "config: mixers: expected 1 name or {} (num_hidden_layers), found {}",
          num_hidden_layers, mixers.size());
  require(pad_token_id < vocab_size || policy.kind == LengthPolicy::Kind::exact || reads_numbers(),
          fnet::Kind::input, "config: pad_token_id: expected an id below vocab_size ({}), found {}",
          vocab_size, pad_token_id);
  require(
      pooler || pooling != "pooler", fnet::Kind::input,
      "config: pooling: expected another one, found 'pooler' in a model without pooler weights");
  require(has_head() || wide_features == 0, fnet::Kind::input,
          "config: wide_features: expected 0 for a model without a head, found {}", wide_features);
  require(has_head() || head_options.empty(), fnet::Kind::input,
          "config: head_options: expected none for a model without a head, found {}",
          show(head_options));
  require(head_name.find('.') == head_name.npos && !heads.contains(head_name), fnet::Kind::input,
          "config: head_name: expected a name without a dot that no other of the heads has, found "
          "'{}'",
          printable(head_name));
  require(input_type == "tokens" || wide_features == 0, fnet::Kind::input,
          "config: wide_features: expected 0 for input_type {}, which has no words, found {}",
          input_type, wide_features);
  check_input(*this);
  require(!heads.contains(std::string(kOrderHead)) ||
              (task == "fill-mask" && heads.at(std::string(kOrderHead)) == order_head()),
          fnet::Kind::input,
          "config: heads: expected '{}' beside fill-mask only, for next-sentence-prediction",
          kOrderHead);
  for (const std::string& name : head_names()) check_head(name, head(name), *this);
}

InputShape Config::input_shape() const {
  const auto size = [](std::int64_t value) { return static_cast<std::size_t>(value); };
  if (input_type == "vectors") {
    return {.step = size(input_size),
            .length = size(patch_length),
            .stride = size(patch_stride > 0 ? patch_stride : patch_length)};
  }
  if (input_type != "patches") return {};
  return {.step = size(num_channels),
          .height = size(image_size),
          .width = size(image_width > 0 ? image_width : image_size),
          .patch = size(patch_size)};
}

bool Config::uses(std::string_view key) const {
  if (key == "input_type") return input_type != "tokens";
  const std::string_view type = input_type_of(key);
  return type.empty() || type == input_type;
}

HeadConfig order_head() {
  HeadConfig head;
  head.task = "next-sentence-prediction";
  head.labels = {"is_next", "not_next"};
  return head;
}

std::string Config::mixer(std::int64_t layer) const {
  if (mixers.size() > 1) return mixers[static_cast<std::size_t>(layer)];
  const auto layout = MixerLayout::parse(mixers[0]);
  if (!layout) return mixers[0];
  return layout->has_attention(layer, num_hidden_layers) ? "attention" : "fourier";
}

std::int64_t Config::longest_text() const {
  const LengthPolicy policy = lengths();
  return policy.kind == LengthPolicy::Kind::fixed ? policy.length : max_position_embeddings;
}

HeadConfig Config::head(std::string_view name) const {
  if (head_key(name).empty()) {
    require(has_head(), fnet::Kind::usage, "model: expected one with a head, found an encoder");
    return {task, labels, pooling, problem_type, no_answer, wide_features, head_options};
  }
  const auto found = heads.find(std::string(name));
  if (found == heads.end()) {
    std::vector<std::string> names;
    for (const std::string& key : head_names()) names.push_back(head_title(key));
    fail(fnet::Kind::usage, "head: expected one of '{}', found '{}'", fmt::join(names, "', '"),
         printable(name));
  }
  HeadConfig head = found->second;
  if (head.pooling.empty()) head.pooling = pooling;
  return head;
}

std::vector<std::string> Config::head_names() const {
  std::vector<std::string> names;
  if (has_head()) names.emplace_back();
  for (const auto& [name, head] : heads) names.push_back(name);
  return names;
}

std::string Config::head_title(std::string_view key) const {
  return std::string(!key.empty() ? key : head_name.empty() ? task : head_name);
}

std::vector<Config::Field> Config::describe() const {
  std::vector<Field> result;
  config_fields(
      [&](std::string_view name, auto member, const Allowed& allowed, std::string_view help) {
        using Value = std::decay_t<decltype(this->*member)>;
        result.push_back({std::string(name), show(this->*member),
                          std::is_same_v<Value, bool> ? "true, false" : allowed.text(),
                          std::string(help)});
      });
  return result;
}

}  // namespace fnet
