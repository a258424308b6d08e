#pragma once

#include <iterator>

#include "blocks/head/head.h"

namespace fnet {

/// logits [P, 2] = W x[picks] + b: how likely an answer begins, and ends, at a row. Source: Hugging
/// Face's FNetForQuestionAnswering.
struct QuestionAnswering : LayeredHead<RowHead> {
  static constexpr const char* kOutputs = "qa_outputs";

  void weights(const Specs& specs, const Config& config, const HeadConfig& head) const {
    add_maps(specs, config, kOutputs, std::ssize(head.labels));
  }

  template <Algebra A>
  A apply(const A& x, const HeadContext<A>& c) const {
    return scores(x, c, kOutputs, false);
  }
};

}  // namespace fnet
