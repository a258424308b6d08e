#include "model/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/half.h"
#include "model/safetensors_header.h"

namespace fnet {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are stored little endian");

struct DtypeRow {
  std::string_view name;
  unsigned bits;
};
constexpr std::array<DtypeRow, 22> kDtypes = {{
    {"BOOL", 8},        {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
    {"I8", 8},          {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
    {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16},    {"BF16", 16},
    {"I32", 32},        {"U32", 32},    {"F32", 32},    {"C64", 64},    {"F64", 64},
    {"I64", 64},        {"U64", 64},
}};

float from_bf16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

float from_f64(double value) { return static_cast<float>(value); }

/// Reads elements of type `Stored` block by block and converts them.
template <class Stored>
void read_converted(const InputFile& file, std::uint64_t begin, std::span<float> out,
                    float (*convert)(Stored)) {
  std::vector<Stored> block(std::min<std::size_t>(out.size(), std::size_t{1} << 16));
  for (std::size_t done = 0; done < out.size(); done += block.size()) {
    const auto part = std::span(block).first(std::min(block.size(), out.size() - done));
    file.read(begin + done * sizeof(Stored), std::as_writable_bytes(part));
    std::transform(part.begin(), part.end(), out.begin() + static_cast<std::ptrdiff_t>(done),
                   convert);
  }
}

bool all_finite(std::span<const float> values) {
  std::uint32_t bad = 0;  // no early exit: the loop is then one that vectorises
  for (const float value : values) {
    bad |= (std::bit_cast<std::uint32_t>(value) & 0x7f800000U) == 0x7f800000U;
  }
  return bad == 0;
}

std::string load_header(const InputFile& file) {
  require(file.size() >= 8, Kind::input,
          "{}: expected a safetensors file of at least 8 bytes, found {}", printable(file.name()),
          file.size());
  std::uint64_t length = 0;
  file.read(0, std::as_writable_bytes(std::span(&length, 1)));
  require(length <= kMaxHeaderBytes, Kind::input,
          "{}: byte 0: expected a header of at most {} bytes, found a length of {}",
          printable(file.name()), kMaxHeaderBytes, length);
  require(length <= file.size() - 8, Kind::input,
          "{}: byte 0: expected a header within the file's {} bytes, found a length of {}",
          printable(file.name()), file.size(), length);
  std::string text(length, '\0');
  file.read(8, std::as_writable_bytes(std::span(text)));
  return text;
}

}  // namespace

std::string_view stored_type_name(StoredType dtype) {
  return kDtypes[static_cast<std::size_t>(dtype)].name;
}

std::optional<StoredType> stored_type_from_name(std::string_view name) {
  const auto row = std::ranges::find(kDtypes, name, &DtypeRow::name);
  if (row == kDtypes.end()) return std::nullopt;
  return static_cast<StoredType>(row - kDtypes.begin());
}

std::optional<std::uint64_t> stored_type_bytes(StoredType dtype, std::uint64_t count) {
  std::uint64_t bits = 0;
  if (__builtin_mul_overflow(count, kDtypes[static_cast<std::size_t>(dtype)].bits, &bits) ||
      bits % 8 != 0) {
    return std::nullopt;
  }
  return bits / 8;
}

std::string shape_text(std::span<const std::int64_t> shape) {
  std::string out = "[";
  for (const std::int64_t dim : shape) out += (out.size() > 1 ? ", " : "") + std::to_string(dim);
  return out + "]";
}

std::uint64_t TensorInfo::count() const {
  return std::accumulate(shape.begin(), shape.end(), std::uint64_t{1},
                         [](std::uint64_t product, std::int64_t dim) {
                           return product * static_cast<std::uint64_t>(dim);
                         });
}

SafetensorsFile::SafetensorsFile(InputFile file, SafetensorsOptions options)
    : file_(std::move(file)), options_(options) {
  const std::string text = load_header(file_);
  SafetensorsHeader header = parse_safetensors_header(text, file_.name(), file_.size());
  tensors_ = std::move(header.tensors);
  metadata_ = std::move(header.metadata);
  by_name_.resize(tensors_.size());
  std::iota(by_name_.begin(), by_name_.end(), std::size_t{0});
  std::ranges::sort(by_name_, {},
                    [&](std::size_t i) -> const std::string& { return tensors_[i].name; });
}

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path,
                                      SafetensorsOptions options) {
  return {InputFile::open(path), options};
}

SafetensorsFile SafetensorsFile::open(InputFile file, SafetensorsOptions options) {
  return {std::move(file), options};
}

const TensorInfo* SafetensorsFile::find(std::string_view name) const {
  const auto at = std::ranges::lower_bound(
      by_name_, name, {}, [&](std::size_t i) -> std::string_view { return tensors_[i].name; });
  return at != by_name_.end() && tensors_[*at].name == name ? &tensors_[*at] : nullptr;
}

void SafetensorsFile::read(const TensorInfo& tensor, std::span<float> out) const {
  require(out.size() == tensor.count(), Kind::internal,
          "tensor '{}': expected room for {} values, "
          "found {}",
          printable(tensor.name), tensor.count(), out.size());
  switch (tensor.dtype) {
    case StoredType::f32:
      file_.read(tensor.begin, std::as_writable_bytes(out));
      break;
    case StoredType::f16:
      read_converted<std::uint16_t>(file_, tensor.begin, out, from_f16);
      break;
    case StoredType::bf16:
      read_converted<std::uint16_t>(file_, tensor.begin, out, from_bf16);
      break;
    case StoredType::f64:
      read_converted<double>(file_, tensor.begin, out, from_f64);
      break;
    default:
      fail(Kind::input, "{}: tensor '{}': expected dtype F32, F16, BF16 or F64, found {}",
           printable(name()), printable(tensor.name), stored_type_name(tensor.dtype));
  }
  if (options_.allow_nonfinite || all_finite(out)) return;
  const auto bad = std::ranges::find_if_not(out, [](float value) { return std::isfinite(value); });
  fail(Kind::input,
       "{}: tensor '{}': expected finite numbers of float32's range, found {} at element "
       "{}",
       printable(name()), printable(tensor.name), *bad, bad - out.begin());
}

std::vector<std::byte> SafetensorsFile::read_raw(const TensorInfo& tensor) const {
  std::vector<std::byte> bytes(tensor.bytes);
  file_.read(tensor.begin, bytes);
  if (tensor.dtype == StoredType::boolean) {
    const auto bad = std::ranges::find_if(bytes, [](std::byte b) { return b > std::byte{1}; });
    require(bad == bytes.end(), Kind::input,
            "{}: tensor '{}': expected 0 or 1, found {} at element {}", printable(name()),
            printable(tensor.name), bad == bytes.end() ? 0 : std::to_integer<int>(*bad),
            bad - bytes.begin());
  }
  return bytes;
}

}  // namespace fnet
