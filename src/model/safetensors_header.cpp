#include "model/safetensors_header.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/json_events.h"

namespace fnet {
namespace {

using nlohmann::json;

constexpr std::string_view kMetadata = "__metadata__";

/// Builds the list of tensors. Depth 1 is the whole header, 2 a tensor's record or the metadata, 3
/// an array in a record.
class HeaderEvents : public JsonEvents {
 public:
  SafetensorsHeader header;

 protected:
  void begin(bool is_object) override {
    const bool array_here = depth() == 3 && !in_metadata_ && field_ != Field::dtype;
    if (depth() < 3 ? !is_object : is_object || !array_here) {
      fail_here(fmt::format("expected {}", expected(depth() - 1)));
    }
    if (depth() != 2 || in_metadata_) return;
    if (header.tensors.size() == kMaxTensors) {
      fail_here(fmt::format("expected at most {} tensors, found more", kMaxTensors));
    }
    tensor_ = {};
    tensor_.name = name_;
    offsets_.clear();
    seen_ = 0;
  }

  void key(std::string& name) override {
    if (depth() == 1) {
      in_metadata_ = name == kMetadata;
      const std::string fault = in_metadata_ ? "" : tensor_name_fault(name);
      if (!fault.empty()) fail_here(fmt::format("expected a tensor's name, found {}", fault));
      name_ = name;
    } else if (in_metadata_) {
      if (header.metadata.size() == kMaxTensors) {
        fail_here(fmt::format("expected at most {} entries, found more", kMaxTensors));
      }
      name_ = name;
    } else if (name == "dtype") {
      see(Field::dtype);
    } else if (name == "shape") {
      see(Field::shape);
    } else if (name == "data_offsets") {
      see(Field::data_offsets);
    } else {
      fail_here("expected only dtype, shape and data_offsets, found another field");
    }
  }

  void value(json&& scalar) override {
    if (depth() == 2 && in_metadata_) {
      if (!scalar.is_string()) fail_here(fmt::format("expected {}", expected(2)));
      header.metadata.emplace(name_, std::move(scalar.get_ref<std::string&>()));
    } else if (depth() == 2 && field_ == Field::dtype) {
      const auto dtype =
          scalar.is_string() ? stored_type_from_name(scalar.get_ref<std::string&>()) : std::nullopt;
      if (!dtype) {
        fail_here(fmt::format("expected {}, found {}", expected(2), printable(scalar.dump(), 40)));
      }
      tensor_.dtype = *dtype;
    } else if (depth() == 3) {
      integer(scalar);
    } else {
      fail_here(fmt::format("expected {}", expected(depth())));
    }
  }

  void end() override {
    if (depth() == 3 && field_ == Field::data_offsets && offsets_.size() != 2) {
      fail_here(fmt::format("expected 2 offsets, found {}", offsets_.size()));
    }
    if (depth() == 2 && !in_metadata_) finish_tensor();
  }

 private:
  enum class Field { dtype = 1, shape = 2, data_offsets = 4 };

  void see(Field field) {
    field_ = field;
    seen_ |= static_cast<int>(field);
  }

  void integer(const json& scalar) {
    // "-0" arrives signed, 2^64 not at all.
    if (!scalar.is_number_unsigned() || scalar.get<std::uint64_t>() > INT64_MAX) {
      fail_here(fmt::format("expected a whole number below 2^63 without sign, found {}",
                            printable(scalar.dump(), 40)));
    }
    const auto number = scalar.get<std::uint64_t>();
    if (field_ == Field::shape) {
      if (tensor_.shape.size() == kMaxRank) {
        fail_here(fmt::format("expected at most {} dimensions, found more", kMaxRank));
      }
      tensor_.shape.push_back(static_cast<std::int64_t>(number));
    } else {
      if (offsets_.size() == 2) fail_here("expected 2 offsets, found more");
      offsets_.push_back(number);
    }
  }

  void finish_tensor() {
    if (seen_ != 7) fail_here("expected all of dtype, shape and data_offsets, found some missing");
    // Zeros are left out of the product, so that they cannot hide an overflow.
    std::uint64_t product = 1;
    for (const std::int64_t dim : tensor_.shape) {
      if (dim != 0 && __builtin_mul_overflow(product, static_cast<std::uint64_t>(dim), &product)) {
        fail_here(fmt::format("expected a number of elements below 2^64, found shape {}",
                              shape_text(tensor_.shape)));
      }
    }
    auto bytes = stored_type_bytes(tensor_.dtype, product);
    const bool empty = std::ranges::find(tensor_.shape, 0) != tensor_.shape.end();
    if (bytes && empty) bytes = 0;
    if (!bytes) {
      fail_here(fmt::format("expected a whole number of bytes below 2^61, found shape {} of {}",
                            shape_text(tensor_.shape), stored_type_name(tensor_.dtype)));
    }
    if (offsets_[0] > offsets_[1]) {
      fail_here(
          fmt::format("expected offsets that ascend, found [{}, {}]", offsets_[0], offsets_[1]));
    }
    if (offsets_[1] - offsets_[0] != *bytes) {
      fail_here(fmt::format("expected {} bytes for shape {} of {}, found {}", *bytes,
                            shape_text(tensor_.shape), stored_type_name(tensor_.dtype),
                            offsets_[1] - offsets_[0]));
    }
    tensor_.begin = offsets_[0];
    tensor_.bytes = *bytes;
    header.tensors.push_back(std::move(tensor_));
  }

  /// What may stand inside `parents` open containers.
  std::string_view expected(std::size_t parents) const {
    if (parents == 0) return "an object";
    if (in_metadata_) return parents == 1 ? "an object of strings" : "a string";
    if (parents == 1) return "an object that describes a tensor";
    if (field_ == Field::dtype) return "a known dtype such as \"F32\"";
    return "an array of whole numbers";
  }

  TensorInfo tensor_;
  std::string name_;
  std::vector<std::uint64_t> offsets_;
  Field field_ = Field::dtype;
  int seen_ = 0;
  bool in_metadata_ = false;
};

/// The tensors cover the data: no hole, no overlap, no alias, nothing behind the last.
void check_layout(std::vector<TensorInfo>& tensors, std::string_view source,
                  std::uint64_t data_bytes) {
  std::ranges::sort(tensors, {}, [](const TensorInfo& t) { return std::pair(t.begin, t.bytes); });
  std::uint64_t end = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const TensorInfo& tensor = tensors[i];
    require(
        tensor.begin == end, Kind::input,
        "{}: tensor '{}': expected its data to begin at {}, where {} ends, found {}: there is {}",
        printable(source), printable(tensor.name), end,
        i == 0 ? "the header" : fmt::format("'{}'", printable(tensors[i - 1].name)), tensor.begin,
        tensor.begin > end ? "a hole" : "an overlap");
    require(
        tensor.bytes <= data_bytes - end, Kind::input,
        "{}: tensor '{}': expected its data within the file's {} bytes of data, found its end at "
        "{}",
        printable(source), printable(tensor.name), data_bytes, end + tensor.bytes);
    end += tensor.bytes;
  }
  require(end == data_bytes, Kind::input,
          "{}: expected the file to end with the last tensor, found {} more bytes",
          printable(source), data_bytes - end);
}

}  // namespace

std::string tensor_name_fault(std::string_view name) {
  if (name.empty()) return "an empty one";
  if (name.size() > kMaxNameBytes) {
    return fmt::format("one of {} bytes, over the limit of {}", name.size(), kMaxNameBytes);
  }
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto byte = static_cast<unsigned char>(name[i]);
    const auto next = static_cast<unsigned char>(i + 1 < name.size() ? name[i + 1] : 0);
    // C2 80 to C2 9F are U+0080 to U+009F, the second block of control characters.
    if (byte < 0x20 || byte == 0x7f || (byte == 0xc2 && next >= 0x80 && next < 0xa0)) {
      return "one with a control character";
    }
  }
  return {};
}

SafetensorsHeader parse_safetensors_header(std::string_view text, std::string_view source,
                                           std::uint64_t file_bytes) {
  require(text.starts_with('{'), Kind::input, "{}: byte 8: expected '{{', found {}",
          printable(source),
          text.empty() ? "an empty header" : fmt::format("'{}'", printable(text.substr(0, 1))));
  HeaderEvents events;
  // 14 values a tensor (record, dtype, two arrays, 8 dimensions, 2 offsets) and the metadata.
  const JsonLimits limits{
      .max_depth = 4, .max_values = 15 * kMaxTensors + 2, .max_bytes = kMaxHeaderBytes};
  events.parse(text, std::string(source) + ": header", limits);
  require(text.ends_with('}') || text[text.find_last_not_of(' ')] == '}', Kind::input,
          "{}: header: expected only spaces after the closing brace, found other white space",
          printable(source));
  SafetensorsHeader header = std::move(events.header);
  const std::uint64_t start = 8 + text.size();
  require(!header.tensors.empty() || file_bytes != start, Kind::input,
          "{}: expected at least one tensor, found no tensors", printable(source));
  check_layout(header.tensors, source, file_bytes - start);
  for (TensorInfo& tensor : header.tensors) tensor.begin += start;
  return header;
}

}  // namespace fnet
