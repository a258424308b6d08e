#include "model/weights_index.h"

#include "input.h"

/// No shard's name leads out of the directory.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fnet;
  may_refuse([&] {
    const WeightsIndex index = parse_weights_index(input_text(data, size), "input");
    for (const std::string& shard : index.shards()) {
      if (shard.find_first_of(std::string_view("/\\\0", 3)) != shard.npos) abort();
    }
  });
  return 0;
}
