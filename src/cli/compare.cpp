#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "blocks/model.h"
#include "cli/command.h"
#include "cli/comparison.h"
#include "cli/log.h"
#include "cli/output.h"
#include "core/error.h"
#include "core/file.h"
#include "model/weights.h"
#include "tasks/metrics.h"

namespace fnet::cli {
namespace {

using nlohmann::ordered_json;

struct Flags {
  ModelFlags model;
  std::filesystem::path other, out;
  InputFlags input;
  std::size_t show = 10;
  bool json = false;
};

ordered_json side_json(const Side& side) {
  const std::vector<WeightSpec> specs = model_weights(side.engine.config());
  std::size_t parameters = 0;
  for (const WeightSpec& spec : specs) parameters += spec.size();
  std::uintmax_t bytes = 0;
  WeightOptions options;
  options.allow_unexpected = true;
  const WeightReader reader = WeightReader::open(side.directory, specs, options);
  for (const auto& file : reader.report().files) bytes += std::filesystem::file_size(file);
  ordered_json json = {{"name", side.name},
                       {"directory", side.directory.string()},
                       {"dtype", side.engine.options().dtype},
                       {"parameters", parameters},
                       {"weight_bytes", bytes},
                       {"tokens", side.tokens},
                       {"tokens_per_second", side.tokens_per_second()}};
  if (side.scorer) {
    for (const auto& [name, value] : side.scorer->finish().metrics) json["metrics"][name] = value;
  }
  return json;
}

ordered_json agreement_json(const Findings& found) {
  const RegressionReport numbers = regression_report(found.values);
  if (!found.of_answers) {
    return {{"unit", found.unit},
            {"count", found.texts},
            {"cosine", found.cosine},
            {"least_cosine", found.least_cosine},
            {"neighbours_spearman", numbers.spearman}};
  }
  if (found.agreement.count() == 0) {
    return {{"unit", found.unit},
            {"count", numbers.count},
            {"pearson", numbers.pearson},
            {"spearman", numbers.spearman},
            {"mae", numbers.mae}};
  }
  ordered_json json = {{"unit", found.unit},
                       {"count", found.agreement.count()},
                       {"share", found.agreement.share()},
                       {"kappa", found.agreement.kappa()}};
  if (found.decided) {
    json["only_right"] = found.only;
    json["p"] = sign_test(found.only[0], found.only[1]);
  }
  return json;
}

ordered_json difference_json(const Difference& d, bool of_answers) {
  ordered_json json = {{"line", d.line}};
  if (!d.truth.empty()) json["truth"] = d.truth;
  if (of_answers) {
    json["answers"] = d.answers;
    json["scores"] = d.scores;
  } else {
    json["cosine"] = d.scores[0];
  }
  json["text"] = d.text;
  return json;
}

/// A number; a dash where it is not one, which JSON has as null.
std::string shown(const ordered_json& value, int digits = 4) {
  if (!value.is_number() || !std::isfinite(value.get<double>())) return "-";
  return fmt::format("{:.{}f}", value.get<double>(), digits);
}

std::string sides_text(const ordered_json& models) {
  const auto name = [&](std::size_t i) { return models[i]["name"].get<std::string>(); };
  const std::size_t width = std::max({name(0).size(), name(1).size(), std::size_t{12}});
  std::string text = fmt::format("{:18}  {:>{}}  {:>{}}\n", "", name(0), width, name(1), width);
  const auto row = [&](std::string_view what, const auto& cell) {
    text += fmt::format("{:18}  {:>{}}  {:>{}}\n", what, cell(models[0]), width, cell(models[1]),
                        width);
  };
  row("products in", [](const auto& m) { return m["dtype"].template get<std::string>(); });
  row("parameters", [](const auto& m) { return m["parameters"].dump(); });
  row("weights, MB", [](const auto& m) {
    return fmt::format("{:.1f}", 1e-6 * m["weight_bytes"].template get<double>());
  });
  row("tokens/s", [](const auto& m) { return shown(m["tokens_per_second"], 0); });
  if (!models[0].contains("metrics")) return text;
  for (const auto& item : models[0]["metrics"].items())
    row(item.key(), [&](const auto& m) { return shown(m["metrics"][item.key()]); });
  return text;
}

std::string agreement_text(const ordered_json& all) {
  const auto& g = all["agreement"];
  const auto count = g["count"].get<std::size_t>();
  const auto unit = g["unit"].get<std::string>();
  if (g.contains("cosine")) {
    return fmt::format(
        "cosine of the two vectors of {} {}: mean {}, least {}\n"
        "likeness of each text to the one before it: Spearman {} between the models\n",
        count, unit, shown(g["cosine"]), shown(g["least_cosine"]), shown(g["neighbours_spearman"]));
  }
  if (g.contains("mae")) {
    return fmt::format("{} {}: Pearson {}, Spearman {}, mean distance {} between the answers\n",
                       count, unit, shown(g["pearson"]), shown(g["spearman"]), shown(g["mae"]));
  }
  std::string text = fmt::format("same answer for {:.2f} % of {} {}, Cohen's kappa {}\n",
                                 100 * g["share"].get<double>(), count, unit, shown(g["kappa"]));
  if (g.contains("p")) {
    text += fmt::format("right where the other is wrong: {} {}, {} {}; sign test p = {}\n",
                        all["models"][0]["name"].get<std::string>(),
                        g["only_right"][0].get<std::size_t>(),
                        all["models"][1]["name"].get<std::string>(),
                        g["only_right"][1].get<std::size_t>(), shown(g["p"]));
  }
  return text;
}

std::string differences_text(const ordered_json& all) {
  const auto& list = all["differences"];
  if (list.empty()) return "";
  std::string text = fmt::format("\nwhere they differ most, {} of {}\n", list.size(),
                                 all["different"].get<std::size_t>());
  for (const auto& d : list) {
    text += fmt::format("line {:<6} ", d["line"].get<std::size_t>());
    if (d.contains("cosine")) {
      text += shown(d["cosine"]) + "  ";
    } else {
      if (d.contains("truth"))
        text += fmt::format("truth {}  ", printable(d["truth"].get<std::string>(), 40));
      for (const std::size_t i : {0, 1}) {
        text += fmt::format("{} {}  ", printable(d["answers"][i].get<std::string>(), 40),
                            shown(d["scores"][i], 3));
      }
    }
    text += printable(d["text"].get<std::string>(), 90) + '\n';
  }
  return text;
}

std::string differences_tsv(const Sides& sides, std::span<const Difference> differences,
                            bool of_answers) {
  std::string text = "line\tcosine\ttext\n";
  if (of_answers) {
    text = fmt::format("line\ttruth\t{0}\t{0} score\t{1}\t{1} score\ttext\n", sides[0].name,
                       sides[1].name);
  }
  for (const Difference& d : differences) {
    text += fmt::format("{}\t", d.line);
    if (of_answers) {
      text += field(d.truth) + '\t';
      for (const std::size_t i : {0, 1})
        text += fmt::format("{}\t{:.6g}\t", field(d.answers[i]), d.scores[i]);
    } else {
      text += fmt::format("{:.6g}\t", d.scores[0]);
    }
    text += field(d.text) + '\n';
  }
  return text;
}

void run(const Flags& flags) {
  ModelFlags other = flags.model;
  other.directory = flags.other;
  Sides sides = {Side{model_name(flags.model.directory), flags.model.directory, flags.model.load()},
                 Side{model_name(other.directory), other.directory, other.load()}};
  if (sides[0].name == sides[1].name) {
    for (Side& side : sides) side.name = printable(side.directory.string());
  }
  const std::string task = sides[0].engine.config().task,
                    other_task = sides[1].engine.config().task;
  if (task != other_task) {
    log_warning("{} is for {}, {} for {}: their texts' vectors are compared", sides[0].name, task,
                sides[1].name, other_task);
  }
  const std::size_t most =
      flags.out.empty() ? flags.show : std::numeric_limits<std::size_t>::max() / 4;
  const bool of_answers = sides[0].engine.config().has_head() && task == other_task;
  Findings found = of_answers ? compare_answers(flags.input, sides, most)
                              : compare_vectors(flags.input, sides, most);
  require(found.texts > 0, Kind::input, "{}: expected at least one text, found none",
          flags.input.path.string());
  const std::span<const Difference> differences = found.differences.sorted();
  if (!flags.out.empty()) write_file(flags.out, differences_tsv(sides, differences, of_answers));
  ordered_json all = {{"models", {side_json(sides[0]), side_json(sides[1])}},
                      {"texts", found.texts},
                      {"agreement", agreement_json(found)},
                      {"different", found.differences.count()},
                      {"differences", ordered_json::array()}};
  for (const Difference& d : differences.first(std::min(flags.show, differences.size())))
    all["differences"].push_back(difference_json(d, of_answers));
  print(flags.json
            ? all.dump(2) + '\n'
            : sides_text(all["models"]) + '\n' + agreement_text(all) + differences_text(all));
  flush();
}

}  // namespace

Action declare_compare(FlagSet& set) {
  const auto flags = std::make_shared<Flags>();
  flags->model.declare(set);
  set.add("OTHER", &flags->other, "the model to compare it with",
          {.required = true, .model = true});
  set.add("--data", &flags->input.path, "texts, with labels where there are any",
          {.required = true});
  set.add("--show", &flags->show, "texts where they differ that are shown",
          {.range = Range{0, 1'000'000}});
  set.add("--out", &flags->out, "write all texts where they differ as tab-separated values",
          {.letter = 'o'});
  set.add("--json", &flags->json, "one JSON object");
  flags->input.declare(set);
  return [flags] { run(*flags); };
}

}  // namespace fnet::cli
