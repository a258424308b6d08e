// Arrays of NumPy's as examples, and as their labels.
#include <utility>

#include "text/npy.h"

namespace fnet {
namespace {

// What stands at each place of the first axis is an example. There are no lines: an example is
// known by its number.
class Npy final : public DataFormat {
 public:
  explicit Npy(Lines& lines) : array_(lines) {
    require(array_.shape().size() > 1, Kind::input,
            "{}: expected the axes [examples, …], found one axis of {}", lines.name(),
            array_.shape()[0]);
  }

  bool next(Record& record) override {
    record.line = array_.count() + 1;
    if (!array_.next()) return false;
    const auto& shape = array_.shape();
    record.fields.push_back(
        {fields_[0], Array({shape.begin() + 1, shape.end()}, array_.numbers())});
    return true;
  }

  bool lost() const override { return true; }
  std::span<const std::string> fields() const override { return fields_; }

 private:
  NpyArray array_;
  const std::array<std::string, 1> fields_ = {std::string(kValues)};
};

}  // namespace

std::unique_ptr<DataFormat> open_npy(Lines& lines) { return std::make_unique<Npy>(lines); }

struct LabelFile::State {
  std::string column, field;         // where records get a label, and where lines have it
  std::optional<DataReader> reader;  // of lines
  std::optional<Lines> lines;        // of an array
  std::optional<NpyArray> array;
  std::size_t count = 0;

  State(const std::filesystem::path& path, std::string the_column)
      : column(std::move(the_column)), field(column) {
    if (data_format(path, "") != "npy") {
      reader.emplace(path);
      if (reader->format() == "text") field = "text";
      return;
    }
    lines.emplace(path, ReadOptions().max_bytes);
    array.emplace(*lines);
    require(array->shape().size() == 1 || (array->shape().size() == 2 && array->shape()[1] == 1),
            Kind::input, "{}: expected one axis, of labels, found {}", lines->name(),
            array->shape().size());
  }

  const std::string& name() const { return array ? lines->name() : reader->name(); }

  std::optional<std::string> next() {
    if (array) return array->next() ? std::optional(array->label()) : std::nullopt;
    Record record;
    if (!reader->next(record)) return {};
    try {
      return record.label(field);
    } catch (const Error& error) {
      throw error.within(fmt::format("{}:{}", name(), record.line));
    }
  }
};

LabelFile::LabelFile(const std::filesystem::path& path, std::string column)
    : state_(std::make_unique<State>(path, std::move(column))) {}
LabelFile::~LabelFile() = default;

void LabelFile::add(bool more, const std::string& of, Record& record) {
  auto label = state_->next();
  require(label.has_value() == more, Kind::input,
          "{}: expected as many labels as {} has examples, found {} {}", state_->name(), of,
          more ? "only" : "more than", state_->count);
  if (!more) return;
  ++state_->count;
  record.fields.push_back({state_->column, std::move(*label)});
}

}  // namespace fnet
