// Sentence similarity, multiple choice and next sentences.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/vectors.h"
#include "tasks/retrieval.h"
#include "tasks/task.h"
#include "temporary.h"

namespace fnet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

HeadConfig head(const std::string& task, std::vector<std::string> labels) {
  HeadConfig head;
  head.task = task;
  head.labels = std::move(labels);
  return head;
}

std::vector<Example> read(const Task& task, const std::string& bytes, const std::string& name,
                          bool labelled = true) {
  ExampleReader reader(DataReader(bytes, name, {}), task.reading(Columns(), labelled));
  std::vector<Example> out;
  for (Example example; reader.next(example);) out.push_back(example);
  return out;
}

Tokenizer tokenizer() {
  TokenizerTraining training;
  training.next_text = [told = false](std::string& text) mutable {
    text = "a man plays the flute in a park";
    return !std::exchange(told, true);
  };
  training.vocab_size = 60;
  training.fewer_pieces = true;
  return train_tokenizer(training);
}

Matrix rows(std::vector<float> values, std::size_t count = 1) {
  Matrix m(count, values.size() / count);
  m.data = std::move(values);
  return m;
}

// Sentence similarity.

const Task& similarity() { return find_task("sentence-similarity"); }

TEST(SentenceSimilarity, reads_pairs_by_the_names_that_data_sets_have) {
  const auto scored = read(similarity(), "text\ttext_pair\tlabel\na\tb\t2.5\n", "a.tsv");
  EXPECT_THAT(scored.at(0).texts, ElementsAre("a", "b"));
  EXPECT_THAT(scored[0].truth, ElementsAre("2.5"));
  const auto sts =
      read(similarity(), R"({"sentence1": "a", "sentence2": "b", "score": 0.5, "negative": "c"})",
           "a.jsonl");
  EXPECT_THAT(sts.at(0).texts, ElementsAre("a", "b"));
  EXPECT_THAT(sts[0].truth, ElementsAre("0.5"));
  const auto triplet =
      read(similarity(), R"({"anchor": "a", "positive": "b", "negative": "c"})", "a.jsonl");
  EXPECT_THAT(triplet.at(0).texts, ElementsAre("a", "b", "c"));
  EXPECT_THAT(triplet[0].truth, ElementsAre());
  EXPECT_THAT(message_of([] { read(similarity(), "text\tlabel\na\t1\n", "a.tsv"); }),
              HasSubstr("expected the fields 'text' or 'sentence1' or 'anchor' or 'query' and "
                        "'text_pair' or 'sentence2' or 'positive' for sentence-similarity"));
}

TEST(SentenceSimilarity, scores_stand_at_all_pairs_or_at_none) {
  std::vector<Example> mixed(2);
  mixed[0].truth = {"1"};
  EXPECT_THAT(message_of([&] { similarity().for_examples(mixed); }),
              HasSubstr("for none, found 1 in 2 pairs"));
  EXPECT_THAT(similarity().metrics_on(mixed, {}), ElementsAre("spearman", "pearson"));
  mixed.erase(mixed.begin());
  EXPECT_EQ(&similarity().for_examples(mixed), &similarity());
  EXPECT_THAT(similarity().metrics_on(mixed, {}), ElementsAre("mrr", "accuracy_at_1"));
}

TEST(SentenceSimilarity, each_text_is_read_by_itself) {
  const Tokenizer pieces = tokenizer();
  Example example;
  example.texts = {"a man", "the flute in a park"};
  example.truth = {"3.8"};
  const Sample sample = similarity().encode(example, pieces, {}, {});
  ASSERT_EQ(sample.texts.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_EQ(sample.texts[i].input_ids, pieces.encode(example.texts[i]).input_ids);
  EXPECT_THAT(sample.values, ElementsAre(3.8F));
  example.truth = {"high"};
  EXPECT_THAT(message_of([&] { similarity().encode(example, pieces, {}, {}); }),
              HasSubstr("label: expected a number, found 'high'"));
}

TEST(SentenceSimilarity, scores_beyond_one_are_divided_by_the_largest) {
  std::vector<Sample> samples(3);
  samples[0].values = {-1}, samples[1].values = {0.25F}, samples[2].values = {1};
  EXPECT_EQ(similarity().value_scale(samples), 1);
  samples[1].values = {5};
  EXPECT_EQ(similarity().value_scale(samples), 5);
  samples[1].values = {-6};
  EXPECT_EQ(similarity().value_scale(samples), 6);
}

TEST(SentenceSimilarity, answers_with_the_cosine) {
  const std::vector<Matrix> vectors = {rows({1, 2, 2}), rows({2, 1, -2})};
  const HeadConfig own = head("sentence-similarity", {"similarity"});
  const Answer answer = similarity().answer({}, {}, vectors, own);
  EXPECT_FLOAT_EQ(answer.at(0).at(0).score, 0);
  Example example;
  example.line = 7;
  const std::vector<Matrix> same = {rows({3, 4}), rows({6, 8})};
  EXPECT_EQ(similarity().tsv(example, similarity().answer({}, {}, same, own)), "1.000000\n");
  EXPECT_EQ(similarity().json(example, similarity().answer({}, {}, same, own)),
            "{\"line\":7,\"score\":1.0}\n");
  EXPECT_EQ(cosine(std::vector<float>{0, 0}, std::vector<float>{1, 1}), 0);
}

/// What tools/make_pair_goldens.py writes.
TEST(SentenceSimilarity, vectors_find_their_partners_as_numpy_says) {
  const auto golden =
      nlohmann::json::parse(std::ifstream(FNET_SOURCE_DIR "/tests/golden/text/pairs.json"));
  for (const auto& one : golden.at("retrieval")) {
    const auto text = one.at("text").get<std::vector<std::size_t>>();
    const Matrix queries = rows(one.at("queries").get<std::vector<float>>(), text.size());
    const Matrix partners = rows(one.at("partners").get<std::vector<float>>(), text.size());
    EXPECT_NEAR(cosine(queries.row(0), partners.row(0)), one.at("first_cosine").get<double>(),
                1e-6);
    const RetrievalReport report = retrieval_report(queries, partners, text, Similarity::cosine);
    EXPECT_NEAR(report.accuracy_at_1, one.at("accuracy_at_1").get<double>(), 1e-12);
    EXPECT_NEAR(report.mrr, one.at("mrr").get<double>(), 1e-12);
  }
}

TEST(SentenceSimilarity, is_a_sum_of_products_where_the_head_says_so) {
  HeadConfig own = head("sentence-similarity", {"similarity"});
  own.options["similarity"] = "dot";
  const std::vector<Matrix> pair = {rows({3, 4}), rows({6, 8})};
  EXPECT_EQ(similarity().tsv({}, similarity().answer({}, {}, pair, own)), "50.000000\n");
  // The long vector is the better partner of both, though its angle suits one of them alone.
  const Matrix queries = rows({1, 0, 0, 1}, 2), partners = rows({1, 0, 5, 5}, 2);
  const std::vector<std::size_t> text = {0, 1};
  EXPECT_EQ(retrieval_report(queries, partners, text, Similarity::cosine).accuracy_at_1, 1);
  const RetrievalReport report = retrieval_report(queries, partners, text, Similarity::dot);
  EXPECT_EQ(report.accuracy_at_1, 0.5);
  EXPECT_EQ(report.mrr, 0.75);
}

TEST(SentenceSimilarity, is_scored_by_correlation_or_by_retrieval) {
  const HeadConfig own = head("sentence-similarity", {"similarity"});
  const auto scorer = similarity().scorer(own);
  const float angles[] = {0.1F, 0.9F, 0.4F, 1.4F};  // cosines fall as angles grow
  const float values[] = {5, 2, 4, 0};
  for (std::size_t i = 0; i < 4; ++i) {
    Sample sample;
    sample.values = {values[i]};
    const std::vector<Matrix> pair = {rows({1, 0}),
                                      rows({std::cos(angles[i]), std::sin(angles[i])})};
    scorer->add({}, sample, pair);
  }
  Example unscored;
  unscored.texts = {"a", "b"};
  const std::vector<Matrix> pair = {rows({1, 0}), rows({1, 1})};
  const Evaluation correlated = similarity().scorer(own)->finish();
  EXPECT_EQ(correlated.count, 0U);
  EXPECT_THAT(message_of([&] { scorer->add(unscored, {}, pair); }),
              HasSubstr("for every pair, or for none, found both"));
  const Evaluation evaluation = scorer->finish();
  EXPECT_EQ(evaluation.count, 4U);
  EXPECT_NEAR(evaluation.metric("spearman"), 1, 1e-12);

  const auto finder = similarity().scorer(own);
  for (const auto& [query, partner, text] :
       {std::tuple(0.0F, 0.5F, "x"), {1.0F, 0.9F, "y"}, {0.6F, 1.5F, "z"}}) {
    Example example;
    example.texts = {text, text};
    finder->add(example, {},
                std::vector<Matrix>{rows({std::cos(query), std::sin(query)}),
                                    rows({std::cos(partner), std::sin(partner)})});
  }
  const Evaluation found = finder->finish();
  EXPECT_NEAR(found.metric("accuracy_at_1"), 2.0 / 3, 1e-12);
  EXPECT_NEAR(found.metric("mrr"), (1 + 1 + 1.0 / 3) / 3, 1e-12);
  ASSERT_EQ(found.worst.size(), 1U);
  EXPECT_EQ(found.worst[0].answer, "x");
}

// Multiple choice.

const Task& choice() { return find_task("multiple-choice"); }

Example choices(const std::string& record) { return read(choice(), record, "a.jsonl").at(0); }

TEST(MultipleChoice, reads_the_records_of_the_data_sets_that_people_have) {
  const Example ours = choices(R"({"text": "I fell", "choices": ["ow", "yes", "no"], "label": 2})");
  EXPECT_THAT(ours.texts, ElementsAre("I fell", "ow", "yes", "no"));
  EXPECT_THAT(ours.truth, ElementsAre("2"));
  const Example arc = choices(R"({"id": "q7", "question": "Which?", "answerKey": "2", )"
                              R"("choices": {"text": ["x", "y"], "label": ["1", "2"]}})");
  EXPECT_THAT(arc.texts, ElementsAre("Which?", "x", "y"));
  EXPECT_THAT(arc.truth, ElementsAre("1"));
  EXPECT_EQ(arc.id, "q7");
  const Example swag =
      choices(R"({"sent1": "He sits.", "sent2": "He", "ending0": "sings",)"
              R"( "ending1": "flies", "ending2": "x", "ending3": "y", "label": 1})");
  EXPECT_THAT(swag.texts, ElementsAre("He sits.", "He sings", "He flies", "He x", "He y"));
  EXPECT_THAT(swag.truth, ElementsAre("1"));
  const Example hellaswag =
      choices(R"({"ctx": "A man", "endings": ["sits", "is"], "label": "0", "ctx_a": "A"})");
  EXPECT_THAT(hellaswag.texts, ElementsAre("A man", "sits", "is"));
  const Example race = choices(
      R"({"article": "Long.", "question": "Why?", "options": ["a b", "c"], "answer": "B"})");
  EXPECT_THAT(race.texts, ElementsAre("Long.", "Why? a b", "Why? c"));
  EXPECT_THAT(race.truth, ElementsAre("1"));
  const Example piqa = choices(R"({"goal": "g", "sol1": "s", "sol2": "t", "label": 1})");
  EXPECT_THAT(piqa.texts, ElementsAre("g", "s", "t"));
  const Example copa = choices(
      R"({"premise": "p", "question": "cause", "choice1": "s", "choice2": "t", "label": "t"})");
  EXPECT_THAT(copa.texts, ElementsAre("p", "cause s", "cause t"));
  EXPECT_THAT(copa.truth, ElementsAre("1"));
  const auto table = read(choice(), "text\tending0\tending1\tlabel\na\tb\tc\t0\n", "a.tsv");
  EXPECT_THAT(table.at(0).texts, ElementsAre("a", "b", "c"));
}

TEST(MultipleChoice, refuses_what_is_no_choice) {
  const auto refusal = [](const std::string& record) {
    return message_of([&] { choices(record); });
  };
  EXPECT_THAT(refusal(R"({"text": "a", "choices": ["b"], "label": 0})"),
              HasSubstr("a.jsonl:1: choices: expected at least two, found 1"));
  for (const char* label :
       {"2", "-1", "\"C\"", "\"x\"", "0.5", "true", "\"99999999999999999999\""}) {
    EXPECT_THAT(
        refusal(fmt::format(R"({{"text": "a", "choices": ["b", "c"], "label": {}}})", label)),
        HasSubstr("label: expected one of 2 choices"))
        << label;
  }
  EXPECT_THAT(refusal(R"({"text": "a", "choices": "b", "label": 0})"),
              HasSubstr("choices: expected a list of texts"));
  EXPECT_THAT(refusal(R"({"text": "a", "label": 0})"), HasSubstr("'choices.text' or 'choices'"));
}

TEST(MultipleChoice, each_choice_is_read_behind_the_first_text) {
  const Tokenizer pieces = tokenizer();
  Example example;
  example.texts = {"a man plays", "the flute", "in a park"};
  example.truth = {"1"};
  const Sample sample = choice().encode(example, pieces, {}, {});
  ASSERT_EQ(sample.texts.size(), 2U);
  EXPECT_EQ(sample.rows(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const Encoding pair = pieces.encode(example.texts[0], example.texts[i + 1]);
    EXPECT_EQ(sample.texts[i].input_ids, pair.input_ids);
    EXPECT_EQ(sample.texts[i].token_type_ids, pair.token_type_ids);
  }
  EXPECT_THAT(sample.targets, ElementsAre(1));
  EXPECT_THAT(sample.units, ElementsAre(0));
}

TEST(MultipleChoice, answers_are_shares_of_the_choices) {
  const std::vector<Matrix> scores = {rows({0.5F}), rows({2}), rows({-1})};
  Example example;
  example.line = 2, example.id = "q";
  example.texts = {"a", "b", "c", "d"};
  const HeadConfig own = head("multiple-choice", {"LABEL_0", "LABEL_1"});
  const Answer best = choice().answer(example, {}, scores, own);
  const double sum = std::exp(0.5) + std::exp(2.0) + std::exp(-1.0);
  EXPECT_EQ(best.at(0).at(0).label, "1");
  EXPECT_NEAR(best[0][0].score, std::exp(2.0) / sum, 1e-6);
  EXPECT_EQ(choice().tsv(example, best), "1\t0.785597\n");
  EXPECT_EQ(choice().json(example, best),
            "{\"line\":2,\"id\":\"q\",\"label\":1,\"choice\":\"c\",\"score\":0.785597}\n");
  const Answer all = choice().answer(example, {}, scores, own, {.top_k = 9});
  ASSERT_EQ(all[0].size(), 3U);
  EXPECT_EQ(all[0][2].label, "2");

  const auto scorer = choice().scorer(own);
  Sample sample;
  sample.texts.resize(3);
  for (const std::int32_t right : {1, 0, 1}) {
    sample.targets = {right};
    scorer->add(example, sample, scores);
  }
  const Evaluation evaluation = scorer->finish();
  EXPECT_NEAR(evaluation.metric("accuracy"), 2.0 / 3, 1e-12);
  ASSERT_EQ(evaluation.worst.size(), 1U);
  EXPECT_EQ(evaluation.worst[0].truth, "b");
  EXPECT_EQ(evaluation.worst[0].answer, "c");
}

// Next sentences.

const Task& next() { return find_task("next-sentence-prediction"); }

TEST(NextSentence, class_zero_is_that_it_follows_by_whatever_word) {
  const auto rows = read(
      next(), "text\ttext_pair\tlabel\na\tb\t0\nc\td\tNotNext\ne\tf\tis_next\ng\th\t1\n", "a.tsv");
  const HeadConfig theirs = head("next-sentence-prediction", {"LABEL_0", "LABEL_1"});
  std::vector<std::int32_t> classes;
  for (const Example& example : rows)
    classes.push_back(next().encode(example, tokenizer(), {}, theirs).targets.at(0));
  EXPECT_THAT(classes, ElementsAre(0, 1, 0, 1));
  EXPECT_THAT(next().labels(rows), ElementsAre("is_next", "not_next"));
  EXPECT_THAT(message_of([] { read(next(), "text\ttext_pair\tlabel\na\tb\ttrue\n", "a.tsv"); }),
              HasSubstr("a.tsv:2: label: expected 0 or is_next"));
  EXPECT_THAT(message_of([] { read(next(), "text\tlabel\na\t0\n", "a.tsv"); }),
              HasSubstr("'text_pair'"));
  EXPECT_THAT(message_of([] { task_of(head("next-sentence-prediction", {"a", "b", "c"})); }),
              HasSubstr("id2label: expected two classes"));
}

// Names of tasks.

TEST(TaskNames, of_the_seed_are_taken_or_refused_with_what_to_use) {
  const std::pair<const char*, const char*> taken[] = {
      {"TOKEN_CLASSIFICATION", "token-classification"},
      {"named_entity_recognition", "token-classification"},
      {"part_of_speech_tagging", "token-classification"},
      {"sequence_labeling", "token-classification"},
      {"text_classification", "text-classification"},
      {"sentiment_analysis", "text-classification"},
      {"emotion_detection", "text-classification"},
      {"intent_classification", "text-classification"},
      {"topic_classification", "text-classification"},
      {"spam_detection", "text-classification"},
      {"natural_language_inference", "text-classification"},
      {"paraphrase_detection", "text-classification"},
      {"duplicate_detection", "text-classification"},
      {"text_regression", "text-classification"},
      {"readability_scoring", "text-classification"},
      {"quality_scoring", "text-classification"},
      {"question_answering", "question-answering"},
      {"span_extraction", "question-answering"},
      {"text_similarity", "sentence-similarity"},
      {"multiple_choice", "multiple-choice"},
      {"NER", "token-classification"}};
  for (const auto& [name, task] : taken) EXPECT_EQ(head_for_task(name).task, task) << name;
  EXPECT_EQ(head_for_task("quality_scoring").problem_type, "regression");
  EXPECT_EQ(head_for_task("feature-extraction").task, "encoder");
  for (const char* name :
       {"text_generation", "text_summarization", "text_completion", "machine_translation",
        "dialogue_generation", "dependency_parsing", "semantic_role_labeling",
        "word_sense_disambiguation", "coreference_resolution", "event_extraction",
        "relation_extraction", "ranking", "text_matching", "key_phrase_extraction",
        "fact_extraction", "opinion_extraction"}) {
    const std::string refusal = message_of([&] { head_for_task(name); });
    EXPECT_THAT(refusal, testing::StartsWith(fmt::format("task: '{}' ", name)));
    EXPECT_THAT(refusal, testing::AnyOf(HasSubstr("-classification"), HasSubstr("multiple-choice"),
                                        HasSubstr("sentence-similarity")));
  }
}

TEST(TaskNames, carry_a_problem_type_that_may_not_be_contradicted) {
  EXPECT_EQ(head_for_task("sentiment_analysis", "regression").problem_type, "regression");
  EXPECT_THAT(message_of([] { head_for_task("text_regression", "multi_label_classification"); }),
              HasSubstr("problem_type: expected regression for text_regression"));
  EXPECT_THAT(message_of([] { head_for_task("ner", "regression"); }),
              HasSubstr("problem_type: expected none for token-classification"));
  EXPECT_THAT(message_of([] { head_for_task("sentiment"); }), HasSubstr("found 'sentiment'"));
}

}  // namespace
}  // namespace fnet
