#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>

#include "core/random.h"
#include "tasks/task.h"
#include "temporary.h"

namespace fnet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const Task& task() { return find_task("question-answering"); }

HeadConfig head(bool no_answer = false) {
  HeadConfig head;
  head.task = "question-answering";
  head.labels = {"LABEL_0", "LABEL_1"};
  head.no_answer = no_answer;
  return head;
}

constexpr const char* kContext = "Anna Berg went from Oslo to Rome with the night train";

Tokenizer tokenizer() {
  TokenizerTraining training;
  training.next_text = [told = false](std::string& text) mutable {
    text = kContext;
    return !std::exchange(told, true);
  };
  training.vocab_size = 60;
  training.fewer_pieces = true;
  return train_tokenizer(training);
}

Example question(const std::string& answer = "", const std::string& context = kContext) {
  Example example;
  example.line = 3;
  example.id = "q";
  example.texts = {"to Rome", context};
  if (!answer.empty()) {
    const std::size_t begin = context.find(answer);
    example.truth = {answer};
    example.places = {{begin, begin + answer.size()}};
  }
  return example;
}

EncodeOptions options(std::size_t max_length, std::size_t stride) {
  EncodeOptions options;
  options.max_length = max_length;
  options.stride = stride;
  return options;
}

/// What the rows of a target stand for.
std::string text_of(const Example& example, const Encoding& window, std::int32_t first,
                    std::int32_t last) {
  const std::size_t begin = window.offsets[static_cast<std::size_t>(first)].begin;
  return example.texts[1].substr(begin, window.offsets[static_cast<std::size_t>(last)].end - begin);
}

TEST(QuestionAnswering, one_window_is_what_the_tokenizer_makes_of_the_pair) {
  const Tokenizer own = tokenizer();
  const Example example = question("Oslo to Rome");
  const Sample sample = task().encode(example, own, {}, head());
  ASSERT_EQ(sample.texts.size(), 1U);
  const Encoding pair = own.encode(example.texts[0], example.texts[1]);
  EXPECT_EQ(sample.texts[0].input_ids, pair.input_ids);
  EXPECT_EQ(sample.texts[0].token_type_ids, pair.token_type_ids);
  EXPECT_EQ(sample.rows(), pair.input_ids.size());
  ASSERT_EQ(sample.targets.size(), 2U);
  EXPECT_EQ(text_of(example, pair, sample.targets[0], sample.targets[1]), "Oslo to Rome");
}

TEST(QuestionAnswering, windows_overlap_cover_all_and_have_the_answer_where_it_is_whole) {
  const Tokenizer own = tokenizer();
  const Example example = question("Rome");
  const auto context = own.encode(kContext, {}, {.add_special_tokens = false}).input_ids;
  for (const std::size_t stride : {0, 3, 1000}) {
    const Sample sample = task().encode(example, own, options(24, stride), head());
    ASSERT_GT(sample.texts.size(), 1U);
    std::size_t behind = 0, found = 0;  // tokens of the context read so far
    for (std::size_t t = 0; t < sample.texts.size(); ++t) {
      const Encoding& window = sample.texts[t];
      EXPECT_LE(window.input_ids.size(), 24U);
      const auto first = static_cast<std::size_t>(std::ranges::find(window.token_type_ids, 1) -
                                                  window.token_type_ids.begin());
      const std::size_t room = 24 - first - 1;
      const std::size_t shared = t == 0 ? 0 : std::min(stride, room / 2);
      for (std::size_t i = first; i + 1 < window.input_ids.size(); ++i)
        EXPECT_EQ(window.input_ids[i], context.at(behind - shared + i - first));
      behind += window.input_ids.size() - first - 1 - shared;
      EXPECT_EQ(sample.units[t],
                t == 0 ? 0 : sample.units[t - 1] + static_cast<std::int32_t>(sample.rows(t - 1)));
      const std::int32_t begin = sample.targets[2 * t], end = sample.targets[2 * t + 1];
      if (begin == 0) {
        EXPECT_EQ(end, 0);
        continue;
      }
      EXPECT_EQ(text_of(example, window, begin, end), "Rome");
      ++found;
    }
    EXPECT_EQ(behind, context.size());
    EXPECT_GE(found, stride == 0 ? 0U : 1U);
  }
}

TEST(QuestionAnswering, a_long_question_leaves_half_of_the_room_and_no_context_is_one_window) {
  const Tokenizer own = tokenizer();
  Example example = question();
  std::swap(example.texts[0], example.texts[1]);
  const Sample sample = task().encode(example, own, options(13, 2), head());
  for (const Encoding& window : sample.texts)
    EXPECT_EQ(std::ranges::count(window.token_type_ids, 0), 7);  // [CLS], five of it, [SEP]
  example.texts[1] = "";
  EXPECT_EQ(task().encode(example, own, options(13, 2), head()).texts.size(), 1U);
  EXPECT_THAT(message_of([&] { task().encode(example, own, options(4, 0), head()); }),
              HasSubstr("max_length: expected at least 5"));
}

TEST(QuestionAnswering, answers_are_the_best_of_all_spans_of_all_windows) {
  const Tokenizer own = tokenizer();
  const Example example = question();
  const Sample sample = task().encode(example, own, options(24, 4), head());
  ASSERT_GT(sample.texts.size(), 1U);
  Philox random(5, 0);
  std::vector<Matrix> scores;
  for (std::size_t t = 0; t < sample.texts.size(); ++t) {
    Matrix& matrix = scores.emplace_back(sample.rows(t), 2);
    for (float& value : matrix.data) value = 4 * random.uniform() - 2;
  }
  // By the definition: every pair of rows of every window, without white space at its end.
  constexpr std::size_t kLongest = 3;
  std::map<std::pair<std::size_t, std::size_t>, float> spans;
  for (std::size_t t = 0; t < scores.size(); ++t) {
    const Encoding& window = sample.texts[t];
    for (std::size_t i = 0; i < window.input_ids.size(); ++i) {
      for (std::size_t j = i; j < i + kLongest && j + 1 < window.input_ids.size(); ++j) {
        if (window.token_type_ids[i] == 0) continue;
        const float score = scores[t].row(i)[0] + scores[t].row(j)[1];
        std::pair place(window.offsets[i].begin, window.offsets[j].end);
        const auto is_space_before = [&](std::size_t end) {
          return std::isspace(static_cast<unsigned char>(example.texts[1][end - 1])) != 0;
        };
        while (place.second > place.first && is_space_before(place.second)) --place.second;
        if (place.first >= place.second) continue;
        const auto [at, added] = spans.emplace(place, score);
        at->second = std::max(at->second, score);
      }
    }
  }
  std::vector<std::pair<float, std::pair<std::size_t, std::size_t>>> best;
  for (const auto& [place, score] : spans) best.emplace_back(score, place);
  std::ranges::sort(best, std::greater());
  double sum = 0;
  for (std::size_t i = 0; i < 20; ++i) sum += std::exp(double{best[i].first});
  const Answer answer =
      task().answer(example, sample, scores, head(), {.top_k = 20, .max_answer_length = kLongest});
  ASSERT_EQ(answer.size(), 1U);
  ASSERT_EQ(answer[0].size(), 20U);
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(answer[0][i].begin, best[i].second.first) << i;
    EXPECT_EQ(answer[0][i].end, best[i].second.second) << i;
    EXPECT_NEAR(answer[0][i].score, std::exp(double{best[i].first}) / sum, 1e-6);
    EXPECT_EQ(answer[0][i].label,
              example.texts[1].substr(answer[0][i].begin, answer[0][i].end - answer[0][i].begin));
  }
}

/// Scores of one window: `span` for "Rome", `none` for no answer, else nothing.
Answer answer_of(float span, float none, bool may_be_none, const AnswerOptions& how = {}) {
  const Tokenizer own = tokenizer();
  const Example example = question("Rome");
  const Sample sample = task().encode(example, own, {}, head());
  Matrix scores(sample.rows(), 2);
  std::ranges::fill(scores.data, -50.0F);
  scores.row(static_cast<std::size_t>(sample.targets[0]))[0] = span;
  scores.row(static_cast<std::size_t>(sample.targets[1]))[1] = span;
  scores.row(0)[0] = scores.row(0)[1] = none;
  return task().answer(example, sample, {&scores, 1}, head(may_be_none), how);
}

TEST(QuestionAnswering, no_answer_wins_by_more_than_the_threshold_and_where_it_is_allowed) {
  EXPECT_EQ(answer_of(1, 2, false)[0][0].label, "Rome");
  EXPECT_EQ(answer_of(1, 2, true)[0][0].label, "");
  EXPECT_NEAR(answer_of(1, 2, true)[0][0].score, 1 / (1 + std::exp(-2.0)), 1e-6);
  EXPECT_EQ(answer_of(1, 2, true, {.null_threshold = 2.5F})[0][0].label, "Rome");
  EXPECT_EQ(answer_of(2, 1, true)[0][0].label, "Rome");
  EXPECT_EQ(answer_of(2, 1, true, {.top_k = 2})[0][1].label, "");
}

TEST(QuestionAnswering, answers_are_written_with_their_place_in_letters) {
  Example example = question("", "Über Rom");
  const Answer answer = {{{"Rom", 0.5F, 6, 9}}};
  EXPECT_EQ(task().tsv(example, answer), "Rom\t0.500000\n");
  EXPECT_EQ(task().json(example, answer),
            "{\"line\":3,\"id\":\"q\",\"answer\":\"Rom\",\"score\":0.5,\"start\":5,\"end\":8}\n");
}

TEST(QuestionAnswering, scores_by_the_rules_of_squad) {
  const Tokenizer own = tokenizer();
  const auto scorer = task().scorer(head(true));
  for (const bool answerable : {true, false, true}) {
    const Example example = question(answerable ? "Oslo to Rome" : "");
    const Sample sample = task().encode(example, own, {}, head());
    Matrix scores(sample.rows(), 2);
    std::ranges::fill(scores.data, -50.0F);
    // Always "Rome", a third of the truth where there is one.
    const Sample rome = task().encode(question("Rome"), own, {}, head());
    scores.row(static_cast<std::size_t>(rome.targets[0]))[0] = 1;
    scores.row(static_cast<std::size_t>(rome.targets[1]))[1] = 1;
    scorer->add(example, sample, {&scores, 1});
  }
  const Evaluation all = scorer->finish();
  EXPECT_EQ(all.count, 3U);
  EXPECT_EQ(all.unit, "questions");
  EXPECT_NEAR(all.metric("f1"), 2 * 0.5 / 3, 1e-12);
  EXPECT_NEAR(all.metric("has_answer_f1"), 0.5, 1e-12);
  EXPECT_EQ(all.metric("exact_match"), 0);
  EXPECT_EQ(all.metric("no_answer_exact"), 0);
  EXPECT_EQ(all.worst.size(), 3U);
}

TEST(QuestionAnswering, training_data_tell_whether_there_may_be_no_answer) {
  const std::vector<Example> all = {question("Rome")}, some = {question("Rome"), question()};
  Config config;
  task().configure(config, all);
  EXPECT_FALSE(config.no_answer);
  task().configure(config, some);
  EXPECT_TRUE(config.no_answer);
  HeadConfig three = head();
  three.labels.emplace_back("x");
  EXPECT_THAT(message_of([&] { task_of(three); }), HasSubstr("expected two scores"));
}

}  // namespace
}  // namespace fnet
