#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/staged_directory.h"
#include "train/loop.h"
#include "train/run_log.h"

namespace fnet {

/// The directory of a training run: model, run.json, log and report. It is replaced as a whole, so
/// whoever reads it finds one model with its own config, tokenizer and report. A model that stood
/// there before stays until the run has a better one, or has come to its end: see
/// docs/decisions/010-run-directory.md.
class RunDirectory : public Saver {
 public:
  /// Takes the directory for this process. Throws: input where another process is at work there,
  /// or where a model or a log stands there and `overwrite` is not set; system.
  RunDirectory(const std::filesystem::path& directory, bool overwrite);

  /// The directory without symbolic links.
  const std::filesystem::path& path() const noexcept { return staged_.path(); }

  /// Whether a model of before stands there.
  bool holds_older_model() const noexcept { return older_model_; }

  /// The older model's metric, which the run's models have to beat. Not called: any is better.
  void set_older_metric(double value) { older_metric_ = value; }

  /// Begins the run: run.json and an empty log. `write_model` writes the model into a directory.
  void start(nlohmann::ordered_json run,
             std::function<void(const std::filesystem::path&)> write_model);

  /// Ends the run. Whether the directory holds its best model: not if it was interrupted before it
  /// had one better than the older model, which then stays.
  bool finish(bool interrupted);

  void log(std::string_view kind, std::int64_t step,
           const std::vector<std::pair<std::string, double>>& values) override;
  void save(const TrainingReport& report, const Evaluation& best) override;
  void update(const TrainingReport& report, const Evaluation& best) override;
  bool holds_model() const override { return older_model_ || saved_; }

 private:
  void publish();
  void write_report(const TrainingReport& report, const Evaluation& best);

  StagedDirectory staged_;
  bool older_model_ = false;
  std::optional<double> older_metric_;
  nlohmann::ordered_json run_, hashes_;  // of the saved model's files
  std::function<void(const std::filesystem::path&)> write_model_;
  std::filesystem::path place_;  // of the run's files: staged, or the directory itself
  bool published_ = false;       // it is the directory itself
  bool saved_ = false;           // there is a model
  std::optional<RunLog> log_;
};

}  // namespace fnet
