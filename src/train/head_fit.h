#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "fnet/finetune.h"
#include "fnet/train.h"
#include "train/task_setup.h"

// What an encoder to start from knows already need not be learned by steps: of a few hundred texts
// there are too few for a new head.
namespace fnet {

/// Whether a task's head is fitted before the first step: a new one of a text classifier or
/// regression on a model to start from, unless it is `frozen` or the options say no.
bool may_fit_head(const FinetuneOptions& options, const TaskSetup& task,
                  const std::set<std::string>& frozen);

/// Gives a task's head the linear map that fits its training samples best, from the vectors that
/// the encoder makes of them as it stands. How much the samples count against the size of the
/// weights is chosen by the loss on dev. Where `stop` says so, the head stays as it is.
void fit_head(nn::FNetWithHeadImpl& model, const TaskSetup& task, const std::function<bool()>& stop,
              const std::function<void(std::string_view)>& log);

}  // namespace fnet
