#include <memory>
#include <string>

#include "cli/common_flags.h"
#include "cli/log.h"
#include "cli/train_commands.h"
#include "core/error.h"
#include "train/distill_options.h"

namespace fnet::cli {

Action declare_distill(FlagSet& set) {
  const auto options = std::make_shared<DistillOptions>();
  DistillOptions& o = *options;
  set.add("--train", &o.train, "files with texts, one a line, plain or gzip",
          {.required = true, .several = true});
  set.add(
      "--vectors", &o.vectors,
      "for each of them the teacher's vectors, NumPy's; without it those that --teacher answers, "
      "or else the file's name with .npy behind it",
      {.several = true});
  set.add("--dev", &o.dev,
          "texts for the evaluations; without them a hundredth of those of --train",
          {.several = true});
  set.add("--dev-vectors", &o.dev_vectors, "the same of --dev", {.several = true});
  set.add("--out", &o.out, "model directory to write", {.required = true, .letter = 'o'});
  set.add("--overwrite", &o.overwrite,
          "replace the model that --out holds, once there is a new one");
  set.add("--teacher", &o.teacher,
          "BERT of Hugging Face's with mean pooling that runs beside the model and is asked for "
          "vectors");
  set.group("Model");
  set.add("--from", &o.from, "model directory to start from");
  set.add("--init-from", &o.init_from,
          "BERT of Hugging Face's that a new model has its sizes of, and its tables, feed-forwards "
          "and norms",
          {.without = {"--from"}});
  add_variant(set, o.variant, "size of a new model", {"--from", "--init-from"});
  set.add("--tokenizer", &o.tokenizer, "tokenizer; without it that of --from or --init-from",
          {.required = true, .unless = {"--from", "--init-from"}});
  add_settings(set, o.set);
  set.group("Corpus");
  set.add("--cache", &o.cache,
          "directory for the texts' tokens; without it $XDG_CACHE_HOME/fnet or ~/.cache/fnet");
  set.add("--no-cache", &o.no_cache, "remove the tokens when the run ends");
  set.group("Training");
  add_options(set, o, [](auto&& option) { distill_options(option); });
  return [options] {
    run_in_steps([&](const TrainingCallbacks& callbacks) { return distill(*options, callbacks); },
                 options->out);
  };
}

}  // namespace fnet::cli
