#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "fnet/api.h"
#include "fnet/error.h"
#include "fnet/finetune.h"

namespace fnet {

/// What `pretrain` is to do.
struct PretrainOptions {
  /// Files and directories with texts: plain text or JSON lines, each perhaps gzip.
  std::vector<std::filesystem::path> train;
  /// The same for the evaluations. Empty: a hundredth of the documents of `train`, at most 2000, is
  /// held out.
  std::vector<std::filesystem::path> dev;
  std::filesystem::path out;            ///< model directory to write
  bool overwrite = false;               ///< `out` may hold a model or a log
  std::string documents = "paragraph";  ///< what is one, of plain text: paragraph, line or file
  std::string input_format;             ///< text or jsonl; empty: by the files' names
  std::string text_column = "text";     ///< of jsonl: the field with a document's text
  bool skip_bad_lines = false;          ///< count bad lines instead of failing
  /// Where tokens are kept; empty: $XDG_CACHE_HOME/fnet or ~/.cache/fnet.
  std::filesystem::path cache;
  bool no_cache = false;  ///< the tokens go when the run ends

  std::filesystem::path from;    ///< a model directory to start from; empty: a new model
  std::string variant = "tiny";  ///< of a new model
  /// SentencePiece model, or what else Tokenizer::load reads. Empty: that of `from`, or one trained
  /// on a part of `train`. With `from`, as in FinetuneOptions.
  std::filesystem::path tokenizer;
  std::int32_t vocab_size = 0;   ///< of that tokenizer; 0: 32000, or as many as the texts allow
  std::vector<std::string> set;  ///< key=value of the config, applied last

  /// What is learnt: mlm, the masked tokens; mlm+sop, the order of two pieces of a document too;
  /// mlm+nsp, whether the second piece is of the same document.
  std::string objective = "mlm";
  std::string masking = "token";     ///< token, whole-word or span
  double mask_prob = 0.15;           ///< share of the tokens that are masked
  std::int64_t max_predictions = 0;  ///< masked tokens of a text at most; 0: any number

  std::int64_t steps = 10'000;
  std::int64_t batch_size = 32;     ///< texts a step, whoever reads them
  std::int64_t accumulate = 1;      ///< as in FinetuneOptions
  std::int64_t max_length = 0;      ///< tokens a text; 0: the model's limit
  double learning_rate = 5e-4;      ///< at its peak
  double warmup = 0.1;              ///< share of the steps until the peak
  std::string schedule = "linear";  ///< as in FinetuneOptions
  double weight_decay = 0.01;       ///< AdamW's; biases and norms are left out
  double max_grad_norm = 1;         ///< the gradient's norm is clipped to it; 0: never
  double average = 0;               ///< decay of the weights' moving average; 0: the last weights
  std::int64_t eval_steps = 500;    ///< steps between two evaluations
  std::int64_t eval_texts = 1'000;  ///< of dev at most
  std::string device = "cpu";       ///< as in FinetuneOptions
  std::string dtype = "float32";    ///< as in FinetuneOptions
  std::int64_t checkpoint_steps = -1;  ///< as in FinetuneOptions, as the next
  std::int64_t keep_checkpoints = 2;
  double rank_timeout = 60;
  bool recompute = false;  ///< as FNetModule::set_recompute
  std::uint64_t seed = 1;
  int threads = 0;  ///< 0: one for each core
};

/// Trains a model to fill in masked tokens of texts without labels, and leaves the best one in
/// `out`, with the files that `finetune` leaves. It is Hugging Face's FNetForMaskedLM, or with a
/// second objective FNetForPreTraining: `fnet fill-mask` asks it, and `finetune` starts from it.
///
/// Texts become tokens once, in files of the cache directory that are read where they are needed:
/// memory does not grow with the corpus. A text is a piece of one document, and which texts a step
/// reads and which of their tokens are masked is a function of (seed, position in the run) alone.
/// The best model is the one with the lowest loss on dev, under masks that are always the same.
///
/// Throws: as `finetune`.
FNET_API TrainingReport pretrain(const PretrainOptions& options,
                                 const TrainingCallbacks& callbacks = {});

}  // namespace fnet
