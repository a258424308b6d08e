// Functions of training's algebra that look at each text's rows; texts are packed end to end.
#include <tuple>
#include <vector>

#include "train/algebra.h"
#include "train/device.h"

namespace fnet {
namespace {

/// The rows of each text without its padding.
std::vector<at::Tensor> text_rows(const at::Tensor& x, const Rows& rows) {
  std::vector<std::int64_t> sizes;
  for (std::int64_t text = 0; text < rows.texts(); ++text) {
    sizes.push_back(rows.length(text));
    sizes.push_back(rows.rows(text) - rows.length(text));
  }
  const auto pieces = x.split_with_sizes(sizes);
  std::vector<at::Tensor> texts;
  for (std::size_t i = 0; i < pieces.size(); i += 2) texts.push_back(pieces[i]);
  return texts;
}

/// reduce(rows of a text without padding) for each: [T, H] → [B, H].
template <class Reduce>
at::Tensor one_row_a_text(const at::Tensor& x, const Rows& rows, const Reduce& reduce) {
  std::vector<at::Tensor> results;
  for (const at::Tensor& text : text_rows(x, rows)) results.push_back(reduce(text));
  return at::stack(results);
}

}  // namespace

TorchTensor zero_padding(const TorchTensor& x, const Rows& rows) {
  if (rows.tokens == rows.offsets) return x;
  std::vector<std::int64_t> kept;
  for (std::int64_t text = 0; text < rows.texts(); ++text) {
    for (std::int64_t i = 0; i < rows.rows(text); ++i) kept.push_back(i < rows.length(text));
  }
  return x.value * on_device(kept, x.value.scalar_type(), x.value.device()).unsqueeze(1);
}

TorchTensor first_rows(const TorchTensor& x, const Rows& rows) {
  const std::vector<std::int64_t> begins(rows.offsets.begin(), rows.offsets.end() - 1);
  return x.value.index_select(0, on_device(begins, at::kLong, x.value.device()));
}

TorchTensor last_rows(const TorchTensor& x, const Rows& rows) {
  return one_row_a_text(x, rows, [](const at::Tensor& text) { return text.select(0, -1); });
}

TorchTensor mean_rows(const TorchTensor& x, const Rows& rows) {
  return one_row_a_text(x, rows, [](const at::Tensor& text) { return text.mean(0); });
}

TorchTensor max_rows(const TorchTensor& x, const Rows& rows) {
  return one_row_a_text(x, rows, [](const at::Tensor& text) { return std::get<0>(text.max(0)); });
}

TorchTensor embedding_bag(const TorchTensor& table, const Bags& bags) {
  const at::Device device = table.value.device();
  constexpr std::int64_t sum = 0;
  return std::get<0>(
      at::embedding_bag(table.value, on_device(bags.ids, at::kLong, device),
                        on_device(bags.offsets, at::kLong, device), false, sum, false,
                        on_device(bags.values, table.value.scalar_type(), device), true));
}

TorchTensor sum_rows(const TorchTensor& x, const Rows& rows) {
  return one_row_a_text(x, rows, [](const at::Tensor& text) { return text.sum(0); });
}

TorchTensor repeat_rows(const TorchTensor& x, const Rows& rows) {
  std::vector<std::int64_t> texts;
  for (std::int64_t text = 0; text < rows.texts(); ++text) {
    texts.insert(texts.end(), static_cast<std::size_t>(rows.rows(text)), text);
  }
  return x.value.index_select(0, on_device(texts, at::kLong, x.value.device()));
}

TorchTensor cumsum_rows(const TorchTensor& x, const Rows& rows) {
  std::vector<at::Tensor> sums;
  std::int64_t i = 0;
  for (const at::Tensor& text : text_rows(x, rows)) {
    sums.push_back(text.cumsum(0));
    const std::int64_t padding = rows.rows(i) - rows.length(i);
    if (padding > 0) sums.push_back(sums.back().slice(0, -1).expand({padding, -1}));
    ++i;
  }
  return at::cat(sums);
}

TorchTensor softmax_rows(const TorchTensor& x, const Rows& rows) {
  std::vector<at::Tensor> shares;
  std::int64_t i = 0;
  for (const at::Tensor& text : text_rows(x, rows)) {
    const std::int64_t padding = rows.rows(i) - rows.length(i);
    shares.push_back(at::constant_pad_nd(text.softmax(0), {0, 0, 0, padding}));
    ++i;
  }
  return at::cat(shares);
}

TorchTensor batch_mean(const TorchTensor& x, const Rows& rows) {
  return at::cat(text_rows(x, rows)).mean(0, true);
}

}  // namespace fnet
