// The functions of the algebra in which formulas are written give the same in both libraries.
#include "train/algebra.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "reference.h"
#include "runtime/tensor.h"

namespace fnet {
namespace {

/// The same numbers for both: positive where wanted.
struct Both {
  Tensor lean;
  TorchTensor torch;

  Both(std::int64_t rows, std::int64_t cols, std::uint64_t seed, bool positive = false) {
    auto values = reference::normals(static_cast<std::size_t>(rows * cols), seed);
    for (float& v : values) v = positive ? v * v + 0.1F : v;
    lean = Tensor(rows, cols, values);
    torch = at::tensor(values, at::kFloat).view({rows, cols});
  }
};

void expect_same(const Tensor& lean, const TorchTensor& torch, const char* name) {
  const at::Tensor other = torch.value.contiguous();
  ASSERT_EQ(other.dim(), 2) << name;
  ASSERT_EQ(lean.rows(), other.size(0)) << name;
  ASSERT_EQ(lean.cols(), other.size(1)) << name;
  for (std::size_t i = 0; i < lean.values().size(); ++i) {
    const float want = other.const_data_ptr<float>()[i];
    ASSERT_NEAR(lean.values()[i], want, 2e-6F * std::max(1.0F, std::abs(want))) << name << " " << i;
  }
}

/// Texts of 4 rows, 3 of them tokens; of 1; and of 6, all tokens.
Rows ragged() {
  Rows rows;
  rows.add(4, 3), rows.add(1), rows.add(6);
  return rows;
}

TEST(Algebra, functions_of_numbers_rows_and_columns_agree) {
  const Both x(11, 12, 1), y(11, 12, 2), p(11, 12, 3, true), one(11, 1, 4, true),
      row(1, 12, 5, true);
  expect_same(x.lean / p.lean, x.torch / p.torch, "/");
  expect_same(x.lean / one.lean, x.torch / one.torch, "/ [T, 1]");
  expect_same(x.lean / row.lean, x.torch / row.torch, "/ [1, H]");
  expect_same(log(p.lean), log(p.torch), "log");
  expect_same(softmax_last(x.lean), softmax_last(x.torch), "softmax_last");
  expect_same(columns(x.lean, 3, 5), columns(x.torch, 3, 5), "columns");
  expect_same(concat(std::vector<Tensor>{x.lean, one.lean, y.lean}),
              concat(std::vector<TorchTensor>{x.torch, one.torch, y.torch}), "concat");
  expect_same(channel_shuffle(x.lean, 3), channel_shuffle(x.torch, 3), "channel_shuffle");
}

TEST(Algebra, functions_of_texts_agree_and_do_not_read_padding) {
  const Rows rows = ragged();
  const Both x(rows.total(), 5, 1), text(rows.texts(), 5, 2);
  expect_same(sum_rows(x.lean, rows), sum_rows(x.torch, rows), "sum_rows");
  expect_same(repeat_rows(text.lean, rows), repeat_rows(text.torch, rows), "repeat_rows");
  expect_same(cumsum_rows(x.lean, rows), cumsum_rows(x.torch, rows), "cumsum_rows");
  expect_same(batch_mean(x.lean, rows), batch_mean(x.torch, rows), "batch_mean");
  std::vector<float> values(x.lean.values().begin(), x.lean.values().end());
  std::fill_n(values.begin() + 3 * 5, 5, NAN);  // the one padding row
  const Tensor padded(rows.total(), 5, values);
  for (const Tensor& y :
       {sum_rows(padded, rows), cumsum_rows(padded, rows), batch_mean(padded, rows)}) {
    for (const float v : y.values()) EXPECT_TRUE(std::isfinite(v));
  }
}

TEST(Algebra, softmax_is_that_of_large_numbers_too) {
  const Tensor y = softmax_last(Tensor(1, 3, std::vector<float>{1000, 1000, -1000}));
  EXPECT_FLOAT_EQ(y.values()[0], 0.5F);
  EXPECT_EQ(y.values()[2], 0.0F);
}

TEST(Algebra, shuffled_channels_are_the_transpose_of_the_groups) {
  const Tensor y = channel_shuffle(Tensor(1, 6, std::vector<float>{0, 1, 2, 3, 4, 5}), 2);
  EXPECT_EQ(std::vector<float>(y.values().begin(), y.values().end()),
            (std::vector<float>{0, 3, 1, 4, 2, 5}));
}

}  // namespace
}  // namespace fnet
