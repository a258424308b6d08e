#include "runtime/doctor.h"

#include <fmt/ranges.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/output.h"
#include "core/cores.h"
#include "core/error.h"
#include "kernels/kernels.h"

namespace fnet::cli {
namespace {

using nlohmann::ordered_json;
using Level = Finding::Level;

struct Flags {
  std::filesystem::path directory;
  bool json = false;
};

const char* name_of(Level level) {
  return level == Level::ok ? "ok" : level == Level::note ? "note" : "wrong";
}

/// What this build can do, each as a finding.
std::vector<Finding> build_findings() {
  std::vector<Finding> findings;
  const auto say = [&](Level level, std::string place, std::string message,
                       std::string advice = "") {
    findings.push_back({level, std::move(place), std::move(message), std::move(advice)});
  };
  say(Level::ok, "kernels",
      fmt::format("{} on {} cores: {}", kernels::table().name, available_cores(),
                  kernels::table_reason()));
  say(Level::ok, "answers", "predict, evaluate, embed, quantize, bench");
  say(Level::ok, "tokenizer", "SentencePiece: learn, encode, decode; WordPiece: encode, decode");
  const std::filesystem::path trainer = find_program("fnet-train");
  const auto missing = trainer.empty() ? std::vector<std::string>() : missing_libraries(trainer);
  if (trainer.empty()) {
    say(Level::note, "training", "no: there is no fnet-train beside fnet or in PATH",
        "./dev setup && ./dev build release, in fnet's sources, makes it");
  } else if (!missing.empty()) {
    say(Level::wrong, "training",
        fmt::format("{}: expected the shared libraries {}, found none", trainer.string(),
                    fmt::join(missing, ", ")),
        "export LD_LIBRARY_PATH=FOLDER, the lib folder of the libtorch that it was built with");
  } else {
    say(Level::ok, "training", trainer.string());
  }
  const std::filesystem::path exporter = find_program("fnet-export");
  if (exporter.empty()) {
    say(Level::note, "ONNX", "no: there is no fnet-export beside fnet or in PATH",
        "install libonnx-dev and libprotobuf-dev, then ./dev build release in fnet's sources");
  } else {
    say(Level::ok, "ONNX", exporter.string());
  }
  say(Level::note, "conversion",
      "of checkpoints of Hugging Face, Google, keras-hub and the Keras seed: in Python",
      "python3 -m pip install -r tools/requirements-convert.txt, in fnet's sources; then python3 "
      "tools/convert_checkpoint.py CHECKPOINT --out DIR");
  return findings;
}

ordered_json to_json(const std::vector<Finding>& findings) {
  ordered_json list = ordered_json::array();
  for (const Finding& finding : findings) {
    list.push_back({{"level", name_of(finding.level)},
                    {"place", finding.place},
                    {"message", finding.message},
                    {"advice", finding.advice}});
  }
  return list;
}

std::string text_of(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& f : findings) {
    text += fmt::format("{:5}  {:10} {}\n", name_of(f.level), f.place, printable(f.message, 4000));
    if (!f.advice.empty()) text += fmt::format("{:18}-> {}\n", "", f.advice);
  }
  return text;
}

void run(const Flags& flags) {
  Diagnosis diagnosis;
  ordered_json json;
  std::string text;
  if (flags.directory.empty()) {
    diagnosis.findings = build_findings();
    json = {{"version", FNET_VERSION}};
    text = fmt::format("fnet {}\n", FNET_VERSION);
  } else {
    diagnosis = diagnose(flags.directory);
    json = {{"directory", flags.directory.string()},
            {"family", diagnosis.family},
            {"owner", diagnosis.owner}};
    text = fmt::format("model  {}\n", printable(flags.directory.string()));
    if (!diagnosis.family.empty())
      text +=
          fmt::format("family {} ({})\n", printable(diagnosis.family), printable(diagnosis.owner));
  }
  json["healthy"] = diagnosis.healthy();
  json["findings"] = to_json(diagnosis.findings);
  print(flags.json ? json.dump(2) + '\n' : text + '\n' + text_of(diagnosis.findings));
  flush();
  if (!diagnosis.healthy()) throw Finished{1};
}

}  // namespace

Action declare_doctor(FlagSet& set) {
  const auto flags = std::make_shared<Flags>();
  set.add("DIR", &flags->directory,
          "model directory, or another program's checkpoint; without it: what this build can do",
          {.model = true});
  set.add("--json", &flags->json, "one JSON object");
  return [flags] { run(*flags); };
}

}  // namespace fnet::cli
