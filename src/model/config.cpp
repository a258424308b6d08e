#include "fnet/config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <type_traits>

#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "model/kinds.h"

namespace fnet {
namespace {

using Json = nlohmann::json;

/// What a field may hold, beyond its type.
struct Allowed {
  double low = 0, high = 0;  // numbers
  std::vector<std::string_view> names;

  static Allowed range(double low, double high) { return {low, high, {}}; }
  static Allowed any() { return {}; }
  static Allowed one_of(std::vector<std::string_view> names) { return {0, 0, std::move(names)}; }
  static Allowed one_of(std::span<const KindRow> rows) {
    Allowed allowed;
    for (const KindRow& row : rows) allowed.names.push_back(row.name);
    return allowed;
  }

  std::string text() const {
    if (!names.empty()) return fmt::format("{}", fmt::join(names, ", "));
    return low < high ? fmt::format("{} to {}", low, high) : std::string("any");
  }
};

/// The one list of config.json's keys that are plain values; reading, writing, --set, describe and
/// validate walk it. `architectures`, `id2label` and `label2id` are read by themselves.
template <class Visit>
void fields(Visit&& field) {
  using C = Config;
  const auto range = Allowed::range;
  field("vocab_size", &C::vocab_size, range(1, 4'000'000), "pieces in the vocabulary");
  field("hidden_size", &C::hidden_size, range(1, 65'536), "width of a row");
  field("num_hidden_layers", &C::num_hidden_layers, range(1, 1'024), "encoder blocks");
  field("intermediate_size", &C::intermediate_size, range(1, 262'144),
        "width inside the feed-forward");
  field("hidden_act", &C::hidden_act, Allowed::one_of(activation_kinds()), "activation of the mlp");
  field("hidden_dropout_prob", &C::hidden_dropout_prob, range(0, 0.999), "dropout in training");
  field("max_position_embeddings", &C::max_position_embeddings, range(1, 1'000'000),
        "rows of the position table: the longest text");
  field("type_vocab_size", &C::type_vocab_size, range(1, 64), "token types (segments)");
  field("initializer_range", &C::initializer_range, range(0, 10),
        "standard deviation of new weights");
  field("layer_norm_eps", &C::layer_norm_eps, range(1e-14, 1e-2), "epsilon of the norms");
  field("pad_token_id", &C::pad_token_id, range(0, 4'000'000), "id of padding rows");
  field("bos_token_id", &C::bos_token_id, range(0, 4'000'000), "kept for transformers");
  field("eos_token_id", &C::eos_token_id, range(0, 4'000'000), "kept for transformers");
  field("tie_word_embeddings", &C::tie_word_embeddings, Allowed::any(), "kept for transformers");
  field("fourier_norm", &C::fourier_norm, Allowed::one_of({"backward", "ortho"}),
        "scale of the transform: none (Google), or 1/sqrt(L H) (the Keras seed)");
  field("embedding_projection", &C::embedding_projection, Allowed::any(),
        "a linear map after the embeddings' norm");
  field("embedding_norm_eps", &C::embedding_norm_eps, range(0, 1e-2),
        "epsilon of the embeddings' norm; 0: layer_norm_eps");
  field("pooler", &C::pooler, Allowed::any(), "whether the model has pooler weights");
  field("norm_type", &C::norm_type, Allowed::one_of(norm_kinds()), "norm");
  field("norm_position", &C::norm_position, Allowed::one_of({"post", "pre"}),
        "norms after each sum, or before each branch with one at the end");
  field("ffn_type", &C::ffn_type, Allowed::one_of(ffn_kinds()), "feed-forward");
  field("mixers", &C::mixers, Allowed::one_of(mixer_kinds()),
        "mixer: one name, or one for each layer");
  field("length_policy", &C::length_policy, Allowed::any(),
        "rows that a text is mixed over: exact, fixed:N or batch");
  field("pooling", &C::pooling, Allowed::one_of(pooling_kinds()),
        "the vector that stands for a text");
}

/// Keys that transformers writes and that do not change what we compute.
constexpr std::string_view kIgnored[] = {"model_type",
                                         "transformers_version",
                                         "torch_dtype",
                                         "dtype",
                                         "_name_or_path",
                                         "name_or_path",
                                         "return_dict",
                                         "output_hidden_states",
                                         "output_attentions",
                                         "problem_type",
                                         "num_labels",
                                         "chunk_size_feed_forward",
                                         "use_tpu_fourier_optimizations",
                                         "tpu_short_seq_length",
                                         "use_cache",
                                         "is_encoder_decoder",
                                         "is_decoder",
                                         "finetuning_task",
                                         "task_specific_params",
                                         "attn_implementation",
                                         "add_cross_attention",
                                         "cross_attention_hidden_size",
                                         "tokenizer_class",
                                         "sep_token_id",
                                         "cls_token_id",
                                         "mask_token_id",
                                         "unk_token_id",
                                         "decoder_start_token_id",
                                         "prefix",
                                         "torchscript",
                                         "pruned_heads",
                                         "gradient_checkpointing",
                                         "classifier_dropout",
                                         "use_bfloat16",
                                         "fnet_version",
                                         "architectures",
                                         "id2label",
                                         "label2id",
                                         "auto_map"};

/// Keys of the Keras families, whose numerics differ: loading them by luck would be wrong silently.
const std::map<std::string_view, std::string_view> kForeign = {
    {"vocabulary_size", "keras-hub's vocab_size"},
    {"hidden_dim", "keras-hub's hidden_size"},
    {"intermediate_dim", "keras-hub's intermediate_size"},
    {"num_segments", "keras-hub's type_vocab_size"},
    {"max_sequence_length", "keras-hub's max_position_embeddings"},
    {"num_layers", "Keras' num_hidden_layers"},
    {"normalization_type", "the Keras seed's norm_type"},
    {"normalization_position", "the Keras seed's norm_position"},
    {"normalize_dft", "the Keras seed's fourier_norm (true: ortho)"}};

std::string show(const std::string& v) { return v; }
std::string show(std::int64_t v) { return fmt::format("{}", v); }
std::string show(double v) { return fmt::format("{}", v); }
std::string show(bool v) { return v ? "true" : "false"; }
std::string show(const std::vector<std::string>& v) { return fmt::format("{}", fmt::join(v, ",")); }

[[noreturn]] void wrong_type(std::string_view source, std::string_view key,
                             std::string_view expected, const Json& found) {
  fail(Kind::input, "{}: {}: expected {}, found {}", source, key, expected,
       printable(found.dump()));
}

void read(const Json& json, std::int64_t& out, std::string_view source, std::string_view key) {
  if (json.is_number_unsigned() &&
      json.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
    wrong_type(source, key, "an integer below 2^63", json);
  }
  if (!json.is_number_integer()) wrong_type(source, key, "an integer", json);
  out = json.get<std::int64_t>();
}
void read(const Json& json, double& out, std::string_view source, std::string_view key) {
  if (!json.is_number()) wrong_type(source, key, "a number", json);
  out = json.get<double>();
}
void read(const Json& json, bool& out, std::string_view source, std::string_view key) {
  if (!json.is_boolean()) wrong_type(source, key, "true or false", json);
  out = json.get<bool>();
}
void read(const Json& json, std::string& out, std::string_view source, std::string_view key) {
  if (!json.is_string()) wrong_type(source, key, "a string", json);
  out = json.get<std::string>();
}
void read(const Json& json, std::vector<std::string>& out, std::string_view source,
          std::string_view key) {
  out.clear();
  if (json.is_string()) {
    out.push_back(json.get<std::string>());
    return;
  }
  if (!json.is_array() || json.empty()) wrong_type(source, key, "a name or a list of names", json);
  for (const Json& item : json) {
    if (!item.is_string()) wrong_type(source, key, "a name or a list of names", json);
    out.push_back(item.get<std::string>());
  }
}

template <class Number>
Number parse_number(std::string_view key, std::string_view text, std::string_view expected) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && end == text.data() + text.size(), Kind::usage,
          "--set {}: expected {}, found '{}'", key, expected, printable(text));
  return value;
}
void parse(std::string_view key, std::string_view text, std::int64_t& out) {
  out = parse_number<std::int64_t>(key, text, "an integer");
}
void parse(std::string_view key, std::string_view text, double& out) {
  out = parse_number<double>(key, text, "a number");
}
void parse(std::string_view key, std::string_view text, bool& out) {
  require(text == "true" || text == "false", Kind::usage,
          "--set {}: expected true or false, found '{}'", key, printable(text));
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

void check(std::string_view key, double value, const Allowed& allowed) {
  require(std::isfinite(value) && value >= allowed.low && value <= allowed.high, Kind::input,
          "config: {}: expected {}, found {}", key, allowed.text(), value);
}
void check(std::string_view key, std::int64_t value, const Allowed& allowed) {
  check(key, static_cast<double>(value), allowed);
}
void check(std::string_view, bool, const Allowed&) {}
void check(std::string_view key, const std::string& value, const Allowed& allowed) {
  if (allowed.names.empty()) return;
  if (std::ranges::find(allowed.names, value) != allowed.names.end()) return;
  const std::string near = nearest(value, allowed.names);
  fail(Kind::input, "config: {}: expected one of {}, found '{}'{}", key, allowed.text(),
       printable(value), near.empty() ? "" : "; did you mean '" + near + "'?");
}
void check(std::string_view key, const std::vector<std::string>& value, const Allowed& allowed) {
  for (const std::string& item : value) check(key, item, allowed);
}

std::vector<std::string_view> known_keys() {
  std::vector<std::string_view> keys;
  fields(
      [&](std::string_view name, auto, const Allowed&, std::string_view) { keys.push_back(name); });
  return keys;
}

/// id2label {"0": "NEG", …}: every id from 0 once.
std::vector<std::string> read_labels(const Json& json, std::string_view source) {
  if (!json.is_object()) wrong_type(source, "id2label", "an object of id: label", json);
  std::vector<std::string> labels(json.size());
  std::vector<bool> seen(json.size(), false);
  for (const auto& [key, label] : json.items()) {
    std::size_t id = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    require(
        error == std::errc() && end == key.data() + key.size() && id < labels.size() && !seen[id],
        Kind::input, "{}: id2label: expected the ids 0 to {}, each once, found '{}'", source,
        labels.size() - 1, printable(key));
    if (!label.is_string()) wrong_type(source, "id2label." + key, "a string", label);
    labels[id] = label.get<std::string>();
    seen[id] = true;
  }
  return labels;
}

}  // namespace

LengthPolicy LengthPolicy::parse(std::string_view text) {
  if (text == "exact") return {Kind::exact, 0};
  if (text == "batch") return {Kind::batch, 0};
  constexpr std::string_view fixed = "fixed:";
  if (text.starts_with(fixed)) {
    const std::string_view digits = text.substr(fixed.size());
    std::int64_t length = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (error == std::errc() && end == digits.data() + digits.size() && length > 0) {
      return {Kind::fixed, length};
    }
  }
  fail(fnet::Kind::usage, "length_policy: expected exact, fixed:N (N > 0) or batch, found '{}'",
       printable(text));
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
  fail(fnet::Kind::usage, "--variant: expected {}, found '{}'", fmt::join(variants(), ", "),
       printable(variant));
}

std::span<const std::string_view> Config::variants() {
  static constexpr std::string_view names[] = {"tiny", "small", "base", "large"};
  return names;
}

Config Config::load(const std::filesystem::path& directory, std::vector<std::string>* warnings) {
  const std::filesystem::path path = directory / "config.json";
  return from_json(read_file(path, 1 << 20), path.string(), warnings);
}

Config Config::from_json(std::string_view text, std::string_view source,
                         std::vector<std::string>* warnings) {
  const Json json = parse_json(text, source);
  if (!json.is_object()) wrong_type(source, "config", "a JSON object", json);
  if (const auto type = json.find("model_type"); type != json.end()) {
    require(*type == "fnet", fnet::Kind::input, "{}: model_type: expected \"fnet\", found {}",
            source, printable(type->dump()));
  }

  Config config;
  fields([&](std::string_view name, auto member, const Allowed&, std::string_view) {
    const auto found = json.find(name);
    if (found != json.end() && !found->is_null()) read(*found, config.*member, source, name);
  });
  if (!json.contains("length_policy")) {
    config.length_policy = fmt::format("fixed:{}", config.max_position_embeddings);
  }

  if (const auto found = json.find("architectures"); found != json.end() && !found->is_null()) {
    std::vector<std::string> names;
    read(*found, names, source, "architectures");
    config.task = task_of(names.front());
    if (config.task == "encoder" && names.front() != "FNetModel" && warnings != nullptr) {
      warnings->push_back(
          fmt::format("{}: architectures: {} has a head that is not read: the encoder is "
                      "loaded alone",
                      source, printable(names.front())));
    }
  }
  if (const auto found = json.find("id2label"); found != json.end() && !found->is_null()) {
    config.labels = read_labels(*found, source);
  } else if (config.has_head()) {
    std::int64_t count = 2;  // transformers leaves the default out
    if (json.contains("num_labels")) read(json["num_labels"], count, source, "num_labels");
    require(count >= 1 && count <= 1'000'000, fnet::Kind::input,
            "{}: num_labels: expected 1 to 1000000, found {}", source, count);
    for (std::int64_t i = 0; i < count; ++i) config.labels.push_back(fmt::format("LABEL_{}", i));
  }
  if (!config.has_head()) config.labels.clear();

  const auto known = known_keys();
  for (const auto& [key, value] : json.items()) {
    if (const auto foreign = kForeign.find(key); foreign != kForeign.end()) {
      fail(fnet::Kind::input,
           "{}: {}: a key of another family ({}); its numerics differ, so the file is not read as "
           "an "
           "FNet of Hugging Face's layout: rename the keys and state fourier_norm, hidden_act, "
           "layer_norm_eps and embedding_projection",
           source, key, foreign->second);
    }
    if (std::ranges::find(known, key) != known.end() ||
        std::ranges::find(kIgnored, key) != std::end(kIgnored) || warnings == nullptr) {
      continue;
    }
    const std::string near = nearest(key, known);
    warnings->push_back(fmt::format("{}: unknown key '{}' is ignored{}", source, printable(key),
                                    near.empty() ? "" : "; did you mean '" + near + "'?"));
  }
  try {
    config.validate();
  } catch (const Error& error) {
    throw error.within(std::string(source));
  }
  return config;
}

std::string Config::to_json() const {
  nlohmann::ordered_json json;
  json["architectures"] = {architecture_of(task)};
  json["model_type"] = "fnet";
  fields([&](const char* name, auto member, const Allowed&, std::string_view) {
    const auto& value = this->*member;
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::vector<std::string>>) {
      if (value.size() == 1) {
        json[name] = value.front();
        return;
      }
    }
    json[name] = value;
  });
  if (has_head()) {
    json["id2label"] = nlohmann::ordered_json::object();
    json["label2id"] = nlohmann::ordered_json::object();
    for (std::size_t i = 0; i < labels.size(); ++i) {
      json["id2label"][std::to_string(i)] = labels[i];
      json["label2id"][labels[i]] = i;
    }
  }
  return json.dump(2) + "\n";
}

void Config::set(std::string_view key, std::string_view value) {
  bool found = false;
  fields([&](std::string_view name, auto member, const Allowed&, std::string_view) {
    if (name != key) return;
    parse(name, value, this->*member);
    found = true;
  });
  if (found) return;
  const std::string near = nearest(key, known_keys());
  fail(fnet::Kind::usage, "--set: unknown key '{}'{}", printable(key),
       near.empty() ? "; `fnet info` lists the keys" : "; did you mean '" + near + "'?");
}

void Config::assign(std::string_view setting) {
  const std::size_t equals = setting.find('=');
  require(equals != std::string_view::npos, fnet::Kind::usage,
          "--set: expected key=value, found '{}'", printable(setting));
  set(setting.substr(0, equals), setting.substr(equals + 1));
}

void Config::validate() const {
  fields([&](std::string_view name, auto member, const Allowed& allowed, std::string_view) {
    check(name, this->*member, allowed);
  });
  LengthPolicy policy;
  try {
    policy = lengths();
  } catch (const Error& error) {
    fail(fnet::Kind::input, "config: {}", error.what());
  }
  require(policy.length <= max_position_embeddings, fnet::Kind::input,
          "config: length_policy: expected at most max_position_embeddings ({}) rows, found {}",
          max_position_embeddings, policy.length);
  require(mixers.size() == 1 || static_cast<std::int64_t>(mixers.size()) == num_hidden_layers,
          fnet::Kind::input, "config: mixers: expected 1 name or {} (num_hidden_layers), found {}",
          num_hidden_layers, mixers.size());
  require(pad_token_id < vocab_size || policy.kind == LengthPolicy::Kind::exact, fnet::Kind::input,
          "config: pad_token_id: expected an id below vocab_size ({}), found {}", vocab_size,
          pad_token_id);
  require(pooler || pooling != "pooler", fnet::Kind::input,
          "config: pooling: expected cls, mean or max, found 'pooler' in a model without pooler "
          "weights");
  if (!has_head()) return;
  require(!labels.empty(), fnet::Kind::input,
          "config: id2label: expected labels for {}, found none", task);
  std::vector<std::string> sorted = labels;
  std::ranges::sort(sorted);
  const auto twin = std::ranges::adjacent_find(sorted);
  require(twin == sorted.end(), fnet::Kind::input,
          "config: id2label: expected each label once, found '{}' twice",
          twin == sorted.end() ? "" : printable(*twin));
}

std::vector<Config::Field> Config::describe() const {
  std::vector<Field> result;
  fields([&](std::string_view name, auto member, const Allowed& allowed, std::string_view help) {
    using Value = std::decay_t<decltype(this->*member)>;
    result.push_back({std::string(name), show(this->*member),
                      std::is_same_v<Value, bool> ? "true, false" : allowed.text(),
                      std::string(help)});
  });
  return result;
}

}  // namespace fnet
