#pragma once

#include <optional>
#include <span>

#include "fnet/finetune.h"
#include "fnet/train.h"
#include "tasks/task.h"
#include "train/start.h"

// What training does for models that read no texts.
namespace fnet {

/// What the model to come reads, as `from` or the settings say: of the config that is returned only
/// input_type and its options count. Throws: usage where a setting is bad, or does not fit `from`.
Config input_config(const FinetuneOptions& options, const std::optional<StartingModel>& start);

/// Gives the config of a new model that reads numbers what its data have, where no setting says
/// otherwise: numbers in a step, size and channels of an image, and as many positions as the
/// longest example has rows.
void fit_input(Config& config, const Config& input, const FinetuneOptions& options,
               std::span<const Example> train, std::span<const Example> dev);

/// Sets mean and deviation of a new model's numbers to those of `samples`, for each number of a
/// step or channel of a pixel.
void standardise(nn::FNetWithHeadImpl& model, std::span<const Sample> samples);

}  // namespace fnet
