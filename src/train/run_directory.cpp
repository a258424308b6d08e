#include "train/run_directory.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <span>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "model/weights.h"
#include "train/report.h"
#include "train/run_identity.h"
#include "train/tensor_file.h"

namespace fnet {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRun = "run.json";
// Of a checkpoint.
constexpr const char* kState = "state.json";
constexpr const char* kTensors = "state.safetensors";

/// Whether a file belongs to a model or to a run. With a model go the files that Hugging Face's
/// libraries would read in place of ours.
bool of_model_or_run(const std::string& name) {
  static constexpr std::array<std::string_view, 13> names = {"config.json",
                                                             "model.safetensors.index.json",
                                                             "pytorch_model.bin",
                                                             "pytorch_model.bin.index.json",
                                                             "spiece.model",
                                                             "vocab.txt",
                                                             "tokenizer_config.json",
                                                             "tokenizer.json",
                                                             "special_tokens_map.json",
                                                             "added_tokens.json",
                                                             kRun,
                                                             "log.jsonl",
                                                             "report.html"};
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
          {"spikes", report.spikes},
          {"seconds", seconds}};
}

std::vector<std::string> own_names(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().native();
    if (of_model_or_run(name)) names.push_back(name);
  }
  require_path(error, directory.native(), "list the directory");
  return names;
}

/// Replaces `to` by another name of `from`.
void bring(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::remove(to, error);
  link_or_copy(from, to);
}

}  // namespace

RunDirectory::RunDirectory(const fs::path& directory, Options options)
    : options_(std::move(options)),
      name_(directory.string()),
      staged_(directory, of_model_or_run),
      checkpoints_(staged_.beside("checkpoints"), options_.keep_checkpoints) {
  const bool gone = !path_exists(path());
  if (gone && checkpoints_.begun())
    options_.log(fmt::format("{} is gone: its unfinished run is given up", name_));
  if (gone || !checkpoints_.begun()) checkpoints_.clear();
  require(options_.overwrite || !staged_.occupied() || checkpoints_.begun(), Kind::usage,
          "overwrite: expected where {} holds a model or a log, found none; give it to replace "
          "them, or name another directory",
          name_);
  older_model_ = path_exists(path() / "config.json");
}

bool RunDirectory::resume(const nlohmann::ordered_json& run) {
  if (!checkpoints_.begun()) return false;
  nlohmann::json there = checkpoints_.run(), here = nlohmann::json::parse(run.dump());
  // A run that starts from the model in its own directory finds a later one there.
  std::error_code error;
  if (fs::equivalent(run.value("from", ""), path(), error))
    there["from_sha256"] = here["from_sha256"] = nullptr;
  const std::vector<std::string> different = differences(there, here);
  if (!different.empty()) {
    const std::string what = fmt::format(
        "{}{}",
        fmt::join(std::span(different).first(std::min<std::size_t>(4, different.size())), "; "),
        different.size() > 4 ? fmt::format("; and {} more", different.size() - 4) : "");
    require(options_.overwrite, Kind::usage,
            "overwrite: expected where {} holds an unfinished run that differs ({}), found none; "
            "repeat that run's command to go on with it, or give it to start anew",
            path().string(), what);
    options_.log(fmt::format("{}: its unfinished run is given up: {}", path().string(), what));
    return false;
  }
  const auto newest = checkpoints_.newest(options_.log);
  if (!newest) {
    options_.log(fmt::format("{}: its unfinished run has no checkpoint yet and starts anew",
                             path().string()));
    return false;
  }
  checkpoint_ = *newest;
  const nlohmann::json state = read_json_file(checkpoint_ / kState);
  resumed_ = state.at("loop"), own_ = state.at("directory");
  options_.log(fmt::format("goes on from the checkpoint of step {}", state.at("step").dump()));
  for (const char* name : {"device", "threads", "isa", "processes"}) {
    if (there[name] != here[name])
      options_.log(fmt::format("{}: {} before, {} now; the last bits of its weights may differ",
                               name, there[name].dump(), here[name].dump()));
  }
  older_model_ = own_.at("older_model").get<bool>();
  older_metric_.reset();
  if (!own_.at("older_metric").is_null()) older_metric_ = own_["older_metric"].get<double>();
  return true;
}

void RunDirectory::start(nlohmann::ordered_json run, Model model) {
  run_ = std::move(run);
  model_ = std::move(model);
  if (!resumed_.is_null()) return go_on();
  // First what says that a run is under way: where it is killed from here on, it may be repeated.
  if (options_.keep_checkpoints > 0) {
    checkpoints_.begin(run_);
  } else {
    checkpoints_.clear();
  }
  place_ = staged_.stage();
  write_file(place_ / kRun, run_.dump(2) + "\n");
  log_.emplace(place_);
  if (!older_model_) publish();
}

/// Brings the run's files back to where they were at the checkpoint. A model that the checkpoint
/// knows nothing of stays until there is another.
void RunDirectory::go_on() {
  place_ = staged_.stage();
  const bool was_published = own_.at("published").get<bool>();
  const auto log_sizes = own_.at("log").get<std::map<std::string, std::uint64_t>>();
  const fs::path kept = checkpoint_ / "run";
  for (const fs::path& from : was_published ? std::vector{path(), kept} : std::vector{kept}) {
    for (const std::string& name : own_names(from)) bring(from / name, place_ / name);
  }
  // The log is read up to where it was, into a file of its own: others have the longer one.
  for (const auto& [name, size] : log_sizes) {
    std::string bytes = read_file(kept / name, std::numeric_limits<std::int64_t>::max());
    bytes.resize(size);
    write_file(place_ / name, bytes);
  }
  log_.emplace(place_, log_sizes);
  saved_ = own_.at("saved").get<bool>();
  hashes_ = own_.at("hashes").get<std::map<std::string, std::string>>();
  if (was_published) publish();
}

void RunDirectory::log(std::string_view kind, std::int64_t step,
                       const std::vector<std::pair<std::string, double>>& values) {
  log_->write(kind, step, values);
  const bool waits = !log_->fault().empty();
  if (waits && !log_waits_)
    options_.log(fmt::format("warning: {}; the log's lines are kept for later", log_->fault()));
  log_waits_ = waits;
}

void RunDirectory::save(const TrainingReport& report, const Evaluation& best) {
  fs::path next = place_;
  if (published_) {
    next = staged_.stage();
    for (const auto& file : log_->files()) bring(place_ / file.first, next / file.first);
  }
  model_.write(next);
  std::map<std::string, std::string> hashes = weight_hashes(next);
  write_report(next, hashes, report, best);
  if (published_ || !older_metric_ || report.best > *older_metric_) publish();
  hashes_ = std::move(hashes);
  saved_ = true;
}

void RunDirectory::update(const TrainingReport& report, const Evaluation& best) {
  write_report(place_, hashes_, report, best);
}

void RunDirectory::checkpoint(std::int64_t step, const nlohmann::json& state,
                              const NamedTensors& tensors) {
  log_->flush();
  std::error_code error;
  const auto needed = static_cast<double>(bytes_of(tensors)) * 1.1;
  const auto free = static_cast<double>(fs::space(path().parent_path(), error).available);
  require(error || free >= needed, Kind::system,
          "{}: expected {:.0f} MB of free space, found {:.0f} MB", path().parent_path().string(),
          needed / 1e6, free / 1e6);
  const nlohmann::json all = {
      {"step", step},
      {"loop", state},
      {"directory",
       {{"older_model", older_model_},
        {"older_metric", older_metric_ ? nlohmann::json(*older_metric_) : nlohmann::json()},
        {"published", published_},
        {"saved", saved_},
        {"hashes", hashes_},
        {"log", log_->files()}}}};
  std::vector<Checkpoints::Shared> shared;
  for (const std::string& name : own_names(place_)) {
    const auto log = log_->files().find(name);
    Checkpoints::Shared& file = shared.emplace_back(Checkpoints::Shared{place_ / name});
    if (log != log_->files().end()) file.size = log->second;
  }
  checkpoints_.save(step, shared, [&](const fs::path& place) {
    write_file(place / kState, all.dump() + "\n");
    write_tensors(place / kTensors, tensors);
  });
}

void RunDirectory::restore(const NamedTensors& tensors) {
  read_tensors(checkpoint_ / kTensors, tensors);
}

void RunDirectory::restore_best() { model_.read(checkpoint_ / "run"); }

bool RunDirectory::finish(End end) {
  if (end != End::interrupted) {
    log_->flush();
    for (const auto& file : log_->files()) flush_to_disk(place_ / file.first);
  }
  if (!published_ && saved_ && end == End::done) publish();
  if (end != End::interrupted) {
    try {
      checkpoints_.clear();
    } catch (const Error& error) {
      options_.log(fmt::format("warning: {}", error.what()));
    }
  }
  return published_ && saved_;
}

TrainingReport RunDirectory::finish(TrainingReport report) {
  report.written = finish(report.interrupted ? End::interrupted : End::done);
  report.resumable = report.written;
  if (!report.interrupted) {
    report.checkpoint.reset();
    return report;
  }
  options_.log(fmt::format("interrupted after step {} of {}: {} {}", report.step, report.steps,
                           name_,
                           report.written        ? "holds the best model so far"
                           : holds_older_model() ? "is as it was"
                                                 : "holds no model yet"));
  return report;
}

void RunDirectory::publish() {
  staged_.publish([this] {
    place_ = path();
    published_ = true;
    log_->move_to(place_);
  });
}

void RunDirectory::write_report(const fs::path& place,
                                const std::map<std::string, std::string>& hashes,
                                const TrainingReport& report, const Evaluation& best) {
  run_["results"] = results_json(report, best);
  run_["results"]["sha256"] = hashes;
  write_file(place / kRun, run_.dump(2) + "\n");
  write_file(place / "report.html", html_report(run_, report, best));
}

}  // namespace fnet
