#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fnet/engine.h"
#include "tasks/task.h"

namespace fnet {

/// The texts of examples, and their pairs, as an engine takes them.
std::vector<TextInput> inputs_of(std::span<const Example> examples);

/// The text, pair or numbers of an example as an engine's model reads them. Throws: input.
Encoding encoding_of(const Engine& engine, const Example& example);

/// A vector of each example, as Engine::embed: of texts, or of what else the model reads.
Matrix embed(const Engine& engine, std::span<const Example> examples, std::string_view pooling,
             bool normalize);

/// Examples as a model of this task reads them. Throws: input.
std::vector<Sample> encode(const Engine& engine, const Task& task, const HeadConfig& head,
                           std::span<const Example> examples);

/// The scores of each sample's texts by a head, a matrix each; of windows of one text, one, their
/// mean.
std::vector<std::vector<Matrix>> scores_of(const Engine& engine, std::span<const Sample> samples,
                                           std::string_view head = {});

/// The same by several heads, [head][example][text]: `samples[h]` are what head h reads of the
/// examples. Where it reads the tokens that the first one reads, one pass of the encoder is for
/// both.
std::vector<std::vector<std::vector<Matrix>>> scores_of(
    const Engine& engine, std::span<const std::vector<Sample>> samples,
    std::span<const std::string> heads);

/// The same handed out sample by sample, in order: use(number of the sample, scores of its texts).
/// It keeps 64 MB of scores, or those of the one sample that has more.
void for_each_scores(const Engine& engine, std::span<const Sample> samples,
                     const std::function<void(std::size_t, std::span<const Matrix>)>& use,
                     std::string_view head = {});

}  // namespace fnet
