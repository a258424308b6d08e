// Runs that are stopped, killed or cannot write, and go on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <nlohmann/json.hpp>

#include "core/file.h"
#include "core/random.h"
#include "faults.h"
#include "fnet/finetune.h"
#include "temporary.h"
#include "train/loop.h"
#include "train/run_directory.h"
#include "train/tensor_file.h"
#include "words.h"

namespace fnet {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::vector<std::string> names(const fs::path& directory) {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(directory))
    found.push_back(entry.path().filename());
  std::ranges::sort(found);
  return found;
}

/// The log but for what the clock says.
std::vector<nlohmann::json> log_of(const fs::path& directory) {
  std::vector<nlohmann::json> lines;
  LineReader reader(directory / "log.jsonl");
  for (std::string_view line; reader.next(line);) {
    lines.push_back(nlohmann::json::parse(line));
    for (const char* clock : {"time", "tokens_per_second", "seconds"}) lines.back().erase(clock);
  }
  return lines;
}

struct NoData : Source {
  std::int64_t epoch_steps() const override { return 4; }
  std::vector<Sample> batch(std::int64_t /*step*/) override { return {}; }
  std::string place(std::int64_t step) override { return "place " + std::to_string(step); }
};

/// Eight numbers that learn from noise, so that they depend on each step.
struct Noise : Objective {
  Noise() { value = module.register_parameter("value", at::zeros({2, 4})); }

  torch::nn::Module& model() override { return module; }

  Result loss(std::span<const Sample> /*batch*/, const StepPart& part) override {
    Philox random(1, part.place());
    at::Tensor noise = at::empty({2, 4});
    for (int i = 0; i < 8; ++i) noise.mutable_data_ptr<float>()[i] = random.normal();
    return {(value - noise).square().sum(), 1};
  }

  Evaluation evaluate() override {
    Evaluation evaluation;
    evaluation.loss = value.abs().sum().item<double>();
    double whole = 0;  // as good as chance: the best epoch is any
    evaluation.metrics = {{"quality", std::modf(1e3 * evaluation.loss, &whole)}};
    return evaluation;
  }

  torch::nn::Module module;
  at::Tensor value;
};

/// A run of them in a directory: three epochs of four steps.
struct NoiseRun {
  fs::path out;
  std::int64_t every = 3;
  int stop_after = -1;
  std::vector<std::string> lines = {};

  TrainingReport run() {
    NoData source;
    Noise noise;
    LoopOptions options;
    options.stages = {{.epochs = 3}};
    options.metric = "quality";
    options.optimizer.average = 0.9;
    options.checkpoint_steps = every;
    TrainingCallbacks callbacks;
    callbacks.log = [this](std::string_view line) { lines.emplace_back(line); };
    int left = stop_after;
    callbacks.stop = [left]() mutable { return --left == 0; };
    RunDirectory directory(out, {.log = callbacks.log});
    directory.resume({{"task", "noise"}});
    const auto model = [&] { return NamedTensors{{"value", noise.value.detach()}}; };
    const auto write = [&](const fs::path& place) {
      write_tensors(place / "model.safetensors", model());
      write_file(place / "config.json", "{}");
    };
    const auto read = [&](const fs::path& place) {
      read_tensors(place / "model.safetensors", model());
    };
    directory.start({{"task", "noise"}}, {.write = write, .read = read});
    TrainingReport report = Loop(options, source, noise, directory, callbacks).run();
    directory.finish(report.interrupted ? RunDirectory::End::interrupted : RunDirectory::End::done);
    return report;
  }

  std::string model() const { return read_file(out / "model.safetensors", 1 << 20); }
};

class Resume : public testing::Test {
 protected:
  void SetUp() override {
    faults = {};
    at::set_num_threads(1);  // a forked process has no other threads
    NoiseRun whole{temporary_.path() / "whole"};
    best_epoch_ = whole.run().best_epoch;
    EXPECT_EQ(best_epoch_, 2) << "so that a best model is kept while others come";
    model_ = whole.model();
    log_ = log_of(whole.out);
  }
  void TearDown() override { faults = {}; }

  /// Runs to the end, unless that is done, and compares with the run that nothing happened to.
  void finish(NoiseRun run, const std::string& what) const {
    run.stop_after = -1;
    std::optional<TrainingReport> report;
    const std::string message = message_of([&] { report = run.run(); });
    if (report) {
      EXPECT_EQ(report->best_epoch, best_epoch_) << what;
      EXPECT_EQ(report->epochs.size(), 3U) << what;
    } else {
      EXPECT_THAT(message, HasSubstr("holds a model or a log")) << what;
    }
    EXPECT_EQ(run.model(), model_) << what;
    EXPECT_EQ(log_of(run.out), log_) << what;
    EXPECT_THAT(names(run.out.parent_path()),
                testing::ElementsAre(run.out.filename().string(), "whole"))
        << what;
  }

  TemporaryDirectory temporary_;
  std::optional<std::int64_t> best_epoch_;
  std::string model_;
  std::vector<nlohmann::json> log_;
};

TEST_F(Resume, stopped_after_any_step_it_ends_as_if_it_were_not) {
  for (int step = 1; step < 12; ++step) {
    NoiseRun run{temporary_.path() / ("stopped" + std::to_string(step))};
    run.stop_after = step;
    const TrainingReport report = run.run();
    EXPECT_TRUE(report.interrupted);
    EXPECT_EQ(report.checkpoint, step);
    EXPECT_TRUE(fs::exists(run.out / "model.safetensors")) << "an interrupted run leaves a model";
    finish(run, run.out.filename());
    fs::remove_all(run.out);
  }
}

TEST_F(Resume, killed_before_any_call_it_ends_as_if_it_were_not) {
  if (torch::cuda::is_available()) GTEST_SKIP() << "torch has threads of its own then: no fork";
  int status = 1, killed = 0;
  for (int k = 0; status != 0; k += 1 + k / 40) {
    NoiseRun run{temporary_.path() / "killed"};
    status = status_of_child([&] {
      faults.countdown = k;
      run.run();
    });
    ASSERT_TRUE(status == 0 || status == -SIGKILL) << status;
    if (status == 0) break;
    ++killed;
    finish(run, "killed before call " + std::to_string(k));
    fs::remove_all(run.out);
  }
  EXPECT_GT(killed, 60);
}

TEST_F(Resume, a_disk_that_fails_at_any_call_changes_no_weights) {
  int errors = 0;
  std::size_t warned = 0;
  for (const Faults& fault : {Faults{.error = EIO}, Faults{.error = ENOSPC, .count = 30},
                              Faults{.error = ENOSPC, .short_write = true}}) {
    bool met = true;
    for (int k = 0; met; k += 1 + k / 40) {
      NoiseRun run{temporary_.path() / "failing"};
      faults = fault;
      faults.countdown = k;
      faults.under = temporary_.path().c_str();
      const std::string message = message_of([&] { run.run(); });
      met = faults.met;
      faults = {};
      warned += static_cast<std::size_t>(std::ranges::count_if(
          run.lines, [](const std::string& line) { return line.starts_with("warning: "); }));
      const std::string what = "call " + std::to_string(k) + ": " + message;
      if (message != "no error") {  // at the beginning or the end: the same command goes on
        ++errors;
        finish(run, what);
      }
      EXPECT_EQ(run.model(), model_) << what;
      EXPECT_EQ(log_of(run.out), log_) << what;
      // What could not be removed at the end, the next start removes.
      if (names(temporary_.path()).size() > 2) message_of([&] { run.run(); });
      EXPECT_THAT(names(temporary_.path()), testing::ElementsAre("failing", "whole")) << what;
      fs::remove_all(run.out);
    }
  }
  EXPECT_GT(errors, 5);
  EXPECT_GT(warned, 50U);
}

TEST_F(Resume, weights_that_are_no_numbers_make_no_checkpoint) {
  // Decay makes them larger than a float32 can be.
  NoData source;
  Noise noise;
  noise.value.data().fill_(1e18);
  LoopOptions options;
  options.metric = "quality";
  options.learning_rate = 10;
  options.optimizer.weight_decay = 1e25;
  options.checkpoint_steps = 1;
  std::vector<std::string> lines;
  TrainingCallbacks callbacks;
  callbacks.log = [&](std::string_view line) { lines.emplace_back(line); };
  RunDirectory directory(temporary_.path() / "broken", {.log = callbacks.log});
  directory.start({{"task", "noise"}}, {.write = [](const fs::path&) {}, .read = {}});
  message_of([&] { Loop(options, source, noise, directory, callbacks).run(); });
  EXPECT_THAT(lines, testing::Contains(HasSubstr("model.value: expected finite numbers")));
}

/// A small real run with everything that a step's numbers could depend on.
struct BusyWords : Words {
  BusyWords() {
    options.epochs = 3;
    options.head_epochs = 1;
    options.token_dropout = 0.3;
    options.layer_decay = 0.9;
    options.average = 0.9;
    options.checkpoint_steps = 3;
    options.set.emplace_back("hidden_dropout_prob=0.2");
    options.set.emplace_back("norm_type=batch_norm");
  }
};

TrainingCallbacks stop_after(int steps, std::vector<std::string>& lines) {
  TrainingCallbacks callbacks;
  callbacks.stop = [steps]() mutable { return --steps == 0; };
  callbacks.log = [&lines](std::string_view line) { lines.emplace_back(line); };
  return callbacks;
}

TEST(FinetuneResume, stopped_again_and_again_it_ends_with_the_same_bytes) {
  BusyWords words;
  const TrainingReport whole = finetune(words.options);
  const std::string model = words.bytes("model.safetensors");
  const auto log = log_of(words.options.out);
  words.options.out = words.directory.path() / "again";
  std::vector<std::string> lines;
  TrainingReport report;
  int runs = 0;
  do {
    report = finetune(words.options, stop_after(5, lines));
    ASSERT_LT(++runs, 100);
  } while (report.interrupted);
  EXPECT_GT(runs, 3);
  EXPECT_EQ(words.bytes("model.safetensors"), model);
  EXPECT_EQ(log_of(words.options.out), log);
  EXPECT_EQ(report.best_epoch, whole.best_epoch);
  EXPECT_EQ(report.best, whole.best);
  EXPECT_EQ(report.epochs.size(), whole.epochs.size());
  EXPECT_THAT(lines, testing::Contains("goes on from the checkpoint of step 5"));
  EXPECT_THAT(message_of([&] { finetune(words.options); }), HasSubstr("overwrite: expected"))
      << "a run that has ended";
}

TEST(FinetuneResume, another_run_is_refused_and_told_what_differs) {
  BusyWords words;
  std::vector<std::string> lines;
  finetune(words.options, stop_after(4, lines));
  const auto refused = [&](auto&& change) {
    FinetuneOptions other = words.options;
    change(other);
    const Error error = error_of([&] { finetune(other); });
    EXPECT_EQ(error.kind(), Error::Kind::usage);
    EXPECT_THAT(error.what(), HasSubstr("unfinished run that differs"));
    return std::string(error.what());
  };
  EXPECT_THAT(refused([](FinetuneOptions& o) { o.learning_rate = 0.5; }),
              HasSubstr("(learning_rate: 0.001 there, 0.5 here)"));
  EXPECT_THAT(refused([](FinetuneOptions& o) { o.seed = 9; }), HasSubstr("seed: "));
  EXPECT_THAT(refused([&](FinetuneOptions& o) {
                o.train =
                    words.directory.make("more.tsv", read_file(o.train, 1 << 20) + "so\tneg\n");
              }),
              HasSubstr("data.train."));
  // The same data elsewhere, another number of threads and of checkpoints are the same run.
  FinetuneOptions same = words.options;
  same.train = words.directory.make("copy.tsv", read_file(same.train, 1 << 20));
  same.keep_checkpoints = 1;
  same.checkpoint_steps = 5;
  lines.clear();
  finetune(same, stop_after(1, lines));
  EXPECT_THAT(lines, testing::Contains("goes on from the checkpoint of step 4"));
  // With overwrite it is given up.
  words.options.seed = 9;
  words.options.overwrite = true;
  lines.clear();
  EXPECT_FALSE(finetune(words.options, stop_after(-1, lines)).interrupted);
  EXPECT_THAT(lines, testing::Contains(HasSubstr("its unfinished run is given up: seed: 1 there")));
}

TEST(FinetuneResume, with_an_older_model_in_place_it_goes_on_as_well) {
  BusyWords words;
  finetune(words.options);
  words.options.seed = 2;
  words.options.overwrite = true;
  FinetuneOptions whole = words.options;
  std::vector<std::string> lines;
  finetune(whole, stop_after(-1, lines));
  const std::string model = words.bytes("model.safetensors");
  const std::string report = words.bytes("run.json");
  words.options.seed = 1;
  finetune(words.options);  // a model of before again
  words.options.seed = 2;
  int runs = 0;
  while (finetune(words.options, stop_after(4, lines)).interrupted) ASSERT_LT(++runs, 100);
  EXPECT_EQ(words.bytes("model.safetensors"), model);
  EXPECT_EQ(nlohmann::json::parse(words.bytes("run.json"))["results"]["sha256"],
            nlohmann::json::parse(report)["results"]["sha256"]);
  EXPECT_THAT(names(words.directory.path()),
              testing::Not(testing::Contains(testing::StartsWith("."))));
}

TEST(FinetuneResume, from_the_model_in_its_own_directory_it_goes_on_too) {
  BusyWords words;
  finetune(words.options);
  const fs::path start = words.directory.path() / "start";
  fs::copy(words.options.out, start, fs::copy_options::recursive);
  words.options.set.clear();
  words.options.seed = 2;
  words.options.overwrite = true;
  words.options.from = words.options.out;
  FinetuneOptions whole = words.options;
  whole.from = start;
  whole.out = words.directory.path() / "whole";
  finetune(whole);
  std::vector<std::string> lines;
  int runs = 0;
  while (finetune(words.options, stop_after(4, lines)).interrupted) ASSERT_LT(++runs, 100);
  EXPECT_EQ(words.bytes("model.safetensors"), read_file(whole.out / "model.safetensors", 1 << 24));
}

TEST(FinetuneResume, without_its_directory_a_run_begins_again) {
  BusyWords words;
  std::vector<std::string> lines;
  finetune(words.options, stop_after(4, lines));
  fs::remove_all(words.options.out);
  lines.clear();
  finetune(words.options, stop_after(4, lines));
  EXPECT_THAT(lines[0], HasSubstr("is gone: its unfinished run is given up"));
}

TEST(FinetuneResume, without_checkpoints_there_is_nothing_to_go_on_from) {
  BusyWords words;
  words.options.checkpoint_steps = 0;
  std::vector<std::string> lines;
  const TrainingReport report = finetune(words.options, stop_after(4, lines));
  EXPECT_FALSE(report.checkpoint);
  EXPECT_TRUE(report.resumable);
  EXPECT_THAT(message_of([&] { finetune(words.options); }), HasSubstr("overwrite: expected"));
  EXPECT_THAT(names(words.directory.path()),
              testing::Not(testing::Contains(testing::StartsWith("."))));
}

}  // namespace
}  // namespace fnet
