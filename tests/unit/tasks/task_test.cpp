#include "tasks/task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "model/kinds.h"
#include "temporary.h"

namespace fnet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Names = std::vector<std::string>;

const Task& classifier() { return find_task("text-classification"); }
const Task& tagger() { return find_task("token-classification"); }

Tokenizer tokenizer() {
  TokenizerTraining training;
  const Names texts = {"Anna went from Oslo to Rome", "a fine warm film", "the cat sat on the mat"};
  training.next_text = [&, i = std::size_t{0}](std::string& text) mutable {
    if (i == texts.size()) return false;
    text = texts[i++];
    return true;
  };
  training.vocab_size = 60;
  training.fewer_pieces = true;
  return train_tokenizer(training);
}

Matrix matrix(std::size_t cols, std::vector<float> values) {
  Matrix m(values.size() / cols, cols);
  m.data = std::move(values);
  return m;
}

HeadConfig head(Names labels) {
  HeadConfig head;
  head.labels = std::move(labels);
  return head;
}

Example text(const std::string& text, Names truth = {}) {
  Example example;
  example.line = 7;
  example.texts = {text};
  example.truth = std::move(truth);
  return example;
}

Example sentence(Names words, Names truth = {}) {
  Example example;
  example.line = 7;
  example.words = std::move(words);
  example.truth = std::move(truth);
  return example;
}

TEST(Task, every_head_of_the_table_has_one) {
  for (const KindRow& row : task_kinds()) {
    if (row.name == "encoder") continue;
    EXPECT_EQ(find_task(row.name).name(), row.name);
  }
  EXPECT_THAT(
      message_of([] { find_task("translation"); }),
      HasSubstr(
          "task: expected text-classification or token-classification or question-answering"));
}

TEST(Task, labels_are_sorted_as_numbers_where_they_are_numbers) {
  std::vector<Example> examples = {text("", {"10"}), text("", {"9"}), text("", {"-1"}),
                                   text("", {"9"})};
  EXPECT_THAT(classifier().labels(examples), ElementsAre("-1", "9", "10"));
  examples[0].truth = {"ten"};
  EXPECT_THAT(classifier().labels(examples), ElementsAre("-1", "9", "ten"));
  EXPECT_THAT(tagger().labels(std::vector<Example>{sentence({"a", "b"}, {"O", "B-X"})}),
              ElementsAre("B-X", "O"));
}

TEST(Task, default_metric_follows_from_the_labels) {
  const Names entities = {"B-PER", "I-PER", "O"}, classes = {"NOUN", "VERB"}, none = {"O"},
              mixed = {"B-PER", "NOUN"};
  EXPECT_EQ(classifier().metrics(classes).front(), "accuracy");
  EXPECT_EQ(tagger().metrics(entities).front(), "entity_f1");
  for (const Names& labels : {classes, none, mixed}) {
    EXPECT_EQ(tagger().metrics(labels).front(), "accuracy");
    EXPECT_THAT(tagger().metrics(labels), testing::Not(testing::Contains("entity_f1")));
  }
  EXPECT_THAT(tagger().metrics({}), testing::Contains("entity_f1"));
}

TEST(Task, classifier_encodes_a_text_or_a_pair_as_the_tokenizer_does) {
  const Tokenizer own = tokenizer();
  const Names labels = {"bad", "good"};
  Example pair = text("a fine film", {"good"});
  pair.texts.emplace_back("the cat");
  const Sample sample = classifier().encode(pair, own, {}, head(labels));
  ASSERT_EQ(sample.texts.size(), 1U);
  EXPECT_EQ(sample.texts[0].input_ids, own.encode("a fine film", "the cat").input_ids);
  EXPECT_THAT(sample.targets, ElementsAre(1));
  EXPECT_THAT(sample.units, ElementsAre(0));
  EXPECT_TRUE(sample.picks.empty());
  EXPECT_TRUE(classifier().encode(text("a"), own, {}, head(labels)).targets.empty());
  const std::string unknown =
      message_of([&] { classifier().encode(text("a", {"god"}), own, {}, head(labels)); });
  EXPECT_THAT(unknown, HasSubstr("label: expected one of the 2 labels"));
  EXPECT_THAT(unknown, HasSubstr("did you mean 'good'?"));
}

TEST(Task, tagger_picks_the_first_token_of_each_word_that_fits) {
  const Tokenizer own = tokenizer();
  const Names labels = {"B-LOC", "B-PER", "O"};
  const Example example = sentence({"Anna", "went", "to", "Rome"}, {"B-PER", "O", "O", "B-LOC"});
  const Sample whole = tagger().encode(example, own, {}, head(labels));
  ASSERT_EQ(whole.picks.size(), 1U);
  const Encoding encoding = own.encode_words(example.words);
  for (std::size_t word = 0; word < 4; ++word) {
    const auto token =
        static_cast<std::size_t>(whole.picks[0].at(static_cast<std::size_t>(whole.units.at(word))));
    EXPECT_TRUE(encoding.first_of_word(token));
    EXPECT_EQ(encoding.word_ids[token], static_cast<std::int32_t>(word));
  }
  EXPECT_THAT(whole.targets, ElementsAre(1, 2, 2, 0));

  EncodeOptions shorter;
  shorter.max_length = static_cast<std::size_t>(whole.picks[0][2]) + 1;  // [SEP] takes its place
  const Sample cut = tagger().encode(example, own, shorter, head(labels));
  EXPECT_EQ(cut.rows(0), 2U);
  EXPECT_THAT(cut.units, ElementsAre(0, 1, -1, -1));
  EXPECT_THAT(cut.targets, ElementsAre(1, 2, 2, 0));
}

TEST(Task, tagger_may_learn_from_all_tokens_of_a_word) {
  const Tokenizer t = tokenizer();
  const Names words = {"Unknownia", "went", "Zebedee"};
  const HeadConfig tags = head({"B-LOC", "B-PER", "I-PER", "O"});
  const Encoding expected = t.encode_words(words);
  const Sample sample =
      tagger().encode_all_tokens(sentence(words, {"B-PER", "O", "B-LOC"}), t, {}, tags);
  std::vector<std::int32_t> picks, targets;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::int32_t word = expected.word_ids[i];
    if (word < 0) continue;
    picks.push_back(static_cast<std::int32_t>(i));
    // I-PER goes on with B-PER; there is no I-LOC.
    targets.push_back(word == 0 ? (expected.first_of_word(i) ? 1 : 2) : word == 1 ? 3 : 0);
  }
  ASSERT_GT(picks.size(), words.size());
  EXPECT_EQ(sample.picks, (std::vector<std::vector<std::int32_t>>{picks}));
  EXPECT_EQ(sample.targets, targets);
  ASSERT_EQ(sample.units.size(), picks.size());
  for (std::size_t i = 0; i < picks.size(); ++i) EXPECT_EQ(sample.units[i], i);
  EXPECT_TRUE(sample.texts.at(0).word_ids.empty());

  EXPECT_THAT(message_of([&] { classifier().encode_all_tokens(text("a", {"O"}), t, {}, tags); }),
              HasSubstr("label_all_tokens: expected token-classification"));
}

TEST(Task, tagger_reads_each_word_in_the_window_with_most_around_it) {
  const Tokenizer own = tokenizer();
  Example example;
  for (int i = 0; i < 30; ++i) example.words.emplace_back(i % 2 == 0 ? "Anna" : "went");
  EncodeOptions windows;
  windows.max_length = 17, windows.stride = 6, windows.truncation = Truncation::windows;
  const Sample sample = tagger().encode(example, own, windows, head({"a", "b"}));
  const Encoding whole = own.encode_words(example.words);
  ASSERT_GT(sample.texts.size(), 2U);
  ASSERT_EQ(sample.units.size(), 30U);
  // Where each row of the scores stands: its window, and the token in it.
  std::vector<std::pair<std::size_t, std::size_t>> places;
  for (std::size_t t = 0; t < sample.texts.size(); ++t) {
    for (const std::int32_t pick : sample.picks[t])
      places.emplace_back(t, static_cast<std::size_t>(pick));
  }
  const std::vector<Encoding> texts = own.encode_windows(example.words, windows);
  for (std::size_t word = 0; word < 30; ++word) {
    const auto [window, token] = places.at(static_cast<std::size_t>(sample.units[word]));
    EXPECT_EQ(texts[window].word_ids[token], static_cast<std::int32_t>(word));
    const auto depth = [](const Encoding& text, std::size_t at) {
      return std::min(at, text.input_ids.size() - at);
    };
    for (const Encoding& other : texts) {
      for (std::size_t i = 0; i < other.input_ids.size(); ++i) {
        if (other.first_of_word(i) && other.word_ids[i] == static_cast<std::int32_t>(word)) {
          EXPECT_LE(depth(other, i), depth(texts[window], token));
        }
      }
    }
  }
}

TEST(Task, answers_are_the_most_probable_labels_of_each_unit) {
  const Names labels = {"a", "b", "c"};
  Sample sample;
  sample.units = {1, -1, 0};
  const std::vector<Matrix> scores = {matrix(3, {0, 0, -1e9F}), matrix(3, {0, 2, 1})};
  const Answer answer = tagger().answer({}, sample, scores, head(labels), {.top_k = 2});
  ASSERT_EQ(answer.size(), 3U);
  ASSERT_EQ(answer[0].size(), 2U);
  EXPECT_EQ(answer[0][0].label, "b");
  EXPECT_NEAR(answer[0][0].score, std::exp(2.0) / (1 + std::exp(1.0) + std::exp(2.0)), 1e-6);
  EXPECT_EQ(answer[0][1].label, "c");
  EXPECT_TRUE(answer[1].empty());
  EXPECT_EQ(answer[2][0].label, "a");  // the lower of equals
  EXPECT_FLOAT_EQ(answer[2][0].score, 0.5F);
  sample.units = {2};
  EXPECT_THROW(tagger().answer({}, sample, scores, head(labels)), Error);
}

TEST(Task, answers_are_written_as_tsv_and_json) {
  const Answer one = {{{"good", 0.75F}, {"b\tad", 0.25F}}};
  EXPECT_EQ(classifier().tsv(text("x"), one), "good\t0.750000\tb\\x09ad\t0.250000\n");
  EXPECT_EQ(classifier().json(text("x"), one),
            R"({"line":7,"label":"good","score":0.75,"top_k":[{"label":"good","score":0.75},)"
            R"({"label":"b\tad","score":0.25}]})"
            "\n");
  EXPECT_EQ(classifier().json(text("x"), {{{"good", 0.1234567F}}}),
            "{\"line\":7,\"label\":\"good\",\"score\":0.123457}\n");
  const Example two = sentence({"Anna", "ran"});
  const Answer tags = {{{"B-PER", 0.5F}}, {}};
  EXPECT_EQ(tagger().tsv(two, tags), "Anna\tB-PER\nran\t_\n\n");
  EXPECT_EQ(tagger().json(two, tags),
            "{\"line\":7,\"tokens\":[\"Anna\",\"ran\"],\"scores\":[0.5,null],"
            "\"tags\":[\"B-PER\",null]}\n");
  EXPECT_EQ(tagger().tsv(sentence({}), {}), "\n");
}

/// One sentence of four words, whose last two were cut off; the others are answered `first` and
/// `second`.
Evaluation evaluate_cut(const Names& labels, const Names& truth, std::size_t first,
                        std::size_t second) {
  Sample sample;
  sample.picks = {{1, 2}};
  sample.units = {0, 1, -1, -1};
  for (const std::string& tag : truth) {
    sample.targets.push_back(
        static_cast<std::int32_t>(std::ranges::find(labels, tag) - labels.begin()));
  }
  Matrix scores(2, labels.size());
  scores.row(0)[first] = scores.row(1)[second] = 5;
  const auto scorer = tagger().scorer(head(labels));
  scorer->add(sentence({"Anna", "ran", "to", "Rome"}, truth), sample, {&scores, 1});
  return scorer->finish();
}

TEST(Scorer, a_word_that_was_cut_off_is_wrong_even_where_the_truth_is_outside) {
  const Evaluation all = evaluate_cut({"B-LOC", "B-PER", "O"}, {"B-PER", "O", "O", "O"}, 1, 2);
  EXPECT_EQ(all.cut_off, 2U);
  EXPECT_EQ(all.unit, "words");
  ASSERT_TRUE(all.entities);
  EXPECT_EQ(all.entities->token_accuracy, 0.5);
  EXPECT_EQ(all.entities->f1, 1);  // the one entity was found
  EXPECT_EQ(all.metric("accuracy"), 0.5);
  EXPECT_EQ(all.metric("entity_f1"), 1);
  EXPECT_EQ(evaluate_cut({"B-LOC", "B-PER", "O"}, {"B-PER", "O", "O", "B-LOC"}, 1, 2)
                .metric("entity_recall"),
            0.5);
}

TEST(Scorer, a_word_that_was_cut_off_is_none_of_the_classes) {
  const Names labels = {"NOUN", "VERB"};
  const Evaluation all = evaluate_cut(labels, {"NOUN", "VERB", "NOUN", "NOUN"}, 0, 1);
  EXPECT_FALSE(all.entities);
  EXPECT_EQ(all.report->accuracy, 0.5);
  ASSERT_EQ(all.report->classes.size(), 3U);
  EXPECT_EQ(all.report->classes[0].precision, 1);
  EXPECT_NEAR(all.report->classes[0].recall, 1.0 / 3, 1e-12);
  EXPECT_EQ(all.report->classes[2].name, "(beyond the model's length)");
  EXPECT_EQ(all.report->confused(0, 2), 2U);
  ASSERT_EQ(all.worst.size(), 2U);
  EXPECT_EQ(all.worst[0].text, "Anna ran »to« Rome");
  EXPECT_EQ(all.worst[0].answer, "(beyond the model's length)");
  EXPECT_THAT(evaluation_text(all), HasSubstr("words      4\naccuracy   0.5000"));
  EXPECT_THAT(evaluation_json(all), HasSubstr("\"accuracy\": 0.5"));
}

TEST(Scorer, lists_the_most_confident_mistakes_first_and_not_all) {
  const Names labels = {"a", "b"};
  const auto scorer = classifier().scorer(head(labels));
  for (int i = 0; i < 1000; ++i) {
    Sample sample;
    sample.units = {0};
    sample.targets = {0};
    const std::vector<Matrix> scores = {matrix(2, {0, static_cast<float>(i % 500) * 0.01F})};
    Example example = text("x " + std::to_string(i));
    example.line = static_cast<std::size_t>(i);
    scorer->add(example, sample, scores);
  }
  const Evaluation all = scorer->finish();
  EXPECT_EQ(all.report->count, 1000U);
  ASSERT_EQ(all.worst.size(), 50U);
  EXPECT_EQ(all.worst[0].line, 499U);  // the first of equals
  EXPECT_EQ(all.worst[1].line, 999U);
  EXPECT_EQ(all.worst[49].line, 975U);
  EXPECT_THAT(message_of([&] { static_cast<void>(all.metric("f2")); }), HasSubstr("'f2'"));
}

TEST(Scorer, needs_the_truth) {
  const Names labels = {"a", "b"};
  Sample sample;
  sample.units = {0};
  const std::vector<Matrix> scores = {matrix(2, {0, 1})};
  EXPECT_THROW(classifier().scorer(head(labels))->add(text("x"), sample, scores), Error);
}

}  // namespace
}  // namespace fnet
