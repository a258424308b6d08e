#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "core/numbers.h"
#include "model/config_fields.h"
#include "model/kinds.h"
#include "model/other_names.h"
#include "model/part_options_json.h"

namespace fnet {
namespace {

using Json = nlohmann::json;

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

/// What our own keys say where transformers would compute something else: it does not read them,
/// and by the model's type it knows that it cannot.
constexpr std::string_view kOwnType = "fnet-cpp";
constexpr std::string_view kOwnKeys[] = {"fourier_norm",
                                         "embedding_projection",
                                         "embedding_norm_eps",
                                         "pooler",
                                         "norm_type",
                                         "norm_position",
                                         "ffn_type",
                                         "position_embedding",
                                         "mixers",
                                         "norm_options",
                                         "ffn_options",
                                         "mixer_options",
                                         "head_options",
                                         "pooling",
                                         "wide_features",
                                         "input_type"};

/// Keys of the Keras families, whose numerics differ: loading them by luck would be wrong silently.
const std::map<std::string_view, std::string_view> kForeign = {
    {"vocabulary_size", "keras-hub's vocab_size"},
    {"hidden_dim", "keras-hub's hidden_size"},
    {"intermediate_dim", "keras-hub's intermediate_size"},
    {"num_segments", "keras-hub's type_vocab_size"},
    {"max_sequence_length", "keras-hub's max_position_embeddings"},
    {"num_layers", "Keras' num_hidden_layers"},
    {"normalize_dft", "the Keras seed's fourier_norm (true: ortho)"}};

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

void read(const Json& json, PartOptions& out, std::string_view source, std::string_view key) {
  out = options_of_json(json, source, key);
}

/// id2label {"0": "NEG", …}: every id from 0 once.
std::vector<std::string> read_labels(const Json& json, std::string_view source) {
  if (!json.is_object()) wrong_type(source, "id2label", "an object of id: label", json);
  std::vector<std::string> labels(json.size());
  std::vector<bool> seen(json.size(), false);
  for (const auto& [key, label] : json.items()) {
    const auto id = to_number<std::size_t>(key);
    require(id && *id < labels.size() && !seen[*id], Kind::input,
            "{}: id2label: expected the ids 0 to {}, each once, found '{}'", source,
            labels.size() - 1, printable(key));
    if (!label.is_string()) wrong_type(source, "id2label." + key, "a string", label);
    labels[*id] = label.get<std::string>();
    seen[*id] = true;
  }
  return labels;
}

/// heads {"topic": {"task": …, "labels": [...], "pooling": …}, …}
std::map<std::string, HeadConfig> read_heads(const Json& json, std::string_view source) {
  if (!json.is_object()) wrong_type(source, "heads", "an object of name: head", json);
  std::map<std::string, HeadConfig> heads;
  for (const auto& [name, entry] : json.items()) {
    const std::string place = fmt::format("heads.{}", printable(name));
    if (!entry.is_object()) wrong_type(source, place, "an object", entry);
    HeadConfig& head = heads[name];
    for (const auto& [key, value] : entry.items()) {
      const std::string inner = place + "." + printable(key);
      if (key == "task") {
        read(value, head.task, source, inner);
      } else if (key == "pooling") {
        read(value, head.pooling, source, inner);
      } else if (key == "labels") {
        read(value, head.labels, source, inner);
      } else if (key == "problem_type") {
        read(value, head.problem_type, source, inner);
      } else if (key == "no_answer") {
        read(value, head.no_answer, source, inner);
      } else if (key == "head_options") {
        read(value, head.options, source, inner);
      } else {
        fail(Kind::input,
             "{}: {}: expected task, labels, pooling, problem_type, no_answer or head_options, "
             "found another key",
             source, inner);
      }
    }
  }
  return heads;
}

/// A value by another library's name for it.
void set_other(Config& config, std::string_view key, std::string_view name,
               std::string_view source) {
  try {
    config.set(key, name);
  } catch (const Error& error) {
    fail(Kind::input, "{}: {}", source, error.what());
  }
}

nlohmann::ordered_json to_ordered(const auto& value) { return value; }
nlohmann::ordered_json to_ordered(const std::vector<std::string>& names) {
  return names.size() == 1 ? nlohmann::ordered_json(names.front()) : nlohmann::ordered_json(names);
}
nlohmann::ordered_json to_ordered(const PartOptions& options) { return json_of_options(options); }

}  // namespace

nlohmann::ordered_json json_of_options(const PartOptions& options) {
  auto json = nlohmann::ordered_json::object();
  for (const auto& [name, value] : options) {
    std::visit([&, &key = name](const auto& v) { json[key] = v; }, value);
  }
  return json;
}

PartOptions options_of_json(const Json& json, std::string_view source, std::string_view key) {
  if (!json.is_object()) wrong_type(source, key, "an object of options", json);
  PartOptions out;
  for (const auto& [name, value] : json.items()) {
    if (value.is_boolean()) {
      out[name] = value.get<bool>();
    } else if (value.is_number_integer()) {
      std::int64_t whole = 0;
      read(value, whole, source, fmt::format("{}.{}", key, printable(name)));
      out[name] = whole;
    } else if (value.is_number()) {
      out[name] = value.get<double>();
    } else if (value.is_string()) {
      out[name] = value.get<std::string>();
    } else {
      wrong_type(source, fmt::format("{}.{}", key, printable(name)),
                 "a number, a word, true or false", value);
    }
  }
  return out;
}

Config Config::load(const std::filesystem::path& directory, std::vector<std::string>* warnings) {
  const std::filesystem::path path = directory / "config.json";
  const std::string& name = directory.native();
  const bool of_hub = std::ranges::count(name, '/') == 1 && !name.ends_with('/') &&
                      std::string_view("/.~-").find(name.front()) == std::string_view::npos;
  require(!of_hub || path_exists(directory), Kind::input,
          "{}: expected a model directory, found none; if it is a model of huggingface.co, "
          "'hf download {} --local-dir {}' gets it",
          printable(name), printable(name), printable(name));
  return from_json(read_file(path, kMaxConfigBytes), path.string(), warnings);
}

Config Config::from_json(std::string_view text, std::string_view source,
                         std::vector<std::string>* warnings) {
  const Json json = parse_json(text, source, kConfigLimits);
  if (!json.is_object()) wrong_type(source, "config", "a JSON object", json);
  if (const auto type = json.find("model_type"); type != json.end()) {
    require(*type == "fnet" || *type == kOwnType, fnet::Kind::input,
            "{}: model_type: expected \"fnet\" or \"{}\", found {}", source, kOwnType,
            printable(type->dump()));
  }

  Config config;
  std::vector<std::pair<std::string_view, std::string>> other;  // names of other libraries
  config_fields([&](std::string_view name, auto member, const Allowed&, std::string_view) {
    auto found = json.find(name);
    if (found == json.end() && !seed_key(name).empty()) found = json.find(seed_key(name));
    if (found == json.end() || found->is_null()) return;
    if (found->is_string() && other_name(name, found->get<std::string>()) != nullptr) {
      other.emplace_back(name, found->get<std::string>());
    } else {
      read(*found, config.*member, source, name);
    }
  });
  for (const auto& [key, name] : other) set_other(config, key, name, source);
  if (!json.contains("length_policy")) {
    config.length_policy = fmt::format("fixed:{}", config.max_position_embeddings);
  }

  bool pretraining = false;
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
    pretraining = names.front() == kPreTraining;
  }
  auto known = config_keys();
  known.emplace_back("heads");
  if (const auto found = json.find("task"); found != json.end() && found->is_string()) {
    const auto named = found->get<std::string>();
    const auto row = std::ranges::find(task_kinds(), named, &KindRow::name);
    // Another program's key of this name says nothing here.
    if (row != task_kinds().end() && architecture_of(named) == architecture_of(config.task)) {
      config.task = named;
      known.emplace_back("task");
    }
  }
  if (const auto found = json.find("id2label"); found != json.end() && !found->is_null()) {
    config.labels = read_labels(*found, source);
  } else if (config.has_head()) {
    std::int64_t count = 2;  // transformers leaves the default out
    if (json.contains("num_labels")) read(json["num_labels"], count, source, "num_labels");
    require(count >= 1 && count <= kMaxLabels, fnet::Kind::input,
            "{}: num_labels: expected 1 to {}, found {}", source, kMaxLabels, count);
    for (std::int64_t i = 0; i < count; ++i) config.labels.push_back(fmt::format("LABEL_{}", i));
  }
  if (!config.has_head() || !has_labels(config.task)) config.labels.clear();
  if (const auto found = json.find("heads"); found != json.end() && !found->is_null()) {
    config.heads = read_heads(*found, source);
  }
  if (pretraining) config.heads[std::string(kOrderHead)] = order_head();

  for (const std::string_view key : config_keys()) {
    if (!seed_key(key).empty()) known.push_back(seed_key(key));
  }
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
  const bool pretraining = task == "fill-mask" && heads.contains(std::string(kOrderHead));
  json["architectures"] = {pretraining ? kPreTraining : architecture_of(task)};
  json["model_type"] = "fnet";
  if (task_of(architecture_of(task)) != task) json["task"] = task;  // the class does not tell
  config_fields([&](const char* name, auto member, const Allowed&, std::string_view) {
    if (!uses(name)) return;
    auto value = to_ordered(this->*member);
    const bool own = std::ranges::find(kOwnKeys, name) != std::end(kOwnKeys);
    if (own && value != to_ordered(Config().*member)) json["model_type"] = kOwnType;
    if (value != nlohmann::ordered_json::object() && value != "") json[name] = std::move(value);
  });
  for (const auto& [name, head] : heads) {
    if (pretraining && name == kOrderHead) continue;
    auto& entry = json["heads"][name] = {{"task", head.task}, {"labels", head.labels}};
    if (!head.pooling.empty()) entry["pooling"] = head.pooling;
    if (!head.problem_type.empty()) entry["problem_type"] = head.problem_type;
    if (head.no_answer) entry["no_answer"] = true;
    if (!head.options.empty()) entry["head_options"] = to_ordered(head.options);
  }
  if (has_head() && has_labels(task)) {
    json["id2label"] = nlohmann::ordered_json::object();
    json["label2id"] = nlohmann::ordered_json::object();
    for (std::size_t i = 0; i < labels.size(); ++i) {
      json["id2label"][std::to_string(i)] = labels[i];
      json["label2id"][labels[i]] = i;
    }
  }
  std::string text = json.dump(2) + "\n";
  require(text.size() <= kMaxConfigBytes, fnet::Kind::input,
          "config: expected at most {} bytes of JSON, found {}: too many labels", kMaxConfigBytes,
          text.size());
  return text;
}

}  // namespace fnet
