#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "fnet/engine.h"
#include "tasks/task.h"

namespace fnet {

/// The texts of examples, and their pairs, as an engine takes them.
std::vector<TextInput> inputs_of(std::span<const Example> examples);

/// The text, pair or numbers of an example as an engine's model reads them. Throws: input.
Encoding encoding_of(const Engine& engine, const Example& example);

/// Examples as a model of this task reads them. Throws: input.
std::vector<Sample> encode(const Engine& engine, const Task& task, const HeadConfig& head,
                           std::span<const Example> examples);

/// The scores of each sample's texts, a matrix each.
std::vector<std::vector<Matrix>> scores_of(const Engine& engine, std::span<const Sample> samples);

/// The same handed out sample by sample, in order: use(number of the sample, scores of its texts).
/// It keeps 64 MB of scores, or those of the one sample that has more.
void for_each_scores(const Engine& engine, std::span<const Sample> samples,
                     const std::function<void(std::size_t, std::span<const Matrix>)>& use);

}  // namespace fnet
