#include "model/quantize.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <memory>

#include "core/error.h"
#include "core/int8_scale.h"
#include "model/safetensors.h"

namespace fnet {
namespace {

std::uint16_t to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// Weights that make a model large: all others together are under 2 % of it.
bool is_large(const WeightSpec& spec) {
  if (spec.shape.size() != 2) return false;
  const std::string_view name = spec.name;
  return name.ends_with("word_embeddings.weight") || name.ends_with("wide.weight") ||
         name.find("encoder.layer.") != name.npos || name.ends_with("embeddings.projection.weight");
}

/// One buffer serves all tensors: the writer asks for them one at a time.
using Buffer = std::shared_ptr<std::vector<std::byte>>;

template <class T>
std::span<const std::byte> convert(const Buffer& buffer, std::span<const float> values,
                                   auto&& one) {
  buffer->resize(values.size() * sizeof(T));
  auto* out = reinterpret_cast<T*>(buffer->data());
  for (std::size_t i = 0; i < values.size(); ++i) out[i] = one(i, values[i]);
  return *buffer;
}

}  // namespace

void save_quantized(const std::filesystem::path& directory, const std::vector<WeightSpec>& specs,
                    const StoredWeights& values, std::string_view dtype) {
  require(dtype == "int8" || dtype == "bfloat16", Kind::usage,
          "dtype: expected int8 or bfloat16, found '{}'", printable(dtype));
  const auto buffer = std::make_shared<std::vector<std::byte>>();
  std::vector<TensorSource> tensors;
  for (const WeightSpec& spec : specs) {
    const std::string& name = spec.name;
    if (dtype == "bfloat16" && !spec.exact) {
      tensors.push_back({name, StoredType::bf16, spec.shape, [&values, buffer, name] {
                           return convert<std::uint16_t>(
                               buffer, values(name),
                               [](std::size_t, float v) { return to_bfloat16(v); });
                         }});
      continue;
    }
    if (!is_large(spec)) {
      tensors.push_back({name, StoredType::f32, spec.shape,
                         [&values, name] { return std::as_bytes(values(name)); }});
      continue;
    }
    const auto width = static_cast<std::size_t>(spec.shape[1]);
    const auto rows = static_cast<std::size_t>(spec.shape[0]);
    tensors.push_back({name, StoredType::i8, spec.shape, [&values, buffer, name, width] {
                         const std::span<const float> all = values(name);
                         float scale = 0;
                         return convert<std::int8_t>(buffer, all, [&](std::size_t i, float v) {
                           if (i % width == 0) scale = int8_scale(all.subspan(i, width));
                           return static_cast<std::int8_t>(scale > 0 ? std::lrintf(v / scale) : 0);
                         });
                       }});
    tensors.push_back(
        {name + "_scale", StoredType::f32, {spec.shape[0]}, [&values, buffer, name, width, rows] {
           const std::span<const float> all = values(name);
           return convert<float>(buffer, all.first(rows), [&](std::size_t row, float) {
             return int8_scale(all.subspan(row * width, width));
           });
         }});
  }
  write_safetensors(directory / "model.safetensors", std::move(tensors));
}

}  // namespace fnet
