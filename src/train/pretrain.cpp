#include "fnet/pretrain.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/permutation.h"
#include "model/batch.h"
#include "model/weights.h"
#include "train/check_option.h"
#include "train/corpus_source.h"
#include "train/device.h"
#include "train/loop.h"
#include "train/pretrain_objective.h"
#include "train/pretrain_options.h"
#include "train/ranks.h"
#include "train/run_directory.h"
#include "train/run_json.h"
#include "train/start.h"

namespace fnet {
namespace {

namespace fs = std::filesystem;
using Log = std::function<void(std::string_view)>;

/// Stream of the choice of documents that are held out.
constexpr std::uint64_t kHoldOutStream = (std::uint64_t{1} << 61) - 1;
/// Stream of the choice of lines that a new tokenizer learns from.
constexpr std::uint64_t kTokenizerStream = kHoldOutStream - 1;
/// Documents that are held out at most: more than an evaluation reads.
constexpr std::uint64_t kMostHeldOut = 2'000;
/// The seed of the masks of evaluations: whatever the run's is, losses can be compared.
constexpr std::uint64_t kEvaluationSeed = 0;
/// Bytes of text that a new tokenizer learns from: more make it slower, and no better.
constexpr std::uint64_t kTokenizerBytes = std::uint64_t{32} << 20;
/// Bytes of text that a byte of gzip may stand for.
constexpr std::uint64_t kUnpacked = 3;
/// Pieces of a vocabulary unless somebody says otherwise: FNet's.
constexpr std::int32_t kUsualVocabulary = 32'000;

void check_options(const PretrainOptions& o) {
  pretrain_options([&](std::string_view name, auto member, const Allowed& allowed,
                       std::string_view) { check_option(name, o.*member, allowed); });
  require(!o.train.empty(), Kind::usage, "train: expected files with texts, found none");
  require(!o.out.empty(), Kind::usage,
          "out: expected a directory to write the model to, found none");
}

DocumentOptions reading(const PretrainOptions& o) {
  return {o.documents, o.input_format, o.text_column, o.skip_bad_lines};
}

/// A tokenizer of some of the corpus' lines, evenly from all of it.
Tokenizer learn_tokenizer(const PretrainOptions& o, const Log& log) {
  const std::vector<fs::path> files = corpus_files(o.train);
  std::uint64_t bytes = 0;
  for (const fs::path& file : files) {
    std::error_code error;
    const std::uintmax_t size = fs::file_size(file, error);
    bytes += error ? 0 : size * (file.extension() == ".gz" ? kUnpacked : 1);
  }
  DocumentReader reader(files, reading(o));
  const double share =
      bytes > 0 ? static_cast<double>(kTokenizerBytes) / static_cast<double>(bytes) : 1;
  std::uint64_t taken = 0;
  TokenizerTraining training;
  training.next_text = [&, random = Philox(o.seed, kTokenizerStream)](std::string& text) mutable {
    for (DocumentReader::Part part; taken < 2 * kTokenizerBytes && reader.next(part);) {
      if (share < 1 && random.uniform() >= share) continue;
      text = std::move(part.text);
      taken += text.size();
      return true;
    }
    return false;
  };
  training.vocab_size = o.vocab_size > 0 ? o.vocab_size : kUsualVocabulary;
  training.fewer_pieces = o.vocab_size == 0;
  training.seed = o.seed;
  Tokenizer tokenizer = train_tokenizer(training);
  log(fmt::format("tokenizer: {} pieces learned from {:.1f} MB of text", tokenizer.vocab_size(),
                  1e-6 * static_cast<double>(taken)));
  return tokenizer;
}

/// What a run starts from.
struct Start {
  Config config;
  std::optional<Tokenizer> tokenizer;
  std::optional<StartingModel> model;
  FinetuneOptions options;  // as far as they say what is taken of `from`
  bool new_head = true;
};

Start starting_point(const PretrainOptions& o, const Log& log) {
  Start start;
  Config& config = start.config;
  if (!o.from.empty()) {
    start.options.from = o.from;
    start.options.tokenizer = o.tokenizer;
    start.model = read_start(start.options, log);
    config = start.model->config;
    start.tokenizer = start.model->tokenizer;
  } else {
    start.tokenizer = o.tokenizer.empty() ? learn_tokenizer(o, log) : Tokenizer::load(o.tokenizer);
    config = Config::preset(o.variant);
    const SpecialIds& special = start.tokenizer->special();
    config.set_vocabulary(start.tokenizer->vocab_size(), special.pad, special.bos, special.eos);
    config.max_position_embeddings = std::max(config.max_position_embeddings, o.max_length);
  }
  const Config before = config;
  config.task = "fill-mask";
  config.labels.clear();
  config.problem_type.clear();
  config.no_answer = false;
  config.wide_features = 0;
  config.head_options.clear();
  config.heads.clear();
  if (o.objective != "mlm") config.heads[std::string(kOrderHead)] = order_head();
  start.new_head = before.task != config.task || before.heads != config.heads;
  for (const std::string& setting : o.set) config.assign(setting);
  config.validate();
  require(start.tokenizer->vocab_size() <= config.vocab_size, Kind::input,
          "tokenizer: expected at most {} pieces (vocab_size), found {}", config.vocab_size,
          start.tokenizer->vocab_size());
  require(o.objective == "mlm" || config.type_vocab_size >= 2, Kind::usage,
          "objective: expected mlm for a model with one type of tokens, found '{}'", o.objective);
  return start;
}

SampleOptions sample_options(const PretrainOptions& o, const Config& config,
                             const Tokenizer& tokenizer) {
  SampleOptions samples;
  if (o.objective == "mlm+sop") samples.pairs = PairObjective::order;
  if (o.objective == "mlm+nsp") samples.pairs = PairObjective::next;
  const std::int64_t limit = config.longest_text(), least = 8;
  require(o.max_length == 0 || (o.max_length >= least && o.max_length <= limit), Kind::usage,
          "max_length: expected {} to {}, the model's limit, found {}", least, limit, o.max_length);
  samples.max_length = static_cast<std::int64_t>(most_tokens(
      config, tokenizer.config().model_max_length, static_cast<std::size_t>(o.max_length)));
  samples.seed = o.seed;
  return samples;
}

/// The texts that a run learns from, and those that it is scored on.
class PretrainingData {
 public:
  PretrainingData(const PretrainOptions& o, const SampleOptions& samples,
                  const Tokenizer& tokenizer, const TrainingCallbacks& callbacks, const Log& log)
      : train_corpus_(open(o, o.train, tokenizer, callbacks, log)) {
    if (!o.dev.empty()) dev_corpus_.emplace(open(o, o.dev, tokenizer, callbacks, log));
    const std::uint64_t room = CorpusSamples::room(samples);
    const std::uint64_t documents = train_corpus_.documents();
    CorpusTexts::Takes held, rest;
    if (o.dev.empty()) {
      require(documents > 1, Kind::input,
              "{}: expected at least two documents, one of them to score the model on, found one; "
              "name a file for that (dev), or say what a document is (documents)",
              o.train[0].string());
      const std::uint64_t count = std::clamp<std::uint64_t>(documents / 100, 1, kMostHeldOut);
      const Permutation order(documents, o.seed, kHoldOutStream);
      held = [=](std::uint64_t document) { return order(document) < count; };
      rest = [=](std::uint64_t document) { return order(document) >= count; };
    }
    texts_.emplace(train_corpus_, room, CorpusSamples::kLeast, rest);
    const CorpusTexts dev_texts(dev_corpus_ ? *dev_corpus_ : train_corpus_, room,
                                CorpusSamples::kLeast, held);
    require_texts(*texts_, o.train);
    require_texts(dev_texts, o.dev.empty() ? o.train : o.dev);
    masker_.emplace(tokenizer, MaskingOptions{o.masking, o.mask_prob, o.max_predictions});
    train_.emplace(*texts_, tokenizer, *masker_, samples);
    SampleOptions fixed = samples;
    fixed.seed = kEvaluationSeed;
    const CorpusSamples dev_samples(dev_texts, tokenizer, *masker_, fixed);
    const std::uint64_t count =
        std::min<std::uint64_t>(dev_texts.size(), static_cast<std::uint64_t>(o.eval_texts));
    for (std::uint64_t i = 0; i < count; ++i) dev_.push_back(dev_samples.at(i));
    // Texts of like length run together.
    std::ranges::stable_sort(dev_, {}, tokens_of);
    log(fmt::format("data: {} documents, {} tokens in {} texts; dev {} texts of {}",
                    texts_->documents(), texts_->tokens(), texts_->size(), dev_.size(),
                    dev_texts.size()));
    json_ = {{"documents", texts_->documents()},
             {"tokens", texts_->tokens()},
             {"texts", texts_->size()},
             {"dev_documents", dev_texts.documents()},
             {"dev_texts", dev_.size()}};
  }

  PretrainingData(const PretrainingData&) = delete;
  PretrainingData& operator=(const PretrainingData&) = delete;

  const CorpusTexts& texts() const { return *texts_; }
  const CorpusSamples& train() const { return *train_; }
  std::span<const Sample> dev() const { return dev_; }
  const nlohmann::ordered_json& json() const { return json_; }

 private:
  static Corpus open(const PretrainOptions& o, const std::vector<fs::path>& paths,
                     const Tokenizer& tokenizer, const TrainingCallbacks& callbacks,
                     const Log& log) {
    CorpusOptions corpus;
    corpus.paths = paths;
    corpus.reading = reading(o);
    corpus.cache = o.cache.empty() ? default_cache() : o.cache;
    require(!corpus.cache.empty(), Kind::usage,
            "cache: expected a directory for the tokens, found none, nor a HOME");
    corpus.keep = !o.no_cache;
    corpus.threads = o.threads;
    corpus.stop = callbacks.stop;
    Corpus opened = Corpus::open(corpus, tokenizer, log);
    log(fmt::format("corpus: {} documents, {} tokens {}", opened.documents(), opened.tokens(),
                    o.no_cache ? "made for this run"
                               : fmt::format("{} {}", opened.reused() ? "found in" : "written to",
                                             opened.file().string())));
    return opened;
  }

  static void require_texts(const CorpusTexts& texts, const std::vector<fs::path>& paths) {
    require(texts.size() > 0, Kind::input,
            "{}: expected documents of at least {} tokens, found none to train or to score on",
            paths[0].string(), CorpusSamples::kLeast);
  }

  Corpus train_corpus_;
  std::optional<Corpus> dev_corpus_;
  std::optional<CorpusTexts> texts_;
  std::optional<Masker> masker_;
  std::optional<CorpusSamples> train_;
  std::vector<Sample> dev_;
  nlohmann::ordered_json json_;
};

/// The options as run.json has them.
nlohmann::ordered_json options_json(const PretrainOptions& o) {
  nlohmann::ordered_json run = run_versions();
  run.update({{"task", "pretraining"},
              {"train", paths_json(o.train)},
              {"dev", paths_json(o.dev)},
              {"out", o.out.string()},
              {"documents", o.documents},
              {"input_format", o.input_format},
              {"text_column", o.text_column},
              {"skip_bad_lines", o.skip_bad_lines},
              {"from", o.from.string()},
              {"variant", o.from.empty() ? o.variant : ""},
              {"tokenizer", o.tokenizer.string()},
              {"vocab_size", o.vocab_size},
              {"set", o.set}});
  pretrain_options([&](std::string_view name, auto member, const Allowed&, std::string_view) {
    run[std::string(name)] = o.*member;
  });
  return run;
}

/// run.json without results.
nlohmann::ordered_json run_of(const PretrainOptions& o, const Config& config,
                              const nlohmann::ordered_json& data,
                              const nlohmann::ordered_json& weights) {
  nlohmann::ordered_json run = options_json(o);
  run["data"] = data;
  run["from_sha256"] = weight_hashes(o.from);
  if (!weights.is_null()) run["weights"] = weights;
  run["threads"] = at::get_num_threads();
  run["config"] = nlohmann::ordered_json::parse(config.to_json());
  return run;
}

/// What the first of several processes makes is there for the others, where they share a disk.
std::unique_ptr<const PretrainingData> open_data(const PretrainOptions& o,
                                                 const SampleOptions& samples,
                                                 const Tokenizer& tokenizer,
                                                 const TrainingCallbacks& callbacks, const Log& log,
                                                 Ranks& ranks) {
  std::unique_ptr<const PretrainingData> data;
  if (ranks.leads()) {
    try {
      data = std::make_unique<const PretrainingData>(o, samples, tokenizer, callbacks, log);
    } catch (const Corpus::Stopped&) {
    }
  }
  if (ranks.tell(data != nullptr).get<bool>() && !ranks.leads())
    data = std::make_unique<const PretrainingData>(o, samples, tokenizer, TrainingCallbacks(), log);
  return data;
}

TrainingReport run(const PretrainOptions& o, const TrainingCallbacks& callbacks,
                   const Machine& machine, Ranks& ranks) {
  const Log log = [&](std::string_view line) {
    if (callbacks.log) callbacks.log(line);
  };
  std::optional<RunDirectory> directory;
  if (ranks.leads()) {
    directory.emplace(
        o.out,
        RunDirectory::Options{.overwrite = o.overwrite,
                              .keep_checkpoints = o.checkpoint_steps == 0 ? 0 : o.keep_checkpoints,
                              .log = log});
  }
  const Start start = starting_point(o, log);
  const SampleOptions samples = sample_options(o, start.config, *start.tokenizer);
  const Tokenizer tokenizer = start.tokenizer->with_max_length(samples.max_length);
  const auto found = open_data(o, samples, tokenizer, callbacks, log, ranks);
  if (!found) {
    log("interrupted before the first step");
    TrainingReport none;
    none.interrupted = true;
    none.leads = ranks.leads();
    return none;
  }
  const PretrainingData& data = *found;

  const auto model = std::make_shared<nn::FNetWithHeadImpl>(start.config, o.seed);
  model->set_recompute(o.recompute);
  nlohmann::ordered_json weights;
  if (start.model)
    weights = load_start(*model, start.options, *start.model, start.new_head, true, log);
  log_model(*model, log);
  nlohmann::ordered_json run = run_of(o, start.config, data.json(), weights);
  run["processes"] = ranks.size();
  ranks.agree(run);
  if (directory) {
    directory->resume(run);
    directory->start(std::move(run),
                     {.write =
                          [&](const fs::path& place) {
                            model->save(place);
                            tokenizer.save(place);
                          },
                      .read = [&](const fs::path& place) { model->load_weights(place); }});
  }

  const LoopOptions loop = {.stages = {{.steps = o.steps}},
                            .learning_rate = o.learning_rate,
                            .warmup = o.warmup,
                            .schedule = schedule_named(o.schedule),
                            .accumulate = o.accumulate,
                            .optimizer = {.weight_decay = o.weight_decay,
                                          .max_grad_norm = o.max_grad_norm,
                                          .average = o.average},
                            .metric = "likelihood",
                            .score_first = !start.new_head,
                            .device = machine.device,
                            .products = machine.products,
                            .checkpoint_steps = o.checkpoint_steps,
                            .ranks = &ranks};
  PretrainObjective objective(model, tokenizer, data.dev(), o.seed);
  CorpusSource source(data.texts(), data.train(), o.batch_size, o.eval_steps);
  NoSaver none;
  Saver& saver = directory ? static_cast<Saver&>(*directory) : none;
  TrainingReport report = Loop(loop, source, objective, saver, callbacks).run();
  report.leads = ranks.leads();
  if (!directory) return report;
  return directory->finish(std::move(report));
}

}  // namespace

TrainingReport pretrain(const PretrainOptions& o, const TrainingCallbacks& callbacks) {
  check_options(o);
  return with_ranks(o.rank_timeout, callbacks.lost, [&](Ranks& ranks, const RankPlace& place) {
    const Machine machine = machine_named(o.device, o.dtype, place.local_rank);
    use_threads(o.threads, place.local_size);
    ranks.agree(options_json(o));
    return run(o, ranks.leads() ? callbacks : stop_only(callbacks), machine, ranks);
  });
}

}  // namespace fnet
