// fnet-export: what `fnet export` starts.
#include <array>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include <fmt/ranges.h>

#include "blocks/model.h"
#include "cli/log.h"
#include "cli/program.h"
#include "core/error.h"
#include "core/file.h"
#include "export/export.h"

namespace fnet::cli {
namespace {

struct Flags {
  std::filesystem::path directory, out;
  std::string fourier = "matmul";
  bool overwrite = false;
};

void export_model(const Flags& flags) {
  require(flags.overwrite || !path_exists(flags.out), Kind::input,
          "{}: expected a new file, found one; --overwrite replaces it", flags.out.string());
  std::vector<std::string> warnings;
  const Config config = Config::load(flags.directory, &warnings);
  WeightOptions options;
  options.allow_unexpected = !config.has_head();  // an encoder may be read out of any FNet
  const WeightReader reader = WeightReader::open(flags.directory, model_weights(config), options);
  for (const std::string& warning : warnings) log_warning("{}", warning);
  const OnnxReport report = export_onnx(
      config,
      [&](const std::string& name, std::span<const std::int64_t>) { return reader.read(name); },
      flags.out, flags.fourier == "dft" ? OnnxFourier::dft : OnnxFourier::matmul);
  const LoadReport& loaded = reader.report();
  log_info("{}: {:.1f} MB, opset {}, outputs {}; weights in float32{}", flags.out.string(),
           1e-6 * static_cast<double>(report.bytes), OnnxGraph::kOpset,
           fmt::join(report.outputs, ", "),
           loaded.has_int8       ? ", of int8 in the model"
           : loaded.has_bfloat16 ? ", of bfloat16 in the model"
                                 : "");
}

Action declare_onnx(FlagSet& set) {
  const auto flags = std::make_shared<Flags>();
  set.add("DIR", &flags->directory, "model directory", {.required = true, .model = true});
  set.add("--out", &flags->out, "file to write", {.required = true, .letter = 'o'});
  set.add("--fourier", &flags->fourier,
          "matmul: products with cosines and sines, for texts of any lengths in a batch; dft: the "
          "operator DFT, for texts of equal lengths or a model of fixed:N",
          {.words = {"matmul", "dft"}});
  set.add("--overwrite", &flags->overwrite, "replace the file that --out names");
  return [flags] { export_model(*flags); };
}

constexpr std::array kCommands = {
    Command{"export", "write a model for other programs"},
    Command{"export onnx", "write a model as ONNX", "export onnx model --out model.onnx",
            declare_onnx},
};

constexpr Program kProgram = {"fnet-export", "Write FNet models for other programs",
                              "'fnet export' starts this program. FNET_LOG stands in for the flag "
                              "--log-level. Exit codes: 0\n"
                              "done, 1 failed, 2 wrong usage or bad input, 130 interrupted.",
                              kCommands, "fnet: %v"};

}  // namespace
}  // namespace fnet::cli

int main(int argc, char** argv) { return fnet::cli::run_program(fnet::cli::kProgram, argc, argv); }
