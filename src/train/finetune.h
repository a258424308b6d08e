#pragma once

#include "fnet/finetune.h"

namespace fnet {

/// The options with numbers in place of those that stand for a default which depends on the start.
FinetuneOptions settled(FinetuneOptions options);

/// As the public one; with `only_better`, a model that stands in `out` stays for good where the run
/// has none that is better.
TrainingReport finetune(const FinetuneOptions& options, const TrainingCallbacks& callbacks,
                        bool only_better);

}  // namespace fnet
