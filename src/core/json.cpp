#include "core/json.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "core/error.h"
#include "core/file.h"
#include "core/json_events.h"

namespace fnet {

using nlohmann::json;

namespace {

/// Bytes of the text that leave their position behind: the SAX interface of nlohmann tells it only
/// for syntax errors.
struct Cursor {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* byte;
  const char** seen;

  reference operator*() const { return *byte; }
  Cursor& operator++() {
    *seen = ++byte;
    return *this;
  }
  Cursor operator++(int) {
    const Cursor old = *this;
    ++*this;
    return old;
  }
  bool operator==(const Cursor& other) const { return byte == other.byte; }
};

/// Builds the value, as json or ordered_json.
template <class Json>
class Tree : public JsonEvents {  // NOLINT(bugprone-exception-escape): of nlohmann's assertions
 public:
  Json root;

 protected:
  void begin(bool is_object) override {
    open_.push_back(add(is_object ? Json::object() : Json::array()));
  }
  void key(std::string& name) override { key_ = name; }
  void value(json&& scalar) override { add(Json(std::move(scalar))); }
  void end() override { open_.pop_back(); }

 private:
  Json* add(Json&& value) {
    if (open_.empty()) return &(root = std::move(value));
    Json& parent = *open_.back();
    if (parent.is_array()) return &parent.emplace_back(std::move(value));
    return &(parent[key_] = std::move(value));
  }

  std::vector<Json*> open_;
  std::string key_;
};

template <class Json>
Json parsed(std::string_view text, std::string_view source, const JsonLimits& limits) {
  Tree<Json> tree;
  tree.parse(text, source, limits);
  return std::move(tree.root);
}

}  // namespace

/// What nlohmann's parser calls.
struct JsonEvents::Sax {
  JsonEvents& events;

  bool scalar(json&& value) {
    events.count_value();
    events.value(std::move(value));
    return true;
  }
  bool null() { return scalar(nullptr); }
  bool boolean(bool value) { return scalar(value); }
  bool number_integer(std::int64_t value) { return scalar(value); }
  bool number_unsigned(std::uint64_t value) { return scalar(value); }
  bool number_float(double value, const std::string& token) {
    if (token.find_first_of(".eE") == std::string::npos) {
      events.fail_here(
          fmt::format("expected an integer of at most 64 bits, found {}", printable(token, 40)));
    }
    return scalar(value);
  }
  bool string(std::string& value) { return scalar(std::move(value)); }
  bool binary(json::binary_t&) { return false; }  // not in JSON text

  bool start(bool is_object) {
    events.count_value();
    if (events.open_.size() == events.limits_.max_depth) {
      events.fail_here(fmt::format("expected at most {} levels of nesting, found more",
                                   events.limits_.max_depth));
    }
    events.open_.push_back({is_object, 0, {}, {}});
    events.begin(is_object);
    return true;
  }
  bool finish() {
    events.end();
    events.open_.pop_back();
    return true;
  }
  bool start_object(std::size_t) { return start(true); }
  bool start_array(std::size_t) { return start(false); }
  bool end_object() { return finish(); }
  bool end_array() { return finish(); }

  bool key(std::string& name) {
    Container& object = events.open_.back();
    object.key = name;
    if (!object.keys.insert(name).second)
      events.fail_here("expected each key once, found it again");
    events.key(name);
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const json::exception& error) {
    // nlohmann's own text begins with its exception's id and the position, which we give ourselves.
    std::string_view what = error.what();
    for (const std::string_view start : {"syntax error", "number overflow"}) {
      if (const auto at = what.find(start); at != what.npos) what = what.substr(at);
    }
    events.fail_here(what);
  }
};

void JsonEvents::count_value() {
  if (++values_ > limits_.max_values) {
    fail_here(fmt::format("expected at most {} values, found more", limits_.max_values));
  }
  if (!open_.empty() && !open_.back().is_object) ++open_.back().index;
}

std::string JsonEvents::path() const {
  std::string out;
  for (const Container& container : open_) {
    if (!container.is_object) {
      if (container.index > 0) out += fmt::format("[{}]", container.index - 1);
    } else if (!container.key.empty()) {
      if (!out.empty()) out += '.';
      out += printable(container.key, 80);
    }
  }
  return out;
}

std::string JsonEvents::position(std::size_t byte) const {
  const std::string_view before = text_.substr(0, byte);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t start = before.rfind('\n') + 1;  // npos + 1 is 0
  return fmt::format("line {}, column {}", line, std::max<std::size_t>(1, byte - start));
}

void JsonEvents::fail_here(std::string_view message) const {
  const auto byte = static_cast<std::size_t>(at_ - text_.data());
  const std::string where = path();
  fail(Kind::input, "{}: {}: {}{}{}", printable(source_), position(byte), where,
       where.empty() ? "" : ": ", printable(message));
}

void JsonEvents::parse(std::string_view text, std::string_view source, const JsonLimits& limits) {
  text_ = text;
  source_ = source;
  limits_ = limits;
  values_ = 0;
  open_.clear();
  at_ = text.data();
  require(text.size() <= limits.max_bytes, Kind::input, "{}: expected at most {} bytes, found {}",
          printable(source), limits.max_bytes, text.size());
  // nlohmann takes a NUL for the end of the text and skips a byte order mark.
  if (const auto nul = text.find('\0'); nul != text.npos) {
    at_ += nul;
    fail_here("expected JSON text, found a NUL byte");
  }
  if (text.starts_with("\xef\xbb\xbf")) {
    fail_here("expected JSON text, found a byte order mark; save the file as UTF-8 without it");
  }
  Sax sax{*this};
  json::sax_parse(Cursor{text.data(), &at_}, Cursor{text.data() + text.size(), &at_}, &sax);
}

json parse_json(std::string_view text, std::string_view source, const JsonLimits& limits) {
  return parsed<json>(text, source, limits);
}

nlohmann::ordered_json read_ordered_json_file(const std::filesystem::path& path,
                                              const JsonLimits& limits) {
  return parsed<nlohmann::ordered_json>(read_file(path, limits.max_bytes), path.native(), limits);
}

json read_json_file(const std::filesystem::path& path, const JsonLimits& limits) {
  return parse_json(read_file(path, limits.max_bytes), path.native(), limits);
}

template <class T>
T json_cast(const json& value, std::string_view source, std::string_view place) {
  const auto check = [&](bool ok, std::string_view expected) {
    // error_handler_t::replace: a value that did not come from our parser must not throw here.
    require(ok, Kind::input, "{}: {}: expected {}, found {}", printable(source), printable(place),
            expected,
            ok ? "" : printable(value.dump(-1, ' ', false, json::error_handler_t::replace), 80));
  };
  if constexpr (std::is_same_v<T, std::string>) {
    check(value.is_string(), "a string");
  } else if constexpr (std::is_same_v<T, bool>) {
    check(value.is_boolean(), "true or false");
  } else if constexpr (std::is_same_v<T, double>) {
    check(value.is_number(), "a number");
  } else {
    check(value.is_number_integer(), "an integer");
    if (value.is_number_unsigned()) {
      check(value.get<std::uint64_t>() <= INT64_MAX, "an integer below 2^63");
    }
  }
  return value.get<T>();
}

template std::string json_cast(const json&, std::string_view, std::string_view);
template bool json_cast(const json&, std::string_view, std::string_view);
template double json_cast(const json&, std::string_view, std::string_view);
template std::int64_t json_cast(const json&, std::string_view, std::string_view);

}  // namespace fnet
