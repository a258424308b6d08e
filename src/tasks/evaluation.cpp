#include "tasks/evaluation.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace fnet {
namespace {

using nlohmann::ordered_json;

/// Classes up to which JSON has the whole confusion matrix.
constexpr std::size_t kMatrixClasses = 200;
/// Of the metrics' names in a table.
constexpr int kMetricWidth = 17;

ordered_json class_scores(std::span<const ClassScore> classes) {
  ordered_json list = ordered_json::array();
  for (const ClassScore& c : classes) {
    list.push_back({{"name", c.name},
                    {"precision", c.precision},
                    {"recall", c.recall},
                    {"f1", c.f1},
                    {"support", c.support}});
  }
  return list;
}

std::string class_table(std::span<const ClassScore> classes) {
  std::size_t width = 5;
  for (const ClassScore& c : classes) width = std::max(width, c.name.size());
  std::string text = fmt::format("\n{:{}}  precision  recall      f1  support\n", "class", width);
  for (const ClassScore& c : classes) {
    text += fmt::format("{:{}}  {:9.4f}  {:6.4f}  {:6.4f}  {:7}\n", c.name, width, c.precision,
                        c.recall, c.f1, c.support);
  }
  return text;
}

/// Rows are the truth, columns the prediction, by the rows' numbers; a dot is a zero.
std::string confusion_table(const ClassificationReport& report) {
  std::size_t width = 0, cell = 3;
  for (const ClassScore& c : report.classes) width = std::max(width, c.name.size());
  for (const auto& [at, n] : report.confusion) cell = std::max(cell, std::to_string(n).size());
  std::string text = "\nconfusion: a row for each true class, a column for each predicted one\n";
  text += std::string(width + 4, ' ');
  for (std::size_t i = 1; i <= report.classes.size(); ++i) text += fmt::format(" {:>{}}", i, cell);
  text += '\n';
  for (std::size_t i = 0; i < report.classes.size(); ++i) {
    text += fmt::format("{:3} {:{}}", i + 1, report.classes[i].name, width);
    for (std::size_t j = 0; j < report.classes.size(); ++j) {
      const std::size_t n = report.confused(i, j);
      text += fmt::format(" {:>{}}", n == 0 ? "." : std::to_string(n), cell);
    }
    text += '\n';
  }
  return text;
}

/// The matrix [C, C], or of many classes {truth: {prediction: count}} of what occurred.
ordered_json confusion_json(const ClassificationReport& report) {
  const std::size_t classes = report.classes.size();
  if (classes <= kMatrixClasses) {
    ordered_json rows = ordered_json::array();
    for (std::size_t t = 0; t < classes; ++t) {
      ordered_json& row = rows.emplace_back(ordered_json::array());
      for (std::size_t p = 0; p < classes; ++p) row.push_back(report.confused(t, p));
    }
    return rows;
  }
  ordered_json by_truth = ordered_json::object();
  for (const auto& [at, n] : report.confusion) {
    by_truth[report.classes[at.first].name][report.classes[at.second].name] = n;
  }
  return by_truth;
}

/// The most frequent class, and how often it alone would be right.
std::pair<std::string, double> majority(const ClassificationReport& report) {
  std::size_t most = 0;
  std::string label;
  for (const ClassScore& c : report.classes) {
    if (c.support > most) most = c.support, label = c.name;
  }
  return {label,
          report.count == 0 ? 0 : static_cast<double>(most) / static_cast<double>(report.count)};
}

}  // namespace

double Evaluation::metric(std::string_view name) const {
  for (const auto& [key, value] : metrics) {
    if (key == name) return value;
  }
  fail(Kind::usage, "metric: there is no '{}' here", printable(name));
}

std::string evaluation_text(const Evaluation& evaluation) {
  if (evaluation.entities) {
    const EntityReport& report = *evaluation.entities;
    return fmt::format(
               "entities   {}\nprecision  {:.4f}\nrecall     {:.4f}\nmicro_f1   {:.4f}\n"
               "macro_f1   {:.4f}\naccuracy   {:.4f}   (of words)\n",
               report.support, report.precision, report.recall, report.f1, report.macro_f1,
               report.token_accuracy) +
           class_table(report.classes);
  }
  if (!evaluation.report) {
    std::string text = fmt::format("{:<{}} {}\n", evaluation.unit, kMetricWidth, evaluation.count);
    for (const auto& [name, value] : evaluation.metrics)
      text += fmt::format("{:<{}} {:.4f}\n", name, kMetricWidth, value);
    return evaluation.labels.empty() ? text : text + class_table(evaluation.labels);
  }
  const ClassificationReport& report = *evaluation.report;
  const auto [label, share] = majority(report);
  std::string text = fmt::format(
      "{:<10} {}\naccuracy   {:.4f}   (always '{}': {:.4f})\nmacro_f1   {:.4f}\n"
      "micro_f1   {:.4f}\nmcc        {:.4f}\n",
      evaluation.unit, report.count, report.accuracy, label, share, report.macro_f1,
      report.micro_f1, report.mcc);
  text += class_table(report.classes);
  if (report.classes.size() > 1 && report.classes.size() <= 40) text += confusion_table(report);
  return text;
}

std::string evaluation_json(const Evaluation& evaluation) {
  if (evaluation.entities) {
    const EntityReport& report = *evaluation.entities;
    return ordered_json({{"count", report.support},
                         {"accuracy", report.token_accuracy},
                         {"precision", report.precision},
                         {"recall", report.recall},
                         {"micro_f1", report.f1},
                         {"macro_f1", report.macro_f1},
                         {"classes", class_scores(report.classes)}})
               .dump(2) +
           '\n';
  }
  if (!evaluation.report) {
    ordered_json json = {{"count", evaluation.count}};
    for (const auto& [name, value] : evaluation.metrics) json[name] = value;
    if (!evaluation.labels.empty()) json["classes"] = class_scores(evaluation.labels);
    return json.dump(2) + '\n';
  }
  const ClassificationReport& report = *evaluation.report;
  const auto [label, share] = majority(report);
  return ordered_json({{"count", report.count},
                       {"accuracy", report.accuracy},
                       {"macro_f1", report.macro_f1},
                       {"micro_f1", report.micro_f1},
                       {"mcc", report.mcc},
                       {"majority", {{"label", label}, {"accuracy", share}}},
                       {"classes", class_scores(report.classes)},
                       {"confusion", confusion_json(report)}})
             .dump(2) +
         '\n';
}

}  // namespace fnet
