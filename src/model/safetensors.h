#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"

namespace fnet {

/// Element types of safetensors, in the order of the reference library, which is the order of its
/// writer. The six- and four-bit types are known so that a file with them can be told from a bad
/// one.
enum class StoredType {
  boolean,
  f4,
  f6_e2m3,
  f6_e3m2,
  u8,
  i8,
  f8_e5m2,
  f8_e4m3,
  f8_e8m0,
  f8_e4m3fnuz,
  f8_e5m2fnuz,
  i16,
  u16,
  f16,
  bf16,
  i32,
  u32,
  f32,
  c64,
  f64,
  i64,
  u64,
};

/// The name in the file, such as "F32".
std::string_view stored_type_name(StoredType dtype);

/// Bytes of `count` elements, or nothing where that is no whole number or overflows.
std::optional<std::uint64_t> stored_type_bytes(StoredType dtype, std::uint64_t count);

/// A shape for messages: "[3, 4]".
std::string shape_text(std::span<const std::int64_t> shape);

/// One tensor of a file: row-major, little endian.
struct TensorInfo {
  std::string name = {};
  StoredType dtype = StoredType::f32;
  std::vector<std::int64_t> shape = {};
  std::uint64_t begin = 0;  ///< of its bytes, from the start of the file
  std::uint64_t bytes = 0;

  /// Number of elements.
  std::uint64_t count() const;
};

struct SafetensorsOptions {
  bool allow_nonfinite = false;  ///< let NaN and infinities pass in `read`
};

/// A safetensors file open for reading. The header is checked whole at `open`: every rule of the
/// format, also those that the reference library leaves out (duplicate keys, extra fields,
/// padding), at most 100,000 tensors of rank at most 8, names of 1 to 512 bytes without control
/// characters. Together the tensors cover the data exactly.
class SafetensorsFile {
 public:
  /// Throws: input, as `file: place: expected …, found …`; system.
  static SafetensorsFile open(const std::filesystem::path& path, SafetensorsOptions options = {});
  static SafetensorsFile open(InputFile file, SafetensorsOptions options = {});

  const std::string& name() const noexcept { return file_.name(); }

  /// In the order of their data.
  std::span<const TensorInfo> tensors() const noexcept { return tensors_; }
  const std::map<std::string, std::string>& metadata() const noexcept { return metadata_; }

  /// The tensor of that name, or null.
  const TensorInfo* find(std::string_view name) const;

  /// Converts a F32, F16, BF16 or F64 tensor into `out`, which has its number of elements.
  /// Throws: input where the type is another, or a value is not finite and that is not allowed.
  void read(const TensorInfo& tensor, std::span<float> out) const;

  /// The bytes as they are in the file. Throws: input where a BOOL is neither 0 nor 1.
  std::vector<std::byte> read_raw(const TensorInfo& tensor) const;

 private:
  SafetensorsFile(InputFile file, SafetensorsOptions options);

  InputFile file_;
  SafetensorsOptions options_;
  std::vector<TensorInfo> tensors_;
  std::vector<std::size_t> by_name_;  // indices of tensors_, sorted by name
  std::map<std::string, std::string> metadata_;
};

/// A tensor to write. `data` is called once, when its turn comes; its span must stay valid until
/// the next call, so one buffer can serve all tensors.
struct TensorSource {
  std::string name = {};
  StoredType dtype = StoredType::f32;
  std::vector<std::int64_t> shape = {};
  std::function<std::span<const std::byte>()> data = {};
};

/// Writes a file byte for byte as the reference library does (sorted by type, widest first, then by
/// name), atomically and durably. The header is padded with spaces so that the data begins at a
/// multiple of `alignment`, 8 in the reference library.
/// Throws: system; input or internal where a source breaks a rule of the format.
void write_safetensors(const std::filesystem::path& path, std::vector<TensorSource> tensors,
                       const std::map<std::string, std::string>& metadata = {{"format", "pt"}},
                       std::size_t alignment = 8);

}  // namespace fnet
