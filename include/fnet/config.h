#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "fnet/api.h"
#include "fnet/types.h"

namespace fnet {

/// How many rows a text is mixed over. FNet has no mask, so this is a property of the model.
struct FNET_API LengthPolicy {
  enum class Kind {
    exact,  ///< each text over its own length; nothing is padded
    fixed,  ///< always over `length` rows, the rest pad tokens (published checkpoints)
    batch,  ///< padded to the longest text of a batch: answers depend on the neighbours
  };
  Kind kind = Kind::exact;
  std::int64_t length = 0;  ///< rows, for `fixed`

  /// Reads `exact`, `fixed:N` or `batch`. Throws: usage.
  static LengthPolicy parse(std::string_view text);
};

/// Which layers of a hybrid have attention; the others have the Fourier transform. As Google's FNet
/// lays them out.
struct FNET_API MixerLayout {
  enum class Kind {
    bottom,  ///< the first layers
    middle,  ///< those in the middle
    mixed,   ///< every (num_hidden_layers / layers)-th from the first on: at least so many
    top,     ///< the last: the best place in the paper
  };
  Kind kind = Kind::top;
  std::int64_t layers = 0;  ///< with attention

  /// Reads `bottom:N`, `middle:N`, `mixed:N` or `top:N`; a text without a colon is none. Throws:
  /// usage.
  static std::optional<MixerLayout> parse(std::string_view text);

  /// Whether layer `layer` of `count`, from 0, has attention. `layers` is in 1 … count.
  bool has_attention(std::int64_t layer, std::int64_t count) const;
};

/// Options of a part of the model by name, as they stand in config.json.
using PartOptions = std::map<std::string, std::variant<bool, std::int64_t, double, std::string>>;

/// A head: what it is for.
struct HeadConfig {
  std::string task;                 ///< a row of the tasks' table, or `encoder`: no head
  std::vector<std::string> labels;  ///< its classes; empty where it has none
  std::string pooling;              ///< what it reads, where it reads one vector a text
  std::string problem_type;         ///< as in Config
  bool no_answer = false;           ///< as in Config
  std::int64_t wide_features = 0;   ///< words and pairs of words that its wide part knows
  PartOptions options = {};         ///< as Config::head_options

  bool operator==(const HeadConfig&) const = default;
};

/// The head that FNetForPreTraining has beside that for [MASK]: whether a text follows another. In
/// `Config::heads` it is called `seq_relationship`.
FNET_API HeadConfig order_head();

/// Everything that defines an FNet model but its weights. Names, meanings and defaults are those of
/// Hugging Face's `config.json`; keys that Hugging Face lacks default to what its FNet does.
struct FNET_API Config {
  std::int64_t vocab_size = 32000;
  std::int64_t hidden_size = 768;
  std::int64_t num_hidden_layers = 12;
  std::int64_t intermediate_size = 3072;
  std::string hidden_act = "gelu_new";
  double hidden_dropout_prob = 0.1;
  std::int64_t max_position_embeddings = 512;
  std::int64_t type_vocab_size = 4;
  double initializer_range = 0.02;
  double layer_norm_eps = 1e-12;
  std::int64_t pad_token_id = 3;
  std::int64_t bos_token_id = 1;
  std::int64_t eos_token_id = 2;
  bool tie_word_embeddings = true;

  /// What the model reads: `tokens` of texts, `dna`, or numbers: `vectors` in a sequence, or
  /// `patches` of images.
  std::string input_type = "tokens";
  std::int64_t kmer_size = 1;     ///< of dna: letters in a token
  std::int64_t input_size = 1;    ///< of vectors: numbers in a step
  std::int64_t patch_length = 1;  ///< of vectors: steps in a row
  std::int64_t patch_stride = 0;  ///< of vectors: steps from row to row; 0: patch_length
  std::int64_t image_size = 224;  ///< of patches: height of an image, and its width
  std::int64_t image_width = 0;   ///< of patches: where it is another; 0: image_size
  std::int64_t patch_size = 16;   ///< of patches: pixels along a side
  std::int64_t num_channels = 3;  ///< of patches: numbers in a pixel

  // What Hugging Face has no key for.
  std::string fourier_norm = "backward";
  bool embedding_projection = true;
  double embedding_norm_eps = 0;  ///< 0: as layer_norm_eps
  bool pooler = true;
  std::string norm_type = "layer_norm";
  std::string norm_position = "post";
  std::string ffn_type = "mlp";
  std::string ffn_dropout = "output";             ///< output, inner or both
  std::string position_embedding = "learned";     ///< or sinusoidal
  double drop_path_rate = 0;                      ///< stochastic depth of the last layer
  std::vector<std::string> mixers = {"fourier"};  ///< one for all layers, one for each, or a layout
  PartOptions norm_options, ffn_options, mixer_options;  ///< `fnet info` lists each part's
  PartOptions head_options;  ///< of the model's own head: layers before its last map
  std::string length_policy =
      "exact";                     ///< a config.json without the key: fixed:max_position_embeddings
  std::string pooling = "pooler";  ///< what a sequence head reads, and the default of `embed`
  std::int64_t wide_features = 0;  ///< of the model's own head; 0: it has no wide part

  /// The model's own head, where Hugging Face has it: a row of the tasks' table, or `encoder` for
  /// none; in config.json: `architectures`.
  std::string task = "encoder";
  std::vector<std::string> labels;  ///< in config.json: `id2label` and `label2id`
  /// Of a text classifier: single_label_classification, multi_label_classification or regression;
  /// empty: regression where it has one label, else single_label_classification.
  std::string problem_type;
  bool no_answer = false;  ///< of question answering: a question may have no answer
  std::string head_name;   ///< of the model's own head, beside the further ones; may be empty

  /// Further heads on the same encoder, by name; their weights stand under `heads.<name>.`
  std::map<std::string, HeadConfig> heads;

  /// The architectures of the paper's and the seed's tables: tiny, small, base, large. Throws:
  /// usage.
  static Config preset(std::string_view variant);
  static std::span<const std::string_view> variants();

  /// Reads `directory`/config.json. Unknown keys are added to `warnings`, with the nearest known
  /// name. Throws: input, naming the key, what was found and what is allowed.
  static Config load(const std::filesystem::path& directory,
                     std::vector<std::string>* warnings = nullptr);
  static Config from_json(std::string_view text, std::string_view source,
                          std::vector<std::string>* warnings = nullptr);

  /// The text of config.json: every key, as transformers reads it.
  std::string to_json() const;

  /// Sets a key from text, as `--set key=value` does; an option of a part as
  /// `norm_options.<option>`. Throws: usage.
  void set(std::string_view key, std::string_view value);

  /// The same from `key=value`.
  void assign(std::string_view setting);

  /// Takes a tokenizer's number of pieces and special ids; below 0: it has none, the id stays.
  void set_vocabulary(std::int64_t size, std::int64_t pad, std::int64_t bos, std::int64_t eos);

  /// Throws input: the key, its value, what is allowed. Options of parts are checked by the parts,
  /// when a model is made.
  void validate() const;

  /// The mixer of a layer.
  std::string mixer(std::int64_t layer) const;

  double embedding_eps() const {
    return embedding_norm_eps > 0 ? embedding_norm_eps : layer_norm_eps;
  }
  LengthPolicy lengths() const { return LengthPolicy::parse(length_policy); }

  /// Whether the model reads numbers, and no tokens.
  bool reads_numbers() const { return input_type == "vectors" || input_type == "patches"; }

  /// How numbers become rows. Its sizes are 0 where it reads tokens.
  InputShape input_shape() const;

  /// Whether a key says something of this model: options of another input type do not.
  bool uses(std::string_view key) const;

  /// Dropout before a feed-forward's last map, and after it.
  double inner_dropout() const { return ffn_dropout == "output" ? 0 : hidden_dropout_prob; }
  double output_dropout() const { return ffn_dropout == "inner" ? 0 : hidden_dropout_prob; }

  /// The share of texts for which training skips a branch of a layer: from 0 in the first layer to
  /// drop_path_rate in the last, which a model of one layer has too.
  double drop_path(std::int64_t layer) const {
    if (num_hidden_layers == 1) return drop_path_rate;
    return drop_path_rate * static_cast<double>(layer) / static_cast<double>(num_hidden_layers - 1);
  }

  /// Tokens of the longest text that the model can read.
  std::int64_t longest_text() const;

  /// Whether the model has a head of its own.
  bool has_head() const { return task != "encoder"; }

  /// The head of this name; empty or head_name: the model's own. Throws: usage where there is none.
  HeadConfig head(std::string_view name = {}) const;

  /// Their names as weights and `heads` have them, the model's own first, which is empty there.
  std::vector<std::string> head_names() const;

  /// A head's name among head_names(): head_name becomes the empty one.
  std::string_view head_key(std::string_view name) const {
    return name == head_name ? std::string_view() : name;
  }

  /// What to call a head of head_names(): its name, of the model's own head_name or else its task.
  std::string head_title(std::string_view key) const;

  /// One key: its name, its value as text, what is allowed, and what it means; for `--help`, `info`
  /// and the documentation.
  struct Field {
    std::string name, value, allowed, help;
  };
  std::vector<Field> describe() const;

  bool operator==(const Config&) const = default;
};

}  // namespace fnet
