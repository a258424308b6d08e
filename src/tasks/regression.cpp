#include "tasks/regression.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/numbers.h"

namespace fnet {
namespace {

class RegressionScorer final : public Scorer {
 public:
  explicit RegressionScorer(const RegressionTask& task) : task_(task) {}

  void add(const Example& example, const Sample& sample, std::span<const Matrix> scores) override {
    require(sample.values.size() == 1, Kind::usage, "scorer: expected one target, found {}",
            sample.values.size());
    const float truth = sample.values[0], answer = row_of(scores, sample.units[0])[0];
    pairs_.emplace_back(truth, answer);
    mistakes_.add({example.line, task_.shown(example, 0), example.truth.at(0),
                   fmt::format("{:.4f}", answer), std::abs(answer - truth)});
  }

  Evaluation finish() override {
    const RegressionReport report = regression_report(std::move(pairs_));
    Evaluation out;
    out.unit = task_.unit();
    out.count = report.count;
    out.metrics = {{"pearson", report.pearson},
                   {"spearman", report.spearman},
                   {"r2", report.r2},
                   {"rmse", report.rmse},
                   {"mae", report.mae}};
    out.worst = mistakes_.take();
    return out;
  }

 private:
  const RegressionTask& task_;
  std::vector<std::pair<float, float>> pairs_;  // ranks need them all
  WorstMistakes mistakes_;
};

}  // namespace

std::optional<float> RegressionTask::number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto value = to_number<float>(text);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

std::vector<std::string> RegressionTask::metrics(std::span<const std::string>) const {
  return {"pearson", "spearman", "r2"};
}

std::vector<std::string> RegressionTask::labels(std::span<const Example>) const {
  return {"LABEL_0"};  // as transformers calls it
}

Sample RegressionTask::encode(const Example& example, const Tokenizer& tokenizer,
                              const EncodeOptions& options, const HeadConfig&) const {
  Sample sample = encode_bare(example, tokenizer, options);
  if (example.truth.empty() && !example.listed) return sample;
  require(!example.listed, Kind::input, "label: expected a number, found a list of {}",
          example.truth.size());
  const std::optional<float> value = number(example.truth[0]);
  require(value.has_value(), Kind::input, "label: expected a number, found '{}'",
          printable(example.truth[0]));
  sample.values = {*value};
  return sample;
}

Answer RegressionTask::answer(const Example&, const Sample& sample, std::span<const Matrix> scores,
                              const HeadConfig& head, const AnswerOptions&) const {
  return {{{head.labels.at(0), row_of(scores, sample.units.at(0))[0]}}};
}

std::string RegressionTask::tsv(const Example&, const Answer& answer) const {
  return fmt::format("{:.6f}\n", answer[0][0].score);
}

std::string RegressionTask::json(const Example& example, const Answer& answer) const {
  const nlohmann::ordered_json line = {{"line", example.line},
                                       {"score", rounded(answer[0][0].score)}};
  return line.dump() + '\n';
}

std::unique_ptr<Scorer> RegressionTask::scorer(const HeadConfig&) const {
  return std::make_unique<RegressionScorer>(*this);
}

}  // namespace fnet
