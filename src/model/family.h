#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "fnet/config.h"

namespace fnet {

/// What a family's own program computes, as a key of the config.
struct Numeric {
  std::string_view key, value, meaning;
};

/// Whose program a model comes from. Families share names of weights, not what is computed.
struct Family {
  std::string_view name;   ///< as golden.json has it
  std::string_view owner;  ///< in words
  bool only = false;       ///< its program knows no other numerics than these
  std::span<const Numeric> numerics;
};

/// `huggingface`, `google`, `keras-hub`, `seed` or `fnet`; null for another name.
const Family* find_family(std::string_view name);

/// The family of a directory's model by its files and its config.json, whose text is `json`: models
/// made here have a run.json or a `length_policy`, which the others' programs do not write.
const Family& family_of(const std::filesystem::path& directory, std::string_view json,
                        const Config& config);

/// Whether the config sets what only this program knows, so that transformers refuses the model.
bool is_own_type(const Config& config);

/// What a directory or file is that holds weights in a form that is not read here, by its files'
/// names, or nothing.
std::optional<std::string> foreign_files(const std::filesystem::path& path);

}  // namespace fnet
