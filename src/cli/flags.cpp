#include "cli/flags.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/numbers.h"
#include "fnet/box.h"

namespace fnet::cli {
namespace {

template <class... Types>
struct Overloaded : Types... {
  using Types::operator()...;
};
template <class... Types>
Overloaded(Types...) -> Overloaded<Types...>;

template <class T>
constexpr bool kIsList = false;
template <class T>
constexpr bool kIsList<std::vector<T>> = true;

std::string text_of(bool) { return {}; }
std::string text_of(const std::string& value) { return value; }
std::string text_of(const std::filesystem::path& value) { return value.string(); }
template <class T>
std::string text_of(const T& value) {
  if constexpr (kIsList<T>)
    return {};
  else
    return fmt::format("{}", value);
}

/// What a value of this type is called.
std::string_view kind_of(const FlagValue& value) {
  return std::visit(Overloaded{[](bool*) { return ""; }, [](double*) { return "a number"; },
                               [](std::uint64_t*) { return "a whole number from 0"; },
                               [](std::int32_t*) { return "a whole number"; },
                               [](std::int64_t*) { return "a whole number"; },
                               [](std::string*) { return "text"; },
                               [](std::vector<std::int64_t>*) { return "whole numbers"; },
                               [](std::vector<std::string>*) { return "text"; },
                               [](std::filesystem::path*) { return "a path"; },
                               [](std::vector<std::filesystem::path>*) { return "a path"; }},
                    value);
}

template <class Number>
bool read_number(std::string_view text, const FlagRules& rules, Number& out) {
  const auto value = to_number<Number>(text);
  if (!value) return false;
  const auto number = static_cast<double>(*value);
  if (!std::isfinite(number)) return false;
  if (rules.range && (number < rules.range->low || number > rules.range->high)) return false;
  out = *value;
  return true;
}

bool read_one(const std::string& text, const FlagRules& rules, std::string& out) {
  if (!rules.words.empty() && !rules.other_words &&
      std::ranges::find(rules.words, text) == rules.words.end()) {
    return false;
  }
  out = text;
  return true;
}
bool read_one(const std::string& text, const FlagRules& rules, std::filesystem::path& out) {
  out = rules.model && text == "box" && !std::filesystem::exists(text)
            ? box_directory()
            : std::filesystem::path(text);
  return true;
}
template <class Number>
bool read_one(const std::string& text, const FlagRules& rules, Number& out) {
  return read_number(text, rules, out);
}

std::vector<std::string> split(std::span<const std::string> texts, char separator) {
  if (separator == 0) return {texts.begin(), texts.end()};
  std::vector<std::string> parts;
  for (const std::string& text : texts) {
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find(separator, begin), text.size());
      parts.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  return parts;
}

}  // namespace

std::string Flag::allowed() const {
  if (!rules.words.empty()) return fmt::format("{}", fmt::join(rules.words, ", "));
  if (rules.range) return fmt::format("{} to {}", rules.range->low, rules.range->high);
  return std::string(kind_of(value));
}

std::string Flag::option() const {
  if (!rules.option.empty()) return rules.option;
  std::string option = name.substr(std::min(name.find_first_not_of('-'), name.size()));
  std::ranges::replace(option, '-', '_');
  return option;
}

void Flag::read(std::span<const std::string> texts, const std::string& place) const {
  const auto read_into = [&](const std::string& text, auto& out) {
    if (read_one(text, rules, out)) return;
    const std::string near = nearest(text, rules.words);
    fail(Kind::usage, "{}: expected {}{}, found '{}'{}", place,
         rules.words.size() > 1 ? "one of " : "", allowed(), printable(text),
         near.empty() ? "" : fmt::format("; did you mean '{}'?", near));
  };
  std::visit(
      [&](auto* out) {
        using T = std::remove_pointer_t<decltype(out)>;
        if constexpr (std::is_same_v<T, bool>) {
          require(texts.empty() || texts.back() == "true", Kind::usage,
                  "{}: expected no value, found '{}'", place, printable(texts.back()));
          *out = true;
        } else if constexpr (kIsList<T>) {
          out->clear();
          for (const std::string& text : split(texts, rules.separator)) {
            read_into(text, out->emplace_back());
          }
        } else {
          require(texts.size() == 1, Kind::usage, "{}: expected once, found {} times", place,
                  texts.size());
          read_into(texts[0], *out);
        }
      },
      value);
}

void FlagSet::add(std::string name, FlagValue value, std::string help, FlagRules rules) {
  const std::string text = std::visit([](const auto* v) { return text_of(*v); }, value);
  flags_.push_back({std::move(name), value, std::move(help), group_, std::move(rules), text});
}

std::string FlagSet::message(const Error& error) const {
  const std::string message = error.what();
  const std::string option = message.substr(0, message.find(": "));
  if (error.kind() != Kind::usage) return message;
  // A name that was given wins: --input-format sets `format`, whatever --format sets.
  auto flag = std::ranges::find(flags_, option, [](const Flag& f) { return f.rules.option; });
  if (flag == flags_.end()) flag = std::ranges::find(flags_, option, &Flag::option);
  return flag == flags_.end() ? message : flag->name + message.substr(option.size());
}

nlohmann::ordered_json FlagSet::to_json() const {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const Flag& flag : flags_) {
    all.push_back({{"name", flag.name},
                   {"short", flag.rules.letter == 0 ? "" : std::string{'-', flag.rules.letter}},
                   {"group", flag.group},
                   {"help", flag.help},
                   {"default", flag.default_text},
                   {"allowed", flag.allowed()},
                   {"words", flag.rules.words},
                   {"required", flag.rules.required},
                   {"environment", flag.rules.environment}});
  }
  return all;
}

}  // namespace fnet::cli
