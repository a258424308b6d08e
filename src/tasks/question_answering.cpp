#include "tasks/question_answering.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/error.h"
#include "core/numbers.h"
#include "core/utf8.h"
#include "tasks/answer_metrics.h"
#include "tasks/labelling.h"

namespace fnet {
namespace {

/// Answers among which a probability is shared, as SQuAD's n-best.
constexpr std::size_t kShared = 20;

/// Tokens in front of a window's context: [CLS] question [SEP].
std::size_t front_of(const Encoding& window) {
  const auto first = std::ranges::find(window.token_type_ids, 1);
  return static_cast<std::size_t>(first - window.token_type_ids.begin());
}

/// The byte of the `count`-th code point. Throws: input where the text has fewer.
std::size_t byte_of(std::string_view text, std::string_view count) {
  const auto number = to_number<std::size_t>(count);
  require(number.has_value(), Kind::input,
          "answers.answer_start: expected a whole number from 0, found '{}'", printable(count));
  std::size_t left = *number, at = 0;
  for (; left > 0 && at < text.size(); --left)
    at += std::max<std::size_t>(1, decode_utf8(text.substr(at)).length);
  require(left == 0, Kind::input, "answers.answer_start: expected a place in the context, found {}",
          count);
  return at;
}

/// A list, or one text where there is one answer.
std::vector<std::string> list_of(const Record& record, const std::string& name) {
  const Record::Value* value = record.find(name);
  if (value == nullptr) return {};
  if (std::holds_alternative<std::vector<std::string>>(*value)) return record.list(name);
  return {record.label(name)};
}

void read_answers(const Record& record, Example& example) {
  std::vector<std::string> texts = list_of(record, "answers.text");
  const std::vector<std::string> starts = list_of(record, "answers.answer_start");
  require(texts.size() == starts.size(), Kind::input,
          "answers: expected an answer_start for each of {} texts, found {}", texts.size(),
          starts.size());
  const std::string& context = example.texts[1];
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::size_t begin = byte_of(context, starts[i]);
    require(context.compare(begin, texts[i].size(), texts[i]) == 0, Kind::input,
            "answers: expected '{}' at letter {} of the context, found '{}'",
            printable(texts[i], 60), starts[i],
            printable(std::string_view(context).substr(begin, texts[i].size()), 60));
    example.places.push_back({begin, begin + texts[i].size()});
  }
  example.truth = std::move(texts);
}

/// Rows of a window where an answer begins and ends; [CLS], row 0, where it is not whole in there.
std::pair<std::int32_t, std::int32_t> answer_rows(const Encoding& window, const Span& place) {
  const std::size_t front = front_of(window), end = window.input_ids.size() - 1;
  if (front >= end || window.offsets[front].begin > place.begin ||
      window.offsets[end - 1].end < place.end)
    return {0, 0};
  std::size_t first = front, last = end - 1;
  while (first + 1 < end && window.offsets[first + 1].begin <= place.begin) ++first;
  while (last > first && window.offsets[last - 1].end >= place.end) --last;
  return {static_cast<std::int32_t>(first), static_cast<std::int32_t>(last)};
}

/// A span of the context and its score, begin and end together.
struct Candidate {
  float score = 0;
  Span place;
};

/// The best so many different ones; of equals the one that was found first.
class Best {
 public:
  explicit Best(std::size_t most) : most_(most) {}

  void add(const Candidate& candidate) {
    if (all_.size() == most_ && candidate.score <= all_.back().score) return;
    const auto same = std::ranges::find(all_, candidate.place, &Candidate::place);
    if (same != all_.end()) {
      if (same->score >= candidate.score) return;
      all_.erase(same);
    }
    const auto behind = std::ranges::find_if(
        all_, [&](const Candidate& other) { return other.score < candidate.score; });
    all_.insert(behind, candidate);
    if (all_.size() > most_) all_.pop_back();
  }

  const std::vector<Candidate>& all() const { return all_; }

 private:
  std::size_t most_;
  std::vector<Candidate> all_;
};

/// Every span of a window's context up to so many tokens. A token of white space alone has an empty
/// place: no answer ends in it.
void add_spans(const Encoding& window, const Matrix& scores, std::size_t longest, Best& best) {
  const std::size_t end = window.input_ids.size() - 1;
  for (std::size_t first = front_of(window); first < end; ++first) {
    Span place{window.offsets[first].begin, window.offsets[first].begin};
    for (std::size_t last = first; last < std::min(end, first + longest); ++last) {
      const Span& token = window.offsets[last];
      if (token.begin < token.end) place.end = token.end;
      if (place.begin < place.end) best.add({scores.row(first)[0] + scores.row(last)[1], place});
    }
  }
}

class AnswerScorer final : public Scorer {
 public:
  AnswerScorer(const Task& task, HeadConfig head) : task_(task), head_(std::move(head)) {}

  void add(const Example& example, const Sample& sample, std::span<const Matrix> scores) override {
    const Answer answer = task_.answer(example, sample, scores, head_);
    const Prediction& best = answer[0][0];
    const AnswerScore score = score_answer(best.label, example.truth);
    (example.truth.empty() ? without_ : with_).add(score);
    if (score.exact_match == 0) {
      mistakes_.add({example.line, example.texts[0],
                     example.truth.empty() ? "(no answer)" : example.truth[0],
                     best.label.empty() ? "(no answer)" : best.label, best.score});
    }
  }

  Evaluation finish() override {
    Sums all = with_;
    all.exact_match += without_.exact_match, all.f1 += without_.f1, all.count += without_.count;
    Evaluation out;
    out.unit = task_.unit();
    out.count = all.count;
    out.metrics = {{"f1", all.of(all.f1)}, {"exact_match", all.of(all.exact_match)}};
    if (without_.count > 0) {
      out.metrics.emplace_back("has_answer_f1", with_.of(with_.f1));
      out.metrics.emplace_back("has_answer_exact", with_.of(with_.exact_match));
      out.metrics.emplace_back("no_answer_exact", without_.of(without_.exact_match));
    }
    out.worst = mistakes_.take();
    return out;
  }

 private:
  struct Sums {
    double exact_match = 0, f1 = 0;
    std::size_t count = 0;

    void add(const AnswerScore& score) {
      exact_match += score.exact_match, f1 += score.f1, ++count;
    }
    double of(double sum) const { return count > 0 ? sum / static_cast<double>(count) : 0; }
  };

  const Task& task_;
  HeadConfig head_;
  Sums with_, without_;  // questions that have an answer, and that have none
  WorstMistakes mistakes_;
};

}  // namespace

const Task& QuestionAnsweringTask::for_head(const HeadConfig& head) const {
  require(head.labels.empty() || head.labels.size() == 2, Kind::input,
          "id2label: expected two scores for {}, begin and end, found {}", name(),
          head.labels.size());
  return Task::for_head(head);
}

void QuestionAnsweringTask::configure(Config& config, std::span<const Example> examples) const {
  config.no_answer =
      std::ranges::any_of(examples, [](const Example& example) { return example.truth.empty(); });
}

std::vector<std::string> QuestionAnsweringTask::metrics(std::span<const std::string>) const {
  return {"f1", "exact_match"};
}

Reading QuestionAnsweringTask::reading(const Columns&, bool labelled) const {
  Reading reading;
  reading.purpose = name();
  reading.needs = {{{"question"}}, {{"context"}}};
  if (labelled) reading.needs.push_back({{"answers", "answers.text"}});
  reading.read = [labelled](const Record& record) {
    Example example;
    example.line = record.line;
    if (record.find("id") != nullptr) example.id = record.label("id");
    example.texts = {record.text("question"), record.text("context")};
    if (labelled) read_answers(record, example);
    return example;
  };
  return reading;
}

std::vector<std::string> QuestionAnsweringTask::labels(std::span<const Example>) const {
  return {"LABEL_0", "LABEL_1"};  // begin and end, as transformers calls them
}

Sample QuestionAnsweringTask::encode(const Example& example, const Tokenizer& tokenizer,
                                     const EncodeOptions& options, const HeadConfig&) const {
  EncodeOptions windows = options;
  windows.truncation = Truncation::windows;
  Sample sample;
  std::int32_t rows = 0;
  sample.texts = tokenizer.encode_windows(example.texts.at(0), example.texts.at(1), windows);
  for (const Encoding& window : sample.texts) {
    sample.units.push_back(rows);
    std::vector<std::int32_t>& picks = sample.picks.emplace_back(window.input_ids.size());
    std::iota(picks.begin(), picks.end(), 0);
    rows += static_cast<std::int32_t>(picks.size());
    const auto [first, last] =
        example.places.empty() ? std::pair(0, 0) : answer_rows(window, example.places[0]);
    sample.targets.push_back(first), sample.targets.push_back(last);
  }
  return sample;
}

Answer QuestionAnsweringTask::answer(const Example& example, const Sample& sample,
                                     std::span<const Matrix> scores, const HeadConfig& head,
                                     const AnswerOptions& options) const {
  const std::size_t wanted = std::max<std::size_t>(1, options.top_k);
  Best best(std::max(kShared, wanted));
  float null_score = 0;
  for (std::size_t t = 0; t < sample.texts.size(); ++t) {
    add_spans(sample.texts[t], scores[t], options.max_answer_length, best);
    const float none = scores[t].row(0)[0] + scores[t].row(0)[1];
    null_score = t == 0 ? none : std::min(null_score, none);
  }
  std::vector<Candidate> all = best.all();
  if (head.no_answer || all.empty()) {
    const Candidate none{null_score, {}};
    const bool wins = all.empty() || null_score - all[0].score > options.null_threshold;
    // Behind the best answer unless it wins, then by its score.
    const auto place =
        wins ? all.begin() : std::find_if(all.begin() + 1, all.end(), [&](const Candidate& other) {
          return other.score < null_score;
        });
    all.insert(place, none);
  }
  const float top = std::ranges::max(all, {}, &Candidate::score).score;
  float sum = 0;
  for (const Candidate& candidate : all) sum += std::exp(candidate.score - top);
  Answer answer(1);
  const std::string& context = example.texts.at(1);
  for (const Candidate& c : std::span(all).first(std::min(wanted, all.size()))) {
    answer[0].push_back({context.substr(c.place.begin, c.place.end - c.place.begin),
                         std::exp(c.score - top) / sum, c.place.begin, c.place.end});
  }
  return answer;
}

std::string QuestionAnsweringTask::tsv(const Example&, const Answer& answer) const {
  std::string line;
  for (const Prediction& p : answer[0]) {
    fmt::format_to(std::back_inserter(line), "{}{}\t{:.6f}", line.empty() ? "" : "\t",
                   field(p.label), p.score);
  }
  return line + '\n';
}

std::string QuestionAnsweringTask::json(const Example& example, const Answer& answer) const {
  std::vector<Span> bytes;
  for (const Prediction& p : answer[0]) bytes.push_back({p.begin, p.end});
  const std::vector<Span> letters = code_point_offsets(example.texts.at(1), bytes);
  const auto put = [&](nlohmann::ordered_json& out, std::size_t i) {
    out["answer"] = answer[0][i].label;
    out["score"] = rounded(answer[0][i].score);
    out["start"] = letters[i].begin;
    out["end"] = letters[i].end;
  };
  nlohmann::ordered_json line = {{"line", example.line}};
  if (!example.id.empty()) line["id"] = example.id;
  put(line, 0);
  for (std::size_t i = 0; i < letters.size() && letters.size() > 1; ++i)
    put(line["top_k"].emplace_back(), i);
  return line.dump() + '\n';
}

std::unique_ptr<Scorer> QuestionAnsweringTask::scorer(const HeadConfig& head) const {
  return std::make_unique<AnswerScorer>(*this, head);
}

}  // namespace fnet
