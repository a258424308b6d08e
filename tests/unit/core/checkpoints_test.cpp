#include "core/checkpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>

#include "core/error.h"
#include "core/file.h"
#include "faults.h"
#include "temporary.h"

namespace fnet {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A run whose checkpoints hold their step twice, in a file of their own and in the log, and share
/// a model.
class CheckpointsTest : public testing::Test {
 protected:
  void SetUp() override {
    faults = {};
    fs::create_directory(out());
    write_file(out() / "model", std::string(10'000, 'm'));
    write_file(out() / "log", "");
  }
  void TearDown() override { faults = {}; }

  fs::path out() const { return temporary_.path() / "out"; }
  fs::path place() const { return temporary_.path() / "checkpoints"; }

  void save(Checkpoints& checkpoints, int step) const {
    std::ofstream(out() / "log", std::ios::app) << step << '\n';
    const std::vector<Checkpoints::Shared> shared = {{out() / "model"},
                                                     {out() / "log", fs::file_size(out() / "log")}};
    checkpoints.save(step, shared, [&](const fs::path& where) {
      write_file(where / "state", std::to_string(step));
      write_file(where / "more", std::string(9000, 'x'));
    });
  }

  static std::vector<std::string> names(const fs::path& directory) {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(directory))
      found.push_back(entry.path().filename());
    std::ranges::sort(found);
    return found;
  }

  /// The state of the newest checkpoint; what is told goes to `told_`.
  std::string newest(Checkpoints& checkpoints) {
    const auto found = checkpoints.newest([&](std::string_view line) { told_.emplace_back(line); });
    return found ? read_file(*found / "state", 100) : "none";
  }

  TemporaryDirectory temporary_;
  std::vector<std::string> told_;
};

TEST_F(CheckpointsTest, keeps_the_newest_ones_until_the_run_ends) {
  Checkpoints checkpoints(place(), 2);
  EXPECT_FALSE(checkpoints.begun());
  checkpoints.begin({{"seed", 1}});
  EXPECT_TRUE(checkpoints.begun());
  EXPECT_EQ(checkpoints.run()["seed"], 1);
  EXPECT_EQ(newest(checkpoints), "none");
  for (const int step : {5, 10, 200}) save(checkpoints, step);
  EXPECT_THAT(names(place()), ElementsAre("run.json", "step-000000000010", "step-000000000200"));
  EXPECT_EQ(newest(checkpoints), "200");
  EXPECT_EQ(fs::hard_link_count(out() / "model"), 3U) << "a link, not a copy";
  EXPECT_EQ(read_file(place() / "step-000000000010" / "run" / "log", 100).substr(0, 5), "5\n10\n");
  checkpoints.begin({{"seed", 2}});
  EXPECT_EQ(newest(checkpoints), "none");
  save(checkpoints, 1);
  checkpoints.clear();
  EXPECT_FALSE(checkpoints.begun());
  EXPECT_THAT(names(temporary_.path()), ElementsAre("out"));
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(CheckpointsTest, a_damaged_one_is_passed_over_whatever_is_damaged) {
  const auto damage = [&](const fs::path& file, int how) {
    const std::string bytes = read_file(file, 1 << 20);
    fs::remove(file);
    if (how == 0) return;
    std::string other =
        how < 3 ? bytes.substr(0, bytes.size() * static_cast<unsigned>(how) / 3) : bytes;
    if (how == 3) other[bytes.size() / 2] = static_cast<char>(other[bytes.size() / 2] ^ 1);
    std::ofstream(file, std::ios::binary) << other;
  };
  for (const char* file : {"state", "more", "run/model", "run/log", "manifest.json"}) {
    for (int how = 0; how < 4; ++how) {
      // A changed log is not noticed: it grows, and has its size alone in the manifest.
      if (how == 3 && std::string(file) == "run/log") continue;
      Checkpoints checkpoints(place(), 2);
      checkpoints.begin({});
      write_file(out() / "model", "one");
      save(checkpoints, 1);
      write_file(out() / "model", "two");
      save(checkpoints, 2);
      damage(place() / "step-000000000002" / file, how);
      told_.clear();
      EXPECT_EQ(newest(checkpoints), "1") << file << how;
      ASSERT_EQ(told_.size(), 1U) << file << how;
      EXPECT_THAT(told_[0], HasSubstr("checkpoint of step 2 is damaged: "));
      EXPECT_THAT(names(place()), ElementsAre("run.json", "step-000000000001"));
      save(checkpoints, 2);
      EXPECT_EQ(newest(checkpoints), "2");
    }
  }
}

TEST_F(CheckpointsTest, damaged_ones_alone_are_an_error_and_stay) {
  Checkpoints checkpoints(place(), 1);
  checkpoints.begin({});
  save(checkpoints, 1);
  fs::resize_file(place() / "step-000000000001" / "more", 100);
  const Error error = error_of([&] { newest(checkpoints); });
  EXPECT_EQ(error.kind(), Error::Kind::input);
  EXPECT_THAT(error.what(), HasSubstr("found 1 damaged"));
  EXPECT_TRUE(fs::exists(place() / "step-000000000001"));
}

TEST_F(CheckpointsTest, killed_at_any_call_it_has_the_one_before_or_the_new_one) {
  for (const std::int64_t keep : {1, 2}) {
    int status = 1, before = 0, after = 0;
    for (int k = 0; status != 0; ++k) {
      Checkpoints checkpoints(place(), keep);
      checkpoints.begin({});
      save(checkpoints, 1);
      status = status_of_child([&] {
        faults.countdown = k;
        save(checkpoints, 2);
      });
      ASSERT_TRUE(status == 0 || status == -SIGKILL) << status;
      Checkpoints next(place(), keep);
      ASSERT_TRUE(next.begun());
      const std::string found = newest(next);
      ASSERT_TRUE(found == "1" || found == "2") << found;
      ++(found == "1" ? before : after);
      save(next, 3);
      EXPECT_EQ(newest(next), "3");
      EXPECT_EQ(names(place()).size(), static_cast<std::size_t>(keep) + 1)
          << "nothing is left over";
    }
    EXPECT_GT(before, 15);
    EXPECT_GT(after, 1);
    EXPECT_THAT(told_, IsEmpty());
  }
}

TEST_F(CheckpointsTest, a_call_that_fails_is_an_error_that_loses_nothing) {
  for (const Faults& fault : {Faults{.error = EIO}, Faults{.error = ENOSPC, .count = 100},
                              Faults{.error = ENOSPC, .short_write = true}}) {
    bool met = true;
    int failed = 0;
    for (int k = 0; met; ++k) {
      Checkpoints checkpoints(place(), 2);
      checkpoints.begin({});
      save(checkpoints, 1);
      faults = fault;
      faults.countdown = k;
      const std::string message = message_of([&] { save(checkpoints, 2); });
      failed += message != "no error";
      met = faults.met;
      faults = {};
      const std::string found = newest(checkpoints);
      EXPECT_TRUE(found == "2" || (found == "1" && message != "no error")) << k << message;
      save(checkpoints, 3);
      EXPECT_EQ(newest(checkpoints), "3");
      EXPECT_EQ(names(place()).size(), 3U);
    }
    EXPECT_GT(failed, 10);
    EXPECT_THAT(told_, IsEmpty());
  }
}

TEST_F(CheckpointsTest, killed_at_its_end_a_run_is_over_or_goes_on) {
  int status = 1, over = 0;
  for (int k = 0; status != 0; ++k) {
    Checkpoints checkpoints(place(), 2);
    checkpoints.begin({});
    save(checkpoints, 1);
    save(checkpoints, 2);
    status = status_of_child([&] {
      faults.countdown = k;
      checkpoints.clear();
    });
    Checkpoints next(place(), 2);
    over += next.begun() ? 0 : 1;
    if (next.begun()) {
      EXPECT_EQ(newest(next), "2");
    }
    next.clear();
    EXPECT_THAT(names(temporary_.path()), ElementsAre("out"));
  }
  EXPECT_GT(over, 5);
}

}  // namespace
}  // namespace fnet
