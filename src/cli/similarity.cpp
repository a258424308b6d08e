#include "fnet/similarity.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/common_flags.h"
#include "cli/output.h"
#include "cli/stream.h"
#include "core/error.h"
#include "model/similarity_option.h"
#include "tasks/evaluation.h"
#include "tasks/labelling.h"
#include "tasks/regression.h"

namespace fnet::cli {
namespace {

struct Flags {
  ModelFlags model;
  InputFlags input;
  std::string pooling, similarity = "cosine", format = "tsv", score_column;
};

/// Pairs of texts; a record without the pair's field has both in one, parted by a tab.
Reading read_pairs(const Columns& columns, const std::string& score_column) {
  Reading reading = read_texts(columns, "pairs of texts");
  if (!score_column.empty()) reading.needs.push_back({{score_column}});
  reading.read = [columns, score_column, texts = reading.read](const Record& record) {
    Example example = texts(record);
    if (example.texts.size() == 1) {
      std::string& text = example.texts[0];
      const std::size_t tab = text.find('\t');
      require(tab != text.npos && text.find('\t', tab + 1) == text.npos, Kind::input,
              "expected the field '{}', or two texts with a tab between them, found {}",
              columns.text_pair, tab == text.npos ? "one text" : "more than two");
      example.texts.push_back(text.substr(tab + 1));
      example.texts[0].resize(tab);
    }
    if (!score_column.empty()) {
      example.truth = {record.label(score_column)};
      require(RegressionTask::number(example.truth[0]).has_value(), Kind::input,
              "{}: expected a number, found '{}'", score_column, printable(example.truth[0]));
    }
    return example;
  };
  return reading;
}

void print_score(const Example& example, float score, bool tsv) {
  if (tsv) return print(fmt::format("{:.6f}\n", score));
  const nlohmann::ordered_json line = {{"line", example.line}, {"score", rounded(score)}};
  print(line.dump() + '\n');
}

void run(const Flags& flags) {
  const Engine engine = flags.model.load();
  const bool tsv = flags.format == "tsv";
  const Similarity similarity = similarity_named(flags.similarity);
  std::vector<std::pair<float, float>> judged;  // ranks need them all
  const Reading reading = read_pairs(flags.input.columns, flags.score_column);
  flags.input.for_each_batch(engine, reading, [&](std::span<const Example> batch) {
    std::vector<TextInput> left, right;
    for (const Example& example : batch) {
      left.emplace_back(example.texts[0]);
      right.emplace_back(example.texts[1]);
    }
    const std::vector<float> scores = pairwise_similarity(
        engine.embed(left, flags.pooling), engine.embed(right, flags.pooling), similarity);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (flags.score_column.empty()) {
        print_score(batch[i], scores[i], tsv);
      } else {
        judged.emplace_back(*RegressionTask::number(batch[i].truth[0]), scores[i]);
      }
    }
    flush();
  });
  if (flags.score_column.empty()) return;
  require(!judged.empty(), Kind::input, "{}: expected at least one pair, found none",
          flags.input.path.string());
  const RegressionReport report = regression_report(std::move(judged));
  Evaluation evaluation;
  evaluation.unit = "pairs";
  evaluation.count = report.count;
  evaluation.metrics = {{"pearson", report.pearson}, {"spearman", report.spearman}};
  print(tsv ? evaluation_text(evaluation) : evaluation_json(evaluation));
  flush();
}

}  // namespace

void add_similarity(FlagSet& flags, std::string& similarity) {
  flags.add("--similarity", &similarity, "of two vectors: their cosine, or the sum of products",
            {.words = {"cosine", "dot"}});
}

Action declare_similarity(FlagSet& set) {
  const auto flags = std::make_shared<Flags>();
  flags->model.declare(set);
  set.add("FILE", &flags->input.path,
          "pairs of texts; -: standard input, two texts a line with a tab between them");
  add_pooling(set, flags->pooling);
  add_similarity(set, flags->similarity);
  set.add("--format", &flags->format, "a number a line, or one JSON object a line",
          {.words = {"tsv", "jsonl"}});
  set.add("--score-column", &flags->score_column,
          "name of the column with true scores: prints the correlation with them instead");
  flags->input.declare(set);
  return [flags] { run(*flags); };
}

}  // namespace fnet::cli
