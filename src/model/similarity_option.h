#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "core/vectors.h"
#include "fnet/config.h"
#include "fnet/similarity.h"

namespace fnet {

/// The option of a sentence-similarity head that says how vectors are compared.
inline constexpr const char* kSimilarityOption = "similarity";

/// The similarity of this name: `cosine` or `dot`.
inline Similarity similarity_named(std::string_view name) {
  return name == "dot" ? Similarity::dot : Similarity::cosine;
}

/// How alike two vectors of one size are.
inline double likeness(Similarity similarity, std::span<const float> a, std::span<const float> b) {
  return similarity == Similarity::dot ? dot(a, b) : cosine(a, b);
}

/// How a sentence-similarity head compares two vectors.
inline Similarity similarity_of(const HeadConfig& head) {
  const auto found = head.options.find(kSimilarityOption);
  const auto* name =
      found == head.options.end() ? nullptr : std::get_if<std::string>(&found->second);
  return name == nullptr ? Similarity::cosine : similarity_named(*name);
}

}  // namespace fnet
