#include "core/checkpoints.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/json.h"

namespace fnet {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRun = "run.json";
constexpr const char* kManifest = "manifest.json";
constexpr const char* kShared = "run";      // the folder of shared files
constexpr const char* kUnfinished = "new";  // the checkpoint that is being written
constexpr std::string_view kStep = "step-";
constexpr std::int64_t kFormat = 1;

void make_directory(const fs::path& path) {
  std::error_code error;
  fs::create_directory(path, error);
  require_path(error, path.native(), "make the directory");
}

void remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  require(!error, Kind::system, "{}: cannot be removed: {}", printable(path.native()),
          error.message());
}

/// Throws input where a file of a checkpoint is not as its manifest says.
void check_file(const fs::path& file, const nlohmann::json& entry, const std::string& source) {
  const std::string place = file.filename().native();
  const auto size = json_cast<std::int64_t>(entry.at("size"), source, place);
  const InputFile open = InputFile::open(file);
  const auto found = static_cast<std::int64_t>(open.size());
  if (!entry.contains("sha256")) {  // a file that grows
    require(found >= size, Kind::input, "{}: expected at least {} bytes, found {}",
            printable(file.native()), size, found);
    return;
  }
  require(found == size, Kind::input, "{}: expected {} bytes, found {}", printable(file.native()),
          size, found);
  require(sha256_of_file(file) == json_cast<std::string>(entry.at("sha256"), source, place),
          Kind::input, "{}: expected the bytes that were written, found others",
          printable(file.native()));
}

void check(const fs::path& checkpoint) {
  const fs::path manifest = checkpoint / kManifest;
  const nlohmann::json json = read_json_file(manifest);
  require(json.is_object() && json.contains("format") && json.contains("files") &&
              json["files"].is_object(),
          Kind::input, "{}: expected a checkpoint's manifest", printable(manifest.native()));
  require(json["format"] == kFormat, Kind::input, "{}: format: expected {}, found {}",
          printable(manifest.native()), kFormat, json["format"].dump());
  for (const auto& [name, entry] : json["files"].items()) {
    require(entry.is_object() && entry.contains("size"), Kind::input,
            "{}: {}: expected a file's size", printable(manifest.native()), printable(name));
    check_file(checkpoint / name, entry, manifest.native());
  }
}

}  // namespace

void link_or_copy(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::create_hard_link(from, to, error);
  if (error) {
    fs::copy_file(from, to, error);
    if (!error) flush_to_disk(to);
  }
  require(!error, Kind::system, "{}: cannot be copied: {}", printable(from.native()),
          error.message());
}

Checkpoints::Checkpoints(fs::path directory, std::int64_t keep)
    : directory_(std::move(directory)), keep_(std::max<std::int64_t>(1, keep)) {}

bool Checkpoints::begun() const { return path_exists(directory_ / kRun); }

nlohmann::json Checkpoints::run() const { return read_json_file(directory_ / kRun); }

void Checkpoints::begin(const nlohmann::ordered_json& run) {
  clear();
  make_directory(directory_);
  write_file(directory_ / kRun, run.dump(2) + "\n");
  flush_to_disk(directory_.parent_path());
}

fs::path Checkpoints::place_of(std::int64_t step) const {
  return directory_ / fmt::format("{}{:012}", kStep, step);
}

std::vector<std::int64_t> Checkpoints::steps() const {
  std::vector<std::int64_t> found;
  std::error_code error;
  for (fs::directory_iterator at(directory_, error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().native();
    if (name.starts_with(kStep) && name.size() == kStep.size() + 12 &&
        name.find_first_not_of("0123456789", kStep.size()) == name.npos) {
      found.push_back(std::stoll(name.substr(kStep.size())));
    }
  }
  std::ranges::sort(found, std::greater());
  return found;
}

/// A shared file does not change, so its hash is computed once, whatever links there are to it.
std::string Checkpoints::hash_of(const fs::path& file) {
  struct stat s{};
  if (stat(file.c_str(), &s) != 0) fail_errno(file.native(), "read its status");
  std::string& hash =
      hashes_[{static_cast<std::int64_t>(s.st_dev), static_cast<std::int64_t>(s.st_ino),
               static_cast<std::int64_t>(s.st_size), s.st_mtim.tv_sec, s.st_mtim.tv_nsec}];
  if (hash.empty()) hash = sha256_of_file(file);
  return hash;
}

void Checkpoints::save(std::int64_t step, const std::vector<Shared>& shared,
                       const std::function<void(const fs::path&)>& write) {
  const fs::path place = directory_ / kUnfinished;
  remove_tree(place);
  try {
    make_directory(place);
    make_directory(place / kShared);
    write(place);
    nlohmann::ordered_json files = nlohmann::ordered_json::object();
    for (const auto& entry : fs::directory_iterator(place)) {
      if (!entry.is_regular_file()) continue;
      files[entry.path().filename().native()] = {{"size", entry.file_size()},
                                                 {"sha256", sha256_of_file(entry.path())}};
    }
    for (const Shared& one : shared) {
      const fs::path name = fs::path(kShared) / one.file.filename();
      link_or_copy(one.file, place / name);
      auto& entry = files[name.native()];
      if (one.size) {
        flush_to_disk(place / name);
        entry = {{"size", *one.size}};
      } else {
        entry = {{"size", fs::file_size(one.file)}, {"sha256", hash_of(one.file)}};
      }
    }
    flush_to_disk(place / kShared);
    const nlohmann::ordered_json manifest = {{"format", kFormat}, {"step", step}, {"files", files}};
    write_file(place / kManifest, manifest.dump(2) + "\n");  // makes the names in `place` durable
    const fs::path last = place_of(step);
    remove_tree(last);  // a damaged one that was passed over
    if (rename(place.c_str(), last.c_str()) != 0) fail_errno(place.native(), "rename");
    flush_to_disk(directory_);
  } catch (const std::exception& error) {
    std::error_code ignored;
    fs::remove_all(place, ignored);
    const auto* failed = dynamic_cast<const fs::filesystem_error*>(&error);
    if (failed == nullptr) throw;
    fail(Kind::system, "{}: {}", printable(failed->path1().native()), failed->code().message());
  }
  prune();
}

/// What cannot be removed now is removed after the next save, or at the end.
void Checkpoints::prune() noexcept {
  try {
    const std::vector<std::int64_t> all = steps();
    for (std::size_t i = static_cast<std::size_t>(keep_); i < all.size(); ++i)
      remove_tree(place_of(all[i]));
  } catch (const std::exception&) {
    return;
  }
}

std::optional<fs::path> Checkpoints::newest(const std::function<void(std::string_view)>& tell) {
  std::vector<std::int64_t> damaged;
  std::string why;
  for (const std::int64_t step : steps()) {
    try {
      check(place_of(step));
    } catch (const Error& error) {
      why = error.what();
      tell(fmt::format("checkpoint of step {} is damaged: {}", step, why));
      damaged.push_back(step);
      continue;
    }
    for (const std::int64_t bad : damaged) remove_tree(place_of(bad));
    return place_of(step);
  }
  require(damaged.empty(), Kind::input,
          "{}: expected a checkpoint that is as it was written, found {} damaged ({}); remove "
          "that directory to start anew",
          printable(directory_.native()), damaged.size(), why);
  return {};
}

void Checkpoints::clear() {
  std::error_code error;
  fs::remove(directory_ / kRun, error);  // from here on there is no run under way
  require(!error, Kind::system, "{}: cannot be removed: {}", printable(directory_.native()),
          error.message());
  remove_tree(directory_);
}

}  // namespace fnet
