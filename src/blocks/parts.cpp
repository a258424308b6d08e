#include "blocks/parts.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "blocks/heads.h"
#include "blocks/part_options.h"
#include "core/error.h"

namespace fnet {
namespace {

Mixer make_mixer(std::string_view kind) {
#define FNET_MIXER(name, Type, reach, help) \
  if (kind == #name) return Type();
#include "model/kinds.def"
  fail(Kind::internal, "mixer '{}' is not in the table", kind);
}

void list_options(std::string_view key, std::string_view row, auto& part,
                  std::vector<PartOption>& list) {
  const auto add = [&](std::string_view name, auto& member, const Allowed& allowed,
                       std::string_view help) {
    using Type = std::decay_t<decltype(member)>;
    const bool any = allowed.names.empty() && allowed.low >= allowed.high;
    list.push_back({key, row, std::string(name), fmt::format("{}", member),
                    any ? std::string(option_type<Type>()) : allowed.text(), std::string(help)});
  };
  part.options(add);
}

}  // namespace

void check_known_options(std::string_view key, std::string_view parts, const PartOptions& options,
                         const std::set<std::string>& known) {
  for (const auto& [name, value] : options) {
    if (known.contains(name)) continue;
    const std::string near = nearest(name, known);
    fail(Kind::input, "config: {}: expected {} of {}, found '{}'{}", key,
         known.empty() ? "no option: there is none"
                       : fmt::format("an option ({})", fmt::join(known, ", ")),
         parts, printable(name), near.empty() ? "" : "; did you mean '" + near + "'?");
  }
}

Norm norm_named(std::string_view kind) {
#define FNET_NORM(name, Type, reach, help) \
  if (kind == #name) return Type();
#include "model/kinds.def"
  fail(Kind::internal, "norm_type '{}' is not in the table", kind);
}

Ffn ffn_named(std::string_view kind) {
#define FNET_FFN(name, Type, reach, help) \
  if (kind == #name) return Type();
#include "model/kinds.def"
  fail(Kind::internal, "ffn_type '{}' is not in the table", kind);
}

Activation activation_named(std::string_view kind) {
#define FNET_ACTIVATION(name, function, help) \
  if (kind == #name) return Activation::name;
#include "model/kinds.def"
  fail(Kind::internal, "hidden_act '{}' is not in the table", kind);
}

Pooling pooling_named(std::string_view kind) {
#define FNET_POOLING(name, Type, reach, help) \
  if (kind == #name) return Type();
#include "model/kinds.def"
  std::vector<std::string_view> names;
  for (const KindRow& row : pooling_kinds()) names.push_back(row.name);
  fail(Kind::usage, "pooling: expected one of {}, found '{}'", fmt::join(names, ", "),
       printable(kind));
}

Parts::Parts(const Config& config) {
  config.validate();
  activation = activation_named(config.hidden_act);
  const auto set = [](auto& part, std::string_view key, const PartOptions& options,
                      std::set<std::string>& known) {
    std::visit([&](auto& p) { set_options(p, key, options, known); }, part);
  };
  std::set<std::string> of_norm, of_ffn, of_mixers;
  norm = norm_named(config.norm_type);
  set(norm, "norm_options", config.norm_options, of_norm);
  check_known_options("norm_options", config.norm_type, config.norm_options, of_norm);
  ffn = ffn_named(config.ffn_type);
  set(ffn, "ffn_options", config.ffn_options, of_ffn);
  check_known_options("ffn_options", config.ffn_type, config.ffn_options, of_ffn);
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    mixers.push_back(make_mixer(config.mixer(layer)));
    set(mixers.back(), "mixer_options", config.mixer_options, of_mixers);
  }
  check_known_options("mixer_options", fmt::format("{}", fmt::join(config.mixers, ", ")),
                      config.mixer_options, of_mixers);
  const auto check = [&](const auto& part) { part.check(config); };
  std::visit(check, norm);
  std::visit(check, ffn);
  for (const Mixer& mixer : mixers) std::visit(check, mixer);
}

std::vector<PartOption> part_options() {
  std::vector<PartOption> list;
  const auto add = [&](std::string_view key, std::string_view row, auto part) {
    std::visit([&](auto& p) { list_options(key, row, p, list); }, part);
  };
  for (const KindRow& row : norm_kinds()) add("norm_options", row.name, norm_named(row.name));
  for (const KindRow& row : ffn_kinds()) add("ffn_options", row.name, ffn_named(row.name));
  for (const KindRow& row : mixer_kinds()) add("mixer_options", row.name, make_mixer(row.name));
  HeadLayers layers;  // of every head that has them
  list_options("head_options", "head", layers, list);
  for (const KindRow& row : task_kinds()) {
    if (row.name == "encoder") continue;
    Head head = head_for(row.name);
    std::visit(
        [&](auto& h) {
          if constexpr (!requires { h.layers; }) list_options("head_options", row.name, h, list);
        },
        head);
  }
  return list;
}

}  // namespace fnet
