#include "tasks/metrics.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <string_view>
#include <utility>

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

double correlation(std::span<const double> a, std::span<const double> b) {
  const auto n = static_cast<double>(a.size());
  double mean_a = 0, mean_b = 0, aa = 0, bb = 0, ab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) mean_a += a[i] / n, mean_b += b[i] / n;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = a[i] - mean_a, y = b[i] - mean_b;
    aa += x * x, bb += y * y, ab += x * y;
  }
  return ratio(ab, std::sqrt(aa * bb));
}

/// Ranks from 1; equals share the mean of theirs.
std::vector<double> ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return values[i]; });
  std::vector<double> out(values.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    const double rank = static_cast<double>(begin + 1 + end) / 2;
    for (; begin < end; ++begin) out[order[begin]] = rank;
  }
  return out;
}

}  // namespace

void MultiLabelCounts::add(std::size_t label, bool truth, bool predicted) {
  Count& count = labels_.at(label);
  count.support += truth, count.predicted += predicted, count.correct += truth && predicted;
  wrong_ += truth != predicted;
  wrong_text_ = wrong_text_ || truth != predicted;
}

void MultiLabelCounts::end_text() {
  ++texts_;
  right_texts_ += !std::exchange(wrong_text_, false);
}

MultiLabelReport MultiLabelCounts::report(std::span<const std::string> names) const {
  require(names.size() == labels_.size(), Kind::usage, "metrics: expected {} names, found {}",
          labels_.size(), names.size());
  MultiLabelReport out;
  Count all;
  std::vector<double> f1;
  for (std::size_t c = 0; c < labels_.size(); ++c) {
    const Count& count = labels_[c];
    all.correct += count.correct, all.predicted += count.predicted, all.support += count.support;
    out.classes.push_back(score(names[c], count.correct, count.predicted, count.support));
    f1.push_back(out.classes.back().f1);
  }
  const ClassScore micro = score("", all.correct, all.predicted, all.support);
  const auto texts = static_cast<double>(texts_);
  out.count = texts_;
  out.subset_accuracy = ratio(static_cast<double>(right_texts_), texts);
  out.hamming_loss =
      ratio(static_cast<double>(wrong_), texts * static_cast<double>(labels_.size()));
  out.micro_precision = micro.precision, out.micro_recall = micro.recall, out.micro_f1 = micro.f1;
  out.macro_f1 = mean(f1);
  return out;
}

RegressionReport regression_report(std::vector<std::pair<float, float>> pairs) {
  std::ranges::sort(pairs);  // so that sums do not depend on the order
  std::vector<double> truth, predicted;
  double squares = 0, absolute = 0;
  for (const auto& [t, p] : pairs) {
    truth.push_back(t), predicted.push_back(p);
    const double error = double{p} - t;
    squares += error * error, absolute += std::abs(error);
  }
  const auto n = static_cast<double>(pairs.size());
  const double middle = mean(truth);
  double spread = 0;
  for (const double t : truth) spread += (t - middle) * (t - middle);
  RegressionReport out;
  out.count = pairs.size();
  out.pearson = correlation(truth, predicted);
  out.spearman = correlation(ranks(truth), ranks(predicted));
  out.r2 = spread > 0 ? 1 - squares / spread : 0;
  out.rmse = std::sqrt(ratio(squares, n)), out.mae = ratio(absolute, n);
  return out;
}

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
