#include "input.h"
#include "text/data.h"

/// The first byte chooses the format. Bad lines are counted, and the reading comes to an end.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fnet;
  if (size == 0) return 0;
  ReadOptions options;
  options.format = data_formats()[data[0] % data_formats().size()];
  options.max_bytes = 200;
  for (const bool skip : {false, true}) {
    options.skip_bad_lines = skip;
    may_refuse([&] {
      DataReader reader(std::string(input_text(data + 1, size - 1)), "input", options);
      std::size_t records = 0;
      for (Record record; reader.next(record); ++records) {
        if (record.line == 0) abort();
        if (reader.format() != "conll") continue;
        if (record.find("tags") && record.list("tags").size() != record.list("tokens").size())
          abort();
      }
      if (records + reader.skipped() > size) abort();
    });
  }
  return 0;
}
