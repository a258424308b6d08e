#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "model/weights.h"

namespace fnet {

/// The list of a model's weights as its parts add to it. A part names its weights relative to where
/// it stands; `under` opens a place.
class Specs {
 public:
  Specs() : list_(std::make_shared<std::vector<WeightSpec>>()) {}

  /// Adds a weight `<place>.<name>`.
  void add(std::string_view name, std::vector<std::int64_t> shape, Init init,
           Resize resize = Resize::no) const {
    list_->push_back({.name = prefix_ + std::string(name),
                      .shape = std::move(shape),
                      .init = init,
                      .trained = trained_,
                      .resize = resize});
  }

  /// The same list and place for buffers: numbers that are stored with the model and that training
  /// does not change.
  Specs buffers() const {
    Specs inner = *this;
    inner.trained_ = false;
    return inner;
  }

  /// Adds a buffer that every model stores in float32.
  void exact(std::string_view name, std::vector<std::int64_t> shape, Init init) const {
    buffers().add(name, std::move(shape), init);
    list_->back().exact = true;
  }

  /// Adds numbers that follow from their Init alone, so that no file holds them.
  void computed(std::string_view name, std::vector<std::int64_t> shape, Init init) const {
    buffers().add(name, std::move(shape), init);
    list_->back().stored = false;
  }

  /// Adds a linear map's `<name>.weight` [out, in] and, if wanted, `<name>.bias` [out].
  void linear(const std::string& name, std::int64_t in, std::int64_t out, bool bias = true,
              Init init = Init::normal()) const {
    add(name + ".weight", {out, in}, init);
    list_->back().product = true;
    if (bias) add(name + ".bias", {out}, Init::zeros());
  }

  Specs under(std::string_view place) const {
    Specs inner = *this;
    inner.prefix_ += place.empty() ? std::string() : std::string(place) + ".";
    return inner;
  }

  const std::vector<WeightSpec>& list() const { return *list_; }

 private:
  std::shared_ptr<std::vector<WeightSpec>> list_;
  std::string prefix_;
  bool trained_ = true;
};

/// Named tensors, seen from a place in the model: `w.under("output")["dense.weight"]`.
template <class A>
class Weights {
 public:
  using Map = std::map<std::string, A, std::less<>>;

  explicit Weights(const Map& map) : map_(&map) {}

  const A& operator[](std::string_view name) const {
    const auto found = map_->find(prefix_ + std::string(name));
    require(found != map_->end(), Kind::internal, "weight '{}{}' is not in the model", prefix_,
            name);
    return found->second;
  }

  /// Whether there is a weight of this name.
  bool has(std::string_view name) const { return map_->contains(prefix_ + std::string(name)); }

  /// Where it stands: "encoder.layer.0.", or empty at the root.
  const std::string& place() const { return prefix_; }

  Weights under(std::string_view place) const {
    Weights inner = *this;
    if (!place.empty()) inner.prefix_ += std::string(place) + ".";
    return inner;
  }

 private:
  const Map* map_;
  std::string prefix_;
};

}  // namespace fnet
