#include "text/json_record.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

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

void add_members(const std::string& key, const Json& value, Record& record) {
  if (value.is_object()) {
    for (const auto& [name, member] : value.items()) {
      if (!member.is_null()) record.fields.push_back({key + '.' + name, value_of(member)});
    }
    return;
  }
  if (!value.is_array() || value.empty() || !value.front().is_object()) return;
  for (const auto& [name, first] : value.front().items()) {
    Json column = Json::array();
    for (const Json& item : value) {
      if (item.is_object() && item.contains(name)) column.push_back(item[name]);
    }
    record.fields.push_back({key + '.' + name, value_of(column)});
  }
}

}  // namespace

void add_fields(const Json& object, Record& record) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_null()) continue;
    record.fields.push_back({key, value_of(value)});
    add_members(key, value, record);
  }
}

}  // namespace fnet
