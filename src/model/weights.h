#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/safetensors.h"

namespace fnet {

/// How a weight starts when it is not loaded.
struct Init {
  enum class Kind {
    constant,          ///< `value`
    uniform,           ///< in [low, value)
    normal,            ///< N(0, value); value 0: the config's initializer_range
    truncated_normal,  ///< the same, drawn again outside two deviations
    glorot_uniform,    ///< ±sqrt(6 / (in + out)) · value. Source: Glorot & Bengio 2010, eq. 16
    glorot_normal,     ///< N(0, sqrt(2 / (in + out)) · value)
    orthogonal,        ///< rows or columns orthonormal, times value. Source: Saxe et al. 2014
    sinusoids,         ///< [P, H]: sin and cos in turns of p · 10000^(−2i/H). Source: Vaswani 2017
  };
  Kind kind = Kind::normal;
  double value = 0;
  double low = 0;

  static constexpr Init constant(double value) { return {Kind::constant, value}; }
  static constexpr Init zeros() { return constant(0); }
  static constexpr Init ones() { return constant(1); }
  static constexpr Init uniform(double low, double high) { return {Kind::uniform, high, low}; }
  static constexpr Init normal(double deviation = 0) { return {Kind::normal, deviation}; }
  static constexpr Init truncated_normal(double deviation = 0) {
    return {Kind::truncated_normal, deviation};
  }
  static constexpr Init glorot_uniform(double gain = 1) { return {Kind::glorot_uniform, gain}; }
  static constexpr Init glorot_normal(double gain = 1) { return {Kind::glorot_normal, gain}; }
  static constexpr Init orthogonal(double gain = 1) { return {Kind::orthogonal, gain}; }
  static constexpr Init sinusoids() { return {Kind::sinusoids}; }
};

/// What is made of a weight of a model with another max_position_embeddings or vocab_size.
enum class Resize {
  no,
  rows,              ///< one for each position: those in common stay, further ones start afresh
  rows_and_columns,  ///< the same both ways
  interpolated,      ///< points of a curve: its value at as many others, from end to end
  vocabulary,        ///< one row for each piece
};

/// One weight of a model: Hugging Face's name for it, e.g. "fnet.embeddings.word_embeddings.weight"
/// or "classifier.weight", its row-major shape (a Linear is [out, in]) and its start.
struct WeightSpec {
  std::string name;
  std::vector<std::int64_t> shape;
  Init init = Init::normal();
  bool trained = true;   ///< false: a buffer, stored with the model and not changed by training
  bool exact = false;    ///< stored in float32 in every model
  bool product = false;  ///< read by `dense` alone, so that it may be kept as products read it
  bool stored = true;    ///< false: follows from `init` alone and is in no file
  Resize resize = Resize::no;

  /// How many numbers it has.
  std::size_t size() const;

  /// Whether a stored weight of this shape can be made into this one.
  bool resizes_from(const std::vector<std::int64_t>& from) const;
};

/// A weight's name without the `fnet.` that a model with a head puts before its encoder's.
std::string_view name_in_encoder(std::string_view name);

/// How far up in a model of so many layers a weight stands: 0 the embeddings, i + 1 the block of
/// layer i, layers + 1 whatever follows the last: pooler, heads, a norm at the end.
std::int64_t depth_of(std::string_view name, std::int64_t layers);

struct WeightOptions {
  /// Weights whose names begin with one of these may be missing or of another shape: a head that is
  /// about to be trained. The caller starts them afresh.
  std::vector<std::string> may_be_missing = {};
  bool allow_unexpected =
      false;  ///< weights that the model has no place for: heads of another task
  bool allow_nonfinite = false;
  /// Weights with one of these may have another shape; the caller resizes them.
  std::vector<Resize> may_resize = {};
  /// What does not fit is left out, whatever it is; what fits is read. Some matrix of the encoder,
  /// of its blocks or embeddings, must.
  bool skip_mismatch = false;
  std::string advice = {};  ///< what to do, at the end of the error that lists what does not fit
};

/// What of the files fitted the model.
struct LoadReport {
  std::vector<std::filesystem::path> files;
  std::vector<std::string> resized;     ///< specs whose weight has another shape, as allowed
  std::vector<std::string> missing;     ///< specs that the files lack, allowed by options
  std::vector<std::string> mismatched;  ///< specs whose weight does not fit, and how; the same
  std::vector<std::string> unexpected;  ///< names in the files not used, allowed by options
  std::vector<std::string> ignored;     ///< tied copies, and what is no weight of a model here
  bool has_int8 = false;                ///< some weights are stored as int8 with scales
  bool has_bfloat16 = false;
};

/// The weights of a model directory, read one by one so that there is never a second copy of the
/// model in memory.
///
/// Reads `model.safetensors`, or the shards of `model.safetensors.index.json`. Names may have the
/// prefix `fnet.` or not, on either side; a tied weight may be stored under its other name; buffers
/// that old checkpoints carry are ignored. A matrix may be stored as int8 with a float scale for
/// each row beside it, `<name>_scale`, as quantize.h writes it.
class WeightReader {
 public:
  /// Compares names, shapes and types with the specs before any data is read or memory taken.
  /// Throws: input, with the full lists of what is missing, unexpected or of wrong shape.
  static WeightReader open(const std::filesystem::path& directory, std::vector<WeightSpec> specs,
                           const WeightOptions& options = {});

  const std::vector<WeightSpec>& specs() const noexcept { return specs_; }
  const LoadReport& report() const noexcept { return report_; }

  /// Whether the weight of this spec's name is there to read.
  bool has(std::string_view name) const { return found_.find(name) != found_.end(); }

  /// The values of the weight of this spec's name, which `has`. Throws: input.
  std::vector<float> read(std::string_view name) const;

  /// Its shape in the file: the spec's, unless it may be resized.
  const std::vector<std::int64_t>& shape(std::string_view name) const;

 private:
  struct Place {
    std::size_t file;
    const TensorInfo* tensor;
    const TensorInfo* scale = nullptr;  // of int8 weights, [rows], in the same file
  };
  class Matcher;

  WeightReader() = default;

  std::vector<WeightSpec> specs_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, Place, std::less<>> found_;  // by the specs' names
  LoadReport report_;
};

/// SHA-256 of each file of weights in a directory, by the file's name. Throws: as InputFile.
std::map<std::string, std::string> weight_hashes(const std::filesystem::path& directory);

/// Values of a weight as they are stored, [product of its shape].
using StoredWeights = std::function<std::span<const float>(const std::string& name)>;

/// Writes `model.safetensors` into an existing directory, or, where it would be over
/// `max_shard_bytes`, shards and their index, as transformers does; old weight files that the new
/// ones replace are removed. `source` is called once for each spec, one span alive at a time.
void save_weights(const std::filesystem::path& directory, const std::vector<WeightSpec>& specs,
                  const StoredWeights& source, std::uint64_t max_shard_bytes = 5'000'000'000);

}  // namespace fnet
