#include "runtime/doctor.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "blocks/model.h"
#include "core/error.h"
#include "core/file.h"
#include "model/family.h"
#include "model/input_rows.h"
#include "model/weights.h"
#include "runtime/golden.h"

namespace fnet {
namespace {

using Level = Finding::Level;

/// The largest difference, as a share of the largest value, that kernels may have from formulas.
constexpr double kKernelTolerance = 1e-4;

class Doctor {
 public:
  explicit Doctor(const std::filesystem::path& path) : path_(path) {}

  Diagnosis run() {
    if (const auto foreign = foreign_files(path_)) {
      say(Level::wrong, "files",
          fmt::format("expected a model directory of fnet, found {}", *foreign),
          fmt::format("python3 tools/convert_checkpoint.py {} --out model", path_.string()));
    } else if (look("golden", [&] { read_vectors(); }) && look("config", [&] { read_config(); })) {
      check_family();
      check_lengths();
      look("tokenizer", [&] { check_tokenizer(); });
      const bool readable = look("weights", [&] { check_weights(); });
      if (readable) look("answers", [&] { check_answers(); });
    }
    return std::move(result_);
  }

 private:
  void say(Level level, std::string place, std::string message, std::string advice = "") {
    result_.findings.push_back({level, std::move(place), std::move(message), std::move(advice)});
  }

  /// Runs a part of the examination; what the files are to blame for becomes a finding.
  template <class Part>
  bool look(const char* place, Part&& part) {
    try {
      part();
      return true;
    } catch (const Error& error) {
      if (error.kind() == Kind::internal || error.kind() == Kind::system) throw;
      say(Level::wrong, place, error.what());
      return false;
    }
  }

  void read_vectors() {
    if (path_exists(path_ / kGoldenFile)) golden_ = read_golden(path_ / kGoldenFile);
  }

  void read_config() {
    std::vector<std::string> warnings;
    config_ = Config::load(path_, &warnings);
    const Family* family = golden_ ? find_family(golden_->family) : nullptr;
    if (golden_ && family == nullptr) {
      say(Level::note, "golden",
          fmt::format("family '{}' is not known here: its numerics are not "
                      "compared",
                      printable(golden_->family)));
      result_.family = golden_->family;
      result_.owner = golden_->source;
    } else {
      family_ = family != nullptr
                    ? family
                    : &family_of(path_, read_file(path_ / "config.json", 1 << 24), config_);
      result_.family = family_->name;
      result_.owner = fmt::format("{}{}", family_->owner,
                                  golden_ ? ", converted; vectors of " + golden_->source
                                          : ", by its files and config.json");
    }
    for (const std::string& warning : warnings) say(Level::note, "config", warning);
  }

  void check_family() {
    if (family_ == nullptr) return;
    bool same = true;
    const auto fields = config_.describe();
    for (const Numeric& numeric : family_->numerics) {
      const auto field = std::ranges::find(fields, numeric.key, &Config::Field::name);
      if (field == fields.end() || field->value == numeric.value || synonyms(numeric, field->value))
        continue;
      same = false;
      say(family_->only ? Level::wrong : Level::note, "config",
          fmt::format("{}: expected {} as {} computes ({}), found {}", numeric.key, numeric.value,
                      family_->owner, numeric.meaning, printable(field->value)),
          family_->only
              ? fmt::format("set \"{}\" to {} in config.json, unless the model was trained "
                            "otherwise",
                            numeric.key, numeric.value)
              : "nothing, if the model was trained so");
    }
    if (same) {
      say(Level::ok, "config",
          fmt::format("{} layers, hidden {}, {}; numerics of {}", config_.num_hidden_layers,
                      config_.hidden_size,
                      config_.has_head() ? "for " + config_.task : std::string("no head"),
                      family_->owner));
    }
  }

  static bool synonyms(const Numeric& numeric, std::string_view value) {
    return numeric.value == "gelu_new" && value == "gelu_pytorch_tanh";
  }

  void check_lengths() {
    const LengthPolicy policy = config_.lengths();
    if (policy.kind == LengthPolicy::Kind::batch) {
      say(Level::note, "lengths",
          "length_policy batch: a text's answer depends on the longest text beside it",
          "\"length_policy\": \"exact\" or \"fixed:N\" in config.json makes answers repeatable");
    } else if (policy.kind == LengthPolicy::Kind::exact && family_ != nullptr &&
               family_->name != "fnet") {
      say(Level::note, "lengths",
          fmt::format("length_policy exact: expected fixed:N, as models of {} are fed, found texts "
                      "mixed over their own length",
                      family_->owner),
          fmt::format("\"length_policy\": \"fixed:{}\" in config.json, unless its texts were never "
                      "padded",
                      config_.max_position_embeddings));
    } else {
      say(Level::ok, "lengths", fmt::format("length_policy {}", config_.length_policy));
    }
  }

  void check_tokenizer() {
    if (config_.reads_numbers()) {
      return say(Level::ok, "tokenizer", "none: the model reads numbers");
    }
    if (!Tokenizer::stands_in(path_)) {
      say(Level::note, "tokenizer",
          "there is no spiece.model or vocab.txt: the model reads ids, not texts",
          "put the SentencePiece model that it was trained with beside config.json as "
          "spiece.model, or BERT's vocabulary as vocab.txt");
      return;
    }
    std::vector<std::string> warnings;
    const Tokenizer tokenizer = Tokenizer::load(path_, &warnings);
    for (const std::string& warning : warnings) say(Level::note, "tokenizer", warning);
    bool fits = tokenizer.vocab_size() <= config_.vocab_size;
    if (!fits) {
      say(Level::wrong, "tokenizer",
          fmt::format("expected at most {} pieces (vocab_size), found {}", config_.vocab_size,
                      tokenizer.vocab_size()),
          "take the tokenizer that the weights were trained with");
    } else if (tokenizer.vocab_size() < config_.vocab_size) {
      say(Level::note, "tokenizer",
          fmt::format("{} pieces for {} rows (vocab_size): {} rows have no piece",
                      tokenizer.vocab_size(), config_.vocab_size,
                      config_.vocab_size - tokenizer.vocab_size()));
    }
    fits = check_special(tokenizer.special()) && fits;
    if (golden_) {
      const auto cases = other_ids(tokenizer, *golden_);
      if (!cases.empty()) {
        fits = false;
        say(Level::wrong, "tokenizer",
            fmt::format("expected the ids of golden.json, found others of its texts {}",
                        fmt::join(cases, ", ")),
            "compare it with the owner's: fnet tokenizer compare; \"normalization\" in "
            "tokenizer_config.json is raw, hf_slow or hf_fast");
      }
    }
    if (fits) say(Level::ok, "tokenizer", fmt::format("{} pieces", tokenizer.vocab_size()));
  }

  bool check_special(const SpecialIds& special) {
    bool fits = true;
    const bool padded = config_.lengths().kind != LengthPolicy::Kind::exact;
    if (special.pad >= 0 && special.pad != config_.pad_token_id) {
      fits = !padded;
      say(padded ? Level::wrong : Level::note, "tokenizer",
          fmt::format("pad_token_id: expected {} as the tokenizer has it, found {}", special.pad,
                      config_.pad_token_id),
          fmt::format("set \"pad_token_id\" to {} in config.json{}", special.pad,
                      padded ? ": padding is part of what is mixed" : ""));
    }
    if (special.cls < 0 || special.sep < 0) {
      fits = false;
      say(Level::wrong, "tokenizer",
          fmt::format("expected the pieces [CLS] and [SEP], found {}",
                      special.cls < 0 && special.sep < 0 ? "neither" : "one of them"),
          "name its own in tokenizer_config.json: \"cls_token\", \"sep_token\"");
    }
    return fits;
  }

  void check_weights() {
    WeightOptions options;
    options.allow_unexpected = !config_.has_head();
    options.advice = advice_of_shapes();
    const WeightReader reader = WeightReader::open(path_, model_weights(config_), options);
    std::size_t numbers = 0;
    for (const WeightSpec& spec : reader.specs()) numbers += spec.size();
    quantized_ = reader.report().has_int8;
    const auto& unused = reader.report().unexpected;
    if (!unused.empty()) {
      say(Level::note, "weights",
          fmt::format("{} tensors are not used, as {}", unused.size(), unused.front()));
    }
    say(Level::ok, "weights",
        fmt::format("{} tensors, {} parameters{}", reader.specs().size(), numbers,
                    quantized_ ? ", int8" : ""));
  }

  /// Which keys the weights' names ask for where they do not fit the config.
  std::string advice_of_shapes() const {
    WeightOptions lenient;
    lenient.skip_mismatch = true;
    std::vector<std::string> asked;
    try {
      const LoadReport report = WeightReader::open(path_, model_weights(config_), lenient).report();
      const auto any = [](const std::vector<std::string>& names, std::string_view part) {
        return std::ranges::any_of(names, [&](const std::string& name) {
          return name_in_encoder(name).starts_with(part);
        });
      };
      for (const auto& [key, part] : {std::pair("embedding_projection", "embeddings.projection."),
                                      std::pair("pooler", "pooler.")}) {
        if (any(report.unexpected, part)) asked.push_back(fmt::format("\"{}\": true", key));
        if (any(report.missing, part)) asked.push_back(fmt::format("\"{}\": false", key));
      }
    } catch (const Error&) {
      return "";  // told by the strict reading
    }
    return asked.empty() ? "the config is of another model, or the files are"
                         : fmt::format("by these weights, config.json should say {}",
                                       fmt::join(asked, " and "));
  }

  void check_answers() {
    EngineOptions options;
    options.dtype = "float32";
    const Engine engine = Engine::load(path_, options);
    if (golden_) return check_vectors(engine);
    options.formulas = true;
    const std::vector<Encoding> texts = {sample_text()};
    const Matrix fast = engine.forward(texts).front();
    const Matrix slow = Engine::load(path_, options).forward(texts).front();
    const Deviation deviation = deviation_of(fast.data, slow.data);
    const double share = deviation.difference / std::max(deviation.size, 1e-30);
    if (!std::isfinite(share)) {
      say(Level::wrong, "self-test", "expected finite numbers, found infinities or NaN",
          "the weights overflow or are damaged: get or train them again");
    } else {
      say(share <= kKernelTolerance ? Level::ok : Level::wrong, "self-test",
          fmt::format("kernels and formulas differ by {:.1e} of the largest value", share),
          share <= kKernelTolerance ? "" : "report it with the output of fnet info");
    }
    say(Level::note, "golden",
        "there is no golden.json: nothing tells what the model's owner computes",
        family_ != nullptr && family_->name != "fnet"
            ? fmt::format("python3 tools/convert_checkpoint.py {} --out model makes a copy with it",
                          path_.string())
            : "");
  }

  /// Some tokens, the same each time.
  Encoding sample_text() const {
    const std::int64_t tokens = std::min<std::int64_t>(24, config_.longest_text());
    if (config_.reads_numbers()) return sample_rows(config_, tokens);
    Encoding text;
    for (std::int64_t i = 0; i < tokens; ++i) {
      text.input_ids.push_back(static_cast<std::int32_t>((7 + 31 * i) % config_.vocab_size));
      text.token_type_ids.push_back(0);
    }
    return text;
  }

  void check_vectors(const Engine& engine) {
    for (const GoldenResult& one : check_golden(engine, *golden_)) {
      const bool fits = one.ok || quantized_;
      say(one.ok       ? Level::ok
          : quantized_ ? Level::note
                       : Level::wrong,
          "golden",
          fmt::format("{} of {} texts: off by {:.1e} of the largest value, {:.1e} allowed",
                      one.what, one.cases, one.difference, golden_->tolerance),
          fits ? ""
               : "the config or the weights are not those that were converted: convert again, or "
                 "mend what is told above");
    }
  }

  std::filesystem::path path_;
  Diagnosis result_;
  Config config_;
  const Family* family_ = nullptr;
  std::optional<GoldenVectors> golden_;
  bool quantized_ = false;
};

}  // namespace

bool Diagnosis::healthy() const {
  return std::ranges::none_of(findings, [](const Finding& f) { return f.level == Level::wrong; });
}

Diagnosis diagnose(const std::filesystem::path& path) { return Doctor(path).run(); }

}  // namespace fnet
