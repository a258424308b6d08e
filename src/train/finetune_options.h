#pragma once

#include <string_view>

#include "fnet/finetune.h"
#include "model/config_fields.h"
#include "train/common_options.h"

namespace fnet {

/// The one list of the options of training that are plain values: name, member, what is allowed,
/// meaning. `finetune` checks by it, and fnet-train makes its flags of it.
template <class Visit>
void finetune_options(Visit&& option) {
  using O = FinetuneOptions;
  const auto range = Allowed::range;
  option("epochs", &O::epochs, range(0, 1'000'000),
         "passes over the training data; 0: 10 of a new model, 4 of one to start from");
  option("batch_size", &O::batch_size, range(1, 65'536), "texts a step, of all processes together");
  option("accumulate", &O::accumulate, range(1, 65'536),
         "parts of a step's texts that are read one after the other: less memory, the same step");
  option("learning_rate", &O::learning_rate, range(-1, 10),
         "learning rate at its peak; -1: 1e-3 of a new model, 3e-4 of one to start from");
  option("warmup", &O::warmup, range(0, 1), "share of the steps until the peak");
  option("schedule", &O::schedule, Allowed::one_of({"linear", "cosine", "constant"}),
         "of the learning rate after the peak: down to 0, or as it is");
  option("layer_decay", &O::layer_decay, range(0, 1),
         "the learning rate of a layer is that of the next one times this; the head's is the peak");
  option("head_epochs", &O::head_epochs, range(0, 1'000'000),
         "passes before --epochs, in which the encoder is frozen and only the head learns");
  option("fit_head", &O::fit_head, Allowed::one_of({"auto", "off"}),
         "auto: a new text classifier or regression on a model to start from begins as the best "
         "fit to that model's vectors of the training texts");
  optimizer_options<O>(option);
  option("token_dropout", &O::token_dropout, range(-1, 0.95),
         "share of input tokens replaced by [MASK]; -1: the task's");
  option("label_smoothing", &O::label_smoothing, range(-1, 0.9),
         "share of the target spread over all classes; -1: 0.1 where there is one label each");
  average_option<O>(option);
  option("class_weights", &O::class_weights, Allowed::one_of({"none", "balanced"}),
         "balanced: classes count alike in the loss");
  option("wide", &O::wide, Allowed::one_of({"auto", "on", "off"}),
         "let the head count words and pairs of words too; auto: of a new text classifier or "
         "regression, as far as that helps on dev");
  option("max_length", &O::max_length, Allowed::any(), "tokens a text; 0: the model's limit");
  option("stride", &O::stride, Allowed::any(),
         "tokens that two windows share, where a long context is read in windows");
  option("metric", &O::metric, Allowed::any(),
         "that selects the best epoch; without it the task's: docs/data-formats.md lists them");
  option("patience", &O::patience, range(0, 1'000'000),
         "epochs without a better one before it stops; 0: never");
  machine_options<O>(option);
  checkpoint_options<O>(option);
  option("rank_timeout", &O::rank_timeout, range(1, 86'400),
         "of several processes: seconds until one that does not answer ends them all");
}

/// Every option that run.json keeps: name and member. What writes it and what reads it go by this
/// list; the columns' names have one of their own.
template <class Visit>
void run_options(Visit&& option) {
  using O = FinetuneOptions;
  option("task", &O::task);
  option("problem_type", &O::problem_type);
  option("train", &O::train);
  option("dev", &O::dev);
  option("train_labels", &O::train_labels);
  option("dev_labels", &O::dev_labels);
  option("out", &O::out);
  option("from", &O::from);
  option("variant", &O::variant);
  option("tokenizer", &O::tokenizer);
  option("vocab_size", &O::vocab_size);
  option("set", &O::set);
  option("skip_mismatch", &O::skip_mismatch);
  option("resize_positions", &O::resize_positions);
  option("freeze", &O::freeze);
  option("input_format", &O::input_format);
  option("skip_bad_lines", &O::skip_bad_lines);
  option("label_all_tokens", &O::label_all_tokens);
  option("matryoshka_dims", &O::matryoshka_dims);
  finetune_options([&](std::string_view name, auto member, const Allowed&, std::string_view) {
    option(name, member);
  });
}

/// Those of them that each of several tasks has for itself.
template <class Visit>
void task_options(Visit&& option) {
  run_options([&](std::string_view name, auto member) {
    if constexpr (requires(TaskOptions task) { task.*member; }) option(name, member);
  });
}

template <class Visit>
void column_options(Visit&& option) {
  option("text", &Columns::text);
  option("text_pair", &Columns::text_pair);
  option("label", &Columns::label);
  option("tokens", &Columns::tokens);
  option("tags", &Columns::tags);
}

}  // namespace fnet
