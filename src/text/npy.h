#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "text/data_format.h"

namespace fnet {

/// An array in NumPy's format, versions 1 to 3, read item by item: an item is what stands at one
/// place of its first axis.
class NpyArray {
 public:
  /// Reads the header. Throws: input where it is damaged, in Fortran's order, of another byte
  /// order, or of a type other than numbers, booleans and texts, or where an item has more than
  /// `max_bytes` bytes.
  explicit NpyArray(Lines& lines);

  /// [items, …]
  const std::vector<std::size_t>& shape() const { return shape_; }

  /// Reads the next item; false behind the last. Throws: input where the file ends before it, or
  /// does not end behind the last.
  bool next();

  /// Items read so far.
  std::size_t count() const { return count_; }

  /// The item's numbers. Throws: input where they are texts.
  std::vector<float> numbers() const { return numbers(item_); }

  /// The numbers of an item's bytes that were read elsewhere.
  std::vector<float> numbers(std::span<const char> item) const;

  /// Where the first item stands in the file, and how many bytes each has.
  std::size_t begin() const { return begin_; }
  std::size_t item_bytes() const { return item_.size(); }

  /// The item as a label, where it is a single value: a whole number without a point.
  std::string label() const;

 private:
  void read_header(const std::string& header);
  void read_type(const std::string& type);
  double number(const char* at) const;
  [[noreturn]] void bad(std::string_view expected, std::string_view found) const;

  Lines& lines_;
  std::vector<std::size_t> shape_;
  char kind_ = 0;          // f, i, u, b; U (UTF-32), S (bytes)
  std::size_t bytes_ = 0;  // of a value
  std::vector<char> item_;
  std::size_t begin_ = 0;
  std::size_t count_ = 0;
};

}  // namespace fnet
