#include "runtime/load_weights.h"

#include <memory>
#include <utility>
#include <vector>

#include "core/error.h"
#include "model/init.h"

namespace fnet {
namespace {

/// A weight as a tensor of two axes: the last one, and all before it.
struct Shape {
  std::int64_t rows = 1, cols;

  explicit Shape(const WeightSpec& spec) : cols(spec.shape.back()) {
    for (std::size_t i = 0; i + 1 < spec.shape.size(); ++i) rows *= spec.shape[i];
  }
  std::size_t size() const { return static_cast<std::size_t>(rows * cols); }
};

std::vector<float> read(const WeightSpec& spec, std::size_t size, const WeightSource& source) {
  if (!spec.stored) return initial_values(spec, 0, 0);
  std::vector<float> values = source(spec.name, spec.shape);
  require(values.size() == size, Kind::usage, "weight '{}': expected {} values, found {}",
          spec.name, size, values.size());
  return values;
}

Tensor packed(const WeightSpec& spec, const Shape& shape, const WeightSource& source,
              kernels::Dtype dtype, ThreadPool& pool, PackedFile* file) {
  const auto n = static_cast<std::size_t>(shape.rows), k = static_cast<std::size_t>(shape.cols);
  if (file != nullptr && file->ready()) {
    const PreparedBytes bytes = file->get(spec.name);
    return Tensor(kernels::packed_in(bytes.memory, bytes.size, n, k, dtype));
  }
  kernels::PackedMatrix matrix =
      kernels::pack(read(spec, n * k, source).data(), n, k, dtype, &pool);
  if (file != nullptr) file->add(spec.name, {matrix.memory(), matrix.stored().size()});
  return Tensor(std::move(matrix));
}

Tensor plain(const WeightSpec& spec, const Shape& shape, const WeightSource& source,
             PackedFile* file) {
  std::shared_ptr<const float> values;
  const std::size_t bytes = shape.size() * sizeof(float);
  if (file != nullptr && file->ready()) {
    const PreparedBytes stored = file->get(spec.name);
    require(stored.size >= bytes, Kind::input, "packed '{}': expected {} bytes, found {}",
            spec.name, bytes, stored.size);
    values = {stored.memory, reinterpret_cast<const float*>(stored.memory.get())};
  } else {
    const auto owner = std::make_shared<const std::vector<float>>(read(spec, shape.size(), source));
    values = {owner, owner->data()};
    if (file != nullptr) {
      file->add(spec.name, {{values, reinterpret_cast<const std::byte*>(values.get())}, bytes});
    }
  }
  return {shape.rows, shape.cols, std::move(values)};
}

}  // namespace

void load_weights(std::span<const WeightSpec> specs, const WeightSource& source,
                  kernels::Dtype dtype, ThreadPool& pool, PackedFile* file,
                  Weights<Tensor>::Map& map) {
  for (const WeightSpec& spec : specs) {
    const Shape shape(spec);
    map.emplace(spec.name, spec.product ? packed(spec, shape, source, dtype, pool, file)
                                        : plain(spec, shape, source, file));
  }
}

}  // namespace fnet
