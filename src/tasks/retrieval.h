#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "fnet/similarity.h"
#include "fnet/types.h"

namespace fnet {

/// How well vectors find their partners.
struct RetrievalReport {
  double accuracy_at_1 = 0;        ///< share of those whose partner is the nearest
  double mrr = 0;                  ///< mean of 1 / the partner's rank; Source: Voorhees 1999
  std::vector<std::size_t> found;  ///< [N] the nearest of each
};

/// Vector i of `queries` [N, H] looks for vector i of `partners` [N, H] among all of them. Partners
/// of the same `text` [N] are one: none of them stands in another's way.
RetrievalReport retrieval_report(const Matrix& queries, const Matrix& partners,
                                 std::span<const std::size_t> text, Similarity similarity);

}  // namespace fnet
