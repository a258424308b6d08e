#include <algorithm>
#include <string_view>

#include "input.h"
#include "tasks/task.h"

/// The first byte chooses the format. Bad lines are counted, the reading comes to an end, and an
/// example has as many labels as things to label, or as many places as answers.
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
    for (const char* task : {"text-classification", "token-classification", "question-answering"}) {
      may_refuse([&] {
        ExampleReader reader(
            DataReader(std::string(input_text(data + 1, size - 1)), "input", options),
            find_task(task).reading({}, true));
        for (Example example; reader.next(example);) {
          const std::size_t units = std::max<std::size_t>(1, example.words.size());
          const bool asked = task == std::string_view("question-answering");
          if (asked ? example.places.size() != example.truth.size()
                    : !example.listed && example.truth.size() != units)
            abort();
        }
      });
    }
  }
  return 0;
}
