#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "fnet/api.h"
#include "fnet/finetune.h"

namespace fnet {

/// What `distill` is to do.
struct DistillOptions {
  /// Files of texts, one a line, plain or gzip; lines of white space are none.
  std::vector<std::filesystem::path> train;
  /// For each of them the teacher's vectors: NumPy's [texts, width], a row for each text, of any
  /// length but 0. Empty: what `teacher` answers, or without it beside each file, under its name
  /// with `.npy` behind it.
  std::vector<std::filesystem::path> vectors;
  /// The same for the evaluations. Empty: a hundredth of the texts of `train`, at most 2000, is
  /// held out.
  std::vector<std::filesystem::path> dev, dev_vectors;
  std::filesystem::path out;    ///< model directory to write
  bool overwrite = false;       ///< `out` may hold a model or a log
  std::filesystem::path cache;  ///< as in PretrainOptions, as the next
  bool no_cache = false;

  std::filesystem::path from;  ///< a model directory to start from; empty: a new model
  /// A BERT in Hugging Face's format: a new model has its sizes, and starts with its tables,
  /// feed-forwards and norms, and where it has attention itself with that of the layer.
  std::filesystem::path init_from;
  std::string variant = "tiny";  ///< of a new model, without init_from
  /// A BERT in Hugging Face's format with mean pooling that runs beside the model, for what
  /// `hidden_weight` says and for vectors that no file has. It reads the model's tokens.
  std::filesystem::path teacher;
  /// Tokenizer. Empty: that of `from` or `init_from`. With `from`, as in FinetuneOptions.
  std::filesystem::path tokenizer;
  std::vector<std::string> set;  ///< key=value of the config, applied last

  /// cosine: 1 − the cosine with the teacher's vector; squared_error: the square of the distance of
  /// the model's vector, as it is, to the teacher's, of length 1; similarity: only how alike texts
  /// are to each other.
  std::string loss = "cosine";
  /// Weight of a second term beside the first: the mean square of how far the cosines of the
  /// batch's texts with each other are from those of the teacher.
  double similarity_weight = 0;
  /// Weight of a third, which needs a teacher of the model's width: how far what each layer
  /// makes of a text's rows is from what the teacher's layer at like height does, the mean of |s −
  /// t|² / |t|² over rows and layers.
  double hidden_weight = 0;

  std::int64_t epochs = 1;          ///< passes over the texts, where `steps` is 0
  std::int64_t steps = 0;           ///< of the run; 0: as many as the epochs have
  std::int64_t batch_size = 256;    ///< texts a step
  std::int64_t max_length = 128;    ///< tokens of a text that are read; 0: the model's limit
  double learning_rate = 5e-4;      ///< at its peak
  double warmup = 0.05;             ///< share of the steps until the peak; then linear to 0
  double weight_decay = 0.01;       ///< AdamW's; biases and norms are left out
  double max_grad_norm = 1;         ///< the gradient's norm is clipped to it; 0: never
  double average = 0;               ///< decay of the weights' moving average; 0: the last weights
  std::int64_t eval_steps = 200;    ///< steps between two evaluations
  std::int64_t eval_texts = 1'000;  ///< of dev at most
  std::string device = "cpu";       ///< as in FinetuneOptions
  std::string dtype = "float32";    ///< as in FinetuneOptions
  std::int64_t checkpoint_steps = -1;  ///< as in FinetuneOptions, as the next
  std::int64_t keep_checkpoints = 2;
  bool recompute = false;  ///< as FNetModule::set_recompute
  std::uint64_t seed = 1;
  int threads = 0;  ///< 0: one for each core
};

/// Trains a model to give texts the vectors that another gives them, and leaves the best one in
/// `out`, with the files that `finetune` leaves: a model of sentence-similarity, which `embed` and
/// `similarity` ask and `finetune` starts from. Its vector is the mean over a text's rows.
///
/// Texts become tokens once, as in `pretrain`, and vectors are read where they are needed: memory
/// does not grow with the corpus. Which texts a step reads is a function of (seed, step) alone. The
/// best model is the one with the highest mean cosine on dev, or where its width is not the
/// teacher's, with the highest correlation of the texts' cosines with each other.
///
/// Throws: as `finetune`; input where there are not as many vectors as texts, their width is not
/// the model's hidden size (unless the loss is similarity), or a number is not finite.
FNET_API TrainingReport distill(const DistillOptions& options,
                                const TrainingCallbacks& callbacks = {});

}  // namespace fnet
