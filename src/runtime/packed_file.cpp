#include "runtime/packed_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"
#include "kernels/kernels.h"
#include "model/config_fields.h"
#include "model/safetensors.h"

namespace fnet {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kAlignment = 64;

/// Name, size, time and header of a weights file and a sample of its bytes: other weights differ in
/// at least one of them. Reading all of them would take as long as packing them.
std::uint64_t add_identity(std::uint64_t hash, const fs::path& path) {
  const InputFile file = InputFile::open(path);
  std::uint64_t length = 0;
  file.read(0, std::as_writable_bytes(std::span(&length, 1)));
  std::string header(std::min(length, file.size() - sizeof length), '\0');
  file.read(sizeof length, std::as_writable_bytes(std::span(header)));
  const auto time = fs::last_write_time(path).time_since_epoch().count();
  hash = fnv1a(fmt::format("{} {} {}", path.filename().native(), file.size(), time), hash);
  hash = fnv1a(header, hash);
  constexpr std::size_t kSamples = 64;
  std::string bytes(std::min<std::uint64_t>(1024, file.size()), '\0');
  for (std::size_t i = 0; i < kSamples; ++i) {
    const std::uint64_t last = file.size() - bytes.size();
    file.read(last / kSamples * (i + 1), std::as_writable_bytes(std::span(bytes)));
    hash = fnv1a(bytes, hash);
  }
  return hash;
}

}  // namespace

PackedFile::PackedFile(const fs::path& directory, std::span<const fs::path> weights,
                       kernels::Dtype dtype) {
  const kernels::Table& isa = kernels::table();
  path_ = directory / fmt::format("packed-{}-{}.safetensors", isa.name, kernels::name_of(dtype));
  std::uint64_t hash = fnv1a(read_file(directory / "config.json", kMaxConfigBytes));
  for (const fs::path& file : weights) hash = add_identity(hash, file);
  // The layout's version goes up when pack() changes.
  key_ = fmt::format("1 {} {} panel {} chunk {} weights {:016x}", isa.name, kernels::name_of(dtype),
                     isa.product.panel, kernels::longest_chunk(dtype), hash);
  map();
}

void PackedFile::map() {
  std::error_code error;
  if (!fs::exists(path_, error)) return;
  try {
    InputFile input = InputFile::open(path_);
    const std::shared_ptr<const std::byte> memory = input.map();
    const auto file = SafetensorsFile::open(std::move(input));
    const auto key = file.metadata().find("key");
    if (key == file.metadata().end() || key->second != key_) return;
    for (const TensorInfo& tensor : file.tensors()) {
      if (tensor.begin % kAlignment != 0) return;
      parts_[tensor.name] = {{memory, memory.get() + tensor.begin}, tensor.bytes};
    }
    map_ = memory;
  } catch (const Error&) {
    parts_.clear();  // damaged: it is made again
  }
}

PreparedBytes PackedFile::get(const std::string& name) const {
  const auto found = parts_.find(name);
  require(found != parts_.end(), Kind::input,
          "{}: expected '{}' in it, found none; remove the file, it will be made again",
          printable(path_.native()), name);
  return found->second;
}

void PackedFile::write() const {
  if (parts_.empty()) return;  // a model that no kernel runs
  std::vector<TensorSource> tensors;
  std::vector<std::byte> padded;
  for (const auto& [name, bytes] : parts_) {
    const std::size_t size = (bytes.size + kAlignment - 1) / kAlignment * kAlignment;
    tensors.push_back({.name = name,
                       .dtype = StoredType::u8,
                       .shape = {static_cast<std::int64_t>(size)},
                       .data = [&padded, &bytes = bytes, size] {
                         const std::span source(bytes.memory.get(), bytes.size);
                         if (size == bytes.size) return source;
                         padded.assign(source.begin(), source.end());
                         padded.resize(size);
                         return std::span<const std::byte>(padded);
                       }});
  }
  write_safetensors(path_, std::move(tensors), {{"key", key_}}, kAlignment);
}

}  // namespace fnet
