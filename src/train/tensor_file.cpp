#include "train/tensor_file.h"

#include <cstring>
#include <memory>
#include <span>

#include "core/error.h"
#include "model/safetensors.h"

namespace fnet {
namespace {

StoredType stored_type(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return StoredType::f32;
    case at::kDouble:
      return StoredType::f64;
    case at::kHalf:
      return StoredType::f16;
    case at::kBFloat16:
      return StoredType::bf16;
    case at::kLong:
      return StoredType::i64;
    case at::kInt:
      return StoredType::i32;
    case at::kByte:
      return StoredType::u8;
    case at::kBool:
      return StoredType::boolean;
    default:
      fail(Kind::internal, "tensor: no file has the type {}", at::toString(type));
  }
}

}  // namespace

std::uint64_t bytes_of(const NamedTensors& tensors) {
  std::uint64_t bytes = 0;
  for (const auto& item : tensors) bytes += item.second.nbytes();
  return bytes;
}

void write_tensors(const std::filesystem::path& path, const NamedTensors& tensors) {
  std::vector<TensorSource> sources;
  const auto held = std::make_shared<at::Tensor>();  // what the span shows
  for (const auto& [name, tensor] : tensors) {
    sources.push_back({.name = name,
                       .dtype = stored_type(tensor.scalar_type()),
                       .shape = tensor.sizes().vec(),
                       .data = [held, value = tensor] {
                         *held = value.to(at::kCPU).contiguous();
                         return std::span(static_cast<const std::byte*>(held->const_data_ptr()),
                                          held->nbytes());
                       }});
  }
  write_safetensors(path, std::move(sources));
}

void read_tensors(const std::filesystem::path& path, const NamedTensors& tensors) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  require(file.tensors().size() == tensors.size(), Kind::input, "{}: expected {} tensors, found {}",
          file.name(), tensors.size(), file.tensors().size());
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : tensors) {
    const TensorInfo* info = file.find(name);
    require(info != nullptr, Kind::input, "{}: expected a tensor '{}', found none", file.name(),
            name);
    const std::vector<std::int64_t> shape = tensor.sizes().vec();
    require(info->shape == shape && info->dtype == stored_type(tensor.scalar_type()), Kind::input,
            "{}: {}: expected {} {}, found {} {}", file.name(), name,
            stored_type_name(stored_type(tensor.scalar_type())), shape_text(shape),
            stored_type_name(info->dtype), shape_text(info->shape));
    const std::vector<std::byte> bytes = file.read_raw(*info);
    const at::Tensor value = at::empty(shape, tensor.options().device(at::kCPU));
    if (!bytes.empty()) std::memcpy(value.mutable_data_ptr(), bytes.data(), bytes.size());
    at::Tensor target = tensor;
    target.copy_(value);
  }
}

}  // namespace fnet
