#include "fnet/config.h"

#include "input.h"
#include "text/tokenizer_config.h"

/// config.json, which is written in a form that reads back as the same, and tokenizer_config.json.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fnet;
  const std::string_view text = input_text(data, size);
  may_refuse([&] {
    std::vector<std::string> warnings;
    const Config config = Config::from_json(text, "input", &warnings);
    if (Config::from_json(config.to_json(), "written") != config) abort();
  });
  may_refuse([&] { read_tokenizer_config(input_file(text)); });
  return 0;
}
