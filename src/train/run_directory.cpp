#include "train/run_directory.h"

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/file.h"
#include "model/weights.h"
#include "train/report.h"

namespace fnet {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRun = "run.json";

/// Whether a file belongs to a model or to a run. With a model go the files that Hugging Face's
/// libraries would read in place of ours.
bool of_model_or_run(const std::string& name) {
  static constexpr std::array<std::string_view, 12> names = {
      "config.json",       "model.safetensors.index.json",
      "pytorch_model.bin", "pytorch_model.bin.index.json",
      "spiece.model",      "tokenizer_config.json",
      "tokenizer.json",    "special_tokens_map.json",
      "added_tokens.json", kRun,
      "log.jsonl",         "report.html"};
  return std::ranges::find(names, name) != names.end() || name.ends_with(".safetensors") ||
         name.starts_with("events.out.tfevents.");
}

nlohmann::ordered_json results_json(const TrainingReport& report, const Evaluation& best) {
  nlohmann::ordered_json metrics = nlohmann::ordered_json::object();
  for (const auto& [name, value] : best.metrics) metrics[name] = value;
  double seconds = 0;
  for (const EpochReport& epoch : report.epochs) seconds += epoch.seconds;
  return {{"best_epoch", report.best_epoch ? nlohmann::ordered_json(*report.best_epoch) : nullptr},
          {"dev", metrics},
          {"dev_loss", best.loss},
          {"epochs", report.epochs.size()},
          {"steps", report.step},
          {"skipped_steps", report.skipped_steps},
          {"seconds", seconds}};
}

/// One more name of a file, or a copy where the file system has none.
void bring(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::create_hard_link(from, to, error);
  if (error) fs::copy_file(from, to, error);
  require(!error, Kind::system, "{}: cannot be copied: {}", from.string(), error.message());
}

}  // namespace

RunDirectory::RunDirectory(const fs::path& directory, bool overwrite)
    : staged_(directory, of_model_or_run) {
  require(overwrite || !staged_.occupied(), Kind::usage,
          "overwrite: expected where {} holds a model or a log, found none; give it to replace "
          "them, or name another directory",
          directory.string());
  older_model_ = path_exists(path() / "config.json");
}

void RunDirectory::start(nlohmann::ordered_json run,
                         std::function<void(const fs::path&)> write_model) {
  run_ = std::move(run);
  write_model_ = std::move(write_model);
  place_ = staged_.stage();
  write_file(place_ / kRun, run_.dump(2) + "\n");
  log_.emplace(place_);
  if (!older_model_) publish();
}

void RunDirectory::log(std::string_view kind, std::int64_t step,
                       const std::vector<std::pair<std::string, double>>& values) {
  log_->write(kind, step, values);
}

void RunDirectory::save(const TrainingReport& report, const Evaluation& best) {
  if (published_) {
    const fs::path next = staged_.stage();
    for (const std::string& name : log_->files()) bring(place_ / name, next / name);
    place_ = next;
  }
  write_model_(place_);
  hashes_ = weight_hashes(place_);
  write_report(report, best);
  saved_ = true;
  if (published_ || !older_metric_ || report.best > *older_metric_) publish();
}

void RunDirectory::update(const TrainingReport& report, const Evaluation& best) {
  write_report(report, best);
}

bool RunDirectory::finish(bool interrupted) {
  if (!published_ && saved_ && !interrupted) publish();
  return published_ && saved_;
}

void RunDirectory::publish() {
  staged_.publish();
  place_ = path();
  published_ = true;
  log_->move_to(place_);
}

void RunDirectory::write_report(const TrainingReport& report, const Evaluation& best) {
  run_["results"] = results_json(report, best);
  run_["results"]["sha256"] = hashes_;
  write_file(place_ / kRun, run_.dump(2) + "\n");
  write_file(place_ / "report.html", html_report(run_, report, best));
}

}  // namespace fnet
