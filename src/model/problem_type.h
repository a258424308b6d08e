#pragma once

#include <string_view>

#include "fnet/config.h"

namespace fnet {

/// What a text classifier's head answers: its problem type, or, where it names none, a regression
/// of one label, else one label of several.
inline std::string_view problem_type_of(const HeadConfig& head) {
  if (!head.problem_type.empty()) return head.problem_type;
  return head.labels.size() == 1 ? "regression" : "single_label_classification";
}

}  // namespace fnet
