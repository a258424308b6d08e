#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/types.h"

namespace fnet {

/// The bytes of one prepared weight, and what keeps them alive.
struct PreparedBytes {
  std::shared_ptr<const std::byte> memory;
  std::size_t size = 0;
};

/// A file beside a model that holds its encoder's weights as the kernels of one instruction set and
/// one type read them, so that the next start maps them into memory instead of packing them again.
/// It is a safetensors file of byte tensors, aligned to 64 bytes, whose metadata has a key: a file
/// with another key, or a damaged one, counts as missing.
class PackedFile {
 public:
  /// For the weights of `directory`, which the files `weights` hold. The key is a hash of
  /// config.json and of the name, size, time and header of each file, beside what the kernels'
  /// layout depends on.
  PackedFile(const std::filesystem::path& directory, std::span<const std::filesystem::path> weights,
             kernels::Dtype dtype);

  /// Whether the weights are there to be taken.
  bool ready() const noexcept { return map_ != nullptr; }

  /// Throws: input where there is none of that name.
  PreparedBytes get(const std::string& name) const;

  /// Remembers what write() is to write.
  void add(const std::string& name, PreparedBytes bytes) { parts_[name] = std::move(bytes); }

  /// Throws: system where the directory cannot be written.
  void write() const;

 private:
  void map();

  std::filesystem::path path_;
  std::string key_;
  std::shared_ptr<const std::byte> map_;
  std::map<std::string, PreparedBytes> parts_;
};

}  // namespace fnet
