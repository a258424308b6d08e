#include "tasks/sentence_similarity.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "model/similarity_option.h"
#include "tasks/labelling.h"
#include "tasks/regression.h"
#include "tasks/retrieval.h"

namespace fnet {
namespace {

bool has_score(const Example& example) { return !example.truth.empty(); }

class SimilarityScorer final : public Scorer {
 public:
  SimilarityScorer(const Task& task, Similarity similarity)
      : task_(task), similarity_(similarity) {}

  void add(const Example& example, const Sample& sample, std::span<const Matrix> scores) override {
    const std::span<const float> first = row_of(scores, 0), second = row_of(scores, 1);
    if (!sample.values.empty()) {
      pairs_.emplace_back(sample.values[0],
                          static_cast<float>(likeness(similarity_, first, second)));
    } else {
      add_row(queries_, first), add_row(partners_, second);
      text_.push_back(known_.emplace(example.texts.at(1), text_.size()).first->second);
      examples_.push_back({example.line, example.texts[0], example.texts[1], {}, 0});
    }
    require(pairs_.empty() || text_.empty(), Kind::input,
            "label: expected a score for every pair, or for none, found both");
  }

  Evaluation finish() override {
    Evaluation out;
    out.unit = task_.unit();
    if (!pairs_.empty()) {
      const RegressionReport report = regression_report(std::move(pairs_));
      out.count = report.count;
      out.metrics = {{"spearman", report.spearman}, {"pearson", report.pearson}};
      return out;
    }
    const RetrievalReport report = retrieval_report(queries_, partners_, text_, similarity_);
    out.count = text_.size();
    out.metrics = {{"mrr", report.mrr}, {"accuracy_at_1", report.accuracy_at_1}};
    WorstMistakes mistakes;
    for (std::size_t i = 0; i < report.found.size(); ++i) {
      const std::size_t found = report.found[i];
      if (found == i) continue;
      Mistake mistake = examples_[i];
      mistake.answer = examples_[found].truth;
      mistake.score =
          static_cast<float>(likeness(similarity_, queries_.row(i), partners_.row(found)));
      mistakes.add(std::move(mistake));
    }
    out.worst = mistakes.take();
    return out;
  }

 private:
  static void add_row(Matrix& matrix, std::span<const float> row) {
    matrix.data.insert(matrix.data.end(), row.begin(), row.end());
    matrix.cols = row.size(), ++matrix.rows;
  }

  const Task& task_;
  Similarity similarity_;
  std::vector<std::pair<float, float>> pairs_;  // score and likeness; ranks need them all
  Matrix queries_, partners_;                   // vectors of pairs without a score
  std::map<std::string, std::size_t> known_;    // the first partner of each text
  std::vector<std::size_t> text_;
  std::vector<Mistake> examples_;
};

}  // namespace

const Task& SentenceSimilarityTask::for_examples(std::span<Example> examples) const {
  const auto scored = std::ranges::count_if(examples, has_score);
  require(scored == 0 || scored == std::ssize(examples), Kind::input,
          "label: expected a score for every pair, or for none, found {} in {} pairs", scored,
          examples.size());
  return *this;
}

std::vector<std::string> SentenceSimilarityTask::metrics(std::span<const std::string>) const {
  return {"spearman", "pearson", "mrr", "accuracy_at_1"};
}

std::vector<std::string> SentenceSimilarityTask::metrics_on(std::span<const Example> examples,
                                                            std::span<const std::string>) const {
  if (std::ranges::any_of(examples, has_score)) return {"spearman", "pearson"};
  return {"mrr", "accuracy_at_1"};
}

float SentenceSimilarityTask::value_scale(std::span<const Sample> samples) const {
  float largest = 1;
  for (const Sample& sample : samples) {
    for (const float value : sample.values) largest = std::max(largest, std::abs(value));
  }
  return largest;
}

Reading SentenceSimilarityTask::reading(const Columns& columns, bool labelled) const {
  // The columns' names, then those of sentence-transformers' data sets.
  const std::vector<std::string> first = {columns.text, "sentence1", "anchor", "query"},
                                 second = {columns.text_pair, "sentence2", "positive"},
                                 score = {columns.label, "score", "similarity_score"},
                                 wrong = {"negative"};
  Reading reading;
  reading.purpose = name();
  reading.needs = {{first}, {second}};
  if (labelled) reading.needs.insert(reading.needs.end(), {{score, true}, {wrong, true}});
  reading.read = [=](const Record& record) {
    Example example;
    example.line = record.line;
    example.texts = {record.text(name_in(record, first)), record.text(name_in(record, second))};
    if (!labelled) return example;
    if (const std::string name = name_in(record, score); !name.empty()) {
      example.truth = {record.label(name)};
    } else if (const std::string other = name_in(record, wrong); !other.empty()) {
      example.texts.push_back(record.text(other));
    }
    return example;
  };
  return reading;
}

std::vector<std::string> SentenceSimilarityTask::labels(std::span<const Example>) const {
  return {"similarity"};
}

Sample SentenceSimilarityTask::encode(const Example& example, const Tokenizer& tokenizer,
                                      const EncodeOptions& options, const HeadConfig&) const {
  Sample sample;
  for (const std::string& text : example.texts)
    sample.texts.push_back(without_places(tokenizer.encode(text, {}, options)));
  sample.units = {0};
  if (!has_score(example)) return sample;
  const std::optional<float> score = RegressionTask::number(example.truth[0]);
  require(score.has_value(), Kind::input, "label: expected a number, found '{}'",
          printable(example.truth[0]));
  sample.values = {*score};
  return sample;
}

Answer SentenceSimilarityTask::answer(const Example&, const Sample&, std::span<const Matrix> scores,
                                      const HeadConfig& head, const AnswerOptions&) const {
  const double score = likeness(similarity_of(head), row_of(scores, 0), row_of(scores, 1));
  return {{{head.labels.at(0), static_cast<float>(score)}}};
}

std::string SentenceSimilarityTask::tsv(const Example&, const Answer& answer) const {
  return fmt::format("{:.6f}\n", answer[0][0].score);
}

std::string SentenceSimilarityTask::json(const Example& example, const Answer& answer) const {
  const nlohmann::ordered_json line = {{"line", example.line},
                                       {"score", rounded(answer[0][0].score)}};
  return line.dump() + '\n';
}

std::unique_ptr<Scorer> SentenceSimilarityTask::scorer(const HeadConfig& head) const {
  return std::make_unique<SimilarityScorer>(*this, similarity_of(head));
}

}  // namespace fnet
