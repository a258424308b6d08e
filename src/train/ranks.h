#pragma once

#include <torch/torch.h>

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "train/saver.h"

namespace fnet {

/// Where a process stands among those that train one model together, as its launcher says.
struct RankPlace {
  int rank = 0, size = 1;
  int local_size = 1;           ///< of them on this machine, where that is known
  int local_rank = 0;           ///< which of these it is
  std::string host;             ///< of rank 0
  int port = 0;                 ///< of the store there, where they meet
  std::string attempt = "0";    ///< how often the launcher has started them
  bool store_is_there = false;  ///< the launcher runs it
};

/// From the environment: torchrun's variables, Open MPI's, MPICH's or SLURM's; alone where there
/// are none. Throws: usage where they make no sense.
RankPlace rank_place();

/// The processes that train one model together, each with its share of every step. All of them call
/// the same functions in the same order. Over torch's c10d, with Gloo.
///
/// Functions throw: system, naming it, where another process ended, hangs or gave up.
class Ranks {
 public:
  struct Options {
    double timeout = 60;  ///< seconds that one may be silent, or come too late to a sum
    /// Called on a thread of its own as soon as another one is lost, before others are told.
    std::function<void(std::string_view)> lost = {};
  };

  /// One process alone.
  Ranks();

  /// Meets the others. Throws: system where they do not come in time.
  Ranks(const RankPlace& place, Options options);
  ~Ranks();
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  int rank() const noexcept { return rank_; }
  int size() const noexcept { return size_; }
  bool alone() const noexcept { return size_ == 1; }
  /// Whether this is rank 0, which evaluates, logs and saves.
  bool leads() const noexcept { return rank_ == 0; }

  /// Rank 0's value, everywhere; the others wait for as long as it takes.
  nlohmann::json tell(const nlohmann::json& value);

  /// The others wait until rank 0 is here too, for as long as it takes.
  void wait_for_first() { tell(nullptr); }

  /// Throws usage everywhere, with rank and field, where the processes' run.json are not of one
  /// run.
  void agree(const nlohmann::json& run);

  /// Gives all of them rank 0's values.
  void copy_first(const NamedTensors& tensors);

  /// Adds up contiguous tensors of all processes, in the background; until `finish_sums` they may
  /// not be touched.
  void begin_sum(const at::Tensor& values);
  void finish_sums();
  void sum(const at::Tensor& values);

  /// Whether a step is under way here, on which others do not wait longer than the timeout.
  void set_stepping(bool stepping);
  /// How many steps are done, for messages.
  void set_step(std::int64_t step);

  /// Tells the others why this process ends early. Nothing else may be called afterwards.
  void give_up(std::string_view why) noexcept;

 private:
  struct Group;

  int rank_ = 0, size_ = 1;
  std::unique_ptr<Group> group_;
};

/// Runs a training in this process, which may be one of several; what it throws, the others hear.
template <class Train>
auto with_ranks(double timeout, const std::function<void(std::string_view)>& lost, Train&& train) {
  const RankPlace place = rank_place();
  if (place.size == 1) {
    Ranks alone;
    return train(alone, place);
  }
  Ranks ranks(place, {timeout, lost});
  try {
    return train(ranks, place);
  } catch (const std::exception& error) {
    ranks.give_up(error.what());
    throw;
  }
}

/// Of callbacks, what a process has of them that leaves all that is told to rank 0.
inline TrainingCallbacks stop_only(const TrainingCallbacks& callbacks) {
  TrainingCallbacks own;
  own.stop = callbacks.stop;
  return own;
}

/// Of a process that leaves all files to rank 0.
class NoSaver : public Saver {
 public:
  void log(std::string_view /*kind*/, std::int64_t /*step*/,
           const std::vector<std::pair<std::string, double>>& /*values*/) override {}
  void save(const TrainingReport& /*report*/, const Evaluation& /*best*/) override {}
  void update(const TrainingReport& /*report*/, const Evaluation& /*best*/) override {}
  bool holds_model() const override { return true; }
  void checkpoint(std::int64_t /*step*/, const nlohmann::json& /*state*/,
                  const NamedTensors& /*tensors*/) override {}
  const nlohmann::json& resumed() const override { return nothing_; }
  void restore(const NamedTensors& /*tensors*/) override {}
  void restore_best() override {}

 private:
  nlohmann::json nothing_;
};

}  // namespace fnet
