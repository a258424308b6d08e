#include "train/run_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/file.h"
#include "temporary.h"
#include "train/report.h"
#include "train/run_log.h"

namespace fnet {
namespace {

using testing::HasSubstr;

TEST(RunLog, frames_records_as_tensorboard_reads_them) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);  // RFC 3720
  const std::string bytes = first_event(1.0) + scalar_event("step/loss", 300, 0.5, 1.0);
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

TEST(RunLog, goes_on_in_the_directory_that_takes_the_place_of_its_own) {
  const TemporaryDirectory place;
  const auto first = place.path() / "first", second = place.path() / "second";
  std::filesystem::create_directory(first);
  RunLog log(first);
  log.write("step", 1, {{"loss", 0.5}});
  std::filesystem::rename(first, second);
  log.move_to(second);
  log.write("epoch", 2, {{"loss", 0.25}, {"accuracy", 1}});
  LineReader lines(second / "log.jsonl");
  std::vector<nlohmann::json> events;
  for (std::string_view line; lines.next(line);) events.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0]["loss"], 0.5);
  EXPECT_EQ(events[1]["event"], "epoch");
  EXPECT_EQ(events[1]["step"], 2);
  EXPECT_EQ(events[1]["accuracy"], 1.0);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(second), {}), 2);
  EXPECT_FALSE(std::filesystem::exists(first));
}

constexpr const char* kBroken = "broken";

/// A run's directory whose model is a file of one word.
struct StartedRun {
  StartedRun(const std::filesystem::path& path, bool overwrite)
      : directory(path, {.overwrite = overwrite}) {}

  void start() {
    const auto write = [this](const std::filesystem::path& place) {
      write_file(place / "model.safetensors", model);
      require(model != kBroken, Kind::system, "{}: the disk is full", place.string());
      write_file(place / "config.json", model);
    };
    directory.start({{"task", "toy"}}, {.write = write, .read = {}});
  }

  void save(const std::string& word, double metric) {
    model = word;
    TrainingReport report;
    report.metric = "accuracy";
    report.best = metric;
    report.best_epoch = 1;
    directory.save(report, {});
  }

  std::string model;
  RunDirectory directory;
};

std::string text_of(const std::filesystem::path& path) { return read_file(path, 1 << 20); }

TEST(RunDirectory, a_new_run_has_its_log_there_from_the_start) {
  const TemporaryDirectory place;
  const auto path = place.path() / "out";
  StartedRun run(path, false);
  EXPECT_FALSE(std::filesystem::exists(path));
  run.start();
  EXPECT_FALSE(run.directory.holds_model());
  run.directory.log("step", 1, {{"loss", 1}});
  EXPECT_THAT(text_of(path / "log.jsonl"), HasSubstr("loss"));
  EXPECT_THAT(text_of(path / "run.json"), HasSubstr("toy"));
  std::filesystem::create_directory(path / "mine");
  std::ofstream(path / "notes") << "mine";
  run.save("one", 0.5);
  EXPECT_TRUE(run.directory.holds_model());
  run.save("two", 0.6);
  run.directory.log("step", 2, {{"loss", 1}});
  EXPECT_EQ(text_of(path / "model.safetensors"), "two");
  EXPECT_EQ(text_of(path / "config.json"), "two");
  const std::string log = text_of(path / "log.jsonl");
  EXPECT_EQ(std::ranges::count(log, '\n'), 2);
  EXPECT_EQ(text_of(path / "notes"), "mine");
  EXPECT_TRUE(std::filesystem::exists(path / "mine"));
  EXPECT_TRUE(run.directory.finish(RunDirectory::End::interrupted));
}

TEST(RunDirectory, replaces_the_files_of_a_model_as_a_whole) {
  const TemporaryDirectory place;
  const auto path = place.path() / "out";
  std::filesystem::create_directory(path);
  for (const char* name : {"config.json", "model-00001-of-2.safetensors", "tokenizer.json"}) {
    write_file(path / name, "old");
  }
  EXPECT_THAT(message_of([&] { const RunDirectory refused(path, {}); }),
              HasSubstr("overwrite: expected"));
  StartedRun run(path, true);
  EXPECT_TRUE(run.directory.holds_older_model());
  run.directory.set_older_metric(0.7);
  run.start();
  run.save("worse", 0.7);
  EXPECT_EQ(text_of(path / "config.json"), "old");
  EXPECT_FALSE(std::filesystem::exists(path / "log.jsonl"));
  run.save("better", 0.8);
  EXPECT_EQ(text_of(path / "config.json"), "better");
  EXPECT_FALSE(std::filesystem::exists(path / "tokenizer.json"));
  EXPECT_FALSE(std::filesystem::exists(path / "model-00001-of-2.safetensors"));
  EXPECT_TRUE(std::filesystem::exists(path / "log.jsonl"));
}

TEST(RunDirectory, an_older_model_that_is_better_gives_way_at_the_end_only) {
  using End = RunDirectory::End;
  for (const End end : {End::only_better, End::done}) {
    const TemporaryDirectory place;
    const auto path = place.path() / "out";
    std::filesystem::create_directory(path);
    write_file(path / "config.json", "old");
    {
      StartedRun run(path, true);
      run.directory.set_older_metric(0.9);
      run.start();
      run.save("worse", 0.5);
      EXPECT_EQ(text_of(path / "config.json"), "old");
      EXPECT_EQ(run.directory.finish(end), end == End::done);
    }
    EXPECT_EQ(text_of(path / "config.json"), end == End::done ? "worse" : "old");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(place.path()), {}), 1);
  }
}

TEST(RunDirectory, a_model_that_cannot_be_written_leaves_the_one_before) {
  const TemporaryDirectory place;
  const auto path = place.path() / "out";
  {
    StartedRun run(path, false);
    run.start();
    run.save("one", 0.5);
    EXPECT_THAT(message_of([&] { run.save(kBroken, 0.6); }), HasSubstr("disk is full"));
    run.directory.finish(RunDirectory::End::done);
  }
  EXPECT_EQ(text_of(path / "model.safetensors"), "one");
  EXPECT_EQ(text_of(path / "config.json"), "one");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(place.path()), {}), 1);
}

TEST(Report, escapes_what_data_and_settings_say) {
  Evaluation best;
  best.worst.push_back({3, "<script>alert(1)</script>", "<b>", "a&b", 0.9F});
  best.report.emplace().count = 1;
  best.report->classes = {{"<b>", 0, 0, 0, 1}};
  best.report->confusion = {{{0, 0}, 1}};
  TrainingReport report;
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
