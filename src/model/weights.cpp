#include "model/weights.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <set>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/hash.h"
#include "model/weights_index.h"

namespace fnet {
namespace {

namespace fs = std::filesystem;

struct Tie {
  std::string_view kept, copy;
};
/// transformers ties these and stores the first name, other writers both or the second. Without
/// `fnet.`.
constexpr Tie kTied[] = {{"embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"},
                         {"cls.predictions.bias", "cls.predictions.decoder.bias"}};

/// The other name of a tied weight, or empty.
std::string_view tied_name(std::string_view name) {
  for (const Tie& tie : kTied) {
    if (name == tie.kept) return tie.copy;
    if (name == tie.copy) return tie.kept;
  }
  return {};
}

/// What transformers has stored with some checkpoints and nothing here reads: row numbers, DFT
/// matrices which the configuration determines, and FNetForPreTraining's further head in a model
/// without it.
bool is_ignored(std::string_view name) {
  return name.starts_with("cls.seq_relationship.") || name.ends_with(".position_ids") ||
         name.ends_with(".token_type_ids") || name.find(".fourier.self.dft_mat_") != name.npos;
}

bool is_float(StoredType dtype) {
  return dtype == StoredType::f32 || dtype == StoredType::f16 || dtype == StoredType::bf16 ||
         dtype == StoredType::f64;
}

std::string list_of(std::string_view what, const std::vector<std::string>& names) {
  return names.empty() ? std::string()
                       : fmt::format("; {} {}: {}", names.size(), what, fmt::join(names, ", "));
}

constexpr const char* kPickle = "pytorch_model.bin";
/// Runs in the model's folder, with the packages torch and safetensors.
constexpr const char* kConvert =
    "pytorch_model.bin, a pickle, which may run code and is not read; in that folder, "
    "python3 -c \"import torch, safetensors.torch as s; s.save_file({k: v.clone() for k, v in "
    "torch.load('pytorch_model.bin', weights_only=True).items()}, 'model.safetensors')\" converts "
    "it";

bool is_there(const fs::path& path) {
  std::error_code error;  // what cannot be looked at is found out by opening it
  return fs::exists(path, error) || error;
}

std::vector<SafetensorsFile> open_files(const fs::path& directory, const WeightOptions& options) {
  const SafetensorsOptions file_options{.allow_nonfinite = options.allow_nonfinite};
  std::vector<SafetensorsFile> files;
  if (is_there(directory / kWeightsFile)) {
    files.push_back(SafetensorsFile::open(directory / kWeightsFile, file_options));
    return files;
  }
  require(is_there(directory / kIndexFile), Kind::input, "{}: expected {} or {}, found {}",
          printable(directory.native()), kWeightsFile, kIndexFile,
          is_there(directory / kPickle) ? kConvert
                                        : "neither; weights in another format must be converted");
  const WeightsIndex index = read_weights_index(directory / kIndexFile);
  for (const std::string& shard : index.shards()) {
    files.push_back(SafetensorsFile::open(InputFile::open_in(directory, shard), file_options));
  }
  check_weights_index(index, (directory / kIndexFile).native(), files);
  return files;
}

}  // namespace

std::size_t WeightSpec::size() const {
  std::size_t numbers = 1;
  for (const std::int64_t n : shape) numbers *= static_cast<std::size_t>(n);
  return numbers;
}

bool WeightSpec::resizes_from(const std::vector<std::int64_t>& from) const {
  const auto is_empty = [](std::int64_t n) { return n < 1; };
  if (resize == Resize::no || from.size() != shape.size() || std::ranges::any_of(from, is_empty)) {
    return false;
  }
  if (resize == Resize::rows_and_columns) return from[0] == from[1];
  return std::equal(from.begin() + 1, from.end(), shape.begin() + 1);
}

std::string_view name_in_encoder(std::string_view name) {
  constexpr std::string_view kPrefix = "fnet.";
  return name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name;
}

std::int64_t depth_of(std::string_view name, std::int64_t layers) {
  constexpr std::string_view kBlocks = "encoder.layer.";
  name = name_in_encoder(name);
  if (name.starts_with("embeddings.")) return 0;
  if (!name.starts_with(kBlocks)) return layers + 1;
  std::int64_t layer = 0;
  std::from_chars(name.data() + kBlocks.size(), name.data() + name.size(), layer);
  return layer + 1;
}

/// Finds the stored tensor of every spec and sorts out the rest.
class WeightReader::Matcher {
 public:
  Matcher(WeightReader& reader, const WeightOptions& options) : reader_(reader), options_(options) {
    for (std::size_t file = 0; file < reader_.files_.size(); ++file) {
      for (const TensorInfo& tensor : reader_.files_[file].tensors()) {
        const auto [at, is_new] =
            stored_.emplace(name_in_encoder(tensor.name), Place{file, &tensor});
        require(is_new, Kind::input, "{}: tensor '{}': expected each weight once, found also '{}'",
                printable(reader_.files_[file].name()), printable(tensor.name),
                printable(at->second.tensor->name));
      }
    }
  }

  void run() {
    for (const WeightSpec& spec : reader_.specs_) match(spec);
    for (const auto& [name, place] : stored_) {
      if (used_.contains(name)) continue;
      const bool is_copy = used_.contains(tied_name(name));
      (is_copy || is_ignored(name) ? reader_.report_.ignored : reader_.report_.unexpected)
          .push_back(printable(place.tensor->name));
    }
    const std::string first = printable(reader_.files_.front().name());
    const bool all_may = options_.allow_unexpected || options_.skip_mismatch;
    const std::vector<std::string> none;
    const auto& unexpected = all_may ? none : reader_.report_.unexpected;
    const std::size_t faults = missing_.size() + unexpected.size() + wrong_.size();
    const std::string advice = options_.advice.empty() ? "" : "; " + options_.advice;
    require(faults == 0, Kind::input,
            "{}: expected the weights of the configuration, found {} faults{}{}{}{}", first, faults,
            list_of("missing", missing_), list_of("unexpected", unexpected),
            list_of("of wrong shape or type", wrong_), advice);
    if (options_.skip_mismatch) require_encoder(first);
  }

 private:
  void match(const WeightSpec& spec) {
    const std::string_view name = name_in_encoder(spec.name);
    auto at = stored_.find(name);
    if (at == stored_.end()) at = stored_.find(tied_name(name));
    const bool optional = std::ranges::any_of(options_.may_be_missing,
                                              [&](const std::string& prefix) {
                                                return spec.name.starts_with(prefix);
                                              }) ||
                          options_.skip_mismatch;
    if (at == stored_.end()) {
      (optional ? reader_.report_.missing : missing_).push_back(spec.name);
      return;
    }
    const TensorInfo& tensor = *at->second.tensor;
    if (tensor.dtype == StoredType::i8) find_scale(at->second, at->first);
    const bool same = tensor.shape == spec.shape;
    const bool shaped = same || (std::ranges::count(options_.may_resize, spec.resize) > 0 &&
                                 spec.resizes_from(tensor.shape));
    const bool fits = shaped && (is_float(tensor.dtype) || at->second.scale);
    used_.insert(at->first);
    if (fits) {
      if (!same) reader_.report_.resized.push_back(spec.name);
      reader_.report_.has_int8 |= tensor.dtype == StoredType::i8;
      reader_.report_.has_bfloat16 |= tensor.dtype == StoredType::bf16;
      require(reader_.found_.emplace(spec.name, at->second).second, Kind::internal,
              "weight '{}': expected one spec, found two", spec.name);
    } else {
      (optional ? reader_.report_.mismatched : wrong_)
          .push_back(fmt::format(
              "{} (expected {} of a float type, or I8 with ..._scale, found {} of {})", spec.name,
              shape_text(spec.shape), shape_text(tensor.shape), stored_type_name(tensor.dtype)));
    }
  }

  /// A model none of whose blocks and embeddings came from the files would be a new one in silence.
  void require_encoder(const std::string& file) const {
    const auto& report = reader_.report_;
    const bool found = std::ranges::any_of(reader_.found_, [](const auto& entry) {
      constexpr std::int64_t kTop = std::numeric_limits<std::int32_t>::max();
      // Biases of a model of another width may fit by chance.
      return entry.second.tensor->shape.size() > 1 && depth_of(entry.first, kTop) <= kTop;
    });
    require(found, Kind::input,
            "{}: expected some matrices that fit this encoder, found none{}{}{}", file,
            list_of("missing", report.missing),
            list_of("of wrong shape or type", report.mismatched),
            list_of("without a place in it", report.unexpected));
  }

  /// The scales of int8 weights: one float a row, in the same file.
  void find_scale(Place& place, std::string_view name) {
    const auto at = stored_.find(std::string(name) + "_scale");
    if (at == stored_.end() || at->second.file != place.file) return;
    const TensorInfo& scale = *at->second.tensor;
    const bool fits = place.tensor->shape.size() == 2 && scale.dtype == StoredType::f32 &&
                      scale.shape == std::vector{place.tensor->shape[0]};
    if (!fits) return;
    place.scale = &scale;
    used_.insert(at->first);
  }

  WeightReader& reader_;
  const WeightOptions& options_;
  std::map<std::string_view, Place, std::less<>> stored_;  // by bare name
  std::set<std::string_view> used_;
  std::vector<std::string> missing_, wrong_;
};

WeightReader WeightReader::open(const fs::path& directory, std::vector<WeightSpec> specs,
                                const WeightOptions& options) {
  WeightReader reader;
  reader.specs_ = std::move(specs);
  reader.files_ = open_files(directory, options);
  for (const SafetensorsFile& file : reader.files_) reader.report_.files.emplace_back(file.name());
  Matcher(reader, options).run();
  return reader;
}

std::vector<float> WeightReader::read(std::string_view name) const {
  const auto at = found_.find(name);
  require(at != found_.end(), Kind::internal,
          "weight '{}': expected one that was found, found none", name);
  const auto& [file, tensor, scale] = at->second;
  std::vector<float> values(tensor->count());
  if (scale == nullptr) {
    files_[file].read(*tensor, values);
    return values;
  }
  const std::vector<std::byte> codes = files_[file].read_raw(*tensor);
  std::vector<float> scales(scale->count());
  files_[file].read(*scale, scales);
  const std::size_t width = scales.empty() ? 0 : values.size() / scales.size();
  for (std::size_t row = 0; row < scales.size(); ++row) {
    const std::byte* from = codes.data() + row * width;
    float* to = values.data() + row * width;
    for (std::size_t i = 0; i < width; ++i)
      to[i] = static_cast<float>(static_cast<std::int8_t>(from[i])) * scales[row];
  }
  return values;
}

const std::vector<std::int64_t>& WeightReader::shape(std::string_view name) const {
  const auto at = found_.find(name);
  require(at != found_.end(), Kind::internal,
          "weight '{}': expected one that was found, found none", name);
  return at->second.tensor->shape;
}

std::map<std::string, std::string> weight_hashes(const fs::path& directory) {
  std::map<std::string, std::string> hashes;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (entry.path().extension() == ".safetensors")
      hashes[entry.path().filename().string()] = sha256_of_file(entry.path());
  }
  return hashes;
}

}  // namespace fnet
