#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace fnet {

/// Strict JSON as a stream of events, for a reader that must not build the whole value first. Every
/// rule of `parse_json` holds; a derived class adds its own and reports with `fail_here`.
class JsonEvents {
 public:
  virtual ~JsonEvents() = default;

  /// Reads `text`, calling the events in order. Throws: input.
  void parse(std::string_view text, std::string_view source, const JsonLimits& limits);

 protected:
  /// An object (or array) begins; `depth()` counts it already.
  virtual void begin(bool is_object) = 0;
  virtual void key(std::string& name) = 0;
  /// null, a boolean, a number or a string. Integers without a minus sign are unsigned.
  virtual void value(nlohmann::json&& scalar) = 0;
  virtual void end() = 0;

  std::size_t depth() const noexcept { return open_.size(); }

  /// Throws an input error that names the source, the position and the key path.
  [[noreturn]] void fail_here(std::string_view message) const;

 private:
  struct Sax;
  struct Container {
    bool is_object;
    std::size_t index;           // of the current element of an array
    std::string key;             // of the current member of an object
    std::set<std::string> keys;  // a tree: no hash for an adversary to collide
  };

  void count_value();
  std::string path() const;
  std::string position(std::size_t byte) const;

  std::vector<Container> open_;
  std::size_t values_ = 0;
  std::string_view text_, source_;
  const char* at_ = nullptr;
  JsonLimits limits_;
};

}  // namespace fnet
