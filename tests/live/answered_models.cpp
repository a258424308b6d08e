// export_models FOLDER: models of every row of the tables as FOLDER/<n>.onnx, each with
// FOLDER/<n>.json: texts, and what the engine answers to each by itself. onnx_models.py compares
// ONNX Runtime with that.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "blocks/heads.h"
#include "blocks/model.h"
#include "core/file.h"
#include "core/random.h"
#include "fnet/engine.h"
#include "model/problem_type.h"
#include "model/weights.h"
#include "models.h"

namespace fnet {
namespace {

using testing_models::lively_weights;
using testing_models::random_encoding;

/// The rows of the tables, and what matters to a graph beside them.
std::vector<Config> configs() {
  const Config base = testing_models::small_config();
  std::vector<Config> all = testing_models::every_row(base);
  const auto add = [&](auto&& change) {
    Config config = base;
    change(config);
    all.push_back(config);
  };
  const auto classifier = [](Config& c, std::vector<std::string> labels, const char* problem) {
    c.task = "text-classification";
    c.labels = std::move(labels);
    c.problem_type = problem;
  };
  add([&](Config& c) { classifier(c, {"score"}, ""); });
  add([&](Config& c) { classifier(c, {"a", "b", "c"}, "multi_label_classification"); });
  add([&](Config& c) { classifier(c, {"a", "b"}, ""), c.pooling = "mean"; });
  add([](Config& c) { c.task = "question-answering", c.labels = {"start", "end"}; });
  add([](Config& c) { c.task = "fill-mask"; });
  add([](Config& c) { c.task = "fill-mask", c.tie_word_embeddings = false; });
  add([](Config& c) {
    c.task = "sentence-similarity", c.labels = {"similarity"}, c.pooling = "attention";
  });
  add([](Config& c) { c.task = "multiple-choice", c.labels = {"choice"}; });
  add([](Config& c) { c.task = "next-sentence-prediction", c.labels = {"next", "other"}; });
  add([&](Config& c) {
    classifier(c, {"a", "b"}, "");
    HeadConfig tags, mood;
    tags.task = "token-classification", tags.labels = {"x", "y", "z"};
    mood.task = "text-classification", mood.labels = {"p", "q"}, mood.pooling = "max";
    c.heads = {{"tags", tags}, {"mood", mood}};
  });
  for (const char* mixer : {"fourier", "hartley", "attention", "linear", "gfilter"}) {
    for (const char* pooling : {"mean", "max"}) {
      add([&](Config& c) {
        c.mixers = {mixer}, c.pooling = pooling, c.length_policy = "fixed:40";
      });
    }
  }
  add([](Config& c) {
    c.mixer_options["mask"] = std::string("output"), c.length_policy = "fixed:33";
  });
  add([](Config& c) { c.ffn_type = "counting", c.length_policy = "fixed:40"; });
  add([](Config& c) { c.norm_type = "adaptive_band_rms", c.length_policy = "fixed:40"; });
  for (const std::int64_t hidden : {1, 2, 3, 5}) {
    add([&](Config& c) { c.hidden_size = hidden, c.norm_type = "dynamic_tanh"; });
  }
  return all;
}

nlohmann::json rows(const Matrix& matrix) {
  nlohmann::json list = nlohmann::json::array();
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    list.push_back(std::vector<float>(matrix.row(i).begin(), matrix.row(i).end()));
  }
  return list;
}

/// By output: what the engine answers, text by text.
nlohmann::json answers(const Engine& engine, const std::vector<Encoding>& texts) {
  const Config& config = engine.config();
  nlohmann::json all = nlohmann::json::object();
  for (const std::string& name : config.head_names()) {
    const HeadConfig head = config.head(name);
    const std::string prefix = name.empty() ? "" : name + ".";
    for (const Matrix& scores : engine.scores(texts, {}, name)) {
      if (head.task == "question-answering") {
        std::vector<float> start, end;
        for (std::size_t i = 0; i < scores.rows; ++i) {
          start.push_back(scores.row(i)[0]);
          end.push_back(scores.row(i)[1]);
        }
        all[prefix + "start_logits"].push_back(start);
        all[prefix + "end_logits"].push_back(end);
      } else {
        const nlohmann::json list = rows(scores);
        const bool pooled = is_pooled(head_for(head.task));
        all[prefix + (head.task == "sentence-similarity" ? "sentence_embedding" : "logits")]
            .push_back(pooled ? list[0] : list);
      }
    }
  }
  if (!all.empty()) return all;
  for (const Matrix& hidden : engine.forward(texts)) {
    all["last_hidden_state"].push_back(rows(hidden));
  }
  if (config.pooler) all["pooler_output"] = rows(engine.embed(texts, "pooler"));
  if (config.pooling != "pooler") all["sentence_embedding"] = rows(engine.embed(texts));
  return all;
}

/// By output of probabilities: how they follow from the logits.
nlohmann::json links(const Config& config) {
  nlohmann::json all = nlohmann::json::object();
  for (const std::string& name : config.head_names()) {
    const HeadConfig head = config.head(name);
    if (head.task != "text-classification" && head.task != "token-classification") continue;
    all[name.empty() ? "" : name + "."] = head.task == "token-classification"
                                              ? "single_label_classification"
                                              : std::string(problem_type_of(head));
  }
  return all;
}

/// `dft`: for the operator, which without fixed lengths takes texts of equal lengths alone.
void write(const std::filesystem::path& folder, std::size_t n, const Config& config, bool dft) {
  const std::filesystem::path directory = folder / std::to_string(n);
  std::filesystem::create_directory(directory);
  write_file(directory / "config.json", config.to_json());
  const std::vector<WeightSpec> specs = model_weights(config);
  const WeightSource weights = lively_weights();
  std::vector<float> values;
  save_weights(directory, specs, [&](const std::string& name) -> std::span<const float> {
    for (const WeightSpec& spec : specs) {
      if (spec.name == name) values = weights(name, spec.shape);
    }
    return values;
  });
  const Engine engine(config, weights);
  Philox random(n, 0);
  const bool fixed = config.lengths().kind == LengthPolicy::Kind::fixed;
  const bool ragged = fixed || !dft;
  std::vector<Encoding> texts;
  for (const std::size_t tokens : {1, 2, 12, 7, 31}) {
    texts.push_back(random_encoding(random, ragged ? tokens : 12, config));
  }
  nlohmann::json record = {
      {"config", config.norm_position + ' ' + config.norm_type + ' ' + config.ffn_type + ' ' +
                     config.mixers[0] + ' ' + config.hidden_act + ' ' + config.length_policy + ' ' +
                     config.input_type},
      {"fourier", dft ? "dft" : "matmul"},
      {"ragged", ragged},
      {"longest", fixed ? config.lengths().length : 0},
      {"outputs", answers(engine, texts)},
      {"links", links(config)}};
  for (const Encoding& text : texts) {
    if (!config.reads_numbers()) {
      record["texts"].push_back({text.input_ids, text.token_type_ids});
      continue;
    }
    nlohmann::json rows = nlohmann::json::array();
    for (std::size_t row = 0; row < text.vectors.rows; ++row) rows.push_back(text.vectors.row(row));
    record["texts"].push_back({rows, std::vector<int>(text.vectors.rows)});
  }
  std::ofstream(directory.string() + ".json") << record;
}

}  // namespace
}  // namespace fnet

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    std::size_t n = 0;
    for (const fnet::Config& config : fnet::configs()) {
      fnet::write(argv[1], n++, config, false);
      const bool transformed = config.mixers[0] == "fourier" || config.mixers[0] == "hartley";
      const bool plain = config.norm_type == "layer_norm" && config.ffn_type == "mlp";
      if (transformed && plain) fnet::write(argv[1], n++, config, true);
    }
    std::printf("%zu models\n", n);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
