#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fnet/api.h"
#include "fnet/config.h"
#include "fnet/error.h"
#include "fnet/types.h"

namespace fnet {

/// What a task learns from and how: what each of several tasks has for itself.
struct TaskOptions {
  std::string task = "text-classification";  ///< a row of the tasks' table
  /// Of text-classification: as Config has it; empty: as the labels say, see docs/data-formats.md
  std::string problem_type;
  /// Data files: see docs/data-formats.md. Without `dev`, a tenth of `train` is held out.
  std::filesystem::path train, dev;
  /// Of data that are numbers: files with the labels alone. Empty: they stand in the data files.
  std::filesystem::path train_labels, dev_labels;
  std::string input_format;     ///< of both; empty: by the files' extensions
  Columns columns;              ///< of both
  bool skip_bad_lines = false;  ///< count bad lines instead of failing
  double token_dropout = -1;    ///< share of the input tokens that [MASK] replaces in training;
                                ///< below 0: 0.4 for text-classification, else 0
  double label_smoothing = -1;  ///< share of the target spread over all classes; below 0: 0.1
                                ///< where each text or word has one of them, else 0
  std::string class_weights = "none";  ///< or balanced: classes count alike in the loss
  /// A head that counts words and pairs of words too (on, off). auto: where the task can have one,
  /// for a new model, a new head on one that transformers can't read, or where the model has it
  /// already, if that does better on dev.
  std::string wide = "auto";
  bool label_all_tokens = false;  ///< of token-classification: all of a word's tokens learn its tag
  /// Of sentence-similarity: so many first numbers of each vector learn to tell likeness alone.
  std::vector<std::int64_t> matryoshka_dims;
  std::string metric;  ///< that selects the best epoch; empty: the task's
};

/// One of several tasks: a head of its own on the encoder that all share.
struct NamedTask : TaskOptions {
  std::string name;               ///< of the head: letters, digits, `_` and `-`
  double weight = 1;              ///< of its loss
  std::string pooling;            ///< what its head reads of a text; empty: as the model's own
  PartOptions head_options = {};  ///< of its head, as Config::head_options
  std::int64_t num_labels = 0;    ///< that its data must have; 0: however many they have
};

/// What `finetune` is to do. The defaults are the recipe for a few thousand labelled texts.
struct FinetuneOptions : TaskOptions {
  /// In place of the one task: several, the first of them the model's own head, the others
  /// Config::heads. `train` and `dev` are then empty, and `metric` is `mean`, of each task's own
  /// metric, or `<name>.<metric>`; empty: mean. See load_tasks.
  std::vector<NamedTask> tasks;
  /// A task of N training examples has a part of the steps that is proportional to N^alpha: 1 by
  /// their number, 0 all alike.
  double alpha = 0.5;

  std::filesystem::path out;  ///< model directory to write
  bool overwrite = false;     ///< `out` may hold a model or a log

  std::filesystem::path from;    ///< a model directory to start from; empty: a new model
  std::string variant = "tiny";  ///< of a new model
  /// SentencePiece model, or what else Tokenizer::load reads. Empty: that of `from`, or one trained
  /// on the texts of `train`. With `from`, pieces that both tokenizers have keep their vectors;
  /// others begin with the mean of those that the tokenizer of `from` splits them into.
  std::filesystem::path tokenizer;
  std::int32_t vocab_size = 0;   ///< of that tokenizer; 0: 16000, or as many as the texts allow
  std::vector<std::string> set;  ///< key=value of the config, applied last

  /// Take of `from` what fits this model and leave out the rest.
  bool skip_mismatch = false;
  /// Of position tables of `from`, where the model has more or fewer positions: copy, interpolate.
  std::string resize_positions = "copy";
  /// Weights that do not learn: as weights_like of fnet/train.h reads them.
  std::vector<std::string> freeze;
  std::int64_t head_epochs = 0;  ///< before the others, in which only what follows the last layer
                                 ///< learns, with a warm-up and a decline of their own
  /// auto: a new head of text-classification on a model to start from begins as the best fit to the
  /// encoder's vectors of the training texts, which the epochs then have to beat on dev. off: it
  /// begins at random.
  std::string fit_head = "auto";
  double layer_decay = 1;  ///< the learning rate of each layer is that of the next times this

  std::int64_t epochs = 0;          ///< 0: 10 of a new model, 4 of one to start from
  std::int64_t batch_size = 32;     ///< texts a step, whoever reads them
  std::int64_t accumulate = 1;      ///< parts of a step's texts that are read one after the other
  double learning_rate = -1;        ///< at its peak; -1: 1e-3 of a new model, 3e-4 of another
  double warmup = 0.1;              ///< share of the steps until the peak
  std::string schedule = "linear";  ///< from there to 0, or cosine, or constant
  double weight_decay = 0.01;       ///< AdamW's; biases and norms are left out
  double max_grad_norm = 1;         ///< the gradient's norm is clipped to it; 0: never
  double average = 0.998;           ///< decay of the weights' moving average, which is what is
                                    ///< evaluated and saved; 0: the last weights
  std::size_t max_length = 0;       ///< tokens a text; 0: the model's limit
  std::size_t stride = 128;         ///< tokens that two windows of a long context share
  std::int64_t patience = 0;        ///< epochs without a better one before it stops; 0: never
  /// Where the model learns: cpu, or with a torch with CUDA cuda:N, or cuda: the device of this
  /// process's number on its machine, the first where it is alone.
  std::string device = "cpu";
  /// Of the factors of products in training steps, or bfloat16: faster where the CPU multiplies it
  /// faster (AMX, Zen 4 and later), as GPUs do; there float16 too, the loss being scaled. Weights,
  /// sums and the scores on dev are float32.
  std::string dtype = "float32";
  bool recompute = false;  ///< as FNetModule::set_recompute
  std::uint64_t seed = 1;
  int threads = 0;  ///< 0: one for each core

  /// Steps between two checkpoints; -1: by time, seldom enough to cost little; 0: none, and a run
  /// that was interrupted starts anew.
  std::int64_t checkpoint_steps = -1;
  std::int64_t keep_checkpoints = 2;  ///< that stand beside `out` at a time, until the run ends
  /// Of a training by several processes (docs/many-processes.md): seconds without a sign of life,
  /// or without coming to a step where the others wait, after which a process counts as lost.
  double rank_timeout = 60;
};

/// One epoch's result; of pretraining, whose evaluations follow each other by steps, that of the
/// steps since the last one.
struct EpochReport {
  std::int64_t epoch = 0;  ///< from 1; 0: the model that training starts from, not trained yet
  std::int64_t step = 0;   ///< steps of the run until then
  double loss = 0;         ///< mean over the epoch's steps
  double dev_loss = 0;     ///< mean over dev, without dropout and smoothing
  std::vector<std::pair<std::string, double>> metrics;  ///< on dev, by name
  double seconds = 0;                                   ///< training, without evaluation
  double tokens_per_second = 0;
  bool best = false;  ///< the best so far
};

/// What came out.
struct TrainingReport {
  std::vector<EpochReport> epochs;
  std::string metric;
  double best = 0, best_loss = 0;          ///< the best model's metric and loss on dev
  std::optional<std::int64_t> best_epoch;  ///< its epoch; 0: none was better than the model that
                                           ///< training starts from; nothing: none was scored
  std::optional<double> start;  ///< metric of the model that training starts from, where it has
                                ///< a head for these labels, or one fitted to them
  std::int64_t step = 0, steps = 0;  ///< done, and of the whole run
  std::int64_t skipped_steps = 0;    ///< with a loss or gradient that was not finite
  std::int64_t spikes = 0;           ///< steps with a gradient over ten times its usual size
  std::size_t skipped_lines = 0;     ///< bad lines of the data files
  bool interrupted = false;          ///< `stop` asked for it
  bool written = false;  ///< `out` holds the best model; else what stood there before, which is no
                         ///< worse as far as can be told
  bool resumable = false;  ///< `out` holds a model that training can go on from, as `from`
  std::optional<std::int64_t> checkpoint;  ///< the step that the same options go on from, exactly
  bool leads = true;  ///< of several processes that train together, this one wrote all files
};

/// Where training stands.
struct TrainingProgress {
  std::int64_t epoch = 0, epochs = 0;  ///< from 1
  std::int64_t step = 0, steps = 0;    ///< of all epochs
  double loss = 0;                     ///< running mean
  double learning_rate = 0;
  double tokens_per_second = 0;
  double seconds_left = 0;
};

/// How a caller watches and ends a training; each may be empty.
struct TrainingCallbacks {
  std::function<void(std::string_view line)> log;         ///< what happens, a line at a time
  std::function<void(const TrainingProgress&)> progress;  ///< after every step
  std::function<void(const EpochReport&)> epoch;          ///< after every evaluation
  std::function<bool()> stop;                             ///< true: end after this step
  /// Of several processes, another one ended or hangs, as the line says. It comes on a thread of
  /// its own and should end the program, as what waits for the other one may wait for long; where
  /// it returns, or is empty, training throws as soon as it can.
  std::function<void(std::string_view line)> lost = {};
};

/// Trains a model for a task and leaves the best epoch's in `out`, beside its configuration
/// (run.json), log (log.jsonl), TensorBoard events and report.html. With `from`, the model that it
/// names is the one to beat, if it has a head for these labels. The same options, data, build and
/// machine kind give the same bytes of model.safetensors.
///
/// `out` is replaced as a whole, each time that a better model is complete. With `overwrite`, a
/// model that stood there stays until the run has a better one or comes to its end.
///
/// A run that was killed, or stopped, goes on from its newest checkpoint when it is called with the
/// same options again, and ends with the bytes of one that was never interrupted. What cannot be
/// written on the way (a full disk) is told to the log and tried again.
///
/// Where the environment names several processes (RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT, or
/// those of SLURM and Open MPI), they train one model together: docs/many-processes.md.
///
/// Throws: usage where an option makes no sense, or `out` holds a model, a log or an unfinished run
/// of other options, data or another build already, input where a file is bad, another process is
/// at work there, or the loss stays without a finite value for 8 steps in a row, system where `out`
/// cannot be written at the beginning or the end.
FNET_API TrainingReport finetune(const FinetuneOptions& options,
                                 const TrainingCallbacks& callbacks = {});

/// What the recipes of `finetune_auto` came to.
struct AutoReport {
  struct Recipe {
    std::string name;    ///< what it changes in the options
    double best = 0;     ///< its metric on dev
    double seconds = 0;  ///< in all
  };
  std::vector<Recipe> recipes;
  std::size_t kept = 0;     ///< the recipe whose model `out` holds
  TrainingReport training;  ///< of that recipe
};

/// Trains by the options, then by a handful of other recipes for as long as the minutes last, and
/// leaves the model in `out` that is the best on dev. A recipe is not begun where the time that is
/// left does not do for some epochs. Throws: as `finetune`; usage where `minutes` is not above 0.
FNET_API AutoReport finetune_auto(const FinetuneOptions& options, double minutes,
                                  const TrainingCallbacks& callbacks = {});

/// Takes `tasks`, `alpha` and `metric` (where none is set) from a file of several tasks:
/// docs/data-formats.md. What a task there does not say is as the options have it for one task;
/// paths are relative to the file. Throws: input, with the key and what is allowed.
FNET_API void load_tasks(const std::filesystem::path& file, FinetuneOptions& options);

/// Where `fnet finetune` starts if not told otherwise: the model in the box, where there is one and
/// its tokenizer knows the words of the training texts, most of whose letters then stand in words
/// of one piece; empty: a new model. `log` is told why not. Throws: as the first lines of finetune
/// do of bad data.
FNET_API std::filesystem::path suggested_start(
    const FinetuneOptions& options, const std::function<void(std::string_view)>& log = {});

/// The options of an earlier run, from the run.json that it left beside its model. Throws: input.
FNET_API FinetuneOptions load_run(const std::filesystem::path& run_json);

/// Names of the metrics that may select the best epoch of a task, its default first. Throws: usage.
FNET_API std::vector<std::string> finetune_metrics(std::string_view task);

}  // namespace fnet
