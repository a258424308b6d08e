#include "train/start.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <span>

#include "blocks/model.h"
#include "core/cores.h"
#include "core/error.h"
#include "text/vocabulary_map.h"

namespace fnet {
namespace {

using Log = std::function<void(std::string_view)>;

/// The first names of a list, for a line of the log.
std::string some_of(std::span<const std::string> names) {
  constexpr std::size_t kShown = 3;
  const auto shown = names.first(std::min(kShown, names.size()));
  return fmt::format("{}{}", fmt::join(shown, ", "), names.size() > kShown ? ", …" : "");
}

std::int64_t parameters_of(const nn::FNetWithHeadImpl& model,
                           const std::function<bool(const std::string&)>& counts) {
  std::int64_t sum = 0;
  for (const auto& item : model.named_parameters()) {
    if (counts(item.key())) sum += item.value().numel();
  }
  return sum;
}

void tell_vocabulary(const VocabularyMap& map, const Tokenizer& before, const Tokenizer& after,
                     const Log& log) {
  log(
      fmt::format("tokenizer: {} pieces in place of {}: {} keep their vectors, {} begin with the "
                  "mean of the pieces that stood for them, {} start afresh",
                  after.vocab_size(), before.vocab_size(), map.kept, map.composed, map.fresh()));
}

}  // namespace

void use_threads(int threads, int processes) {
  at::set_num_threads(
      threads > 0 ? threads
                  : std::min(at::get_num_threads(), std::max(1, available_cores() / processes)));
}

void log_model(const nn::FNetWithHeadImpl& model, const Log& log) {
  const Config& config = model.config();
  log(fmt::format("model: {} layers, hidden {}, {} parameters, length policy {}",
                  config.num_hidden_layers, config.hidden_size,
                  parameters_of(model, [](const std::string&) { return true; }),
                  config.length_policy));
}

StartingModel read_start(const FinetuneOptions& options, const Log& log) {
  std::vector<std::string> warnings;
  StartingModel start{Config::load(options.from, &warnings), {}, {}};
  const bool numbers = start.config.reads_numbers();
  if (!numbers) start.tokenizer = Tokenizer::load(options.from, &warnings);
  for (const std::string& warning : warnings) log(warning);
  require(!numbers || options.tokenizer.empty(), Kind::usage,
          "tokenizer: expected none for a model that reads numbers, found {}",
          options.tokenizer.string());
  if (numbers) return start;
  const Tokenizer& own = start.tokenizer;
  require(own.vocab_size() <= start.config.vocab_size, Kind::input,
          "{}: tokenizer: expected at most {} pieces (vocab_size), found {}", options.from.string(),
          start.config.vocab_size, own.vocab_size());
  if (options.tokenizer.empty()) return start;
  const Tokenizer other = Tokenizer::load(options.tokenizer);
  VocabularyMap map = map_vocabulary(own, other);
  if (!map.same() || other.vocab_size() != own.vocab_size()) {
    tell_vocabulary(map, own, other, log);
    const SpecialIds& special = other.special();
    start.config.set_vocabulary(other.vocab_size(), special.pad, special.bos, special.eos);
    start.vocabulary = std::move(map.sources);
  }
  start.tokenizer = other;
  return start;
}

nlohmann::ordered_json load_start(nn::FNetWithHeadImpl& model, const FinetuneOptions& options,
                                  const StartingModel& start, bool new_head, bool new_wide,
                                  const Log& log) {
  const nn::LoadedWeights found =
      model.load_weights(options.from, {.new_head = new_head,
                                        .new_wide = new_wide,
                                        .skip_mismatch = options.skip_mismatch,
                                        .positions = options.resize_positions,
                                        .vocabulary = start.vocabulary});
  const std::set<std::string> loaded(found.loaded.begin(), found.loaded.end());
  const std::size_t all = loaded.size() + found.missing.size() + found.mismatched.size();
  std::string line = fmt::format(
      "weights: {} of {} taken from {}, {} of {} parameters", loaded.size(), all,
      options.from.string(),
      parameters_of(model, [&](const std::string& name) { return loaded.contains(name); }),
      parameters_of(model, [](const std::string&) { return true; }));
  const auto tell = [&](const char* what, const std::vector<std::string>& names) {
    if (!names.empty()) line += fmt::format("; {} {}: {}", names.size(), what, some_of(names));
  };
  tell("made to fit", found.resized);
  tell("missing there, start afresh", found.missing);
  tell("of another shape, start afresh", found.mismatched);
  tell("of its weights without a place here", found.unexpected);
  log(line);
  return {{"loaded", loaded.size()},
          {"resized", found.resized},
          {"missing", found.missing},
          {"mismatched", found.mismatched},
          {"unexpected", found.unexpected}};
}

std::set<std::string> frozen_weights(const nn::FNetWithHeadImpl& model,
                                     const FinetuneOptions& options, const Log& log) {
  const std::vector<std::string> names = model.weights_like(options.freeze);
  std::set<std::string> frozen(names.begin(), names.end());
  // No step changes these: they are fitted before the first one.
  std::erase_if(frozen, [](const std::string& name) { return name.starts_with("wide."); });
  const std::int64_t layers = model.config().num_hidden_layers;
  const auto learns = [&](const std::string& name) { return !frozen.contains(name); };
  const std::int64_t left = parameters_of(model, learns);
  require(left > 0, Kind::usage,
          "freeze: expected some weights to be left to learn, found all of them frozen");
  require(options.head_epochs == 0 || parameters_of(model,
                                                    [&](const std::string& name) {
                                                      return learns(name) &&
                                                             depth_of(name, layers) > layers;
                                                    }) > 0,
          Kind::usage, "head_epochs: expected 0 where the head is frozen, found {}",
          options.head_epochs);
  if (!frozen.empty()) {
    log(fmt::format("frozen: {} weights ({}); {} parameters learn", frozen.size(), some_of(names),
                    left));
  }
  return frozen;
}

}  // namespace fnet
