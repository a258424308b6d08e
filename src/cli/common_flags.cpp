#include "cli/common_flags.h"

#include "cli/log.h"
#include "fnet/config.h"
#include "model/config_fields.h"

namespace fnet::cli {

std::vector<std::string> names_of(std::span<const KindRow> rows) {
  std::vector<std::string> names;
  for (const KindRow& row : rows) names.emplace_back(row.name);
  return names;
}

std::vector<std::string> names_of(std::span<const std::string_view> names) {
  return {names.begin(), names.end()};
}

void add_threads(FlagSet& flags, int& threads) {
  flags.add("--threads", &threads, "threads; 0: one for each core",
            {.range = Range{0, 1024}, .environment = "FNET_THREADS"});
}

void add_variant(FlagSet& flags, std::string& variant, std::string help,
                 std::vector<std::string> without) {
  flags.add("--variant", &variant, std::move(help),
            {.words = names_of(Config::variants()), .without = std::move(without)});
}

void add_pooling(FlagSet& flags, std::string& pooling, std::vector<std::string> more,
                 std::string help) {
  std::vector<std::string> words = names_of(pooling_kinds());
  words.insert(words.end(), more.begin(), more.end());
  flags.add("--pooling", &pooling, std::move(help), {.words = std::move(words)});
}

void add_problem_type(FlagSet& flags, std::string& problem_type) {
  flags.add(
      "--problem-type", &problem_type,
      "of text-classification; without it a list of labels means several a text, numbers that "
      "are not all whole a regression",
      {.words = names_of(problem_types().names)});
}

void add_settings(FlagSet& flags, std::vector<std::string>& settings,
                  std::vector<std::string> without) {
  flags.add("--set", &settings, "a key of config.json: key=value; may be given again",
            {.without = std::move(without), .option = "config"});
}

void warn_of_skipped(const std::string& name, std::size_t lines) {
  if (lines > 0) log_warning("{}: {} bad lines skipped", name, lines);
}

void add_data(FlagSet& flags, ReadOptions& options, Columns& columns) {
  flags.group("Data");
  flags.add("--input-format", &options.format,
            "format of the data; without it the file's extension tells",
            {.words = names_of(data_formats()), .option = "format"});
  flags.add("--text-column", &columns.text, "name of the texts' column");
  flags.add("--text-pair-column", &columns.text_pair, "name of the pairs' column");
  flags.add("--label-column", &columns.label, "name of the labels' column");
  flags.add("--tokens-column", &columns.tokens, "name of the words' key in JSON lines");
  flags.add("--tags-column", &columns.tags, "name of the tags' key in JSON lines");
  flags.add("--skip-bad-lines", &options.skip_bad_lines, "count bad lines instead of stopping");
}

}  // namespace fnet::cli
