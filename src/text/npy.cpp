#include "text/npy.h"

#include <fmt/ranges.h>

#include <array>
#include <cmath>
#include <cstring>
#include <optional>

#include "core/half.h"
#include "core/numbers.h"
#include "core/utf8.h"

namespace fnet {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxHeader = std::size_t{1} << 16;
constexpr std::size_t kMaxAxes = 32;  // NumPy's

template <class T>
double value_at(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return static_cast<double>(value);
}

double half_at(const char* bytes) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, bytes, sizeof bits);
  return from_f16(bits);
}

/// The header's text behind `'key':`, up to what ends the value.
std::optional<std::string> entry(const std::string& header, const std::string& key) {
  for (const char quote : {'\'', '"'}) {
    const std::string name = quote + key + quote;
    std::size_t at = header.find(name);
    if (at == std::string::npos) continue;
    at = header.find_first_not_of(": ", at + name.size());
    if (at == std::string::npos) return {};
    const char first = header[at];
    if (first == '(') return header.substr(at + 1, header.find(')', at) - at - 1);
    if (first == '\'' || first == '"')
      return header.substr(at + 1, header.find(first, at + 1) - at - 1);
    return header.substr(at, header.find_first_of(",} ", at) - at);
  }
  return {};
}

}  // namespace

void NpyArray::bad(std::string_view expected, std::string_view found) const {
  fail(Kind::input, "{}: expected {}, found {}", lines_.name(), expected, found);
}

NpyArray::NpyArray(Lines& lines) : lines_(lines) {
  std::array<char, 8> start{};
  const std::size_t got = lines_.read_bytes(start);
  if (got < start.size() || !std::string_view(start.data(), got).starts_with(kMagic))
    bad("an array in NumPy's format (numpy.save)", "another file");
  const int version = start[6];
  if (version < 1 || version > 3) bad("NumPy's format, version 1 to 3", fmt::format("{}", version));
  std::array<char, 4> size{};
  const std::size_t digits = version == 1 ? 2 : 4;
  if (lines_.read_bytes(std::span(size).first(digits)) < digits) bad("a header", "the file's end");
  std::size_t length = 0;
  for (std::size_t i = digits; i-- > 0;) length = length << 8 | static_cast<unsigned char>(size[i]);
  if (length > kMaxHeader)
    bad(fmt::format("a header of at most {} bytes", kMaxHeader), fmt::format("{}", length));
  std::string header(length, '\0');
  if (lines_.read_bytes(header) < length) bad("a whole header", "the file's end");
  begin_ = start.size() + digits + length;
  read_header(header);
}

void NpyArray::read_header(const std::string& header) {
  const auto type = entry(header, "descr"), order = entry(header, "fortran_order"),
             shape = entry(header, "shape");
  if (!type || !order || !shape)
    bad("a header with descr, fortran_order and shape", fmt::format("'{}'", printable(header, 80)));
  read_type(*type);
  for (std::size_t begin = 0; begin < shape->size();) {
    const std::size_t end = std::min(shape->find(',', begin), shape->size());
    std::string digits = shape->substr(begin, end - begin);
    std::erase(digits, ' ');
    begin = end + 1;
    if (digits.empty()) continue;
    const auto axis = to_number<std::size_t>(digits);
    if (!axis || shape_.size() == kMaxAxes)
      bad("a shape", fmt::format("({})", printable(*shape, 80)));
    shape_.push_back(*axis);
  }
  if (shape_.empty()) bad("an array with an axis of examples", "a single value");
  const bool matters = shape_.size() > 1;  // with one axis the orders are the same
  if (*order != "False" && matters)
    bad("an array in C order", "one in Fortran order; numpy.ascontiguousarray makes it that");
  std::size_t bytes = bytes_;
  for (std::size_t i = 1; i < shape_.size(); ++i) {
    if (shape_[i] == 0) bad("values in each example", fmt::format("the shape {}", shape_));
    if (bytes > lines_.max_bytes() / shape_[i])
      bad(fmt::format("at most {} bytes in an example", lines_.max_bytes()),
          fmt::format("the shape [{}]", fmt::join(shape_, ", ")));
    bytes *= shape_[i];
  }
  item_.resize(bytes);
}

void NpyArray::read_type(const std::string& type) {
  constexpr std::string_view kExpected =
      "numbers (float16 to float64, int8 to int64, uint8 to uint64, bool) or texts";
  const auto bytes =
      type.size() > 2 ? to_number<std::size_t>(std::string_view(type).substr(2)) : std::nullopt;
  if (!bytes || type[0] == '>')
    bad(kExpected, fmt::format("'{}'{}", printable(type, 40),
                               type.starts_with('>') ? ", of another byte order" : ""));
  kind_ = type[1];
  bytes_ = *bytes;
  const bool sizes = bytes_ == 1 || bytes_ == 2 || bytes_ == 4 || bytes_ == 8;
  const bool good = kind_ == 'f'                   ? sizes && bytes_ > 1
                    : kind_ == 'i' || kind_ == 'u' ? sizes
                    : kind_ == 'b'                 ? bytes_ == 1
                                                   : kind_ == 'U' || kind_ == 'S';
  if (!good) bad(kExpected, fmt::format("'{}'", printable(type, 40)));
  if (kind_ == 'U') bytes_ *= 4;
  if (bytes_ > lines_.max_bytes()) bad("shorter texts", fmt::format("'{}'", printable(type, 40)));
}

bool NpyArray::next() {
  if (count_ == shape_[0]) {
    char more = 0;
    if (lines_.read_bytes({&more, 1}) > 0)
      bad(fmt::format("the end of the file behind {} examples", count_), "more bytes");
    return false;
  }
  const std::size_t got = lines_.read_bytes(item_);
  if (got < item_.size())
    bad(fmt::format("{} examples", shape_[0]), fmt::format("the file's end behind {}", count_));
  ++count_;
  return true;
}

double NpyArray::number(const char* at) const {
  switch (kind_) {
    case 'f':
      return bytes_ == 2 ? half_at(at) : bytes_ == 4 ? value_at<float>(at) : value_at<double>(at);
    case 'i':
      return bytes_ == 1   ? value_at<std::int8_t>(at)
             : bytes_ == 2 ? value_at<std::int16_t>(at)
             : bytes_ == 4 ? value_at<std::int32_t>(at)
                           : value_at<std::int64_t>(at);
    case 'u':
      return bytes_ == 1   ? value_at<std::uint8_t>(at)
             : bytes_ == 2 ? value_at<std::uint16_t>(at)
             : bytes_ == 4 ? value_at<std::uint32_t>(at)
                           : value_at<std::uint64_t>(at);
    default:
      return *at != 0 ? 1 : 0;
  }
}

std::vector<float> NpyArray::numbers(std::span<const char> item) const {
  if (kind_ == 'U' || kind_ == 'S') bad("numbers", "texts");
  std::vector<float> values(item.size() / bytes_);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(number(item.data() + i * bytes_));
  return values;
}

std::string NpyArray::label() const {
  std::string text;
  if (kind_ == 'U') {
    for (std::size_t i = 0; i < item_.size(); i += 4) {
      std::uint32_t code = 0;
      std::memcpy(&code, item_.data() + i, 4);
      if (code == 0) break;
      if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
        bad("Unicode", fmt::format("0x{:x}", code));
      append_utf8(text, static_cast<char32_t>(code));
    }
    return text;
  }
  if (kind_ == 'S') {
    text.assign(item_.data(), item_.size());
    text.resize(std::min(text.find('\0'), text.size()));
    if (invalid_utf8(text) != std::string_view::npos) bad("texts in UTF-8", printable(text, 40));
    return text;
  }
  const double value = number(item_.data());
  if (kind_ == 'b') return value != 0 ? "true" : "false";
  if (!std::isfinite(value)) bad("labels that are finite", fmt::format("{}", value));
  const bool whole = std::trunc(value) == value && std::fabs(value) < 1e15;
  return whole ? fmt::format("{:.0f}", value) : fmt::format("{}", static_cast<float>(value));
}

}  // namespace fnet
