#include "model/quantize.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "blocks/model.h"
#include "cli/command.h"
#include "cli/common_flags.h"
#include "cli/log.h"
#include "cli/output.h"
#include "core/error.h"
#include "core/file.h"
#include "model/input_rows.h"
#include "runtime/samples.h"
#include "tasks/example.h"

namespace fnet::cli {
namespace {

struct Flags {
  std::filesystem::path directory, out, data;
  std::string dtype = "int8";
  ReadOptions read;
  Columns columns;
  bool report = false;
};

/// Bytes of the files that a model's weights come from.
double weight_bytes(const WeightReader& reader) {
  std::uintmax_t bytes = 0;
  for (const auto& file : reader.report().files) bytes += std::filesystem::file_size(file);
  return static_cast<double>(bytes);
}

/// Texts to compare on: the first lines of --data, or random tokens.
std::vector<Encoding> sample(const Flags& flags, const Engine& engine) {
  constexpr std::size_t count = 16;
  std::vector<Encoding> texts;
  if (flags.data.empty()) {
    std::uint64_t state = 1;
    for (std::size_t i = 0; i < count; ++i) {
      Encoding& text = texts.emplace_back();
      const auto length = std::min<std::int64_t>(engine.config().longest_text(),
                                                 static_cast<std::int64_t>(16 + 8 * i));
      if (engine.config().reads_numbers()) {
        text = sample_rows(engine.config(), length);
        continue;
      }
      for (std::int64_t k = 0; k < length; ++k) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        text.input_ids.push_back(static_cast<std::int32_t>(
            (state >> 33) % static_cast<std::uint64_t>(engine.config().vocab_size)));
      }
    }
    return texts;
  }
  const bool numbers = engine.config().reads_numbers();
  ReadOptions read = flags.read;
  read.numbers = numbers;
  Columns columns = flags.columns;
  columns.numbers = numbers;
  ExampleReader reader(DataReader(flags.data, read),
                       numbers ? read_texts(columns, "numbers to compare on")
                               : read_texts_or_words(columns, "texts to compare on"));
  for (Example example; texts.size() < count && reader.next(example);) {
    texts.push_back(example.words.empty() ? encoding_of(engine, example)
                                          : engine.encode_words(example.words));
  }
  warn_of_skipped(reader.name(), reader.skipped());
  require(!texts.empty(), Kind::input, "{}: expected at least one text to compare on, found none",
          reader.name());
  return texts;
}

/// ‖a − b‖ / ‖b‖ over all rows of all texts.
double difference(const std::vector<Matrix>& a, const std::vector<Matrix>& b) {
  double error = 0, size = 0;
  for (std::size_t t = 0; t < a.size(); ++t) {
    for (std::size_t i = 0; i < a[t].data.size(); ++i) {
      error += std::pow(double{a[t].data[i]} - b[t].data[i], 2);
      size += std::pow(double{b[t].data[i]}, 2);
    }
  }
  return std::sqrt(error / size);
}

/// How far the hidden state is from that of the given weights in float32, layer by layer.
void report(const Flags& flags) {
  const Config whole = Config::load(flags.directory);
  std::optional<Tokenizer> tokenizer;
  if (!flags.data.empty() && !whole.reads_numbers()) tokenizer = Tokenizer::load(flags.directory);
  const WeightReader before = WeightReader::open(flags.directory, model_weights(whole));
  const WeightReader after = WeightReader::open(flags.out, model_weights(whole));
  const auto source = [](const WeightReader& reader) {
    return [&reader](const std::string& name, std::span<const std::int64_t>) {
      return reader.read(name);
    };
  };
  std::vector<Encoding> texts;
  print("layer  relative difference of the hidden state\n");
  for (std::int64_t layers = 1; layers <= whole.num_hidden_layers; ++layers) {
    Config config = whole;
    config.num_hidden_layers = layers;
    config.mixers.clear();
    for (std::int64_t i = 0; i < layers; ++i) config.mixers.push_back(whole.mixer(i));
    EngineOptions exact, quantized;
    exact.dtype = "float32";
    quantized.dtype = flags.dtype;
    const Engine a(config, source(before), exact, tokenizer);
    const Engine b(config, source(after), quantized, tokenizer);
    if (texts.empty()) texts = sample(flags, a);
    print(fmt::format("{:>5}  {:.2e}\n", layers, difference(b.forward(texts), a.forward(texts))));
  }
  flush();
}

void run(const Flags& flags) {
  const Config config = Config::load(flags.directory);
  const std::vector<WeightSpec> specs = model_weights(config);
  const WeightReader reader = WeightReader::open(flags.directory, specs);
  require(!reader.report().has_int8, Kind::usage,
          "{}: expected weights of full precision, found int8; quantize the model that it was made "
          "of",
          flags.directory.string());
  std::vector<float> values;
  const auto source = [&](const std::string& name) -> std::span<const float> {
    return values = reader.read(name);
  };
  write_new_directory(flags.out, [&](const std::filesystem::path& directory) {
    save_quantized(directory, specs, source, flags.dtype);
    std::filesystem::copy_file(flags.directory / "config.json", directory / "config.json");
    if (!config.reads_numbers() && Tokenizer::stands_in(flags.directory))
      Tokenizer::load(flags.directory).save(directory);
  });
  const double before = weight_bytes(reader);
  const double after = weight_bytes(WeightReader::open(flags.out, specs));
  log_info("{}: {:.1f} MB of weights, {:.1f} % of {:.1f} MB", flags.out.string(), 1e-6 * after,
           100 * after / before, 1e-6 * before);
  if (flags.report) report(flags);
}

}  // namespace

Action declare_quantize(FlagSet& set) {
  const auto flags = std::make_shared<Flags>();
  set.add("DIR", &flags->directory, "model directory", {.required = true, .model = true});
  set.add("--dtype", &flags->dtype, "type of the weights and of the products that read them",
          {.words = {"int8", "bfloat16"}});
  set.add("--out", &flags->out, "new directory", {.required = true, .letter = 'o'});
  set.add("--report", &flags->report, "print how far each layer's hidden state moves");
  set.add("--data", &flags->data, "texts for --report; without, random tokens");
  add_data(set, flags->read, flags->columns);
  return [flags] { run(*flags); };
}

}  // namespace fnet::cli
