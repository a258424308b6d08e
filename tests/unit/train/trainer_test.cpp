#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "core/file.h"
#include "core/random.h"
#include "fnet/engine.h"
#include "fnet/finetune.h"
#include "temporary.h"
#include "text/data.h"

namespace fnet {
namespace {

using testing::HasSubstr;

std::string pick(Philox& random, const std::vector<std::string>& words) {
  return words[random.below(words.size())];
}

/// Texts of filler words around one that tells the label.
std::string toy_texts(std::size_t count, std::uint64_t seed) {
  Philox random(seed, 0);
  const std::vector<std::string> filler = {"the", "a",   "film", "book", "day",
                                           "is",  "was", "very", "so"};
  const std::vector<std::vector<std::string>> telling = {{"awful", "bad", "sad"},
                                                         {"good", "fine", "nice"}};
  std::string file = "text\tlabel\n";
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t label = i % 2;
    std::vector<std::string> words;
    for (std::size_t n = 2 + random.below(6); n > 0; --n) words.push_back(pick(random, filler));
    words.insert(words.begin() + static_cast<std::ptrdiff_t>(random.below(words.size())),
                 pick(random, telling[label]));
    for (const std::string& word : words) file += word + " ";
    file += label == 0 ? "\tneg\n" : "\tpos\n";
  }
  return file;
}

/// Sentences in which names are tagged.
std::string toy_tags(std::size_t count, std::uint64_t seed) {
  Philox random(seed, 0);
  std::string file;
  for (std::size_t i = 0; i < count; ++i) {
    file += pick(random, {"yesterday", "today"}) + "\tO\n";
    file += pick(random, {"Ann", "Bob", "Carol"}) + "\tB-PER\n";
    if (random.below(2) == 0) file += pick(random, {"Smith", "Jones"}) + "\tI-PER\n";
    file += "went\tO\nto\tO\n" + pick(random, {"Paris", "Rome", "Oslo"}) + "\tB-LOC\n\n";
  }
  return file;
}

TrainingCallbacks log_to(std::function<void(std::string_view)> log) {
  TrainingCallbacks callbacks;
  callbacks.log = std::move(log);
  return callbacks;
}

struct Toy {
  TemporaryDirectory directory;
  FinetuneOptions options;

  Toy() {
    options.train = directory.make("train.tsv", toy_texts(128, 1));
    options.dev = directory.make("dev.tsv", toy_texts(40, 2));
    options.out = directory.path() / "model";
    options.set = {"hidden_size=32", "intermediate_size=32", "num_hidden_layers=1"};
    options.epochs = 6;
    options.batch_size = 16;
    options.learning_rate = 0.01;
    options.average = 0.5;
    options.token_dropout = 0.1;
    options.wide = "off";  // which would know the telling words without any training
    options.threads = 1;
  }

  std::string bytes(const char* name) const { return read_file(options.out / name, 1 << 24); }
};

TEST(Finetune, learns_a_toy_task_and_the_runtime_answers_the_same) {
  Toy toy;
  std::vector<std::string> lines;
  const TrainingReport report =
      finetune(toy.options, log_to([&](std::string_view line) { lines.emplace_back(line); }));
  EXPECT_EQ(report.best, 1.0);
  EXPECT_EQ(report.metric, "accuracy");
  EXPECT_EQ(report.epochs.size(), 6U);
  EXPECT_GE(lines.size(), 3U);

  const Engine engine = Engine::load(toy.options.out);
  DataReader dev(toy.options.dev);
  for (Record record; dev.next(record);) {
    const std::vector<TextInput> texts = {record.text("text")};
    EXPECT_EQ(engine.classify(texts)[0][0].label, record.text("label"));
  }
  const auto run = nlohmann::json::parse(toy.bytes("run.json"));
  EXPECT_EQ(run["epochs"], 6);
  EXPECT_EQ(run["config"]["hidden_size"], 32);
  EXPECT_EQ(run["data"]["train"]["examples"], 128);
  std::size_t epochs = 0;
  LineReader log(toy.options.out / "log.jsonl");
  for (std::string_view line; log.next(line);)
    epochs += nlohmann::json::parse(line)["event"] == "epoch";
  EXPECT_EQ(epochs, 6U);
  EXPECT_NE(toy.bytes("report.html").find("Confusion matrix"), std::string::npos);
}

TEST(Finetune, tags_words_and_counts_entities) {
  Toy toy;
  toy.options.task = "token-classification";
  toy.options.epochs = 16;
  toy.options.train = toy.directory.make("train.conll", toy_tags(96, 1));
  toy.options.dev = toy.directory.make("dev.conll", toy_tags(24, 2));
  const TrainingReport report = finetune(toy.options);
  EXPECT_EQ(report.metric, "entity_f1");
  EXPECT_EQ(report.best, 1.0);
  const std::vector<std::vector<std::string>> sentences = {{"today", "Bob", "went", "to", "Rome"}};
  std::vector<std::string> tags;
  const auto answers = Engine::load(toy.options.out).tag(sentences);
  for (const Prediction& p : answers[0]) tags.push_back(p.label);
  EXPECT_EQ(tags, (std::vector<std::string>{"O", "B-PER", "O", "O", "B-LOC"}));
}

TEST(Finetune, the_same_seed_gives_the_same_bytes_and_another_seed_others) {
  std::vector<std::string> models;
  for (const std::uint64_t seed : {7, 7, 8}) {
    Toy toy;
    toy.options.epochs = 2;
    toy.options.seed = seed;
    toy.options.token_dropout = 0.2;
    toy.options.label_smoothing = 0.1;
    finetune(toy.options);
    models.push_back(toy.bytes("model.safetensors"));
  }
  EXPECT_EQ(models[0], models[1]);
  EXPECT_NE(models[0], models[2]);
}

TEST(Finetune, any_number_of_threads_gives_the_same_bytes) {
  std::vector<std::string> models;
  for (const int threads : {1, 2, 4}) {
    Toy toy;
    toy.options.threads = threads;
    toy.options.epochs = 2;
    toy.options.batch_size = 64;  // rows enough for torch to share them out
    toy.options.set = {"hidden_size=96", "intermediate_size=160", "num_hidden_layers=2"};
    finetune(toy.options);
    models.push_back(toy.bytes("model.safetensors"));
  }
  EXPECT_EQ(models[0], models[1]);
  EXPECT_EQ(models[0], models[2]);
}

TEST(Finetune, gives_up_after_eight_steps_that_are_not_finite_and_names_their_lines) {
  Toy toy;
  toy.options.learning_rate = 10;  // with this decay each step makes the weights 99 times as large
  toy.options.weight_decay = 10;
  toy.options.warmup = 0;
  int skipped = 0;
  const Error error = error_of([&] {
    finetune(toy.options, log_to([&](std::string_view line) {
               skipped += line.find("not finite") != std::string_view::npos;
             }));
  });
  EXPECT_EQ(error.kind(), Error::Kind::input);
  EXPECT_EQ(skipped, 8);
  const std::string message = error.what();
  EXPECT_NE(message.find("8 steps in a row"), std::string::npos) << message;
  EXPECT_NE(message.find("train.tsv"), std::string::npos) << message;
  EXPECT_NE(message.find("lower the learning rate"), std::string::npos) << message;
}

TEST(Finetune, stops_early_when_nothing_gets_better) {
  Toy toy;
  toy.options.learning_rate = 0;
  toy.options.patience = 2;
  const TrainingReport report = finetune(toy.options);
  EXPECT_EQ(report.epochs.size(), 3U);
  EXPECT_EQ(report.best_epoch, 1);
}

/// Callbacks that stop after so many steps and keep the log.
TrainingCallbacks stop_after(int steps, std::vector<std::string>& lines) {
  TrainingCallbacks callbacks;
  callbacks.stop = [steps]() mutable { return --steps == 0; };
  callbacks.log = [&lines](std::string_view line) { lines.emplace_back(line); };
  return callbacks;
}

TEST(Finetune, stopped_in_the_first_epoch_it_leaves_a_usable_model_and_goes_on_from_it) {
  Toy toy;
  std::vector<std::string> lines;
  const TrainingReport report = finetune(toy.options, stop_after(3, lines));
  EXPECT_TRUE(report.interrupted);
  EXPECT_TRUE(report.written);
  EXPECT_EQ(report.best_epoch, 1);
  EXPECT_TRUE(report.resumable);
  const std::vector<TextInput> texts = {"a good day"};
  EXPECT_EQ(Engine::load(toy.options.out).classify(texts).size(), 1U);

  toy.options.from = toy.options.out;
  toy.options.overwrite = true;
  const TrainingReport next = finetune(toy.options);
  EXPECT_EQ(next.start, report.best);
  EXPECT_EQ(next.best, 1.0);
}

TEST(Finetune, refuses_a_directory_that_holds_a_model_or_a_log) {
  Toy toy;
  finetune(toy.options);
  const std::string model = toy.bytes("model.safetensors");
  const auto refused = [&] {
    const Error error = error_of([&] { finetune(toy.options); });
    EXPECT_EQ(error.kind(), Error::Kind::usage);
    EXPECT_THAT(error.what(), HasSubstr("overwrite: expected"));
  };
  refused();
  EXPECT_EQ(toy.bytes("model.safetensors"), model);
  for (const char* name : {"model.safetensors", "config.json", "spiece.model"}) {
    std::filesystem::remove(toy.options.out / name);
  }
  refused();  // the log is left
}

TEST(Finetune, a_better_model_stays_until_the_run_ends) {
  Toy toy;
  EXPECT_EQ(finetune(toy.options).best, 1.0);
  const std::string before = toy.bytes("model.safetensors"), log = toy.bytes("log.jsonl");

  toy.options.overwrite = true;
  toy.options.learning_rate = 0;  // never as good
  for (const int steps : {1, 20}) {
    std::vector<std::string> lines;
    const TrainingReport report = finetune(toy.options, stop_after(steps, lines));
    EXPECT_FALSE(report.written);
    EXPECT_EQ(toy.bytes("model.safetensors"), before);
    EXPECT_EQ(toy.bytes("log.jsonl"), log);
    EXPECT_THAT(lines.back(), HasSubstr("is as it was: none is better than its model"))
        << "after " << steps << " steps";
  }
  const TrainingReport report = finetune(toy.options);
  EXPECT_TRUE(report.written);
  EXPECT_LT(report.best, 1.0);
  EXPECT_NE(toy.bytes("model.safetensors"), before);
  EXPECT_NE(toy.bytes("log.jsonl"), log);
}

TEST(Finetune, a_model_that_cannot_be_compared_stays_until_there_is_another) {
  Toy toy;
  toy.options.epochs = 1;
  finetune(toy.options);
  const std::string before = toy.bytes("model.safetensors");
  toy.options.overwrite = true;
  toy.options.train = toy.directory.make("abc.tsv", "text\tlabel\na b\tx\nc d\ty\ne f\tz\n");
  toy.options.dev = toy.options.train;
  toy.options.batch_size = 1;
  std::vector<std::string> lines;
  EXPECT_FALSE(finetune(toy.options, stop_after(2, lines)).written);
  EXPECT_EQ(toy.bytes("model.safetensors"), before);
  EXPECT_FALSE(finetune(toy.options, stop_after(1, lines)).written);  // goes on: its third step
  EXPECT_TRUE(finetune(toy.options).written);
  EXPECT_EQ(Engine::load(toy.options.out).config().labels.size(), 3U);
}

TEST(Finetune, the_starting_model_is_the_one_to_beat) {
  Toy toy;
  EXPECT_EQ(finetune(toy.options).best, 1.0);
  const std::string start = toy.bytes("model.safetensors");
  toy.options.from = toy.options.out;
  toy.options.out = toy.directory.path() / "next";
  toy.options.learning_rate = 1;  // spoils it
  toy.options.average = 0;
  toy.options.epochs = 2;
  const TrainingReport report = finetune(toy.options);
  EXPECT_EQ(report.start, 1.0);
  EXPECT_EQ(report.best_epoch, 0);
  EXPECT_TRUE(report.written);
  EXPECT_EQ(toy.bytes("model.safetensors"), start);
  EXPECT_THAT(toy.bytes("report.html"), HasSubstr("The starting model"));
}

TEST(Finetune, one_run_at_a_time_in_a_directory) {
  Toy toy;
  TrainingCallbacks callbacks;
  std::string message;
  callbacks.epoch = [&](const EpochReport&) {
    message = message_of([&] { finetune(toy.options); });
  };
  toy.options.epochs = 1;
  finetune(toy.options, callbacks);
  EXPECT_THAT(message, HasSubstr("process " + std::to_string(getpid())));
}

TEST(Finetune, data_beside_the_model_stays) {
  Toy toy;
  std::filesystem::create_directory(toy.options.out);
  std::filesystem::rename(toy.options.train, toy.options.out / "train.tsv");
  toy.options.train = toy.options.out / "train.tsv";
  const std::string data = toy.bytes("train.tsv");
  finetune(toy.options);
  EXPECT_EQ(toy.bytes("train.tsv"), data);
  EXPECT_FALSE(toy.bytes("model.safetensors").empty());
}

TEST(Finetune, makes_a_new_head_for_other_labels) {
  Toy toy;
  finetune(toy.options);
  toy.options.from = toy.options.out;
  toy.options.out = toy.directory.path() / "tagger";
  toy.options.task = "token-classification";
  toy.options.train = toy.directory.make("train.conll", toy_tags(64, 1));
  toy.options.dev = toy.directory.make("dev.conll", toy_tags(16, 2));
  toy.options.epochs = 1;
  std::string log;
  finetune(toy.options, log_to([&](std::string_view line) { log += line; }));
  EXPECT_NE(log.find("a new head for token-classification with 4 labels"), std::string::npos)
      << log;
  EXPECT_EQ(Engine::load(toy.options.out).config().labels.size(), 4U);
}

TEST(Finetune, names_what_is_wrong_with_options_and_data) {
  const auto message = [](auto&& change) {
    Toy toy;
    change(toy);
    return std::string(error_of([&] { finetune(toy.options); }).what());
  };
  EXPECT_NE(message([](Toy& t) { t.options.task = "translation"; }).find("text-classification"),
            std::string::npos);
  EXPECT_NE(message([](Toy& t) {
              t.options.epochs = -1;
            }).find("epochs: expected 0 to 1000000, found -1"),
            std::string::npos);
  EXPECT_NE(message([](Toy& t) { t.options.class_weights = "even"; }).find("none, balanced"),
            std::string::npos);
  EXPECT_NE(message([](Toy& t) { t.options.metric = "f1"; }).find("macro_f1"), std::string::npos);
  EXPECT_NE(message([](Toy& t) { t.options.metric = "entity_f1"; }).find("metric: "),
            std::string::npos);
  EXPECT_NE(message([](Toy& t) {
              t.options.dev = t.directory.make("dev2.tsv", "text\tlabel\na\tpos\nb\tother\n");
            }).find("dev2.tsv:3: label: expected one of the 2 labels"),
            std::string::npos);
  EXPECT_NE(message([](Toy& t) {
              t.options.train =
                  t.directory.make("one.tsv", "text\tlabel\na b c d\tpos\ne f g h\tpos\n");
            }).find("at least two labels"),
            std::string::npos);
}

}  // namespace
}  // namespace fnet
