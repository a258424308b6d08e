// Trainings of other problems than one label a text, from the data to the answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/random.h"
#include "fnet/engine.h"
#include "fnet/finetune.h"
#include "temporary.h"

namespace fnet {
namespace {

using testing::HasSubstr;

std::string pick(Philox& random, const std::vector<std::string>& words) {
  return words[random.below(words.size())];
}

struct Toy {
  TemporaryDirectory directory;
  FinetuneOptions options;

  Toy() {
    options.out = directory.path() / "model";
    options.set = {"hidden_size=32", "intermediate_size=32", "num_hidden_layers=1"};
    options.batch_size = 16;
    options.learning_rate = 0.01;
    options.average = 0.5;
    options.token_dropout = 0;
    options.threads = 1;
  }
};

TEST(Finetune, learns_several_labels_a_text_and_says_so_in_the_config) {
  Toy toy;
  const auto texts = [](std::size_t count, std::uint64_t seed) {
    Philox random(seed, 0);
    std::string file;
    for (std::size_t i = 0; i < count; ++i) {
      const bool wet = random.below(2) == 0, cold = random.below(2) == 0;
      file += nlohmann::json({{"text", "today " + pick(random, {"the", "a"}) +
                                           (wet ? " rain" : " sun") + (cold ? " snow" : " sand")},
                              {"label", nlohmann::json::array()}})
                  .dump();
      std::string labels = wet ? "\"wet\"" : "";
      if (cold) labels += labels.empty() ? "\"cold\"" : ",\"cold\"";
      file.replace(file.rfind("[]"), 2, "[" + labels + "]");
      file += '\n';
    }
    return file;
  };
  toy.options.train = toy.directory.make("train.jsonl", texts(128, 1));
  toy.options.dev = toy.directory.make("dev.jsonl", texts(40, 2));
  toy.options.epochs = 10;
  const TrainingReport report = finetune(toy.options);
  EXPECT_EQ(report.metric, "micro_f1");
  EXPECT_EQ(report.best, 1.0);
  const Engine engine = Engine::load(toy.options.out);
  EXPECT_EQ(engine.config().problem_type, "multi_label_classification");
  const std::vector<TextInput> both = {"today the rain snow"};
  const auto answers = engine.classify(both, 2);
  for (const Prediction& p : answers[0]) EXPECT_GT(p.score, 0.5F) << p.label;
}

TEST(Finetune, learns_a_number_of_each_text) {
  Toy toy;
  const auto texts = [](std::size_t count, std::uint64_t seed) {
    Philox random(seed, 0);
    std::string file = "text\tlabel\n";
    for (std::size_t i = 0; i < count; ++i) {
      std::size_t good = 0;
      for (int word = 0; word < 4; ++word) {
        const bool one = random.below(2) == 0;
        file += one ? "good " : "bad ";
        good += one;
      }
      file += "\t" + std::to_string(static_cast<double>(good) / 2) + '\n';
    }
    return file;
  };
  toy.options.train = toy.directory.make("train.tsv", texts(128, 1));
  toy.options.dev = toy.directory.make("dev.tsv", texts(40, 2));
  toy.options.epochs = 20;
  toy.options.token_dropout = 0;
  const TrainingReport report = finetune(toy.options);
  EXPECT_EQ(report.metric, "pearson");
  EXPECT_GT(report.best, 0.97);
  const Engine engine = Engine::load(toy.options.out);
  EXPECT_EQ(engine.config().problem_type, "regression");
  const std::vector<TextInput> ends = {"bad bad bad bad", "good good good good"};
  const auto answers = engine.classify(ends);
  EXPECT_NEAR(answers[0][0].score, 0, 0.5);
  EXPECT_NEAR(answers[1][0].score, 2, 0.5);

  toy.options.overwrite = true;
  toy.options.label_smoothing = 0.1;
  EXPECT_THAT(message_of([&] { finetune(toy.options); }),
              HasSubstr("label_smoothing: expected 0 for a task without classes"));
  toy.options.label_smoothing = -1;
  toy.options.class_weights = "balanced";
  EXPECT_THAT(message_of([&] { finetune(toy.options); }),
              HasSubstr("class_weights: expected none"));
  toy.options.class_weights = "none";
  toy.options.problem_type = "single_label_classification";
  toy.options.metric = "pearson";
  EXPECT_THAT(message_of([&] { finetune(toy.options); }),
              HasSubstr("metric: expected one of accuracy"));
}

TEST(Finetune, learns_to_find_answers_in_windows_and_where_there_are_none) {
  Toy toy;
  const auto questions = [](std::size_t count, std::uint64_t seed) {
    Philox random(seed, 0);
    std::string file;
    for (std::size_t i = 0; i < count; ++i) {
      std::string context;
      for (std::size_t n = 1 + random.below(12); n > 0; --n)
        context += pick(random, {"the ", "train ", "then ", "so "});
      const std::string city = pick(random, {"Paris", "Rome", "Oslo"});
      nlohmann::json answers = nlohmann::json::array();
      if (i % 4 != 0) {
        answers.push_back({{"text", city}, {"answer_start", context.size()}});
        context += city + " ";
      }
      for (std::size_t n = 1 + random.below(12); n > 0; --n)
        context += pick(random, {"the ", "train ", "then ", "so "});
      file +=
          nlohmann::json({{"question", "which city"}, {"context", context}, {"answers", answers}})
              .dump() +
          '\n';
    }
    return file;
  };
  toy.options.task = "question-answering";
  toy.options.train = toy.directory.make("train.jsonl", questions(160, 1));
  toy.options.dev = toy.directory.make("dev.jsonl", questions(40, 2));
  toy.options.epochs = 12;
  toy.options.max_length = 16;
  toy.options.stride = 4;
  toy.options.token_dropout = 0;
  const TrainingReport report = finetune(toy.options);
  EXPECT_EQ(report.metric, "f1");
  EXPECT_GT(report.best, 0.9);
  EngineOptions options;
  options.stride = 4;
  const Engine engine = Engine::load(toy.options.out, options);
  EXPECT_TRUE(engine.config().no_answer);
  const std::string context =
      "so then the train then the train so then Rome so the train then so the";
  const Prediction answer = engine.answer("which city", context)[0];
  EXPECT_EQ(answer.label, "Rome");
  EXPECT_EQ(answer.begin, context.find("Rome"));
  EXPECT_EQ(engine.answer("which city", "so then the train")[0].label, "");
  const std::vector<TextInput> texts = {"a"};
  EXPECT_THAT(message_of([&] { static_cast<void>(engine.classify(texts)); }),
              HasSubstr("expected a model that answers texts, found one for question-answering"));
}

}  // namespace
}  // namespace fnet
