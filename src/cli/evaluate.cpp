#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/stream.h"
#include "core/error.h"
#include "text/metrics.h"

namespace fnet::cli {
namespace {

using nlohmann::ordered_json;

struct Flags {
  ModelFlags model;
  InputFlags input;
  bool json = false;
};

/// What a tagger answers for a word that truncation dropped; counted as a mistake.
constexpr const char* kDropped = "(beyond the model's length)";

/// Truth and prediction as indices into the model's labels.
class Decisions {
 public:
  explicit Decisions(const Engine& engine) : names_(engine.config().labels) {
    for (std::size_t i = 0; i < names_.size(); ++i)
      index_[names_[i]] = static_cast<std::int32_t>(i);
  }

  /// Throws: input where the model has no such label.
  std::int32_t index(const std::string& label) const {
    const auto found = index_.find(label);
    if (found != index_.end()) return found->second;
    const std::string close = nearest(label, names_);
    fail(Kind::input, "label: expected one of the model's {} labels, found '{}'{}", names_.size(),
         printable(label), close.empty() ? "" : fmt::format("; did you mean '{}'?", close));
  }

  void add(const std::string& truth, const std::string& predicted) {
    const std::int32_t right = index(truth);
    if (predicted.empty() && !index_.contains(kDropped)) {
      index_[kDropped] = static_cast<std::int32_t>(names_.size());
      names_.emplace_back(kDropped);
    }
    truth_.push_back(right);
    predicted_.push_back(index(predicted.empty() ? kDropped : predicted));
  }

  ClassificationReport report() const { return classification_report(truth_, predicted_, names_); }

 private:
  std::vector<std::string> names_;
  std::map<std::string, std::int32_t> index_;
  std::vector<std::int32_t> truth_, predicted_;
};

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
  for (const auto& row : report.confusion) {
    for (const std::size_t n : row) cell = std::max(cell, std::to_string(n).size());
  }
  std::string text = "\nconfusion: a row for each true class, a column for each predicted one\n";
  text += std::string(width + 4, ' ');
  for (std::size_t i = 1; i <= report.classes.size(); ++i) text += fmt::format(" {:>{}}", i, cell);
  text += '\n';
  for (std::size_t i = 0; i < report.classes.size(); ++i) {
    text += fmt::format("{:3} {:{}}", i + 1, report.classes[i].name, width);
    for (const std::size_t n : report.confusion[i]) {
      text += fmt::format(" {:>{}}", n == 0 ? "." : std::to_string(n), cell);
    }
    text += '\n';
  }
  return text;
}

void print_report(const ClassificationReport& report, const char* what, bool json) {
  std::size_t most = 0;
  std::string majority;
  for (const ClassScore& c : report.classes) {
    if (c.support > most) most = c.support, majority = c.name;
  }
  const double share =
      report.count == 0 ? 0 : static_cast<double>(most) / static_cast<double>(report.count);
  if (json) {
    print(ordered_json({{"count", report.count},
                        {"accuracy", report.accuracy},
                        {"macro_f1", report.macro_f1},
                        {"micro_f1", report.micro_f1},
                        {"mcc", report.mcc},
                        {"majority", {{"label", majority}, {"accuracy", share}}},
                        {"classes", class_scores(report.classes)},
                        {"confusion", report.confusion}})
              .dump(2) +
          '\n');
    return;
  }
  print(
      fmt::format("{:<10} {}\naccuracy   {:.4f}   (always '{}': {:.4f})\nmacro_f1   {:.4f}\n"
                  "micro_f1   {:.4f}\nmcc        {:.4f}\n",
                  what, report.count, report.accuracy, majority, share, report.macro_f1,
                  report.micro_f1, report.mcc));
  print(class_table(report.classes));
  if (report.classes.size() > 1 && report.classes.size() <= 40) print(confusion_table(report));
}

void print_report(const EntityReport& report, bool json) {
  if (json) {
    print(ordered_json({{"count", report.support},
                        {"accuracy", report.token_accuracy},
                        {"precision", report.precision},
                        {"recall", report.recall},
                        {"micro_f1", report.f1},
                        {"macro_f1", report.macro_f1},
                        {"classes", class_scores(report.classes)}})
              .dump(2) +
          '\n');
    return;
  }
  print(
      fmt::format("entities   {}\nprecision  {:.4f}\nrecall     {:.4f}\nmicro_f1   {:.4f}\n"
                  "macro_f1   {:.4f}\naccuracy   {:.4f}   (of words)\n",
                  report.support, report.precision, report.recall, report.f1, report.macro_f1,
                  report.token_accuracy));
  print(class_table(report.classes));
}

void evaluate_texts(const Engine& engine, const Flags& flags) {
  Decisions decisions(engine);
  flags.input.for_each_batch(engine, [&](std::span<const Example> batch) {
    for (const Example& example : batch) static_cast<void>(decisions.index(*example.label));
    const auto answers = engine.classify(texts_of(batch));
    for (std::size_t i = 0; i < batch.size(); ++i)
      decisions.add(*batch[i].label, answers[i][0].label);
  });
  print_report(decisions.report(), "texts", flags.json);
}

/// Whether the tags mark entities (B-PER, I-PER, O) and not a class of each word (NOUN, VERB).
bool marks_entities(const std::vector<std::string>& labels) {
  return std::all_of(labels.begin(), labels.end(), [](const std::string& label) {
    return label == "O" || (label.size() > 2 && label[1] == '-');
  });
}

void evaluate_tags(const Engine& engine, const Flags& flags) {
  Decisions decisions(engine);
  std::vector<std::vector<std::string>> truth, predicted;
  flags.input.for_each_batch(engine, [&](std::span<const Example> batch) {
    for (const Example& example : batch) {
      for (const std::string& tag : example.tags) static_cast<void>(decisions.index(tag));
    }
    const auto answers = engine.tag(sentences_of(batch));
    for (std::size_t i = 0; i < batch.size(); ++i) {
      truth.push_back(batch[i].tags);
      predicted.emplace_back();
      for (std::size_t word = 0; word < answers[i].size(); ++word) {
        const std::string& tag = answers[i][word].label;
        decisions.add(batch[i].tags[word], tag);
        predicted.back().push_back(tag.empty() ? "O" : tag);
      }
    }
  });
  if (marks_entities(engine.config().labels)) {
    print_report(entity_report(truth, predicted), flags.json);
  } else {
    print_report(decisions.report(), "words", flags.json);
  }
}

void run(Flags flags) {
  const Engine engine = flags.model.load();
  require(engine.config().has_head(), Kind::usage,
          "{}: expected a model with a head, found an encoder; 'fnet finetune' gives it one",
          flags.model.directory.string());
  flags.input.options.require_label = true;
  (engine.config().task == "token-classification" ? evaluate_tags : evaluate_texts)(engine, flags);
  flush();
}

}  // namespace

Action declare_evaluate(CLI::App& app) {
  const auto flags = std::make_shared<Flags>();
  flags->model.declare(app);
  app.add_option("--data", flags->input.path, "labelled texts, or words with tags")->required();
  app.add_flag("--json", flags->json, "one JSON object instead of tables");
  app.add_option("--label-column", flags->input.options.label_column, "name of the labels' column")
      ->capture_default_str();
  flags->input.declare(app);
  return [flags] { run(*flags); };
}

}  // namespace fnet::cli
