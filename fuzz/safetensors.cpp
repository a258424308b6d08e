#include "model/safetensors.h"

#include "input.h"

/// Opens and reads everything. What is accepted covers the file's data exactly, so memory taken is
/// bounded by the input.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fnet;
  may_refuse([&] {
    const auto file = SafetensorsFile::open(input_file(input_text(data, size)));
    std::uint64_t bytes = 0;
    for (const TensorInfo& tensor : file.tensors()) {
      bytes += tensor.bytes;
      if (file.find(tensor.name) != &tensor) abort();
      may_refuse([&] { file.read_raw(tensor); });
      may_refuse([&] {
        std::vector<float> values(tensor.count());
        file.read(tensor, values);
      });
    }
    if (bytes > size) abort();
  });
  return 0;
}
