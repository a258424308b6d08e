#include "text/vector_file.h"

#include <cmath>
#include <span>

#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"
#include "text/npy.h"

namespace fnet {
namespace {

/// Bytes of a vector at most.
constexpr std::size_t kMaxVector = std::size_t{1} << 20;

double length_of(const std::vector<float>& vector) {
  double sum = 0;
  for (const float value : vector) sum += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(sum);
}

}  // namespace

struct VectorFile::State {
  Lines lines;
  NpyArray array;
  InputFile file;
  std::uint64_t hash = fnv1a("");

  explicit State(const std::filesystem::path& path)
      : lines(path, kMaxVector), array(lines), file(InputFile::open(path)) {
    const auto& shape = array.shape();
    require(shape.size() == 2, Kind::input, "{}: expected two axes, [texts, width], found {}",
            lines.name(), shape.size());
    require(file.size() == array.begin() + shape[0] * array.item_bytes(), Kind::input,
            "{}: expected {} vectors of {} bytes, not compressed, found a file of {} bytes",
            lines.name(), shape[0], array.item_bytes(), file.size());
    while (array.next()) {
      const std::vector<float> vector = array.numbers();
      const double length = length_of(vector);
      require(std::isfinite(length), Kind::input,
              "{}: vector {}: expected finite numbers, found NaN or infinity", lines.name(),
              array.count());
      require(length > 0, Kind::input, "{}: vector {}: expected a direction, found only 0",
              lines.name(), array.count());
      hash = fnv1a({reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float)},
                   hash);
    }
  }
};

VectorFile::VectorFile(const std::filesystem::path& path) : state_(std::make_unique<State>(path)) {}
VectorFile::~VectorFile() = default;
VectorFile::VectorFile(VectorFile&&) noexcept = default;
VectorFile& VectorFile::operator=(VectorFile&&) noexcept = default;

std::uint64_t VectorFile::size() const noexcept { return state_->array.shape()[0]; }
std::size_t VectorFile::width() const noexcept { return state_->array.shape()[1]; }
std::uint64_t VectorFile::fingerprint() const noexcept { return state_->hash; }

std::vector<float> VectorFile::at(std::uint64_t index) const {
  std::vector<char> bytes(state_->array.item_bytes());
  state_->file.read(state_->array.begin() + index * bytes.size(),
                    std::as_writable_bytes(std::span(bytes)));
  std::vector<float> vector = state_->array.numbers(bytes);
  const auto length = static_cast<float>(length_of(vector));
  for (float& value : vector) value /= length;
  return vector;
}

}  // namespace fnet
