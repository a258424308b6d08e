// One JSON object a line: "text", "text_pair" and "label", or "tokens" and "tags".
#include <nlohmann/json.hpp>

#include "core/json.h"
#include "text/data_format.h"

namespace fnet {
namespace {

class Jsonl final : public DataFormat {
 public:
  Jsonl(Lines& lines, const ReadOptions& options) : lines_(lines), options_(options) {}

  bool next(Example& example) override {
    std::string_view line;
    do {
      if (!lines_.next(line)) return false;
    } while (line.find_first_not_of(" \t") == std::string_view::npos);
    place_ = fmt::format("{}:{}", lines_.name(), lines_.number());
    const nlohmann::json json = parse_json(line, place_);
    require(json.is_object(), Kind::input, "{}: expected an object, found {}", place_,
            json.type_name());
    const auto get = [&](const std::string& key) -> const nlohmann::json* {
      const auto found = json.find(key);
      return found == json.end() || found->is_null() ? nullptr : &*found;
    };
    example.line = lines_.number();
    const nlohmann::json* text = get(options_.text_column);
    const nlohmann::json* tokens = get(options_.tokens_column);
    require(text != nullptr || tokens != nullptr, Kind::input,
            "{}: expected a key '{}' or '{}'; name the keys to use", place_, options_.text_column,
            options_.tokens_column);
    if (text != nullptr) example.text = json_cast<std::string>(*text, place_, options_.text_column);
    if (const nlohmann::json* pair = get(options_.text_pair_column))
      example.text_pair = json_cast<std::string>(*pair, place_, options_.text_pair_column);
    const nlohmann::json* label = get(options_.label_column);
    if (label != nullptr) example.label = scalar(*label, options_.label_column);
    if (tokens == nullptr) {
      require(label != nullptr || !options_.require_label, Kind::input, "{}: expected a key '{}'",
              place_, options_.label_column);
      return true;
    }
    example.tokens = list(*tokens, options_.tokens_column);
    if (const nlohmann::json* tags = get(options_.tags_column)) {
      example.tags = list(*tags, options_.tags_column);
      require(example.tags.size() == example.tokens.size(), Kind::input,
              "{}: {}: expected {} as there are tokens, found {}", place_, options_.tags_column,
              example.tokens.size(), example.tags.size());
    } else {
      require(!options_.require_label, Kind::input, "{}: expected a key '{}'", place_,
              options_.tags_column);
    }
    return true;
  }

 private:
  std::string scalar(const nlohmann::json& value, const std::string& key) const {
    if (value.is_string()) return value.get<std::string>();
    require(value.is_number() || value.is_boolean(), Kind::input,
            "{}: {}: expected a string, a number or a boolean, found {}", place_, key,
            value.type_name());
    return value.dump();
  }

  std::vector<std::string> list(const nlohmann::json& value, const std::string& key) const {
    require(value.is_array(), Kind::input, "{}: {}: expected an array, found {}", place_, key,
            value.type_name());
    std::vector<std::string> out;
    for (const nlohmann::json& item : value)
      out.push_back(scalar(item, fmt::format("{}[{}]", key, out.size())));
    return out;
  }

  Lines& lines_;
  const ReadOptions options_;
  std::string place_;
};

}  // namespace

std::unique_ptr<DataFormat> open_jsonl(Lines& lines, const ReadOptions& options) {
  return std::make_unique<Jsonl>(lines, options);
}

}  // namespace fnet
