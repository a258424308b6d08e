#include "fnet/tokenizer.h"
#include "input.h"

/// A model file is refused with an input error, or it tokenizes and comes back as text.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fnet;
  may_refuse([&] {
    const Tokenizer tokenizer = Tokenizer::parse(std::string(input_text(data, size)));
    const Encoding encoding = tokenizer.encode("The caf\xc3\xa9 reads 1,000 words [MASK].", {},
                                               {.add_special_tokens = false});
    tokenizer.decode(encoding.input_ids, false);
  });
  return 0;
}
