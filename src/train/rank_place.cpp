#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>

#include "core/error.h"
#include "train/ranks.h"

namespace fnet {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT: nobody changes it
  return value != nullptr ? value : "";
}

int number(const char* name, int low, int high) {
  const std::string text = environment(name);
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && end == text.data() + text.size() && value >= low && value <= high,
          Kind::usage, "{}: expected a number of {} to {}, found '{}'", name, low, high,
          printable(text));
  return value;
}

/// What launchers call a process's rank and the number of processes, and the same of its machine.
struct Names {
  const char *rank, *size, *local_rank, *local_size;
};
constexpr Names kNames[] = {
    {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"},
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK",
     "OMPI_COMM_WORLD_LOCAL_SIZE"},
    {"PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"},
    {"SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", "SLURM_NTASKS_PER_NODE"},
};

constexpr int kMostProcesses = 65'536;

}  // namespace

RankPlace rank_place() {
  RankPlace place;
  for (const Names& names : kNames) {
    const std::string_view first = names.rank;
    if (environment(names.rank).empty()) continue;
    if (environment(names.size).empty()) {
      require(first != "RANK", Kind::usage, "WORLD_SIZE: expected beside RANK, found none");
      continue;
    }
    // A batch script has SLURM's variables of its tasks too, and is none of them.
    if (first.starts_with("SLURM") && environment("SLURM_STEP_ID").empty() &&
        environment("MASTER_ADDR").empty())
      continue;
    place.size = number(names.size, 1, kMostProcesses);
    place.rank = number(names.rank, 0, place.size - 1);
    if (!environment(names.local_size).empty())
      place.local_size = number(names.local_size, 1, kMostProcesses);
    if (!environment(names.local_rank).empty())
      place.local_rank = number(names.local_rank, 0, kMostProcesses);
    break;
  }
  if (place.size == 1) return place;
  place.host = environment("MASTER_ADDR");
  require(!place.host.empty(), Kind::usage,
          "MASTER_ADDR: expected the host of rank 0, as there are {} processes, found none",
          place.size);
  place.port = environment("MASTER_PORT").empty() ? 29'500 : number("MASTER_PORT", 1, 65'535);
  if (const std::string attempt = environment("TORCHELASTIC_RESTART_COUNT"); !attempt.empty())
    place.attempt = attempt;
  place.store_is_there = environment("TORCHELASTIC_USE_AGENT_STORE") == "True";
  return place;
}

}  // namespace fnet
