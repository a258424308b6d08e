#pragma once

#include <span>
#include <string>
#include <string_view>

namespace fnet {

/// How well an answer fits the true ones, in [0, 1].
struct AnswerScore {
  double exact_match = 0, f1 = 0;
};

/// An answer as SQuAD compares it: lower case, without ASCII punctuation and the words a, an and
/// the, words parted by one space. Source: SQuAD's evaluation script, version 2.0.
std::string normalize_answer(std::string_view text);

/// The best score against any of the true answers; where there is none, that of the empty answer.
/// Source: as normalize_answer.
AnswerScore score_answer(std::string_view answer, std::span<const std::string> truths);

}  // namespace fnet
