#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/checkpoints.h"
#include "core/staged_directory.h"
#include "train/run_log.h"
#include "train/saver.h"

namespace fnet {

/// The directory of a training run: model, run.json, log and report. It is replaced as a whole, so
/// whoever reads it finds one model with its own config, tokenizer and report. A model that stood
/// there before stays until the run has a better one, or has come to its end. Beside it stand the
/// run's checkpoints, until its end: see docs/decisions/010-run-directory.md.
class RunDirectory : public Saver {
 public:
  struct Options {
    bool overwrite = false;
    std::int64_t keep_checkpoints = 2;  ///< 0: none are made
    std::function<void(std::string_view)> log = [](std::string_view) {};
  };

  /// How a model goes into a directory and comes out of it.
  struct Model {
    std::function<void(const std::filesystem::path&)> write, read;
  };

  /// Takes the directory for this process. Throws: input where another process is at work there,
  /// or where a model or a log stands there, `overwrite` is not set and no run is to go on; system.
  RunDirectory(const std::filesystem::path& directory, Options options);

  /// The directory without symbolic links.
  const std::filesystem::path& path() const noexcept { return staged_.path(); }

  /// Whether the run that `run` (run.json) describes stands here unfinished, and goes on from a
  /// checkpoint. Throws: usage where another one does and `overwrite` is not set; input where its
  /// checkpoints are damaged.
  bool resume(const nlohmann::ordered_json& run);

  /// Whether a model of before stands there.
  bool holds_older_model() const noexcept { return older_model_; }

  /// The older model's metric, which the run's models have to beat; nothing: any is better.
  const std::optional<double>& older_metric() const noexcept { return older_metric_; }
  void set_older_metric(double value) { older_metric_ = value; }

  /// Begins the run, with run.json and an empty log, or goes on where `resume` said so.
  void start(nlohmann::ordered_json run, Model model);

  /// How a run ends: done, stopped and to go on later, or done where it has a model that is better
  /// than the older one and else without a trace.
  enum class End { done, interrupted, only_better };

  /// Ends the run. Whether the directory holds its best model; not if it was interrupted before it
  /// had one better than the older model, which then stays. Throws: system; the same run can go on
  /// then.
  bool finish(End end);

  /// The same of a run whose models need not beat the older one, with what the report says of the
  /// directory; of one that was interrupted the log is told what stands there.
  TrainingReport finish(TrainingReport report);

  void log(std::string_view kind, std::int64_t step,
           const std::vector<std::pair<std::string, double>>& values) override;
  void save(const TrainingReport& report, const Evaluation& best) override;
  void update(const TrainingReport& report, const Evaluation& best) override;
  bool holds_model() const override { return older_model_ || saved_; }
  void checkpoint(std::int64_t step, const nlohmann::json& state,
                  const NamedTensors& tensors) override;
  const nlohmann::json& resumed() const override { return resumed_; }
  void restore(const NamedTensors& tensors) override;
  void restore_best() override;

 private:
  void go_on();
  void publish();
  void write_report(const std::filesystem::path& place,
                    const std::map<std::string, std::string>& hashes, const TrainingReport& report,
                    const Evaluation& best);

  Options options_;
  std::string name_;  // of the directory, as it was given
  StagedDirectory staged_;
  Checkpoints checkpoints_;
  std::filesystem::path checkpoint_;  // to go on from
  nlohmann::json own_, resumed_;      // its state: of this object, of the loop
  bool older_model_ = false;
  std::optional<double> older_metric_;
  nlohmann::ordered_json run_;
  std::map<std::string, std::string> hashes_;  // of the saved model's files
  Model model_;
  std::filesystem::path place_;  // of the run's files: staged, or the directory itself
  bool published_ = false;       // it is the directory itself
  bool saved_ = false;           // there is a model
  std::optional<RunLog> log_;
  bool log_waits_ = false;  // and that was told
};

}  // namespace fnet
