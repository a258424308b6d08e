// Text classification with several labels, and with a number.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "tasks/task.h"
#include "temporary.h"

namespace fnet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Names = std::vector<std::string>;

HeadConfig head(std::string problem, Names labels = {}) {
  HeadConfig head;
  head.task = "text-classification";
  head.problem_type = std::move(problem);
  head.labels = std::move(labels);
  return head;
}

const Task& task_for(const std::string& problem) { return task_of(head(problem)); }

std::vector<Example> read(const Task& task, const std::string& bytes, const std::string& name) {
  ExampleReader reader(DataReader(bytes, name, {}), task.reading(Columns(), true));
  std::vector<Example> out;
  for (Example example; reader.next(example);) out.push_back(example);
  return out;
}

/// The problem type that data ask for.
std::string chosen(const std::string& bytes, const std::string& name) {
  const Task& task = find_task("text-classification");
  std::vector<Example> examples = read(task, bytes, name);
  return std::string(task.for_examples(examples).problem_type());
}

Tokenizer tokenizer() {
  TokenizerTraining training;
  training.next_text = [told = false](std::string& text) mutable {
    text = "a fine warm film";
    return !std::exchange(told, true);
  };
  training.vocab_size = 40;
  training.fewer_pieces = true;
  return train_tokenizer(training);
}

Matrix row(std::vector<float> values) {
  Matrix m(1, values.size());
  m.data = std::move(values);
  return m;
}

Sample one_row(std::vector<float> values = {}) {
  Sample sample;
  sample.units = {0};
  sample.values = std::move(values);
  return sample;
}

TEST(ProblemType, follows_from_the_data_and_from_the_head) {
  EXPECT_EQ(chosen("text\tlabel\na\t1\nb\t2\n", "a.tsv"), "");
  EXPECT_EQ(chosen("text\tlabel\na\t1\nb\t2.5\n", "a.tsv"), "regression");
  EXPECT_EQ(chosen("text\tlabel\na\t1.5\nb\tx\n", "a.tsv"), "");
  EXPECT_EQ(chosen("text\tlabel\na\tnan\nb\t2.5\n", "a.tsv"), "");
  EXPECT_EQ(chosen("text\tlabel\na\tx,y\nb\tx\n", "a.tsv"), "");
  EXPECT_EQ(chosen(R"({"text": "a", "label": 3.0})", "a.jsonl"), "regression");
  const std::string several = "multi_label_classification";
  EXPECT_EQ(chosen(R"({"text": "a", "label": ["x"]})", "a.jsonl"), several);
  EXPECT_EQ(chosen("__label__x a\n__label__x __label__y b\n", "a.txt"), several);
  EXPECT_EQ(task_for("regression").loss(), Loss::squared_error);
  EXPECT_EQ(task_of(head("", {"LABEL_0"})).loss(), Loss::squared_error);
  EXPECT_EQ(task_of(head("", {"a", "b"})).loss(), Loss::cross_entropy);
  EXPECT_EQ(task_of(head(several, {"a"})).loss(), Loss::binary_cross_entropy);
  HeadConfig tagger = head("regression");
  tagger.task = "token-classification";
  EXPECT_THAT(message_of([&] { task_of(tagger); }),
              HasSubstr("problem_type: expected none for token-classification"));
}

TEST(MultiLabel, reads_labels_parted_by_commas_and_lists) {
  const Task& task = task_for("multi_label_classification");
  const auto rows = read(task, "text\tlabel\na\tx, new york\nb\t\nc\ty\n", "a.tsv");
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_THAT(rows[0].truth, ElementsAre("x", "new york"));
  EXPECT_THAT(rows[1].truth, ElementsAre());
  EXPECT_THAT(rows[2].truth, ElementsAre("y"));
  EXPECT_THAT(task.labels(rows), ElementsAre("new york", "x", "y"));
  EXPECT_THAT(read(task, R"({"text": "a", "label": ["x,y", 3]})", "a.jsonl")[0].truth,
              ElementsAre("x,y", "3"));
  EXPECT_THAT(message_of([&] { read(task, "text\tlabel\na\tx,,y\n", "a.tsv"); }),
              HasSubstr("a.tsv:2: label: expected labels parted by commas, found an empty one"));
}

TEST(MultiLabel, a_target_for_each_label_and_answers_above_the_threshold) {
  const Task& task = task_for("multi_label_classification");
  const HeadConfig own = head("multi_label_classification", {"a", "b", "c"});
  const Tokenizer pieces = tokenizer();
  const auto rows = read(task, "text\tlabel\nfine\tc,a\nwarm\t\nbad\td\n", "a.tsv");
  EXPECT_THAT(task.encode(rows[0], pieces, {}, own).values, ElementsAre(1, 0, 1));
  EXPECT_THAT(task.encode(rows[1], pieces, {}, own).values, ElementsAre(0, 0, 0));
  EXPECT_THAT(message_of([&] { task.encode(rows[2], pieces, {}, own); }), HasSubstr("found 'd'"));

  const Matrix scores = row({1, -1, 2});
  const Answer answer = task.answer({}, one_row(), {&scores, 1}, own);
  ASSERT_EQ(answer[0].size(), 2U);
  EXPECT_EQ(answer[0][0].label, "c");
  EXPECT_NEAR(answer[0][0].score, 1 / (1 + std::exp(-2.0)), 1e-6);
  Example example;
  example.line = 4;
  EXPECT_EQ(task.tsv(example, answer), "c\t0.880797\ta\t0.731059\n");
  EXPECT_EQ(task.json(example, answer),
            "{\"line\":4,\"labels\":[\"c\",\"a\"],\"scores\":[0.880797,0.731059]}\n");
  const Answer none = task.answer({}, one_row(), {&scores, 1}, own, {.threshold = 0.9F});
  EXPECT_EQ(task.tsv(example, none), "\n");
  EXPECT_EQ(task.json(example, none), "{\"line\":4,\"labels\":[],\"scores\":[]}\n");
  EXPECT_EQ(task.answer({}, one_row(), {&scores, 1}, own, {.top_k = 3})[0].size(), 3U);
}

TEST(MultiLabel, scores_decisions_and_shows_what_is_wrong) {
  const Task& task = task_for("multi_label_classification");
  const auto scorer = task.scorer(head("multi_label_classification", {"a", "b"}));
  const Matrix first = row({3, -1}), second = row({3, 1});
  Example example;
  example.texts = {"fine"};
  scorer->add(example, one_row({1, 0}), {&first, 1});
  scorer->add(example, one_row({0, 1}), {&second, 1});
  EXPECT_THROW(scorer->add(example, one_row(), {&first, 1}), Error);
  const Evaluation all = scorer->finish();
  EXPECT_EQ(all.count, 2U);
  EXPECT_EQ(all.metric("subset_accuracy"), 0.5);
  EXPECT_NEAR(all.metric("micro_f1"), 0.8, 1e-12);
  EXPECT_FALSE(all.report);
  ASSERT_EQ(all.worst.size(), 1U);
  EXPECT_EQ(all.worst[0].truth, "b");
  EXPECT_EQ(all.worst[0].answer, "a, b");
  EXPECT_THAT(evaluation_text(all), HasSubstr("subset_accuracy   0.5000"));
  EXPECT_THAT(evaluation_json(all), HasSubstr("\"hamming_loss\": 0.25"));
}

TEST(Regression, targets_and_answers_are_numbers) {
  const Task& task = task_for("regression");
  const HeadConfig own = head("regression", {"LABEL_0"});
  const Tokenizer pieces = tokenizer();
  const auto rows = read(task, "text\tlabel\na\t-2.5\nb\tx\nc\tinf\n", "a.tsv");
  EXPECT_THAT(task.encode(rows[0], pieces, {}, own).values, ElementsAre(-2.5F));
  for (const std::size_t bad : {1, 2}) {
    EXPECT_THAT(message_of([&] { task.encode(rows[bad], pieces, {}, own); }),
                HasSubstr("label: expected a number, found '" + rows[bad].truth[0] + "'"));
  }
  const Matrix scores = row({1.25F});
  const Answer answer = task.answer({}, one_row(), {&scores, 1}, own);
  Example example = rows[0];
  EXPECT_EQ(task.tsv(example, answer), "1.250000\n");
  EXPECT_EQ(task.json(example, answer), "{\"line\":2,\"score\":1.25}\n");
  const auto scorer = task.scorer(own);
  scorer->add(example, one_row({-2.5F}), {&scores, 1});
  const Evaluation all = scorer->finish();
  EXPECT_EQ(all.metric("mae"), 3.75);
  EXPECT_EQ(all.worst[0].answer, "1.2500");
}

TEST(SingleLabel, refuses_a_list) {
  const Task& task = task_for("single_label_classification");
  const auto rows = read(task, R"({"text": "a", "label": ["x", "y"]})", "a.jsonl");
  EXPECT_THAT(message_of([&] { task.encode(rows[0], tokenizer(), {}, head("", {"x", "y"})); }),
              HasSubstr("label: expected one label, found a list of 2"));
}

}  // namespace
}  // namespace fnet
