#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/command.h"
#include "cli/common_flags.h"
#include "cli/npy.h"
#include "cli/output.h"
#include "cli/stream.h"
#include "core/error.h"
#include "fnet/similarity.h"
#include "runtime/samples.h"

namespace fnet::cli {
namespace {

struct Flags {
  ModelFlags model;
  InputFlags input;
  std::string pooling, format = "jsonl";
  std::filesystem::path offsets;
  bool normalize = false;
};

void append(std::string& line, std::span<const float> vector) {
  for (std::size_t i = 0; i < vector.size(); ++i) {
    fmt::format_to(std::back_inserter(line), "{}{}", i == 0 ? '[' : ',', vector[i]);
  }
  line += ']';
}

std::string jsonl(const Example& example, std::span<const float> vector) {
  std::string line = fmt::format("{{\"line\":{},\"embedding\":", example.line);
  append(line, vector);
  return line + "}\n";
}

std::string jsonl(const Example& example, const Encoding& text, const Engine& engine,
                  const Matrix& vectors) {
  std::string line = fmt::format("{{\"line\":{},", example.line);
  if (!engine.config().reads_numbers()) {
    nlohmann::json tokens = nlohmann::json::array();
    for (const std::int32_t id : text.input_ids) tokens.push_back(engine.tokenizer().piece(id));
    line += fmt::format("\"tokens\":{},", tokens.dump());
  }
  line += "\"embeddings\":[";
  for (std::size_t i = 0; i < vectors.rows; ++i) {
    if (i > 0) line += ',';
    append(line, vectors.row(i));
  }
  return line + "]}\n";
}

/// A vector for each text.
void embed_texts(const Flags& flags, const Engine& engine, NpyWriter* npy) {
  const Reading reading = read_texts(flags.input.columns_for(engine), "embeddings");
  flags.input.for_each_batch(engine, reading, [&](std::span<const Example> batch) {
    const Matrix vectors = embed(engine, batch, flags.pooling, flags.normalize);
    if (npy != nullptr) return npy->add(vectors);
    for (std::size_t i = 0; i < batch.size(); ++i) print(jsonl(batch[i], vectors.row(i)));
    flush();
  });
}

/// A vector for each token. Returns how many vectors there are before each text, and in all.
std::vector<std::int64_t> embed_tokens(const Flags& flags, const Engine& engine, NpyWriter* npy) {
  const Reading reading = read_texts(flags.input.columns_for(engine), "embeddings");
  std::vector<std::int64_t> offsets = {0};
  flags.input.for_each_batch(engine, reading, [&](std::span<const Example> batch) {
    std::vector<Encoding> texts;
    for (const Example& example : batch) texts.push_back(encoding_of(engine, example));
    std::vector<Matrix> vectors = engine.embed_tokens(texts, flags.normalize);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      offsets.push_back(offsets.back() + static_cast<std::int64_t>(vectors[i].rows));
      if (npy != nullptr) {
        npy->add(vectors[i]);
      } else {
        print(jsonl(batch[i], texts[i], engine, vectors[i]));
      }
    }
    if (npy == nullptr) flush();
  });
  return offsets;
}

void run(const Flags& flags) {
  const bool tokens = flags.pooling == "none", npy = flags.format == "npy";
  require((tokens && npy) == !flags.offsets.empty(), Kind::usage, "--offsets: expected {}",
          tokens && npy ? "a file for where each text begins, as there is a vector for each token, "
                          "found none"
                        : "none but for --pooling none --format npy, found one");
  const Engine engine = flags.model.load();
  std::optional<NpyWriter> writer;
  if (npy) writer.emplace();
  if (tokens) {
    const auto offsets = embed_tokens(flags, engine, npy ? &*writer : nullptr);
    if (npy) write_npy(flags.offsets, offsets);
  } else {
    embed_texts(flags, engine, npy ? &*writer : nullptr);
  }
  if (npy) writer->finish(static_cast<std::size_t>(engine.config().hidden_size));
}

}  // namespace

Action declare_embed(FlagSet& set) {
  const auto flags = std::make_shared<Flags>();
  flags->model.declare(set);
  set.add("FILE", &flags->input.path, "texts to embed; -: standard input, one a line");
  add_pooling(set, flags->pooling, {"none"},
              "which vector stands for a text; none: one for each token; else the model's own");
  set.add("--normalize", &flags->normalize, "divide each vector by its length");
  set.add("--format", &flags->format, "one JSON object a line, or one NumPy array",
          {.words = {"jsonl", "npy"}});
  set.add("--offsets", &flags->offsets,
          "of --pooling none --format npy, whose rows are the tokens of all texts: a NumPy file of "
          "how many rows there are before each text, and in all");
  flags->input.declare(set);
  return [flags] { run(*flags); };
}

}  // namespace fnet::cli
