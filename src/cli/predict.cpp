#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/stream.h"
#include "core/error.h"

namespace fnet::cli {
namespace {

using nlohmann::ordered_json;

struct Flags {
  ModelFlags model;
  InputFlags input;
  std::string format = "tsv";
  std::size_t top_k = 1;
};

// nlohmann writes a float as the double it is; a score has no more than six digits to tell.
double rounded(float score) { return std::round(static_cast<double>(score) * 1e6) / 1e6; }

std::string tsv(const std::vector<Prediction>& labels) {
  std::string line;
  for (const Prediction& p : labels) {
    fmt::format_to(std::back_inserter(line), "{}{}\t{:.6f}", line.empty() ? "" : "\t",
                   printable(p.label), p.score);
  }
  return line + '\n';
}

std::string jsonl(const Example& example, const std::vector<Prediction>& labels) {
  ordered_json line = {
      {"line", example.line}, {"label", labels[0].label}, {"score", rounded(labels[0].score)}};
  if (labels.size() > 1) {
    for (const Prediction& p : labels) {
      line["top_k"].push_back({{"label", p.label}, {"score", rounded(p.score)}});
    }
  }
  return line.dump() + '\n';
}

std::string conll(const std::vector<std::string>& words, const std::vector<Prediction>& tags) {
  std::string lines;
  for (std::size_t i = 0; i < words.size(); ++i) {
    lines += words[i] + '\t' + (tags[i].label.empty() ? "O" : printable(tags[i].label)) + '\n';
  }
  return lines + '\n';
}

std::string tagged_jsonl(const Example& example, const std::vector<std::string>& words,
                         const std::vector<Prediction>& tags) {
  ordered_json line = {{"line", example.line}, {"tokens", words}};
  line["tags"] = line["scores"] = ordered_json::array();
  for (const Prediction& p : tags) {
    line["tags"].push_back(p.label.empty() ? "O" : p.label);
    line["scores"].push_back(rounded(p.score));
  }
  return line.dump() + '\n';
}

void classify(const Engine& engine, const Flags& flags, std::span<const Example> batch) {
  const auto answers = engine.classify(texts_of(batch), flags.top_k);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    print(flags.format == "tsv" ? tsv(answers[i]) : jsonl(batch[i], answers[i]));
  }
}

void tag(const Engine& engine, const Flags& flags, std::span<const Example> batch) {
  const auto sentences = sentences_of(batch);
  const auto answers = engine.tag(sentences);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    print(flags.format == "tsv" ? conll(sentences[i], answers[i])
                                : tagged_jsonl(batch[i], sentences[i], answers[i]));
  }
}

void run(const Flags& flags) {
  const Engine engine = flags.model.load();
  const std::string& task = engine.config().task;
  require(engine.config().has_head(), Kind::usage,
          "{}: expected a model with a head, found an encoder; 'fnet embed' gives its vectors, "
          "'fnet finetune' a head",
          flags.model.directory.string());
  const auto answer = task == "token-classification" ? tag : classify;
  flags.input.for_each_batch(engine, [&](std::span<const Example> batch) {
    answer(engine, flags, batch);
    flush();
  });
}

}  // namespace

Action declare_predict(CLI::App& app) {
  const auto flags = std::make_shared<Flags>();
  flags->model.declare(app);
  app.add_option("FILE", flags->input.path, "texts to label; -: standard input, one a line")
      ->capture_default_str();
  app.add_option("--format", flags->format,
                 "tsv: label, score, label, score …, or CoNLL columns from a tagger")
      ->check(one_of({"tsv", "jsonl"}))
      ->capture_default_str();
  app.add_option("--top-k", flags->top_k, "how many labels a text, best first")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  flags->input.declare(app);
  return [flags] { run(*flags); };
}

}  // namespace fnet::cli
