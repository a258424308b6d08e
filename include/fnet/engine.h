#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fnet/api.h"
#include "fnet/config.h"
#include "fnet/error.h"
#include "fnet/tokenizer.h"
#include "fnet/types.h"

namespace fnet {

struct EngineOptions {
  int threads = 0;  ///< 0: one for each core that affinity and the container's CPU quota allow
  /// Of the products: float32, bfloat16, int8; auto: as the weights are stored.
  std::string dtype = "auto";
  /// Keep the weights as packed for this machine in a file of the model's directory, as large as
  /// the weights in memory, and map that at the next start instead of packing them again.
  bool packed_file = false;
  /// Evaluate every part by its formula instead of its kernel: slower, for comparing.
  bool formulas = false;
  std::size_t max_length = 0;  ///< tokens a text; 0: the model's position table or fixed length
  std::size_t stride = 128;    ///< tokens that two windows of a text share
  /// Of a text that is longer. With `windows`, labels and vectors of texts come from the mean over
  /// its windows, a word's tag from the window in which it stands farthest from the ends.
  Truncation truncation = Truncation::longest_first;
};

/// The values of a weight [shape], row-major, by its Hugging Face name.
using WeightSource =
    std::function<std::vector<float>(const std::string& name, std::span<const std::int64_t> shape)>;

/// A head to ask, and the rows that it scores.
struct HeadQuery {
  std::string_view head;                                  ///< a name as Engine::scores takes it
  std::span<const std::vector<std::int32_t>> picks = {};  ///< likewise
};

/// Where in a pass a hidden state stands; a block is mixing, then feed_forward.
enum class Stage : std::uint8_t {
  embeddings,    ///< what the first block reads
  mixing,        ///< x + mix(x), with the norm after it where the model has it there
  feed_forward,  ///< likewise x + ffn(x): what the block gives
  final_norm,    ///< of models with the norm before each part: after the last block
};

/// A text's hidden state on its way through a pass, as Engine::watch shows it.
struct HiddenState {
  Stage stage;
  std::int64_t layer;            ///< from 0; -1 of the embeddings, num_hidden_layers after the last
  std::size_t text;              ///< which of the batch
  std::span<const float> rows;   ///< [N, H] of its N tokens
  std::span<const float> added;  ///< [N, H], where asked for: mix(x) or ffn(x) alone
};
using Watcher = std::function<void(const HiddenState&)>;

/// A model ready to answer. Immutable; safe to share between threads: their passes run side by
/// side, each on an equal part of the engine's threads, as many at once as there are threads; the
/// others wait, first come, first served. A process that fork() makes must load its own: a call on
/// its parent's engine throws usage. With length policies `exact` and `fixed:N` an answer's bytes
/// depend on the text and the options alone, never on the batch, its order or the number of
/// threads.
class FNET_API Engine {
 public:
  /// Reads a model directory: config.json, model.safetensors (or shards), spiece.model.
  /// Throws: input where a file is missing, damaged or does not fit the others.
  static Engine load(const std::filesystem::path& directory, const EngineOptions& options = {});

  /// A model from weights that the caller makes; without a tokenizer only the calls on Encodings
  /// work.
  Engine(const Config& config, const WeightSource& weights, const EngineOptions& options = {},
         std::optional<Tokenizer> tokenizer = {});

  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  ~Engine();

  const Config& config() const noexcept;
  const EngineOptions& options() const noexcept;  ///< with `auto` decided

  /// Throws: usage for a model without one.
  const Tokenizer& tokenizer() const;

  /// Notes from loading: unknown keys, tensors that were not used.
  const std::vector<std::string>& warnings() const noexcept;

  /// Bytes held by weights, and by the workspace so far.
  std::size_t weight_bytes() const noexcept;
  std::size_t workspace_bytes() const noexcept;

  /// Where the passes so far spent their time, in seconds: products, mixing, norms, with what is
  /// fused to each.
  std::vector<std::pair<std::string, double>> seconds_by_part() const;

  /// How each part of the encoder runs, in order, by its place: `kernel`, `kernel with norm` or,
  /// where it has no kernel, `formula`.
  std::vector<std::pair<std::string, std::string>> paths() const;

  /// How this model reads texts: truncated by the options, never longer than the position table.
  EncodeOptions encode_options() const;

  /// Tokens of a text under encode_options(). Throws: input where the text is bad, or too long with
  /// Truncation::error or windows.
  Encoding encode(const TextInput& input) const;
  /// Rows of numbers, of a model that reads them: a sequence [steps, numbers in a step], or an
  /// image [height, width, channels]. Throws: input where the shape is none that the model reads,
  /// or a number is not finite.
  Encoding encode(const Array& array) const;
  Encoding encode_words(std::span<const std::string> words) const;
  /// The same in as many windows as it takes with Truncation::windows, else in one.
  std::vector<Encoding> encode_windows(const TextInput& input) const;

  /// The last hidden state of each text, [N, H]; N its tokens.
  std::vector<Matrix> forward(std::span<const Encoding> batch) const;
  /// The same, text after text, into `out` [sum of N, H]. Once it has seen its largest batch and
  /// each length, it takes no memory. Throws: usage where `out` has another size.
  void forward(std::span<const Encoding> batch, std::span<float> out) const;

  /// The hidden states of each text, [L + 1] of [N, H]: the embeddings', then each block's. The
  /// last is what forward() gives, so of models with the norm before each part it is the normed
  /// one. Source: Hugging Face's output_hidden_states.
  std::vector<std::vector<Matrix>> hidden_states(std::span<const Encoding> batch) const;

  /// Shows every hidden state of a pass as it comes, text by text: for what needs not keep them.
  /// `added`: with what each part adds. The spans are good until `watcher` returns. It may throw,
  /// and must not call the engine.
  void watch(std::span<const Encoding> batch, const Watcher& watcher, bool added = false) const;

  /// One vector a text, [B, H]. `pooling` is a row of the pooling table; empty: the model's own.
  /// `normalize`: divided by its Euclidean norm.
  Matrix embed(std::span<const Encoding> batch, std::string_view pooling = {},
               bool normalize = false) const;
  Matrix embed(std::span<const TextInput> texts, std::string_view pooling = {},
               bool normalize = false) const;

  /// The last hidden state of each text, one vector a token: forward(), perhaps each divided by its
  /// Euclidean norm. Throws: input where a model's weights overflow.
  std::vector<Matrix> embed_tokens(std::span<const Encoding> batch, bool normalize = false) const;

  /// The scores of a head before softmax, one matrix a text: [1, C] where it reads one vector a
  /// text; where it reads rows [N, C], or with `picks`, one list of row numbers a text, [picks, C].
  /// `head`: the name of one of the model's further heads; empty: its own. Throws: usage for a
  /// model without that head, or picks that do not fit.
  std::vector<Matrix> scores(std::span<const Encoding> batch,
                             std::span<const std::vector<std::int32_t>> picks = {},
                             std::string_view head = {}) const;

  /// The same of several heads by one pass of the encoder: for each query what scores() gives, bit
  /// for bit.
  std::vector<std::vector<Matrix>> scores(std::span<const Encoding> batch,
                                          std::span<const HeadQuery> heads) const;

  /// The scores of every head by its name, from one pass: of the model's own head under head_name,
  /// or its task where that is empty. Throws: usage for a model without heads.
  std::map<std::string, std::vector<Matrix>> all_scores(std::span<const Encoding> batch) const;

  /// The `top_k` most probable labels of each text, best first; of a regression its number under
  /// its one label. `head`: as in scores(), here and below.
  std::vector<std::vector<Prediction>> classify(std::span<const TextInput> texts,
                                                std::size_t top_k = 1,
                                                std::string_view head = {}) const;
  std::vector<std::vector<Prediction>> classify(std::span<const Encoding> batch,
                                                std::size_t top_k = 1,
                                                std::string_view head = {}) const;

  /// The tag of each word, read at the word's first piece. A word that truncation dropped gets the
  /// empty label with score 0.
  std::vector<std::vector<Prediction>> tag(std::span<const std::vector<std::string>> sentences,
                                           std::string_view head = {}) const;

  /// The `top_k` best answers to a question that stand in a context, best first. The first has an
  /// empty text where the model may and does find that there is none. Source: the rules of SQuAD.
  std::vector<Prediction> answer(const std::string& question, const std::string& context,
                                 std::size_t top_k = 1, std::string_view head = {}) const;

  /// Of each text, for each [MASK] in it, the `top_k` most probable tokens, best first; none where
  /// truncation cut the [MASK] off. Throws: input for a text without [MASK].
  std::vector<std::vector<std::vector<Prediction>>> fill_mask(std::span<const TextInput> texts,
                                                              std::size_t top_k = 5,
                                                              std::string_view head = {}) const;

 private:
  struct Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fnet
