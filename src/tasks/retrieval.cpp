#include "tasks/retrieval.h"

#include <array>

#include "core/error.h"
#include "core/vectors.h"

namespace fnet {
namespace {

/// A dot product in float, in lanes, so that the compiler may sum them side by side: there are
/// N · N of them.
float fast_dot(std::span<const float> a, std::span<const float> b) {
  constexpr std::size_t kLanes = 16;
  std::array<float, kLanes> sums{};
  std::size_t i = 0;
  for (; i + kLanes <= a.size(); i += kLanes) {
    for (std::size_t j = 0; j < kLanes; ++j) sums[j] += a[i + j] * b[i + j];
  }
  float sum = 0;
  for (; i < a.size(); ++i) sum += a[i] * b[i];
  for (const float lane : sums) sum += lane;
  return sum;
}

/// Rows whose sums of products are their similarity.
Matrix comparable(const Matrix& rows, Similarity similarity) {
  Matrix out = rows;
  if (similarity == Similarity::dot) return out;
  for (std::size_t i = 0; i < out.rows; ++i) normalize(out.row(i));
  return out;
}

}  // namespace

RetrievalReport retrieval_report(const Matrix& queries, const Matrix& partners,
                                 std::span<const std::size_t> text, Similarity similarity) {
  require(queries.rows == partners.rows && text.size() == queries.rows, Kind::usage,
          "retrieval: expected a partner for each of {} vectors, found {}", queries.rows,
          partners.rows);
  RetrievalReport out;
  const Matrix from = comparable(queries, similarity), to = comparable(partners, similarity);
  for (std::size_t i = 0; i < from.rows; ++i) {
    const float own = fast_dot(from.row(i), to.row(i));
    std::size_t rank = 1, nearest = i;
    float best = own;
    for (std::size_t j = 0; j < to.rows; ++j) {
      if (text[j] == text[i]) continue;
      const float score = fast_dot(from.row(i), to.row(j));
      rank += score > own;
      if (score > best) best = score, nearest = j;
    }
    out.found.push_back(nearest);
    out.accuracy_at_1 += rank == 1;
    out.mrr += 1 / static_cast<double>(rank);
  }
  if (from.rows > 0) {
    out.accuracy_at_1 /= static_cast<double>(from.rows);
    out.mrr /= static_cast<double>(from.rows);
  }
  return out;
}

}  // namespace fnet
