#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fnet/config.h"
#include "fnet/engine.h"
#include "kernels/product.h"
#include "runtime/packed_file.h"

namespace fnet {

/// Numbers that a model keeps: in memory of their own, or a part of a mapped file.
class Floats {
 public:
  Floats() = default;
  explicit Floats(std::vector<float> values);
  explicit Floats(const PreparedBytes& bytes, std::size_t size);

  const float* data() const noexcept { return data_.get(); }
  std::size_t size() const noexcept { return size_; }
  /// Null where there are none: an optional bias, as kernels take it.
  const float* data_or_null() const noexcept { return size_ == 0 ? nullptr : data_.get(); }
  PreparedBytes bytes() const;

 private:
  std::shared_ptr<const float> data_;
  std::size_t size_ = 0;
};

/// Gives a model its weights as the kernels read them: packed out of their source, or as they lie
/// in a packed file.
class PreparedWeights {
 public:
  /// `file`: null, or taken from where it is ready(), or else filled for its write().
  PreparedWeights(const Config& config, const WeightSource& source, kernels::Dtype dtype,
                  ThreadPool& pool, PackedFile* file);

  /// Throws: input or usage where the source or the file has not as many values as the config says.
  Floats values(const std::string& name) const;
  /// None where the config has no such weight.
  Floats values_if_any(const std::string& name) const;
  kernels::PackedMatrix matrix(const std::string& name) const;

 private:
  std::vector<float> read(const std::string& name) const;

  const WeightSource& source_;
  kernels::Dtype dtype_;
  ThreadPool& pool_;
  PackedFile* file_;
  std::map<std::string, std::vector<std::int64_t>> shapes_;
};

}  // namespace fnet
