#include "tasks/metrics.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string_view>

#include "core/error.h"

namespace fnet {
namespace {

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

// `correct` of what was predicted and of what is true.
ClassScore score(std::string name, std::size_t correct, std::size_t predicted,
                 std::size_t support) {
  const auto c = static_cast<double>(correct);
  ClassScore out{std::move(name), ratio(c, static_cast<double>(predicted)),
                 ratio(c, static_cast<double>(support)), 0, support};
  out.f1 = ratio(2 * out.precision * out.recall, out.precision + out.recall);
  return out;
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return ratio(sum, static_cast<double>(values.size()));
}

}  // namespace

ClassificationReport classification_report(std::span<const std::int32_t> truth,
                                           std::span<const std::int32_t> predicted,
                                           std::span<const std::string> names) {
  require(truth.size() == predicted.size(), Kind::usage,
          "metrics: expected {} predictions, found {}", truth.size(), predicted.size());
  const std::size_t classes = names.size();
  ClassificationReport out;
  out.count = truth.size();
  std::vector<std::size_t> of_truth(classes), of_prediction(classes);
  std::size_t correct = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const auto t = static_cast<std::size_t>(truth[i]), p = static_cast<std::size_t>(predicted[i]);
    require(t < classes && p < classes, Kind::usage,
            "metrics: example {}: expected classes 0 to {}, found {} and {}", i, classes - 1,
            truth[i], predicted[i]);
    ++out.confusion[{t, p}], ++of_truth[t], ++of_prediction[p];
    correct += t == p;
  }

  std::vector<double> f1;
  for (std::size_t c = 0; c < classes; ++c) {
    out.classes.push_back(score(names[c], out.confused(c, c), of_prediction[c], of_truth[c]));
    if (of_truth[c] + of_prediction[c] > 0) f1.push_back(out.classes.back().f1);
  }
  const auto n = static_cast<double>(out.count), right = static_cast<double>(correct);
  out.accuracy = out.micro_f1 = ratio(right, n);
  out.macro_f1 = mean(f1);

  double both = 0, truths = 0, predictions = 0;  // sums of t·p, t², p² over the classes
  for (std::size_t c = 0; c < classes; ++c) {
    const auto t = static_cast<double>(of_truth[c]), p = static_cast<double>(of_prediction[c]);
    both += t * p, truths += t * t, predictions += p * p;
  }
  out.mcc = ratio(right * n - both, std::sqrt((n * n - predictions) * (n * n - truths)));
  return out;
}

std::vector<Entity> entities(std::span<const std::string> tags) {
  const auto among = [](char c, std::string_view set) {
    return set.find(c) != std::string_view::npos;
  };
  std::vector<Entity> out;
  char before = 'O';
  std::string_view type_before;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= tags.size(); ++i) {
    const std::string_view whole =
        i < tags.size() && !tags[i].empty() ? tags[i] : std::string_view("O");
    const char tag = whole[0];
    const std::size_t dash = whole.find('-', 1);
    std::string_view type = whole.substr(dash == std::string_view::npos ? 1 : dash + 1);
    if (type.empty()) type = "_";
    const bool other_type = type != type_before;

    if (among(before, "ES") || (among(before, "BI") && among(tag, "BSO")) ||
        (!among(before, "O.") && other_type))
      out.push_back({std::string(type_before), begin, i});
    if (among(tag, "BS") || (among(before, "ESO") && among(tag, "EI")) ||
        (!among(tag, "O.") && other_type))
      begin = i;
    before = tag, type_before = type;
  }
  return out;
}

EntityReport entity_report(std::span<const std::vector<std::string>> truth,
                           std::span<const std::vector<std::string>> predicted) {
  require(truth.size() == predicted.size(), Kind::usage, "metrics: expected {} sentences, found {}",
          truth.size(), predicted.size());
  struct Count {
    std::size_t correct = 0, predicted = 0, support = 0;
  };
  std::map<std::string, Count> types;
  Count all;
  std::size_t tokens = 0, right_tokens = 0;
  for (std::size_t s = 0; s < truth.size(); ++s) {
    require(truth[s].size() == predicted[s].size(), Kind::usage,
            "metrics: sentence {}: expected {} tags, found {}", s, truth[s].size(),
            predicted[s].size());
    tokens += truth[s].size();
    for (std::size_t i = 0; i < truth[s].size(); ++i)
      right_tokens += truth[s][i] == predicted[s][i];
    const auto as_set = [](const std::vector<Entity>& e) {
      return std::set<Entity>(e.begin(), e.end());
    };
    const std::set<Entity> real = as_set(entities(truth[s])),
                           found = as_set(entities(predicted[s]));
    for (const Entity& entity : real) ++types[entity.type].support, ++all.support;
    for (const Entity& entity : found) {
      const bool correct = real.contains(entity);
      Count& count = types[entity.type];
      ++count.predicted, ++all.predicted;
      count.correct += correct, all.correct += correct;
    }
  }

  const ClassScore micro = score("", all.correct, all.predicted, all.support);
  EntityReport out;
  out.precision = micro.precision, out.recall = micro.recall, out.f1 = micro.f1;
  out.support = all.support;
  out.token_accuracy = ratio(static_cast<double>(right_tokens), static_cast<double>(tokens));
  std::vector<double> f1;
  for (const auto& [type, count] : types) {
    out.classes.push_back(score(type, count.correct, count.predicted, count.support));
    f1.push_back(out.classes.back().f1);
  }
  out.macro_f1 = mean(f1);
  return out;
}

}  // namespace fnet
