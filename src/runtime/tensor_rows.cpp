#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"
#include "runtime/tensor.h"

// Functions of the lean tensor that take rows or columns apart. Sums are taken in double.
namespace fnet {
namespace {

std::span<float> row_of(Tensor& x, std::int64_t row) {
  return x.fill().subspan(static_cast<std::size_t>(row * x.cols()),
                          static_cast<std::size_t>(x.cols()));
}

void add(std::span<const float> row, std::vector<double>& sums) {
  for (std::size_t c = 0; c < row.size(); ++c) sums[c] += row[c];
}

/// sums / count, as floats.
void put(const std::vector<double>& sums, double count, std::span<float> out) {
  for (std::size_t c = 0; c < out.size(); ++c) out[c] = static_cast<float>(sums[c] / count);
}

}  // namespace

Tensor log(const Tensor& x) {
  Tensor y(x.rows(), x.cols());
  std::ranges::transform(x.values(), y.fill().begin(), [](float v) { return std::log(v); });
  return y;
}

Tensor softmax_last(const Tensor& x) {
  Tensor y(x.rows(), x.cols());
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    const auto row = x.row(r);
    const auto out = row_of(y, r);
    const float most = std::ranges::max(row);
    double sum = 0;
    for (std::size_t c = 0; c < row.size(); ++c) sum += out[c] = std::exp(row[c] - most);
    for (float& v : out) v = static_cast<float>(v / sum);
  }
  return y;
}

Tensor columns(const Tensor& x, std::int64_t first, std::int64_t count) {
  require(first >= 0 && count >= 0 && first + count <= x.cols(), Kind::internal,
          "columns {} to {} of {}", first, first + count, x.cols());
  Tensor y(x.rows(), count);
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    const auto from = x.row(r).subspan(static_cast<std::size_t>(first));
    std::ranges::copy_n(from.begin(), count, row_of(y, r).begin());
  }
  return y;
}

Tensor concat(const std::vector<Tensor>& parts) {
  std::int64_t cols = 0;
  for (const Tensor& part : parts) cols += part.cols();
  Tensor y(parts.at(0).rows(), cols);
  for (std::int64_t r = 0; r < y.rows(); ++r) {
    auto out = row_of(y, r).begin();
    for (const Tensor& part : parts) out = std::ranges::copy(part.row(r), out).out;
  }
  return y;
}

Tensor channel_shuffle(const Tensor& x, std::int64_t groups) {
  require(groups > 0 && x.cols() % groups == 0, Kind::internal, "{} columns in {} groups", x.cols(),
          groups);
  const auto count = static_cast<std::size_t>(groups);
  const auto width = static_cast<std::size_t>(x.cols() / groups);
  Tensor y(x.rows(), x.cols());
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    const auto row = x.row(r);
    const auto out = row_of(y, r);
    for (std::size_t g = 0; g < count; ++g) {
      for (std::size_t i = 0; i < width; ++i) out[i * count + g] = row[g * width + i];
    }
  }
  return y;
}

Tensor last_rows(const Tensor& x, const Rows& rows) {
  Tensor y(rows.texts(), x.cols());
  for (std::int64_t text = 0; text < rows.texts(); ++text) {
    std::ranges::copy(x.row(rows.begin(text) + rows.length(text) - 1), row_of(y, text).begin());
  }
  return y;
}

Tensor sum_rows(const Tensor& x, const Rows& rows) {
  Tensor y(rows.texts(), x.cols());
  std::vector<double> sums(static_cast<std::size_t>(x.cols()));
  for (std::int64_t text = 0; text < rows.texts(); ++text) {
    std::ranges::fill(sums, 0.0);
    for (std::int64_t r = 0; r < rows.length(text); ++r) add(x.row(rows.begin(text) + r), sums);
    put(sums, 1, row_of(y, text));
  }
  return y;
}

Tensor repeat_rows(const Tensor& x, const Rows& rows) {
  Tensor y(rows.total(), x.cols());
  for (std::int64_t text = 0; text < rows.texts(); ++text) {
    for (std::int64_t r = rows.begin(text); r < rows.begin(text + 1); ++r) {
      std::ranges::copy(x.row(text), row_of(y, r).begin());
    }
  }
  return y;
}

Tensor cumsum_rows(const Tensor& x, const Rows& rows) {
  Tensor y(x.rows(), x.cols());
  std::vector<double> sums(static_cast<std::size_t>(x.cols()));
  for (std::int64_t text = 0; text < rows.texts(); ++text) {
    std::ranges::fill(sums, 0.0);
    for (std::int64_t r = 0; r < rows.rows(text); ++r) {
      if (r < rows.length(text)) add(x.row(rows.begin(text) + r), sums);
      put(sums, 1, row_of(y, rows.begin(text) + r));
    }
  }
  return y;
}

Tensor embedding_bag(const Tensor& table, const Bags& bags) {
  Tensor y(bags.texts(), table.cols());
  std::vector<double> sums(static_cast<std::size_t>(table.cols()));
  for (std::int64_t text = 0; text < bags.texts(); ++text) {
    std::ranges::fill(sums, 0.0);
    const auto i = static_cast<std::size_t>(text);
    for (auto e = static_cast<std::size_t>(bags.offsets[i]);
         e < static_cast<std::size_t>(bags.offsets[i + 1]); ++e) {
      const auto row = table.row(bags.ids[e]);
      for (std::size_t c = 0; c < sums.size(); ++c) sums[c] += double{bags.values[e]} * row[c];
    }
    put(sums, 1, row_of(y, text));
  }
  return y;
}

Tensor softmax_rows(const Tensor& x, const Rows& rows) {
  Tensor y(x.rows(), x.cols());
  std::ranges::fill(y.fill(), 0.0F);
  for (std::int64_t text = 0; text < rows.texts(); ++text) {
    const std::int64_t begin = rows.begin(text), end = begin + rows.length(text);
    for (std::size_t c = 0; c < static_cast<std::size_t>(x.cols()); ++c) {
      float most = x.row(begin)[c];
      for (std::int64_t r = begin; r < end; ++r) most = std::max(most, x.row(r)[c]);
      double sum = 0;
      for (std::int64_t r = begin; r < end; ++r)
        sum += row_of(y, r)[c] = std::exp(x.row(r)[c] - most);
      for (std::int64_t r = begin; r < end; ++r)
        row_of(y, r)[c] = static_cast<float>(row_of(y, r)[c] / sum);
    }
  }
  return y;
}

Tensor batch_mean(const Tensor& x, const Rows& rows) {
  Tensor y(1, x.cols());
  std::vector<double> sums(static_cast<std::size_t>(x.cols()));
  for (std::int64_t text = 0; text < rows.texts(); ++text) {
    for (std::int64_t r = 0; r < rows.length(text); ++r) add(x.row(rows.begin(text) + r), sums);
  }
  put(sums, static_cast<double>(rows.tokens.back()), row_of(y, 0));
  return y;
}

}  // namespace fnet
