// One JSON object a line; each record names its own fields.
#include <nlohmann/json.hpp>

#include "core/json.h"
#include "text/data_format.h"

namespace fnet {
namespace {

using Json = nlohmann::json;

bool is_literal(const Json& value) { return value.is_number() || value.is_boolean(); }

/// A list of texts and literals, else what it is.
Record::Value list_of(const Json& array) {
  std::vector<std::string> list;
  for (const Json& item : array) {
    if (!item.is_string() && !is_literal(item)) {
      return Record::Other{fmt::format("{} at [{}]", item.type_name(), list.size())};
    }
    list.push_back(item.is_string() ? item.get<std::string>() : item.dump());
  }
  return list;
}

Record::Value value_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (is_literal(value)) return Record::Literal{value.dump()};
  if (value.is_array()) return list_of(value);
  return Record::Other{value.type_name()};
}

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
    for (const auto& [key, value] : json.items()) {
      if (!value.is_null()) record.fields.push_back({key, value_of(value)});
    }
    return true;
  }

  std::span<const std::string> fields() const override { return {}; }

 private:
  Lines& lines_;
};

}  // namespace

std::unique_ptr<DataFormat> open_jsonl(Lines& lines) { return std::make_unique<Jsonl>(lines); }

}  // namespace fnet
