#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "fnet/api.h"
#include "fnet/types.h"

namespace fnet {

/// How alike two vectors are. The names are those of sentence-transformers.
enum class Similarity {
  cosine,  ///< of the angle between them; 0 where one has no length
  dot,     ///< the sum of their products
};

/// Divides each row by its Euclidean length; a row of zeros stays.
FNET_API void normalize_rows(Matrix& rows);

/// How alike the rows of the same number are: a, b [N, H] → [N]. Sums are taken in double.
/// Throws: usage where the shapes differ.
FNET_API std::vector<float> pairwise_similarity(const Matrix& a, const Matrix& b,
                                                Similarity similarity = Similarity::cosine);

/// A vector that was found, by its number from 0 in the order of `add`, and how alike it is.
struct Match {
  std::size_t row = 0;
  float score = 0;
};

/// An exact search: of vectors that come in parts, the `top_k` most like each query. It keeps the
/// queries and what it found, never the vectors.
class FNET_API SemanticSearch {
 public:
  /// queries [Q, H].
  SemanticSearch(Matrix queries, std::size_t top_k, Similarity similarity = Similarity::cosine);
  SemanticSearch(SemanticSearch&&) noexcept;
  SemanticSearch& operator=(SemanticSearch&&) noexcept;
  ~SemanticSearch();

  /// Compares the next vectors [N, H] with every query. A score that is no number is left out.
  /// Throws: usage where H is another.
  void add(const Matrix& rows);

  /// Whether one of the vectors is among those found so far.
  bool holds(std::size_t row) const;

  /// Those found for each query, best first; of equal ones the earlier.
  std::vector<std::vector<Match>> matches() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fnet
