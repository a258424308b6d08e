#include "fnet/engine.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <iterator>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/file.h"
#include "core/parallel.h"
#include "core/vectors.h"
#include "fnet/similarity.h"
#include "kernels/caches.h"
#include "model/batch.h"
#include "model/input_rows.h"
#include "model/kinds.h"
#include "runtime/engine_impl.h"
#include "runtime/model.h"
#include "runtime/packed_file.h"

namespace fnet {
namespace {

/// The type of a name in EngineOptions::dtype. Throws: usage.
kernels::Dtype product_type(std::string_view name) {
  const auto found = kernels::dtype_named(name);
  require(found.has_value(), Kind::usage, "dtype: expected auto, {}, found '{}'",
          fmt::join(kernels::kDtypeNames, ", "), printable(name));
  return *found;
}

}  // namespace

void Engine::Impl::require_finite(std::span<const Matrix> results, std::string_view what) {
  std::size_t bad = 0, all = 0;
  for (const Matrix& matrix : results) {
    for (std::size_t i = 0; i < matrix.rows; ++i) {
      bad += !std::ranges::all_of(matrix.row(i), [](float v) { return std::isfinite(v); });
      ++all;
    }
  }
  require(bad == 0, Kind::input,
          "{}: expected finite numbers, found {} of {} rows with infinities or NaN: the model's "
          "weights overflow",
          what, bad, all);
}

Engine::Impl::Impl(const Config& config_, const WeightSource& weights,
                   const EngineOptions& options_, std::optional<Tokenizer> tokenizer_,
                   PackedFile* file)
    : config(config_),
      options(options_),
      tokenizer(std::move(tokenizer_)),
      workers(options_.threads),
      places(static_cast<std::size_t>(workers.size())) {
  config.validate();
  kernels::cache_sizes();  // a bad FNET_CACHE_SIZES is told here, not inside a pass
  if (options.dtype == "auto") options.dtype = "float32";
  if (tokenizer) {
    require(tokenizer->vocab_size() <= config.vocab_size, Kind::input,
            "tokenizer: expected at most {} pieces (vocab_size), found {}", config.vocab_size,
            tokenizer->vocab_size());
  }
  ThreadPool pool(workers);
  model = std::make_unique<Model>(config, weights, product_type(options.dtype), options.formulas,
                                  pool, file);
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Engine::Engine(const Config& config, const WeightSource& weights, const EngineOptions& options,
               std::optional<Tokenizer> tokenizer)
    : Engine(std::make_unique<Impl>(config, weights, options, std::move(tokenizer), nullptr)) {}

Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Engine Engine::load(const std::filesystem::path& directory, const EngineOptions& options) {
  std::vector<std::string> warnings;
  const Config config = Config::load(directory, &warnings);
  WeightOptions load;
  load.allow_unexpected = !config.has_head();  // an encoder may be read out of any FNet
  const WeightReader reader = WeightReader::open(directory, model_weights(config), load);
  EngineOptions chosen = options;
  if (options.dtype == "auto") {
    chosen.dtype = reader.report().has_int8       ? "int8"
                   : reader.report().has_bfloat16 ? "bfloat16"
                                                  : "float32";
  }
  for (const std::string& name : reader.report().unexpected) {
    warnings.push_back(fmt::format("{}: tensor '{}' is not used", directory.string(), name));
  }
  std::optional<Tokenizer> tokenizer;
  if (!config.reads_numbers() && Tokenizer::stands_in(directory)) {
    tokenizer = Tokenizer::load(directory, &warnings);
  }
  std::optional<PackedFile> file;
  if (options.packed_file) {
    file.emplace(directory, reader.report().files, product_type(chosen.dtype));
  }
  auto impl = std::make_unique<Impl>(
      config,
      [&](const std::string& name, std::span<const std::int64_t>) { return reader.read(name); },
      chosen, std::move(tokenizer), file ? &*file : nullptr);
  if (file && !file->ready()) {
    try {
      file->write();
    } catch (const Error& error) {  // only the next start is slower for it
      warnings.emplace_back(error.what());
    }
  }
  impl->warnings = std::move(warnings);
  return Engine(std::move(impl));
}

const Config& Engine::config() const noexcept { return impl_->config; }
const EngineOptions& Engine::options() const noexcept { return impl_->options; }
const std::vector<std::string>& Engine::warnings() const noexcept { return impl_->warnings; }
std::size_t Engine::workspace_bytes() const noexcept {
  std::size_t bytes = 0;
  for (const Impl::Place& place : impl_->places) bytes += place.bytes;
  return bytes;
}

std::size_t Engine::weight_bytes() const noexcept { return impl_->model->weight_bytes(); }

std::vector<std::pair<std::string, double>> Engine::seconds_by_part() const {
  std::vector<std::pair<std::string, double>> parts;
  for (std::size_t i = 0; i < kTimedPartNames.size(); ++i) {
    parts.emplace_back(kTimedPartNames[i], impl_->model->times().seconds(i));
  }
  return parts;
}

std::vector<std::pair<std::string, std::string>> Engine::paths() const {
  return impl_->model->paths();
}

const Tokenizer& Engine::tokenizer() const {
  require(!impl_->config.reads_numbers(), Kind::usage,
          "model: it reads numbers (input_type {}) and has no tokenizer", impl_->config.input_type);
  require(
      impl_->tokenizer.has_value(), Kind::usage,
      "model: it has no tokenizer (spiece.model or vocab.txt); pass token ids instead of texts");
  return *impl_->tokenizer;
}

EncodeOptions Engine::encode_options() const {
  const EngineOptions& options = impl_->options;
  EncodeOptions encode;
  const std::int64_t own = impl_->tokenizer ? impl_->tokenizer->config().model_max_length : 0;
  encode.max_length = most_tokens(impl_->config, own, options.max_length);
  encode.truncation = options.truncation;
  encode.stride = options.stride;
  encode.ngrams = impl_->config.wide_features > 0;
  encode.numbers = impl_->config.input_shape();
  return encode;
}

Encoding Engine::encode(const TextInput& input) const {
  return tokenizer().encode(input.text, input.pair, encode_options());
}

std::vector<Encoding> Engine::encode_windows(const TextInput& input) const {
  return tokenizer().encode_windows(input.text, input.pair, encode_options());
}

Encoding Engine::encode(const Array& array) const { return encode_array(array, encode_options()); }

Encoding Engine::encode_words(std::span<const std::string> words) const {
  return tokenizer().encode_words(words, encode_options());
}

std::vector<Matrix> Engine::forward(std::span<const Encoding> batch) const {
  std::vector<Matrix> result;
  for (const Encoding& text : batch) {
    result.emplace_back(text.size(), static_cast<std::size_t>(impl_->config.hidden_size));
  }
  impl_->run(batch, false,
             [&](ThreadPool& pool, std::size_t begin, const Batch& packed, const Tensor& x) {
               Impl::copy_tokens(pool, packed.rows, x,
                                 [&](std::size_t i) { return result[begin + i].data.begin(); });
             });
  return result;
}

void Engine::forward(std::span<const Encoding> batch, std::span<float> out) const {
  std::size_t tokens = 0;
  for (const Encoding& text : batch) tokens += text.size();
  const auto width = static_cast<std::size_t>(impl_->config.hidden_size);
  require(out.size() == tokens * width, Kind::usage,
          "forward: expected room for {} tokens of {} numbers, found room for {} numbers", tokens,
          width, out.size());
  float* next = out.data();
  impl_->run(batch, false,
             [&](ThreadPool& pool, std::size_t, const Batch& packed, const Tensor& x) {
               Impl::copy_tokens(pool, packed.rows, x, [&](std::size_t i) {
                 return next + packed.rows.tokens_before(static_cast<std::int64_t>(i)) * x.cols();
               });
               next += packed.rows.tokens_before(packed.rows.texts()) * x.cols();
             });
}

Matrix Engine::embed(std::span<const Encoding> batch, std::string_view pooling,
                     bool normalize) const {
  const Impl& m = *impl_;
  const Pooling kind = pooling_named(pooling.empty() ? m.config.pooling : pooling);
  require(m.model->has_weights_of(kind), Kind::usage,
          "pooling: expected one that needs no weights, or that the model was trained with, found "
          "'{}'",
          row_of(kind).name);
  Matrix result(batch.size(), static_cast<std::size_t>(m.config.hidden_size));
  const bool first = Impl::reads_first_row(kind);
  const HeadConfig none;
  m.run(batch, first, [&](ThreadPool&, std::size_t begin, const Batch& packed, const Tensor& x) {
    const Rows rows = first ? single_rows(packed.rows.texts()) : packed.rows;
    const Tensor pooled = m.model->head_context("", none, kind, rows).pool(x);
    std::ranges::copy(pooled.values(), result.row(begin).begin());
  });
  Impl::require_finite({&result, 1}, "embedding");
  if (normalize) normalize_rows(result);
  return result;
}

Matrix Engine::embed(std::span<const TextInput> texts, std::string_view pooling,
                     bool normalize) const {
  std::vector<Encoding> batch;
  std::vector<std::size_t> counts;  // of each text's windows
  for (const TextInput& text : texts) {
    std::vector<Encoding> windows = encode_windows(text);
    counts.push_back(windows.size());
    std::ranges::move(windows, std::back_inserter(batch));
  }
  const Matrix vectors = embed(batch, pooling);
  Matrix result(texts.size(), vectors.cols);
  std::span<const float> rest = vectors.data;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    mean_into(result.row(i), rest.first(counts[i] * vectors.cols));
    rest = rest.subspan(counts[i] * vectors.cols);
  }
  if (normalize) normalize_rows(result);
  return result;
}

std::vector<Matrix> Engine::embed_tokens(std::span<const Encoding> batch, bool normalize) const {
  std::vector<Matrix> result = forward(batch);
  Impl::require_finite(result, "embedding");
  for (Matrix& text : result) {
    if (normalize) normalize_rows(text);
  }
  return result;
}

}  // namespace fnet
