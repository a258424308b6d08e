#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "fnet/finetune.h"
#include "tasks/evaluation.h"

namespace fnet {

/// A training run as one page that needs nothing else: curves, confusion matrix, classes, worst
/// errors and settings. Every text in it is escaped.
std::string html_report(const nlohmann::ordered_json& run, const TrainingReport& report,
                        const Evaluation& best);

}  // namespace fnet
