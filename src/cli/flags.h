#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "fnet/error.h"

namespace fnet::cli {

/// What a flag writes to. What stands there when the flag is added is its default.
using FlagValue = std::variant<bool*, std::int32_t*, std::int64_t*, std::uint64_t*, double*,
                               std::string*, std::filesystem::path*, std::vector<std::int64_t>*,
                               std::vector<std::string>*, std::vector<std::filesystem::path>*>;

struct Range {
  double low, high;
};

/// What a flag takes, beyond the type of its value.
struct FlagRules {
  bool required = false;
  char letter = 0;                            ///< a short form: -o
  std::vector<std::string> words = {};        ///< the only values allowed, where there are any
  bool other_words = false;                   ///< the library knows more of them, and checks
  std::optional<Range> range = std::nullopt;  ///< of a number
  bool model = false;    ///< a path that may be `box`: the model that comes with the program
  char separator = 0;    ///< parts the values of a list: `a,b`
  bool several = false;  ///< a list takes all that follows, up to the next flag
  std::string environment = {};           ///< a variable that stands in for the flag
  std::vector<std::string> without = {};  ///< flags that leave it no meaning: not both
  std::vector<std::string> unless = {};   ///< flags in whose presence it is not required
  std::function<void()> then = {};        ///< runs once it is read, before the flags that follow
  std::string option = {};  ///< the library's name for it; else as the flag: max_length
};

/// A flag `--name VALUE`, a switch `--name` (its value is a bool), or an argument by position
/// `NAME`.
struct Flag {
  std::string name;
  FlagValue value;
  std::string help, group;
  FlagRules rules;
  std::string default_text;  ///< empty where there is none

  /// What it accepts, in words: `1 to 65536`, `tsv, jsonl`, `a path`; empty for a switch.
  std::string allowed() const;

  /// The library's name of the option that this flag sets.
  std::string option() const;

  /// Reads its value from the texts given for it; `place` stands in front of an error.
  /// Throws: usage.
  void read(std::span<const std::string> texts, const std::string& place) const;
};

/// The flags of one command.
class FlagSet {
 public:
  /// The flags that follow are listed under this title.
  void group(std::string title) { group_ = std::move(title); }

  /// Adds a flag that writes to `*value`, which must outlive the set.
  void add(std::string name, FlagValue value, std::string help, FlagRules rules = {});

  std::span<const Flag> flags() const { return flags_; }

  /// The message of an error for a user of these flags. The library's usage errors begin with its
  /// own name of the option: what is `learning_rate: expected …` there is `--lr: expected …` here.
  std::string message(const Error& error) const;

  /// Every flag as JSON, for programs: an array of objects, in the order of the help.
  nlohmann::ordered_json to_json() const;

 private:
  std::vector<Flag> flags_;
  std::string group_ = "Options";
};

}  // namespace fnet::cli
