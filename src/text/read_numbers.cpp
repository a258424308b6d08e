// Tables of numbers, an example a line, with or without a header.
#include <algorithm>
#include <utility>

#include "core/numbers.h"
#include "text/data_format.h"

namespace fnet {
namespace {

std::string_view trimmed(std::string_view cell) {
  const std::size_t first = std::min(cell.find_first_not_of(' '), cell.size());
  return cell.substr(first, cell.find_last_not_of(' ') + 1 - first);
}

/// A number as programs write it; one too small for a float is 0.
std::optional<double> number_in(std::string_view cell) {
  cell = trimmed(cell);
  if (cell.starts_with('+')) cell.remove_prefix(1);
  return to_number<double>(cell);
}

// Where a cell of the first line is no number, but for the label's, that line is a header.
class Numbers final : public DataFormat {
 public:
  Numbers(Lines& lines, char separator, std::string label_column)
      : lines_(lines), rows_(open_rows(lines, separator)), label_column_(std::move(label_column)) {
    if (!label_column_.empty()) label_at_ = 0;
    if (!rows_->next(row_, line_)) return;
    columns_ = row_.size();
    for (std::size_t i = 0; i < row_.size(); ++i) header_ |= i != label_at_ && !number_in(row_[i]);
    if (header_ && !label_column_.empty()) {
      require(std::ranges::count(row_, label_column_) <= 1, Kind::input,
              "{}:{}: expected one column '{}', found more", lines_.name(), line_, label_column_);
      label_at_ = static_cast<std::size_t>(std::ranges::find(row_, label_column_) - row_.begin());
    }
    if (label_at_ < columns_) fields_.push_back(label_column_);
    waiting_ = !header_;
  }

  bool next(Record& record) override {
    if (std::exchange(waiting_, false)) {
      record.line = line_;
    } else {
      do {
        if (!rows_->next(row_, record.line)) return false;
      } while (row_.size() == 1 && row_[0].empty());  // a blank line
    }
    if (row_.size() != columns_)
      lines_.bad(record.line, "expected {} columns as in the first line, found {}", columns_,
                 row_.size());
    Array values;
    for (std::size_t i = 0; i < row_.size(); ++i) {
      if (i == label_at_) continue;
      const auto number = number_in(row_[i]);
      if (!number)
        lines_.bad(record.line, "column {}: expected a number, found '{}'", i + 1,
                   printable(row_[i], 40));
      values.data.push_back(static_cast<float>(*number));
    }
    values.shape = {values.data.size()};
    if (values.data.empty())
      lines_.bad(record.line, "expected numbers beside the label, found none");
    record.fields.push_back({std::string(kValues), std::move(values)});
    if (label_at_ >= row_.size()) return true;
    std::string label(trimmed(row_[label_at_]));
    if (!label.empty()) record.fields.push_back({label_column_, std::move(label)});
    return true;
  }

  bool lost() const override { return rows_->lost(); }
  std::span<const std::string> fields() const override { return fields_; }

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};

  Lines& lines_;
  std::unique_ptr<RowReader> rows_;
  std::string label_column_;
  std::vector<std::string> row_, fields_ = {std::string(kValues)};
  std::size_t columns_ = 0, label_at_ = kNone, line_ = 0;
  bool header_ = false, waiting_ = false;  // the first row is in row_ and not given yet
};

}  // namespace

std::unique_ptr<DataFormat> open_numbers(Lines& lines, char separator, std::string label_column) {
  return std::make_unique<Numbers>(lines, separator, std::move(label_column));
}

}  // namespace fnet
