#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fnet {

/// An attribute of a node.
struct OnnxAttribute {
  std::string_view name;
  std::variant<std::int64_t, double, std::vector<std::int64_t>> value;
};

/// An ONNX model that grows node by node. Its values are known by their names.
class OnnxGraph {
 public:
  /// The operators' version: the first with DFT and LayerNormalization.
  static constexpr std::int64_t kOpset = 17;
  /// Types of values. Source: TensorProto.DataType.
  static constexpr std::int64_t kFloat = 1, kInt64 = 7;

  OnnxGraph();
  ~OnnxGraph();
  OnnxGraph(const OnnxGraph&) = delete;
  OnnxGraph& operator=(const OnnxGraph&) = delete;

  /// An axis of an input or output: its size, or the name of one that each run chooses.
  using Axis = std::variant<std::int64_t, std::string>;

  /// An input; returns its name. `type`: kInt64 or kFloat.
  std::string add_input(const std::string& name, const std::vector<Axis>& axes,
                        std::int64_t type = kInt64);

  /// Gives a value of float to the caller of the graph under a name.
  void add_output(const std::string& value, const std::string& name, const std::vector<Axis>& axes);

  /// An operation of one result, which it returns. `name`: of the node, where a person may meet it.
  std::string add(std::string_view op, const std::vector<std::string>& inputs,
                  const std::vector<OnnxAttribute>& attributes = {}, const std::string& name = {});

  // Constants: a number, a whole number (both without axes), a list of whole numbers.
  std::string number(double value);
  std::string integer(std::int64_t value);
  std::string integers(const std::vector<std::int64_t>& values);

  /// A constant of floats [product of shape] under a name of its own.
  void add_values(const std::string& name, const std::vector<std::int64_t>& shape,
                  std::span<const float> values);

  /// Whether a node reads the value of this name.
  bool reads(const std::string& value) const { return read_.contains(value); }

  /// A text about the model, for whoever asks its metadata.
  void set_metadata(const std::string& key, const std::string& value);

  std::vector<std::string> outputs() const;

  /// The bytes that `save` writes, without values.
  std::uint64_t bytes() const;

  /// Writes the file, whole or not at all. Throws: input, system.
  void save(const std::filesystem::path& file) const;

 private:
  struct Model;
  std::string constant(const std::string& name, const std::function<void()>& make);

  std::unique_ptr<Model> model_;
  std::set<std::string> read_, constants_;
};

}  // namespace fnet
