#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

namespace fnet {

/// Vectors in NumPy's format, [count, width], read by position: memory holds one at a time.
class VectorFile {
 public:
  /// Reads all once. Throws: input where it is no array of numbers with two axes that is not
  /// compressed, or a vector has a value that is not finite, or is 0.
  explicit VectorFile(const std::filesystem::path& path);
  ~VectorFile();
  VectorFile(VectorFile&&) noexcept;
  VectorFile& operator=(VectorFile&&) noexcept;

  std::uint64_t size() const noexcept;
  std::size_t width() const noexcept;

  /// Of its numbers.
  std::uint64_t fingerprint() const noexcept;

  /// The vector at a place, divided by its length: [width].
  std::vector<float> at(std::uint64_t index) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fnet
