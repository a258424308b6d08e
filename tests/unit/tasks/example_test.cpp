#include "tasks/example.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tasks/task.h"
#include "temporary.h"

namespace fnet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Options {
  std::string task = "text-classification";
  bool labelled = true, skip = false;
  Columns columns = {};
};

std::vector<Example> read(const std::string& bytes, const std::string& name, const Options& options,
                          std::size_t* skipped = nullptr) {
  ReadOptions read;
  read.skip_bad_lines = options.skip;
  ExampleReader reader(DataReader(bytes, name, read),
                       find_task(options.task).reading(options.columns, options.labelled));
  std::vector<Example> out;
  for (Example example; reader.next(example);) out.push_back(example);
  if (skipped != nullptr) *skipped = reader.skipped();
  return out;
}

std::string message(const std::string& bytes, const std::string& name, const Options& options) {
  return message_of([&] { read(bytes, name, options); });
}

TEST(ExampleReader, finds_fields_in_any_order_under_any_name) {
  Options options;
  options.columns = {.text = "sentence1", .text_pair = "sentence2", .label = "gold"};
  const auto rows = read("gold\tid\tsentence2\tsentence1\nyes\t7\tb\ta\n", "a.tsv", options);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_THAT(rows[0].texts, ElementsAre("a", "b"));
  EXPECT_THAT(rows[0].truth, ElementsAre("yes"));
  EXPECT_EQ(rows[0].line, 2U);
}

TEST(ExampleReader, takes_labels_of_json_as_written_and_no_truth_unless_asked) {
  const std::string file = R"({"text":"a","label":3})"
                           "\n"
                           R"({"text":"b","label":true,"text_pair":"c"})";
  const auto rows = read(file, "a.jsonl", {});
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_THAT(rows[0].truth, ElementsAre("3"));
  EXPECT_THAT(rows[1].truth, ElementsAre("true"));
  EXPECT_THAT(rows[1].texts, ElementsAre("b", "c"));
  EXPECT_THAT(read(file, "a.jsonl", {.labelled = false})[0].truth, ElementsAre());
}

TEST(ExampleReader, tagger_reads_words_or_splits_a_text) {
  const Options labelled{.task = "token-classification"};
  Options plain = labelled;
  plain.labelled = false;
  const auto rows = read("Anna\tB-PER\nruns\tO\n\n", "a.conll", labelled);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_THAT(rows[0].words, ElementsAre("Anna", "runs"));
  EXPECT_THAT(rows[0].truth, ElementsAre("B-PER", "O"));
  EXPECT_THAT(read("Anna\tB-PER\nruns\tO\n\n", "a.conll", plain)[0].truth, ElementsAre());
  EXPECT_THAT(read("  Anna  runs\n\n", "a.txt", plain)[0].words, ElementsAre("Anna", "runs"));
  EXPECT_THAT(read(R"({"tokens":["a b"],"text":"c"})", "a.jsonl", plain)[0].words,
              ElementsAre("a b"));
  EXPECT_THAT(message(R"({"tokens":["a"],"tags":[]})", "a.jsonl", labelled),
              HasSubstr("a.jsonl:1: tags: expected one for each of 1 words, found 0"));
  EXPECT_THAT(message(R"({"tokens":[],"tags":[]})", "a.jsonl", labelled),
              HasSubstr("at least one word"));
}

TEST(ExampleReader, data_of_another_kind_is_told_before_the_first_record) {
  const Options classifier, tagger{.task = "token-classification"};
  // A table that is piped in without saying so is plain text.
  EXPECT_EQ(message("text\tlabel\na\tb\n", "-", classifier),
            "-: expected the fields 'text' and 'label' for text-classification, found 'text' "
            "(format text); name the fields or the format to use");
  EXPECT_EQ(message("Anna\tO\n", "a.conll", classifier),
            "a.conll: expected the fields 'text' and 'label' for text-classification, found "
            "'tokens', 'tags' (format conll); name the fields or the format to use");
  EXPECT_EQ(message("text\tlabel\na\tb\n", "a.tsv", tagger),
            "a.tsv: expected the fields 'tokens' and 'tags' for token-classification, found "
            "'text', 'label' (format tsv); name the fields or the format to use");
  EXPECT_THAT(message("a b\n", "a.txt", tagger), HasSubstr("found 'text' (format text)"));
  EXPECT_THAT(message("Text\tlabel\n", "a.tsv", classifier), HasSubstr("found 'Text', 'label'"));
  EXPECT_THAT(message("id\n", "a.csv", {.task = "token-classification", .labelled = false}),
              HasSubstr("expected the field 'tokens' or 'text' for token-classification"));
  EXPECT_THAT(message("text\ttext\tlabel\n", "a.tsv", classifier),
              HasSubstr("a.tsv: expected one field 'text', found more"));
  // However many bad lines may be skipped: it is the file that is bad.
  EXPECT_THAT(message("text\na\n", "a.tsv", {.skip = true}), HasSubstr("'label'"));
}

std::vector<Example> questions(const std::string& bytes, const std::string& name) {
  return read(bytes, name, {.task = "question-answering"});
}

constexpr const char* kSquad = R"({"version": "v2.0", "data": [{"title": "T", "paragraphs": [
  {"context": "Über Rom nach Oslo", "qas": [
    {"id": "q1", "question": "Where to?", "is_impossible": false,
     "answers": [{"text": "Oslo", "answer_start": 14}, {"text": "Rom", "answer_start": 5}]},
    {"id": "q2", "question": "Why?", "is_impossible": true, "answers": []}]}]}]})";

TEST(ExampleReader, reads_questions_of_squad_and_of_json_lines) {
  const std::string form =
      R"({"id": "q1", "question": "Where to?", "context": "Über Rom nach Oslo",)"
      R"( "answers": {"text": ["Oslo", "Rom"], "answer_start": [14, 5]}})";
  const std::string list =
      R"({"id": "q1", "question": "Where to?", "context": "Über Rom nach Oslo",)"
      R"( "answers": [{"text": "Oslo", "answer_start": 14},)"
      R"( {"text": "Rom", "answer_start": 5}]})";
  for (const auto& rows :
       {questions(kSquad, "a.json"), questions(form, "a.jsonl"), questions(list, "a.jsonl")}) {
    ASSERT_GE(rows.size(), 1U);
    EXPECT_EQ(rows[0].id, "q1");
    EXPECT_THAT(rows[0].texts, ElementsAre("Where to?", "Über Rom nach Oslo"));
    EXPECT_THAT(rows[0].truth, ElementsAre("Oslo", "Rom"));
    EXPECT_THAT(rows[0].places, ElementsAre(Span{15, 19}, Span{6, 9}));  // Ü has two bytes
  }
  const auto rows = questions(kSquad, "a.json");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[1].line, 2U);
  EXPECT_THAT(rows[1].truth, ElementsAre());
}

TEST(ExampleReader, refuses_questions_whose_answers_are_elsewhere) {
  const auto refusal = [](const std::string& bytes, const std::string& name) {
    return message(bytes, name, {.task = "question-answering"});
  };
  const std::string front = R"({"question": "q", "context": "Rom", "answers": )";
  EXPECT_EQ(refusal(front + R"({"text": ["om"], "answer_start": [0]}})", "a.jsonl"),
            "a.jsonl:1: answers: expected 'om' at letter 0 of the context, found 'Ro'");
  EXPECT_THAT(refusal(front + R"({"text": ["om"], "answer_start": [9]}})", "a.jsonl"),
              HasSubstr("answer_start: expected a place in the context, found 9"));
  EXPECT_THAT(refusal(front + R"({"text": ["om"], "answer_start": [-1]}})", "a.jsonl"),
              HasSubstr("answer_start: expected a whole number from 0, found '-1'"));
  EXPECT_THAT(refusal(front + R"({"text": ["om", "R"], "answer_start": [1]}})", "a.jsonl"),
              HasSubstr("expected an answer_start for each of 2 texts, found 1"));
  EXPECT_THAT(refusal(R"({"question": "q", "context": "Rom"})", "a.jsonl"),
              HasSubstr("expected the fields 'question' and 'context' and 'answers' or"));
  EXPECT_THAT(refusal("text\tlabel\n", "a.tsv"), HasSubstr("'question'"));
  EXPECT_THAT(refusal("[]", "a.json"), HasSubstr("a.json: expected an object with 'data'"));
  EXPECT_THAT(refusal(R"({"data": 1})", "a.json"),
              HasSubstr("data: expected a list, found number"));
  EXPECT_THAT(refusal(R"({"data": [{"paragraphs": [{"qas": [7]}]}]})", "a.json"),
              HasSubstr("data[0].paragraphs[0].qas[0]: expected an object, found number"));
  EXPECT_THAT(refusal(R"({"data": [{"paragraphs": [{"qas": {}}]}]})", "a.json"),
              HasSubstr("data[0].paragraphs[0].qas: expected a list, found object"));
  EXPECT_THAT(refusal(R"({"data": [)", "a.json"), HasSubstr("a.json: line 2"));
}

TEST(ExampleReader, refuses_or_skips_records_that_do_not_fit) {
  EXPECT_THAT(message("text\tlabel\na\t\n", "a.tsv", {}),
              HasSubstr("a.tsv:2: label: expected a label, found an empty field"));
  EXPECT_THAT(message("{\"text\":\"a\"}", "a.jsonl", {}),
              HasSubstr("a.jsonl:1: expected the fields 'text' and 'label' for "
                        "text-classification, found 'text'"));
  EXPECT_THAT(message("{}", "a.jsonl", {}), HasSubstr("found none"));
  EXPECT_THAT(message("{\"text\":1,\"label\":1}", "a.jsonl", {}),
              HasSubstr("a.jsonl:1: text: expected a text, found a number or a boolean"));
  EXPECT_THAT(message("Anna\n\n", "a.conll", {.task = "token-classification"}),
              HasSubstr("a.conll:1: expected the fields 'tokens' and 'tags'"));
  std::size_t skipped = 0;
  EXPECT_EQ(read("text\tlabel\na\tx\nb\t\nbad\nc\ty\n", "a.tsv", {.skip = true}, &skipped).size(),
            2U);
  EXPECT_EQ(skipped, 2U);
}

TEST(ExampleReader, fingerprint_tells_examples_apart) {
  const std::vector<std::string> files = {
      "text\tlabel\na\tx\n", "text\tlabel\na\ty\n", "text\tlabel\nb\tx\n",
      "text\ttext_pair\tlabel\na\tb\tx\n", "text\tlabel\na\tx\na\tx\n"};
  std::vector<std::uint64_t> seen;
  for (const std::string& file : files) seen.push_back(fingerprint(read(file, "a.tsv", {})));
  EXPECT_EQ(std::set(seen.begin(), seen.end()).size(), files.size());
  EXPECT_EQ(fingerprint(read(files[0], "b.tsv", {})), seen[0]);
}

}  // namespace
}  // namespace fnet
