#include "kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <vector>

#include "kernels/split.h"

namespace fnet::kernels {
namespace {

constexpr std::size_t kKeys = 256;     // of a block: one chunk of the product with the values
constexpr std::size_t kQueries = 512;  // of a task, for which each block of keys is packed once
constexpr std::size_t kBlock = 48;     // of these at a time: whole register tiles of every ISA

/// How one head is cut.
struct Shape {
  std::size_t size, panel;         // columns of a head, and of a panel
  std::size_t panels, key_panels;  // of the values, and of a block of keys
  std::size_t row_stride;          // of a left factor
  Chunks cut;                      // of the product with the keys
  Dtype dtype;

  Shape(std::size_t head_size, Dtype wanted, const Table& isa)
      : size(head_size),
        panel(isa.product.panel),
        panels((head_size + panel - 1) / panel),
        key_panels((kKeys + panel - 1) / panel),
        row_stride(isa.product.row_stride(wanted)),
        cut(chunks(head_size, wanted)),
        dtype(wanted) {}

  std::size_t length(std::size_t chunk) const {
    return std::min(cut.length, size - chunk * cut.length);
  }
};

/// What a thread works in.
struct Scratch {
  std::uint32_t *keys,
      *values;              // packed: [chunks][key panels][units][panel], [panels][units][panel]
  float *scores, *weights;  // [key panels][kBlock][panel], [kBlock, kKeys]
  std::uint32_t* left;      // [kBlock, row_stride]: queries, then weights
  float* sums;              // [blocks of queries][panels][kBlock][panel]
  float *most, *total;      // [kQueries]

  Scratch(Cutter& cutter, const Shape& s) {
    const std::size_t blocks = (kQueries + kBlock - 1) / kBlock;
    keys = cutter.cut<std::uint32_t>(s.cut.count * s.key_panels * s.panel *
                                     units_of(s.cut.length, s.dtype));
    values = cutter.cut<std::uint32_t>(s.panels * s.panel * units_of(kKeys, s.dtype));
    scores = cutter.cut<float>(s.key_panels * s.panel * kBlock);
    weights = cutter.cut<float>(kBlock * kKeys);
    left = cutter.cut<std::uint32_t>(kBlock * s.row_stride);
    sums = cutter.cut<float>(blocks * s.panels * s.panel * kBlock);
    most = cutter.cut<float>(kQueries);
    total = cutter.cut<float>(kQueries);
  }
};

/// One head of one text, `queries` rows of it.
class HeadTask {
 public:
  HeadTask(const Shape& shape, const Scratch& scratch, std::size_t stride, const Table& isa)
      : s_(shape), scratch_(scratch), stride_(stride), isa_(isa), product_(isa.product) {}

  void run(const float* q, std::size_t queries, const float* k, const float* v, std::size_t keys,
           float* y) const {
    for (std::size_t key = 0; key < keys; key += kKeys) {
      const std::size_t count = std::min(kKeys, keys - key);
      pack_keys(k + key * stride_, count);
      pack_values(v + key * stride_, count);
      for (std::size_t first = 0; first < queries; first += kBlock) {
        const std::size_t rows = std::min(kBlock, queries - first);
        weigh(q + first * stride_, rows, count, key == 0, first);
      }
    }
    for (std::size_t first = 0; first < queries; first += kBlock) {
      isa_.text.finish_softmax(sums(first), scratch_.total + first,
                               std::min(kBlock, queries - first), s_.size, y + first * stride_,
                               stride_);
    }
  }

 private:
  float* sums(std::size_t first) const {
    return scratch_.sums + first * s_.panels * s_.panel;  // a block has kBlock rows, but the last
  }

  RightChunk keys_chunk(std::size_t chunk, std::size_t panel) const {
    const std::size_t units = units_of(s_.cut.length, s_.dtype) * s_.panel;
    return {scratch_.keys + (chunk * s_.key_panels + panel) * units,
            units_of(s_.length(chunk), s_.dtype), nullptr, nullptr};
  }
  RightChunk values_chunk(std::size_t panel, std::size_t keys) const {
    return {scratch_.values + panel * s_.panel * units_of(kKeys, s_.dtype),
            units_of(keys, s_.dtype), nullptr, nullptr};
  }

  void pack_keys(const float* k, std::size_t count) const {
    for (std::size_t c = 0; c < s_.cut.count; ++c) {
      for (std::size_t p = 0; p * s_.panel < count; ++p) {
        const std::size_t first = p * s_.panel;
        product_.pack(s_.dtype, k + first * stride_ + c * s_.cut.length, stride_,
                      std::min(s_.panel, count - first), s_.length(c), nullptr,
                      const_cast<std::uint32_t*>(keys_chunk(c, p).units), nullptr);
      }
    }
  }

  void pack_values(const float* v, std::size_t count) const {
    for (std::size_t p = 0; p < s_.panels; ++p) {
      const std::size_t first = p * s_.panel, columns = std::min(s_.panel, s_.size - first);
      auto* units = const_cast<std::uint32_t*>(values_chunk(p, count).units);
      product_.pack_rows(s_.dtype, v + first, stride_, columns, count, units);
    }
  }

  /// Adds what a block of keys gives to `rows` queries.
  void weigh(const float* q, std::size_t rows, std::size_t keys, bool first_keys,
             std::size_t first) const {
    const LeftChunk left{scratch_.left, nullptr, nullptr};
    for (std::size_t c = 0; c < s_.cut.count; ++c) {
      product_.convert(s_.dtype, q + c * s_.cut.length, stride_, rows, s_.length(c), left);
      for (std::size_t p = 0; p * s_.panel < keys; ++p) {
        const RightChunk right = keys_chunk(c, p);
        product_.multiply(s_.dtype, left, rows, right, scratch_.scores + p * rows * s_.panel, c > 0,
                          right.units);
      }
    }
    const double scale = std::numbers::log2e / std::sqrt(static_cast<double>(s_.size));
    isa_.text.softmax(scratch_.scores, rows, keys, first_keys,
                      {scratch_.most + first, scratch_.total + first, static_cast<float>(scale)},
                      scratch_.weights, kKeys, sums(first), s_.panels);
    product_.convert(s_.dtype, scratch_.weights, kKeys, rows, keys, left);
    for (std::size_t p = 0; p < s_.panels; ++p) {
      const RightChunk right = values_chunk(p, keys);
      product_.multiply(s_.dtype, left, rows, right, sums(first) + p * rows * s_.panel, !first_keys,
                        right.units);
    }
  }

  const Shape& s_;
  const Scratch& scratch_;
  std::size_t stride_;
  const Table& isa_;
  const ProductKernels& product_;
};

}  // namespace

void attention(const Rows& rows, const float* q, const float* k, const float* v, std::size_t hidden,
               std::size_t heads, Dtype dtype, float* y, ThreadPool& pool, Workspace& workspace,
               const Table& isa) {
  const Shape shape(hidden / heads, dtype == Dtype::int8 ? Dtype::bfloat16 : dtype, isa);
  Cutter measure;
  const Scratch none(measure, shape);
  std::byte* memory = workspace.take(static_cast<std::size_t>(pool.size()) * measure.used());

  // The first task of each text.
  std::vector<std::size_t> begins = {0};
  for (std::int64_t text = 0; text < rows.texts(); ++text) {
    const auto count = static_cast<std::size_t>(rows.rows(text));
    begins.push_back(begins.back() + (count + kQueries - 1) / kQueries * heads);
  }
  const auto task = [&](std::size_t index, int thread) {
    const auto text = std::ranges::upper_bound(begins, index) - begins.begin() - 1;
    const std::size_t in_text = index - begins[static_cast<std::size_t>(text)];
    const std::size_t head = in_text % heads * shape.size, first = in_text / heads * kQueries;
    const std::size_t begin = static_cast<std::size_t>(rows.begin(text)) * hidden + head;
    const std::size_t at = begin + first * hidden;
    const std::size_t queries =
        std::min(kQueries, static_cast<std::size_t>(rows.rows(text)) - first);
    Cutter cutter(memory + static_cast<std::size_t>(thread) * measure.used());
    const Scratch scratch(cutter, shape);
    HeadTask(shape, scratch, hidden, isa)
        .run(q + at, queries, k + begin, v + begin, static_cast<std::size_t>(rows.length(text)),
             y + at);
  };
  pool.run(begins.back(), std::ref(task));
}

}  // namespace fnet::kernels
