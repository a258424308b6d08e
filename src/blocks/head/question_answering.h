#pragma once

#include "blocks/head/head.h"

namespace fnet {

/// logits [P, 2] = W x[picks] + b: how likely an answer begins, and ends, at a row. Source: Hugging
/// Face's FNetForQuestionAnswering.
struct QuestionAnswering : RowHead {
  static constexpr const char* kOutputs = "qa_outputs";

  void weights(const Specs& specs, const Config& config, const HeadConfig& head) const {
    specs.linear(kOutputs, config.hidden_size, static_cast<std::int64_t>(head.labels.size()));
  }

  template <Algebra A>
  A apply(const A& x, const HeadContext<A>& c) const {
    return linear(c.pick(x), c, kOutputs);
  }
};

}  // namespace fnet
