// One JSON object a line; each record names its own fields.
#include <nlohmann/json.hpp>

#include "core/json.h"
#include "text/data_format.h"
#include "text/json_record.h"

namespace fnet {
namespace {

using Json = nlohmann::json;

class Jsonl final : public DataFormat {
 public:
  explicit Jsonl(Lines& lines) : lines_(lines) {}

  bool next(Record& record) override {
    std::string_view line;
    do {
      if (!lines_.next(line)) return false;
    } while (line.find_first_not_of(" \t") == std::string_view::npos);
    record.line = lines_.number();
    const std::string place = fmt::format("{}:{}", lines_.name(), record.line);
    const Json json = parse_json(line, place);
    require(json.is_object(), Kind::input, "{}: expected an object, found {}", place,
            json.type_name());
    add_fields(json, record);
    return true;
  }

  std::span<const std::string> fields() const override { return {}; }

 private:
  Lines& lines_;
};

}  // namespace

std::unique_ptr<DataFormat> open_jsonl(Lines& lines) { return std::make_unique<Jsonl>(lines); }

}  // namespace fnet
