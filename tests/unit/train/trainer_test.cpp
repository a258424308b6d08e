#include <gtest/gtest.h>

#include <bit>
#include <nlohmann/json.hpp>

#include "core/file.h"
#include "core/random.h"
#include "fnet/engine.h"
#include "fnet/finetune.h"
#include "temporary.h"
#include "text/data.h"
#include "train/batches.h"
#include "train/report.h"
#include "train/run_log.h"

namespace fnet {
namespace {

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

FinetuneCallbacks log_to(std::function<void(std::string_view)> log) {
  FinetuneCallbacks callbacks;
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
    options.set = {{"hidden_size", "32"}, {"intermediate_size", "32"}, {"num_hidden_layers", "1"}};
    options.epochs = 6;
    options.batch_size = 16;
    options.learning_rate = 0.01;
    options.average = 0.5;
    options.token_dropout = 0.1;
    options.threads = 1;
  }

  std::string bytes(const char* name) const { return read_file(options.out / name, 1 << 24); }
};

TEST(Finetune, learns_a_toy_task_and_the_runtime_answers_the_same) {
  Toy toy;
  std::vector<std::string> lines;
  const FinetuneReport report =
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
  const FinetuneReport report = finetune(toy.options);
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
  for (const int threads : {1, 2}) {
    Toy toy;
    toy.options.threads = threads;
    toy.options.epochs = 2;
    toy.options.batch_size = 64;  // rows enough for torch to share them out
    toy.options.set = {
        {"hidden_size", "96"}, {"intermediate_size", "160"}, {"num_hidden_layers", "2"}};
    finetune(toy.options);
    models.push_back(toy.bytes("model.safetensors"));
  }
  EXPECT_EQ(models[0], models[1]);
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
  const FinetuneReport report = finetune(toy.options);
  EXPECT_EQ(report.epochs.size(), 3U);
  EXPECT_EQ(report.best_epoch, 1);
}

TEST(Finetune, leaves_a_usable_model_when_it_is_stopped_and_goes_on_from_it) {
  Toy toy;
  int steps = 0;
  std::vector<std::string> lines;
  FinetuneCallbacks callbacks;
  callbacks.stop = [&] { return ++steps == 3; };
  callbacks.log = [&](std::string_view line) { lines.emplace_back(line); };
  const FinetuneReport report = finetune(toy.options, callbacks);
  EXPECT_TRUE(report.interrupted);
  EXPECT_EQ(report.best_epoch, 0);
  EXPECT_NE(lines.back().find("--from " + toy.options.out.string()), std::string::npos);
  const std::vector<TextInput> texts = {"a good day"};
  EXPECT_EQ(Engine::load(toy.options.out).classify(texts).size(), 1U);

  toy.options.from = toy.options.out;  // what the message says
  EXPECT_EQ(finetune(toy.options).best, 1.0);
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
  EXPECT_NE(
      message([](Toy& t) { t.options.epochs = 0; }).find("epochs: expected 1 to 1000000, found 0"),
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

TEST(Batches, balanced_weights_are_scikit_learns) {
  std::vector<Sample> samples(4);
  for (std::size_t i = 0; i < 4; ++i) samples[i].targets = {i == 0 ? 1 : 0};
  const std::vector<double> weights = balanced_weights(samples, 3);
  EXPECT_NEAR(weights[0], 4.0 / 9, 1e-12);
  EXPECT_NEAR(weights[1], 4.0 / 3, 1e-12);
  EXPECT_EQ(weights[2], 0);
}

TEST(Batches, hold_every_sample_once_and_like_lengths_together) {
  std::vector<Sample> samples(500);
  for (std::size_t i = 0; i < samples.size(); ++i)
    samples[i].texts.emplace_back().input_ids.resize(1 + i * 7 % 90);
  const auto batches = make_batches(samples, 32, 1, 1);
  EXPECT_EQ(batches, make_batches(samples, 32, 1, 1));
  EXPECT_NE(batches, make_batches(samples, 32, 1, 2));
  EXPECT_NE(batches, make_batches(samples, 32, 2, 1));
  std::vector<int> seen(samples.size(), 0);
  std::size_t spread = 0;
  for (const auto& batch : batches) {
    std::size_t low = 1000, high = 0;
    for (const std::size_t i : batch) {
      ++seen[i];
      low = std::min(low, tokens_of(samples[i]));
      high = std::max(high, tokens_of(samples[i]));
    }
    spread = std::max(spread, high - low);
  }
  EXPECT_TRUE(std::ranges::all_of(seen, [](int n) { return n == 1; }));
  EXPECT_LT(spread, 20U);
}

TEST(EventWriter, frames_records_as_tensorboard_reads_them) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);  // RFC 3720
  const TemporaryDirectory directory;
  EventWriter writer(directory.path());
  writer.scalar("step/loss", 300, 0.5, 1.0);
  const std::string bytes = read_file(writer.path(), 4096);
  const auto number = [&](std::size_t at, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      value |= std::uint64_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
    }
    return value;
  };
  std::vector<std::string> events;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::uint64_t length = number(at, 8);
    const auto unmask = [](std::uint64_t masked) {
      const auto rotated = static_cast<std::uint32_t>(masked) - 0xA282EAD8U;
      return rotated >> 17 | rotated << 15;
    };
    EXPECT_EQ(unmask(number(at + 8, 4)), crc32c(bytes.substr(at, 8)));
    events.push_back(bytes.substr(at + 12, length));
    EXPECT_EQ(unmask(number(at + 12 + length, 4)), crc32c(events.back()));
    at += 16 + length;
  }
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].substr(9),
            "\x1a\x0d"
            "brain.Event:2");
  // time 1.0; step 300; summary { value { tag, simple_value 0.5 } }
  const std::string expected =
      std::string("\x09\x00\x00\x00\x00\x00\x00\xf0\x3f\x10\xac\x02\x2a\x12\x0a\x10\x0a\x09", 18) +
      "step/loss" + std::string("\x15\x00\x00\x00\x3f", 5);
  EXPECT_EQ(events[1], expected);
}

TEST(Report, escapes_what_data_and_settings_say) {
  Evaluation best;
  best.worst.push_back({3, "<script>alert(1)</script>", "<b>", "a&b", 0.9F});
  best.report.count = 1;
  best.report.classes = {{"<b>", 0, 0, 0, 1}};
  best.report.confusion = {{1}};
  FinetuneReport report;
  report.metric = "accuracy";
  report.best_epoch = 1;
  report.epochs.push_back({.epoch = 1,
                           .loss = 1,
                           .metrics = {{"accuracy", 0.5}},
                           .seconds = 1,
                           .tokens_per_second = 1,
                           .best = true});
  const std::string page = html_report({{"task", "<i>"}, {"from", "x\"y"}}, report, best);
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("<b>\n"), std::string::npos);
  EXPECT_EQ(page.find("<i>"), std::string::npos);
  EXPECT_NE(page.find("&lt;script&gt;alert(1)"), std::string::npos);
  EXPECT_NE(page.find("a&amp;b"), std::string::npos);
  EXPECT_NE(page.find("x&quot;y"), std::string::npos);
}

}  // namespace
}  // namespace fnet
