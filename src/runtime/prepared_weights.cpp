#include "runtime/prepared_weights.h"

#include <utility>

#include "blocks/model.h"
#include "core/error.h"

namespace fnet {
namespace {

std::size_t product_of(std::span<const std::int64_t> shape) {
  std::size_t size = 1;
  for (const std::int64_t d : shape) size *= static_cast<std::size_t>(d);
  return size;
}

}  // namespace

Floats::Floats(std::vector<float> values) : size_(values.size()) {
  const auto owner = std::make_shared<const std::vector<float>>(std::move(values));
  data_ = {owner, owner->data()};
}

Floats::Floats(const PreparedBytes& bytes, std::size_t size)
    : data_(bytes.memory, reinterpret_cast<const float*>(bytes.memory.get())), size_(size) {}

PreparedBytes Floats::bytes() const {
  return {{data_, reinterpret_cast<const std::byte*>(data_.get())}, size_ * sizeof(float)};
}

PreparedWeights::PreparedWeights(const Config& config, const WeightSource& source,
                                 kernels::Dtype dtype, ThreadPool& pool, PackedFile* file)
    : source_(source), dtype_(dtype), pool_(pool), file_(file) {
  for (const WeightSpec& spec : model_weights(config)) shapes_[spec.name] = spec.shape;
}

std::vector<float> PreparedWeights::read(const std::string& name) const {
  const auto& shape = shapes_.at(name);
  std::vector<float> values = source_(name, shape);
  require(values.size() == product_of(shape), Kind::usage,
          "weight '{}': expected {} values, found {}", name, product_of(shape), values.size());
  return values;
}

Floats PreparedWeights::values(const std::string& name) const {
  const std::size_t size = product_of(shapes_.at(name));
  if (file_ != nullptr && file_->ready()) {
    const PreparedBytes bytes = file_->get(name);
    require(bytes.size >= size * sizeof(float), Kind::input,
            "packed '{}': expected {} bytes, found {}", name, size * sizeof(float), bytes.size);
    return Floats(bytes, size);
  }
  Floats values(read(name));
  if (file_ != nullptr) file_->add(name, values.bytes());
  return values;
}

Floats PreparedWeights::values_if_any(const std::string& name) const {
  return shapes_.contains(name) ? values(name) : Floats();
}

kernels::PackedMatrix PreparedWeights::matrix(const std::string& name) const {
  const auto& shape = shapes_.at(name);
  const auto n = static_cast<std::size_t>(shape[0]), k = static_cast<std::size_t>(shape[1]);
  if (file_ != nullptr && file_->ready()) {
    const PreparedBytes bytes = file_->get(name);
    return kernels::packed_in(bytes.memory, bytes.size, n, k, dtype_);
  }
  kernels::PackedMatrix packed = kernels::pack(read(name).data(), n, k, dtype_, &pool_);
  if (file_ != nullptr) file_->add(name, {packed.memory(), packed.stored().size()});
  return packed;
}

}  // namespace fnet
