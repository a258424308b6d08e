#include "core/staged_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <functional>
#include <map>
#include <utility>

#include "core/error.h"
#include "core/file.h"
#include "faults.h"
#include "temporary.h"

namespace fnet {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

bool owned(const std::string& name) { return name.starts_with("model"); }

/// The files of a directory, those of its directories included.
std::map<std::string, std::string> files(const fs::path& directory) {
  std::map<std::string, std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) {
      found[fs::relative(entry.path(), directory)] = read_file(entry.path(), 1 << 20);
    }
  }
  return found;
}

using Files = std::map<std::string, std::string>;
const Files kFirst = {{"model.a", "1"}, {"model.b", "1"}};
const Files kSecond = {{"model.a", "2"}, {"model.c", "2"}};

void write_files(const fs::path& directory, const Files& contents) {
  for (const auto& [name, text] : contents) write_file(directory / name, text);
}

void replace(const fs::path& directory, const Files& contents) {
  StagedDirectory staged(directory, owned);
  write_files(staged.stage(), contents);
  staged.publish();
}

class Staged : public testing::Test {
 protected:
  void SetUp() override { faults = {}; }
  void TearDown() override { faults = {}; }

  /// A directory of first files, and beside them some that are not ours.
  fs::path occupied(const std::string& name) const {
    const fs::path directory = temporary_.path() / name;
    fs::create_directories(directory / "more");
    write_files(directory, kFirst);
    write_file(directory / "notes", "kept");
    write_file(directory / "more" / "deep", "kept");
    return directory;
  }

  static Files with_others(Files contents) {
    contents.insert({{"notes", "kept"}, {"more/deep", "kept"}});
    return contents;
  }

  /// Names beside the test's directories.
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(temporary_.path())) {
      found.push_back(entry.path().filename());
    }
    return found;
  }

  TemporaryDirectory temporary_;
};

TEST_F(Staged, makes_a_directory_that_is_not_there) {
  const fs::path directory = temporary_.path() / "a" / "b";
  replace(directory / "", kFirst);
  EXPECT_EQ(files(directory), kFirst);
  EXPECT_EQ(files(temporary_.path()).size(), kFirst.size());
}

TEST_F(Staged, replaces_its_files_as_a_whole_and_keeps_the_others) {
  const fs::path directory = occupied("d");
  fs::permissions(directory, fs::perms(0750));
  replace(directory, kSecond);
  EXPECT_EQ(files(directory), with_others(kSecond));
  EXPECT_EQ(fs::status(directory).permissions(), fs::perms(0750));
  EXPECT_THAT(names(), testing::ElementsAre("d"));
}

TEST_F(Staged, leaves_the_directory_alone_until_it_is_published) {
  const fs::path directory = occupied("d");
  {
    StagedDirectory staged(directory, owned);
    EXPECT_TRUE(staged.occupied());
    write_files(staged.stage(), kSecond);
    EXPECT_EQ(files(directory), with_others(kFirst));
  }
  EXPECT_EQ(files(directory), with_others(kFirst));
  EXPECT_THAT(names(), testing::ElementsAre("d"));
}

TEST_F(Staged, files_of_others_do_not_occupy_a_directory) {
  write_file(temporary_.make("x", "").replace_filename("notes"), "kept");
  EXPECT_FALSE(StagedDirectory(temporary_.path(), owned).occupied());
  EXPECT_FALSE(StagedDirectory(temporary_.path() / "none", owned).occupied());
}

TEST_F(Staged, a_link_to_a_directory_stays_a_link) {
  const fs::path directory = occupied("d");
  fs::create_directory_symlink("d", temporary_.path() / "link");
  replace(temporary_.path() / "link", kSecond);
  EXPECT_TRUE(fs::is_symlink(temporary_.path() / "link"));
  EXPECT_EQ(files(directory), with_others(kSecond));
}

TEST_F(Staged, refuses_what_cannot_be_replaced) {
  const auto message = [](const fs::path& path) {
    const Error error = error_of([&] { const StagedDirectory staged(path, owned); });
    EXPECT_EQ(error.kind(), Kind::input);
    return std::string(error.what());
  };
  EXPECT_THAT(message(temporary_.make("file", "x")), HasSubstr("found a file"));
  EXPECT_THAT(message("/"), HasSubstr("replaced as a whole"));
  EXPECT_THAT(message("/proc"), HasSubstr("mounted"));
  const fs::path before = fs::current_path(), inner = temporary_.path() / "outer" / "inner";
  fs::create_directories(inner);
  fs::current_path(inner);
  EXPECT_THAT(message("."), HasSubstr("working directory"));
  EXPECT_THAT(message(".."), HasSubstr("working directory"));
  EXPECT_FALSE(StagedDirectory("new", owned).occupied());
  fs::current_path(before);
}

TEST_F(Staged, one_process_at_a_time) {
  const fs::path directory = temporary_.path() / "d";
  {
    const StagedDirectory first(directory, owned);
    const Error error = error_of([&] { const StagedDirectory second(directory, owned); });
    EXPECT_EQ(error.kind(), Kind::input);
    EXPECT_THAT(error.what(), HasSubstr("process " + std::to_string(getpid())));
    EXPECT_EQ(status_of_child([&] { const StagedDirectory other(directory, owned); }), 1);
  }
  EXPECT_EQ(status_of_child([&] { const StagedDirectory other(directory, owned); }), 0);
}

TEST_F(Staged, the_lock_of_a_dead_process_is_no_obstacle) {
  const fs::path directory = temporary_.path() / "d";
  EXPECT_EQ(status_of_child([&] {
              const StagedDirectory staged(directory, owned);
              raise(SIGKILL);
            }),
            -SIGKILL);
  EXPECT_THAT(names(), testing::ElementsAre(".d.fnet-lock"));
  replace(directory, kFirst);
  EXPECT_EQ(files(directory), kFirst);
  EXPECT_THAT(names(), testing::ElementsAre("d"));
}

/// What `replace` does with each fault in turn until it passes without; `check(status, directory)`
/// after each.
void sweep(const std::function<fs::path(int)>& start, Faults fault,
           const std::function<void(int, const fs::path&)>& check) {
  int status = 0;
  int k = 0;
  do {
    const fs::path directory = start(k);
    status = status_of_child([&] {
      faults = fault;
      // The fault strikes within the replacement, not in the making of its files.
      StagedDirectory staged(directory, owned);
      write_files(staged.stage(), kSecond);
      faults.countdown = k;
      staged.publish();
    });
    check(status, directory);
    ++k;
  } while (status != 0);
  EXPECT_GT(k, 8) << "the faults were not met";
}

TEST_F(Staged, a_kill_at_any_step_leaves_the_old_files_or_the_new_ones) {
  int kept = 0, replaced = 0;
  sweep([&](int k) { return occupied("d" + std::to_string(k)); }, {},
        [&](int status, const fs::path& directory) {
          ASSERT_TRUE(status == -SIGKILL || status == 0) << status;
          Files found = files(directory);
          const bool old = found.at("model.a") == "1";
          ++(old ? kept : replaced);
          std::erase_if(found, [](const auto& file) { return !owned(file.first); });
          EXPECT_EQ(found, old ? kFirst : kSecond);
          // The next start brings back what is not ours, and leaves nothing beside it.
          {
            const StagedDirectory next(directory, owned);
          }
          EXPECT_EQ(files(directory), with_others(old ? kFirst : kSecond));
        });
  EXPECT_GT(kept, 3);
  EXPECT_GT(replaced, 3);
  for (const std::string& name : names()) EXPECT_FALSE(name.starts_with('.')) << name;
}

TEST_F(Staged, without_exchange_the_next_start_finds_the_old_files_or_the_new_ones) {
  int nameless = 0;
  sweep([&](int k) { return occupied("d" + std::to_string(k)); }, {.no_exchange = true},
        [&](int status, const fs::path& directory) {
          ASSERT_TRUE(status == -SIGKILL || status == 0) << status;
          nameless += fs::exists(directory) ? 0 : 1;
          {
            const StagedDirectory next(directory, owned);
          }
          const Files found = files(directory);
          EXPECT_EQ(found, with_others(found.at("model.a") == "1" ? kFirst : kSecond));
        });
  EXPECT_EQ(nameless, 1) << "the instant between the two renames";
  for (const std::string& name : names()) EXPECT_FALSE(name.starts_with('.')) << name;
}

TEST_F(Staged, a_call_that_fails_at_any_step_is_an_error_and_loses_nothing) {
  for (const Faults& fault : {Faults{.error = EIO}, Faults{.error = ENOSPC, .no_exchange = true}}) {
    const std::string tag = fault.no_exchange ? "x" : "y";
    sweep([&](int k) { return occupied(tag + std::to_string(k)); }, fault,
          [&](int status, const fs::path& directory) {
            ASSERT_TRUE(status == 1 || status == 0) << status;
            {
              const StagedDirectory next(directory, owned);
            }
            const Files found = files(directory);
            EXPECT_EQ(found, with_others(found.at("model.a") == "1" ? kFirst : kSecond));
            EXPECT_TRUE(status == 1 || found.at("model.a") == "2");
          });
  }
}

TEST_F(Staged, a_full_disk_leaves_the_old_files) {
  const fs::path directory = occupied("d");
  EXPECT_EQ(status_of_child([&] {
              std::signal(SIGXFSZ, SIG_IGN);
              const rlimit limit{1000, 1000};
              setrlimit(RLIMIT_FSIZE, &limit);
              replace(directory, {{"model.a", "2"}, {"model.big", std::string(5000, 'x')}});
            }),
            1);
  EXPECT_EQ(files(directory), with_others(kFirst));
  EXPECT_THAT(names(), testing::ElementsAre("d"));
}

TEST_F(Staged, forgets_what_was_staged_before) {
  const fs::path directory = temporary_.path() / "d";
  StagedDirectory staged(directory, owned);
  write_files(staged.stage(), kFirst);
  write_files(staged.stage(), kSecond);
  staged.publish();
  EXPECT_EQ(files(directory), kSecond);
}

}  // namespace
}  // namespace fnet
