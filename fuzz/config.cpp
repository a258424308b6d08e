#include "fnet/config.h"

#include "input.h"
#include "text/tokenizer_config.h"

/// config.json and tokenizer_config.json: what is accepted is written in a form that reads back as
/// the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fnet;
  const std::string_view text = input_text(data, size);
  may_refuse([&] {
    std::vector<std::string> warnings;
    const Config config = Config::from_json(text, "input", &warnings);
    if (Config::from_json(config.to_json(), "written") != config) abort();
  });
  may_refuse([&] {
    const auto rewritten = [](std::string_view from) {
      return tokenizer_config_json(read_tokenizer_config(input_file(from)).config, "<unk>", true);
    };
    const std::string written = rewritten(text);
    if (rewritten(written) != written) abort();
  });
  return 0;
}
