#include "core/file.h"
#include "input.h"

/// Plain or gzip: every line is within the limit, has no newline, and is numbered in order. A line
/// that is refused does not end the reading.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fnet;
  constexpr std::size_t kLimit = 100;
  may_refuse([&] {
    LineReader reader(input_file(input_text(data, size)), kLimit);
    std::string_view line;
    for (std::uint64_t number = 1, more = 1; more != 0 && number < 1000; ++number) {
      may_refuse([&] {
        more = reader.next(line) ? 1 : 0;
        if (more != 0 && (line.size() > kLimit || line.find('\n') != line.npos)) abort();
        if (more != 0 && reader.line_number() != number) abort();
      });
    }
  });
  return 0;
}
