#include "train/device.h"

#include <fmt/core.h>

#include <charconv>
#include <string>

#include "core/error.h"

namespace fnet {
namespace {

at::Device device_named(std::string_view name, int local_rank) {
  if (name == "cpu") return at::kCPU;
  constexpr std::string_view cuda = "cuda", numbered = "cuda:";
  int index = local_rank;
  bool known = name == cuda;
  if (name.starts_with(numbered)) {
    const char* end = name.data() + name.size();
    const auto [last, error] = std::from_chars(name.data() + numbered.size(), end, index);
    known = error == std::errc() && last == end && index >= 0;
  }
  require(known, Kind::usage, "device: expected cpu, cuda or cuda:N, found '{}'", printable(name));
  const int there = torch::cuda::device_count();
  require(index < there, Kind::usage,
          "device: expected a CUDA device that torch sees, found '{}'{} where {}", name,
          name == cuda && index > 0 ? fmt::format(" in process {} of its machine", index) : "",
          at::hasCUDA() ? fmt::format("it sees {}", there)
                        : "this program was built with a torch without CUDA");
  return {at::kCUDA, static_cast<at::DeviceIndex>(index)};
}

at::ScalarType products_named(std::string_view name, at::Device device) {
  if (name == "float32") return at::kFloat;
  if (name == "bfloat16") return at::kBFloat16;
  require(name == "float16" && !device.is_cpu(), Kind::usage,
          "dtype: expected float32 or bfloat16{}, found '{}'",
          device.is_cpu() ? " on the CPU" : " or float16", printable(name));
  return at::kHalf;
}

}  // namespace

Machine machine_named(std::string_view device, std::string_view dtype, int local_rank) {
  const at::Device place = device_named(device, local_rank);
  return {place, products_named(dtype, place)};
}

}  // namespace fnet
