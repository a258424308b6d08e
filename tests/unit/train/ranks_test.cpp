// How a step is parted among processes, and how they find each other.
#include "train/ranks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "core/error.h"
#include "train/objective.h"
#include "train/source.h"

namespace fnet {
namespace {

using testing::HasSubstr;

/// The variables of launchers, as a test wants them, and as they were.
class Environment {
 public:
  explicit Environment(const std::map<std::string, std::string>& values) {
    for (const char* name : {"RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
                             "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_SIZE",
                             "SLURM_PROCID", "SLURM_NTASKS", "SLURM_STEP_ID",
                             "TORCHELASTIC_RESTART_COUNT", "TORCHELASTIC_USE_AGENT_STORE"}) {
      const char* before = std::getenv(name);
      before_[name] = before != nullptr ? std::optional<std::string>(before) : std::nullopt;
      unsetenv(name);
    }
    for (const auto& [name, value] : values) setenv(name.c_str(), value.c_str(), 1);
  }
  ~Environment() {
    for (const auto& [name, value] : before_) {
      if (value)
        setenv(name.c_str(), value->c_str(), 1);
      else
        unsetenv(name.c_str());
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  std::map<std::string, std::optional<std::string>> before_;
};

std::string fault_of(const std::map<std::string, std::string>& values) {
  const Environment environment(values);
  try {
    rank_place();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::usage);
    return error.what();
  }
  return "none";
}

TEST(Parts, hold_each_sample_once_in_order_and_are_of_like_size) {
  for (const std::int64_t samples : {0, 1, 3, 7, 32, 33}) {
    for (const std::int64_t parts : {1, 2, 4, 6}) {
      std::int64_t next = 0;
      for (std::int64_t part = 0; part < parts; ++part) {
        const auto [begin, end] = part_of(samples, part, parts);
        EXPECT_EQ(begin, next);
        EXPECT_LE(end - begin, samples / parts + 1);
        EXPECT_GE(end - begin, samples / parts);
        next = end;
      }
      EXPECT_EQ(next, samples);
    }
  }
}

TEST(Parts, have_places_of_their_own_among_random_numbers) {
  std::set<std::uint64_t> seen;
  for (const std::int64_t step : {0, 1, 5'000'000}) {
    EXPECT_EQ(StepPart(step).place(), static_cast<std::uint64_t>(step));
    for (const std::int64_t first : {0, 1, 65'535}) seen.insert(StepPart(step, first).place());
  }
  EXPECT_EQ(seen.size(), 9U);
}

TEST(RankPlace, is_what_the_launcher_says) {
  {
    const Environment none({});
    EXPECT_EQ(rank_place().size, 1);
  }
  {
    const Environment torchrun({{"RANK", "3"},
                                {"WORLD_SIZE", "8"},
                                {"LOCAL_WORLD_SIZE", "4"},
                                {"LOCAL_RANK", "3"},
                                {"MASTER_ADDR", "node1"},
                                {"MASTER_PORT", "1234"},
                                {"TORCHELASTIC_RESTART_COUNT", "2"},
                                {"TORCHELASTIC_USE_AGENT_STORE", "True"}});
    const RankPlace place = rank_place();
    EXPECT_EQ(place.rank, 3);
    EXPECT_EQ(place.size, 8);
    EXPECT_EQ(place.local_size, 4);
    EXPECT_EQ(place.local_rank, 3);
    EXPECT_EQ(place.host, "node1");
    EXPECT_EQ(place.port, 1234);
    EXPECT_EQ(place.attempt, "2");
    EXPECT_TRUE(place.store_is_there);
  }
  for (const auto& [rank, size] : {std::pair("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
                                   {"PMI_RANK", "PMI_SIZE"},
                                   {"SLURM_PROCID", "SLURM_NTASKS"}}) {
    const Environment launcher({{rank, "1"}, {size, "2"}, {"MASTER_ADDR", "node1"}});
    EXPECT_EQ(rank_place().rank, 1);
    EXPECT_EQ(rank_place().size, 2);
    EXPECT_FALSE(rank_place().store_is_there);
  }
  const Environment batch_script({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "8"}});
  EXPECT_EQ(rank_place().size, 1);
}

TEST(RankPlace, refuses_what_makes_no_sense) {
  EXPECT_THAT(fault_of({{"RANK", "0"}}), HasSubstr("WORLD_SIZE: expected beside RANK"));
  EXPECT_THAT(fault_of({{"RANK", "2"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}}),
              HasSubstr("RANK: expected a number of 0 to 1, found '2'"));
  EXPECT_THAT(fault_of({{"RANK", "0"}, {"WORLD_SIZE", "two"}}), HasSubstr("found 'two'"));
  EXPECT_THAT(fault_of({{"RANK", "0"}, {"WORLD_SIZE", "2"}}), HasSubstr("MASTER_ADDR: expected"));
  EXPECT_THAT(fault_of({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "8"}, {"SLURM_STEP_ID", "0"}}),
              HasSubstr("MASTER_ADDR: expected"));
  EXPECT_THAT(
      fault_of(
          {{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}, {"MASTER_PORT", "70000"}}),
      HasSubstr("MASTER_PORT: expected a number of 1 to 65535"));
}

}  // namespace
}  // namespace fnet
