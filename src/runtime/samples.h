#pragma once

#include <span>
#include <vector>

#include "fnet/engine.h"
#include "tasks/task.h"

namespace fnet {

/// Examples as a model of this task reads them. Throws: input.
std::vector<Sample> encode(const Engine& engine, const Task& task, const HeadConfig& head,
                           std::span<const Example> examples);

/// The scores of each sample's texts, a matrix each.
std::vector<std::vector<Matrix>> scores_of(const Engine& engine, std::span<const Sample> samples);

}  // namespace fnet
