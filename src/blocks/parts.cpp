#include "blocks/parts.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "core/error.h"

namespace fnet {
namespace {

using Value = PartOptions::mapped_type;

/// A value of config.json as an option's own type; a whole number is a number too.
template <class T>
bool take(const Value& from, T& to) {
  if constexpr (std::is_same_v<T, double>) {
    if (const auto* whole = std::get_if<std::int64_t>(&from)) {
      to = static_cast<double>(*whole);
      return true;
    }
  }
  const T* value = std::get_if<T>(&from);
  if (value != nullptr) to = *value;
  return value != nullptr;
}

template <class T>
constexpr std::string_view type_name() {
  if constexpr (std::is_same_v<T, bool>) return "true or false";
  if constexpr (std::is_same_v<T, std::int64_t>) return "a whole number";
  if constexpr (std::is_same_v<T, double>) return "a number";
  return "a word";
}

std::string show(const auto& value) { return fmt::format("{}", value); }

/// Sets a part's options from those of the config; what it took is added to `known`.
void set_options(auto& part, std::string_view key, const PartOptions& options,
                 std::set<std::string>& known) {
  part.options([&](std::string_view name, auto& member, const Allowed& allowed, std::string_view) {
    known.emplace(name);
    const auto found = options.find(std::string(name));
    if (found == options.end()) return;
    using Type = std::decay_t<decltype(member)>;
    const std::string place = fmt::format("{}.{}", key, name);
    require(take(found->second, member), Kind::input, "config: {}: expected {}, found '{}'", place,
            type_name<Type>(),
            printable(std::visit([](const auto& v) { return show(v); }, found->second)));
    if (!allowed.names.empty() || allowed.low < allowed.high) check_value(place, member, allowed);
  });
}

/// Throws input where the config has an option that the parts do not know.
void check_known(std::string_view key, std::string_view parts, const PartOptions& options,
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

Norm make_norm(std::string_view kind) {
#define FNET_NORM(name, Type, reach, help) \
  if (kind == #name) return Type();
#include "model/kinds.def"
  fail(Kind::internal, "norm_type '{}' is not in the table", kind);
}

Ffn make_ffn(std::string_view kind) {
#define FNET_FFN(name, Type, reach, help) \
  if (kind == #name) return Type();
#include "model/kinds.def"
  fail(Kind::internal, "ffn_type '{}' is not in the table", kind);
}

Mixer make_mixer(std::string_view kind) {
#define FNET_MIXER(name, Type, reach, help) \
  if (kind == #name) return Type();
#include "model/kinds.def"
  fail(Kind::internal, "mixer '{}' is not in the table", kind);
}

Activation make_activation(std::string_view kind) {
#define FNET_ACTIVATION(name, function, help) \
  if (kind == #name) return Activation::name;
#include "model/kinds.def"
  fail(Kind::internal, "hidden_act '{}' is not in the table", kind);
}

void list_options(std::string_view key, std::span<const KindRow> rows, auto&& make,
                  std::vector<PartOption>& list) {
  for (const KindRow& row : rows) {
    auto part = make(row.name);
    std::visit(
        [&](auto& p) {
          p.options([&](std::string_view name, auto& member, const Allowed& allowed,
                        std::string_view help) {
            using Type = std::decay_t<decltype(member)>;
            const bool any = allowed.names.empty() && allowed.low >= allowed.high;
            list.push_back({key, row.name, std::string(name), show(member),
                            any ? std::string(type_name<Type>()) : allowed.text(),
                            std::string(help)});
          });
        },
        part);
  }
}

}  // namespace

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
  activation = make_activation(config.hidden_act);
  const auto set = [](auto& part, std::string_view key, const PartOptions& options,
                      std::set<std::string>& known) {
    std::visit([&](auto& p) { set_options(p, key, options, known); }, part);
  };
  std::set<std::string> of_norm, of_ffn, of_mixers;
  norm = make_norm(config.norm_type);
  set(norm, "norm_options", config.norm_options, of_norm);
  check_known("norm_options", config.norm_type, config.norm_options, of_norm);
  ffn = make_ffn(config.ffn_type);
  set(ffn, "ffn_options", config.ffn_options, of_ffn);
  check_known("ffn_options", config.ffn_type, config.ffn_options, of_ffn);
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    mixers.push_back(make_mixer(config.mixer(layer)));
    set(mixers.back(), "mixer_options", config.mixer_options, of_mixers);
  }
  check_known("mixer_options", fmt::format("{}", fmt::join(config.mixers, ", ")),
              config.mixer_options, of_mixers);
  const auto check = [&](const auto& part) { part.check(config); };
  std::visit(check, norm);
  std::visit(check, ffn);
  for (const Mixer& mixer : mixers) std::visit(check, mixer);
}

std::vector<PartOption> part_options() {
  std::vector<PartOption> list;
  list_options("norm_options", norm_kinds(), make_norm, list);
  list_options("ffn_options", ffn_kinds(), make_ffn, list);
  list_options("mixer_options", mixer_kinds(), make_mixer, list);
  return list;
}

}  // namespace fnet
