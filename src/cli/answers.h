#pragma once

#include <string>

#include "cli/stream.h"
#include "tasks/task.h"

namespace fnet::cli {

/// Prints what a head answers to each example of the input, as `tsv` or `jsonl`, and warns of what
/// was cut off.
void print_answers(const Engine& engine, const InputFlags& input, AnswerOptions options,
                   const std::string& format, const std::string& head = {});

}  // namespace fnet::cli
