#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "model/safetensors.h"
#include "model/safetensors_header.h"

namespace fnet {
namespace {

std::string quoted(const std::string& text) { return nlohmann::json(text).dump(); }

std::uint64_t bytes_of(const TensorSource& tensor) {
  const TensorInfo info{.name = tensor.name, .dtype = tensor.dtype, .shape = tensor.shape};
  const auto bytes = stored_type_bytes(tensor.dtype, info.count());
  require(bytes.has_value(), Kind::internal, "tensor '{}': expected a whole number of bytes",
          printable(tensor.name));
  return *bytes;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::vector<TensorSource> tensors,
                       const std::map<std::string, std::string>& metadata, std::size_t alignment) {
  std::ranges::sort(tensors, [](const TensorSource& a, const TensorSource& b) {
    return a.dtype != b.dtype ? a.dtype > b.dtype : a.name < b.name;
  });
  std::string header = "{";
  if (!metadata.empty()) {
    header += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) {
      if (!header.ends_with('{')) header += ',';
      header += quoted(key) + ":" + quoted(value);
    }
    header += '}';
  }
  std::uint64_t begin = 0;
  for (const TensorSource& tensor : tensors) {
    const std::string fault = tensor_name_fault(tensor.name);
    require(fault.empty(), Kind::internal, "{}: expected a tensor's name, found {}",
            printable(path.native()), fault);
    const std::uint64_t end = begin + bytes_of(tensor);
    if (header.size() > 1) header += ',';
    header += fmt::format(R"({}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                          quoted(tensor.name), stored_type_name(tensor.dtype),
                          fmt::join(tensor.shape, ","), begin, end);
    begin = end;
  }
  header += '}';
  header.append((alignment - (8 + header.size()) % alignment) % alignment, ' ');
  // Read back what stands there before it is written: a file that we would refuse is never made.
  parse_safetensors_header(header, path.native(), 8 + header.size() + begin);

  OutputFile file(path);
  const std::uint64_t length = header.size();
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  for (const TensorSource& tensor : tensors) {
    const auto data = tensor.data();
    require(data.size() == bytes_of(tensor), Kind::internal,
            "tensor '{}': expected {} bytes, found {}", printable(tensor.name), bytes_of(tensor),
            data.size());
    file.write(data);
  }
  file.commit();
}

}  // namespace fnet
