#include "export/graph.h"

#include <fmt/ranges.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx/onnx_pb.h>

#include <bit>
#include <cctype>
#include <exception>

#include "core/error.h"
#include "core/file.h"

namespace fnet {
namespace {

constexpr int kBlock = 1 << 20;

/// Where protobuf writes. An error waits until protobuf has returned.
class FileStream final : public google::protobuf::io::CopyingOutputStream {
 public:
  explicit FileStream(OutputFile& file) : file_(file) {}

  bool Write(const void* data, int size) override {
    try {
      file_.write(std::span(static_cast<const std::byte*>(data), static_cast<std::size_t>(size)));
      return true;
    } catch (...) {
      error_ = std::current_exception();
      return false;
    }
  }

  void check() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  OutputFile& file_;
  std::exception_ptr error_;
};

void describe(onnx::ValueInfoProto& value, const std::string& name,
              const std::vector<OnnxGraph::Axis>& axes, onnx::TensorProto::DataType type) {
  value.set_name(name);
  onnx::TypeProto::Tensor& tensor = *value.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(type);
  onnx::TensorShapeProto& shape = *tensor.mutable_shape();
  for (const OnnxGraph::Axis& axis : axes) {
    onnx::TensorShapeProto::Dimension& dimension = *shape.add_dim();
    if (const auto* size = std::get_if<std::int64_t>(&axis)) dimension.set_dim_value(*size);
    if (const auto* own = std::get_if<std::string>(&axis)) dimension.set_dim_param(*own);
  }
}

void fill(onnx::AttributeProto& to, const OnnxAttribute& attribute) {
  to.set_name(std::string(attribute.name));
  if (const auto* whole = std::get_if<std::int64_t>(&attribute.value)) {
    to.set_type(onnx::AttributeProto::INT);
    to.set_i(*whole);
  } else if (const auto* number = std::get_if<double>(&attribute.value)) {
    to.set_type(onnx::AttributeProto::FLOAT);
    to.set_f(static_cast<float>(*number));
  } else {
    to.set_type(onnx::AttributeProto::INTS);
    for (const std::int64_t i : std::get<std::vector<std::int64_t>>(attribute.value))
      to.add_ints(i);
  }
}

}  // namespace

struct OnnxGraph::Model {
  onnx::ModelProto proto;
  onnx::GraphProto& graph = *proto.mutable_graph();
};

OnnxGraph::OnnxGraph() : model_(std::make_unique<Model>()) {
  onnx::ModelProto& proto = model_->proto;
  proto.set_ir_version(8);  // of the first ONNX with this opset
  proto.set_producer_name("fnet");
  proto.add_opset_import()->set_version(kOpset);
  model_->graph.set_name("fnet");
}
OnnxGraph::~OnnxGraph() = default;

std::string OnnxGraph::add_input(const std::string& name, const std::vector<Axis>& axes,
                                 std::int64_t type) {
  describe(*model_->graph.add_input(), name, axes,
           type == kFloat ? onnx::TensorProto::FLOAT : onnx::TensorProto::INT64);
  return name;
}

void OnnxGraph::add_output(const std::string& value, const std::string& name,
                           const std::vector<Axis>& axes) {
  read_.insert(value);
  onnx::NodeProto& node = *model_->graph.add_node();
  node.set_op_type("Identity");
  node.set_name(name);
  node.add_input(value);
  node.add_output(name);
  describe(*model_->graph.add_output(), name, axes, onnx::TensorProto::FLOAT);
}

std::string OnnxGraph::add(std::string_view op, const std::vector<std::string>& inputs,
                           const std::vector<OnnxAttribute>& attributes, const std::string& name) {
  onnx::NodeProto& node = *model_->graph.add_node();
  const std::string result = fmt::format("{}_{}", op, model_->graph.node_size());
  node.set_op_type(std::string(op));
  node.set_name(name.empty() ? result : name);
  for (const std::string& input : inputs) {
    node.add_input(input);
    read_.insert(input);
  }
  node.add_output(result);
  for (const OnnxAttribute& attribute : attributes) fill(*node.add_attribute(), attribute);
  return result;
}

std::string OnnxGraph::constant(const std::string& name, const std::function<void()>& make) {
  if (constants_.insert(name).second) make();
  return name;
}

std::string OnnxGraph::number(double value) {
  const auto single = static_cast<float>(value);
  const std::string name = fmt::format("number_{}", single);
  return constant(name, [&] { add_values(name, {}, {&single, 1}); });
}

std::string OnnxGraph::integer(std::int64_t value) {
  const std::string name = fmt::format("integer_{}", value);
  return constant(name, [&] {
    onnx::TensorProto& tensor = *model_->graph.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::INT64);
    tensor.add_int64_data(value);
  });
}

std::string OnnxGraph::integers(const std::vector<std::int64_t>& values) {
  const std::string name = fmt::format("integers_{}", fmt::join(values, "_"));
  return constant(name, [&] {
    onnx::TensorProto& tensor = *model_->graph.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::INT64);
    tensor.add_dims(static_cast<std::int64_t>(values.size()));
    for (const std::int64_t value : values) tensor.add_int64_data(value);
  });
}

void OnnxGraph::add_values(const std::string& name, const std::vector<std::int64_t>& shape,
                           std::span<const float> values) {
  static_assert(std::endian::native == std::endian::little, "the order of the bytes in raw_data");
  onnx::TensorProto& tensor = *model_->graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t size : shape) tensor.add_dims(size);
  tensor.set_raw_data(values.data(), values.size_bytes());
}

void OnnxGraph::set_metadata(const std::string& key, const std::string& value) {
  onnx::StringStringEntryProto& entry = *model_->proto.add_metadata_props();
  entry.set_key(key);
  entry.set_value(value);
}

std::vector<std::string> OnnxGraph::outputs() const {
  std::vector<std::string> names;
  for (const onnx::ValueInfoProto& output : model_->graph.output()) names.push_back(output.name());
  return names;
}

std::uint64_t OnnxGraph::bytes() const { return model_->proto.ByteSizeLong(); }

void OnnxGraph::save(const std::filesystem::path& file) const {
  OutputFile output(file);
  FileStream bytes(output);
  bool written = false;
  {
    google::protobuf::io::CopyingOutputStreamAdaptor stream(&bytes, kBlock);
    written = model_->proto.SerializeToZeroCopyStream(&stream) && stream.Flush();
  }
  bytes.check();
  require(written, Kind::internal, "{}: cannot be written as ONNX", file.string());
  output.commit();
}

}  // namespace fnet
