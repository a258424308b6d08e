#include "fnet/distill.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/permutation.h"
#include "model/batch.h"
#include "model/weights.h"
#include "tasks/task.h"
#include "train/check_option.h"
#include "train/device.h"
#include "train/distill_options.h"
#include "train/loop.h"
#include "train/run_directory.h"
#include "train/run_json.h"
#include "train/start.h"
#include "train/teacher_objective.h"
#include "train/teacher_start.h"
#include "train/teacher_texts.h"

namespace fnet {
namespace {

namespace fs = std::filesystem;
using Log = std::function<void(std::string_view)>;

/// Stream of the choice of texts that are held out.
constexpr std::uint64_t kHoldOutStream = (std::uint64_t{1} << 61) - 3;
/// Texts that are held out at most.
constexpr std::uint64_t kMostHeldOut = 2'000;

void check_options(const DistillOptions& o) {
  distill_options([&](std::string_view name, auto member, const Allowed& allowed,
                      std::string_view) { check_option(name, o.*member, allowed); });
  require(!o.train.empty(), Kind::usage, "train: expected files with texts, found none");
  require(!o.out.empty(), Kind::usage,
          "out: expected a directory to write the model to, found none");
  require(o.from.empty() || o.init_from.empty(), Kind::usage,
          "init_from: expected none beside from, found {}", o.init_from.string());
  require(o.hidden_weight == 0 || !o.teacher.empty(), Kind::usage,
          "hidden_weight: expected 0 without teacher, found {}", o.hidden_weight);
  require(!o.dev.empty() || o.dev_vectors.empty(), Kind::usage,
          "dev_vectors: expected none without dev, found {}", o.dev_vectors.size());
  require(!o.tokenizer.empty() || !o.from.empty() || !o.init_from.empty(), Kind::usage,
          "tokenizer: expected a tokenizer for a new model, found none; fnet tokenizer train makes "
          "one");
}

/// What a run starts from.
struct Start {
  Config config;
  std::optional<Tokenizer> tokenizer;
  std::optional<StartingModel> model;
  FinetuneOptions options;  // as far as they say what is taken of `from`
  bool scored = false;      // it is for sentence-similarity already
};

Start starting_point(const DistillOptions& o, const Log& log) {
  Start start;
  Config& config = start.config;
  if (!o.from.empty()) {
    start.options.from = o.from;
    start.options.tokenizer = o.tokenizer;
    start.model = read_start(start.options, log);
    config = start.model->config;
    start.tokenizer = start.model->tokenizer;
    require(!config.reads_numbers(), Kind::input,
            "{}: input_type: expected a model that reads tokens, found {}", o.from.string(),
            config.input_type);
  } else {
    start.tokenizer = Tokenizer::load(o.tokenizer.empty() ? o.init_from : o.tokenizer);
    config = o.init_from.empty() ? Config::preset(o.variant) : config_like(o.init_from);
    const SpecialIds& special = start.tokenizer->special();
    config.set_vocabulary(start.tokenizer->vocab_size(), special.pad, special.bos, special.eos);
    config.max_position_embeddings = std::max(config.max_position_embeddings, o.max_length);
    config.pooler = false;
  }
  start.scored = config.task == "sentence-similarity";
  config.task = "sentence-similarity";
  config.pooling = "mean";
  config.labels = find_task(config.task).labels({});
  config.problem_type.clear();
  config.no_answer = false;
  config.wide_features = 0;
  config.head_options.clear();
  config.heads.clear();
  for (const std::string& setting : o.set) config.assign(setting);
  for (std::int64_t layer = 0; !o.init_from.empty() && layer < config.num_hidden_layers; ++layer) {
    if (config.mixer(layer) == "attention")
      config.mixer_options.try_emplace("num_attention_heads", attention_heads(o.init_from));
  }
  config.validate();
  require(config.task == "sentence-similarity", Kind::usage,
          "task: expected sentence-similarity, found {}", config.task);
  return start;
}

/// The texts that a run learns from, and those that it is scored on.
class DistillData {
 public:
  /// `teacher`: null for none.
  DistillData(const DistillOptions& o, const Config& config, const Tokenizer& tokenizer,
              const Teacher* teacher, const TrainingCallbacks& callbacks, const Log& log) {
    CorpusOptions corpus;
    corpus.cache = o.cache.empty() ? default_cache() : o.cache;
    require(!corpus.cache.empty(), Kind::usage,
            "cache: expected a directory for the tokens, found none, nor a HOME");
    corpus.keep = !o.no_cache;
    corpus.threads = o.threads;
    corpus.stop = callbacks.stop;
    const std::int64_t least = 3;
    std::int64_t limit = config.longest_text();
    if (teacher != nullptr) limit = std::min(limit, teacher->longest());
    require(o.max_length == 0 || (o.max_length >= least && o.max_length <= limit), Kind::usage,
            "max_length: expected {} to {}, the {}'s limit, found {}", least, limit,
            limit < config.longest_text() ? "teacher" : "model", o.max_length);
    const std::size_t length = std::min(most_tokens(config, tokenizer.config().model_max_length,
                                                    static_cast<std::size_t>(o.max_length)),
                                        static_cast<std::size_t>(limit));
    const auto texts = [&](const std::vector<fs::path>& files, const std::vector<fs::path>& of) {
      return std::make_unique<const TeacherTexts>(files, of, corpus, length - 2, teacher != nullptr,
                                                  tokenizer, log);
    };
    train_ = texts(o.train, o.vectors);
    width_ = train_->width() > 0 ? train_->width() : static_cast<std::size_t>(teacher->width());
    require(width_ == static_cast<std::size_t>(config.hidden_size) || o.loss == "similarity",
            Kind::input,
            "vectors: expected {} numbers in each, the model's hidden_size, found {}; --set "
            "hidden_size={} makes a model of that width, --loss similarity needs none",
            config.hidden_size, width_, width_);
    require(train_->size() > 3, Kind::input, "train: expected at least 4 texts, found {}",
            train_->size());
    if (!o.dev.empty()) dev_texts_ = texts(o.dev, o.dev_vectors);
    const std::size_t dev_width = dev_texts_ ? dev_texts_->width() : 0;
    require(dev_width == 0 || dev_width == width_, Kind::input,
            "dev_vectors: expected {} numbers in each, as for the training, found {}", width_,
            dev_width);
    if (!dev_texts_) held_ = std::clamp<std::uint64_t>(train_->size() / 100, 2, kMostHeldOut);
    order_.emplace(train_->size(), o.seed, kHoldOutStream);
    const std::uint64_t all = dev_texts_ ? dev_texts_->size() : held_;
    require(all > 1, Kind::input, "dev: expected at least two texts, found {}", all);
    // Evenly from all of them.
    const std::uint64_t count = std::min(all, static_cast<std::uint64_t>(o.eval_texts));
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t at = i * all / count;
      dev_.push_back(dev_texts_ ? dev_texts_->at(at) : train_->at((*order_)(at)));
    }
    std::ranges::stable_sort(dev_, {}, tokens_of);
    log(fmt::format("data: {} texts, {} tokens, vectors of {}; dev {} texts of {}",
                    train_->size() - held_, train_->tokens(), width_, dev_.size(), all));
    json_ = {{"texts", train_->size() - held_},
             {"tokens", train_->tokens()},
             {"width", width_},
             {"fingerprint", fmt::format("{:016x}", train_->fingerprint())},
             {"dev_texts", dev_.size()}};
  }

  TeacherSource source(const DistillOptions& o) const {
    return {*train_, *order_, held_, o.batch_size, o.eval_steps, o.seed};
  }
  std::span<const Sample> dev() const { return dev_; }
  const nlohmann::ordered_json& json() const { return json_; }
  std::size_t width() const { return width_; }  ///< of the vectors

  std::int64_t steps(const DistillOptions& o) const {
    const auto texts = static_cast<std::int64_t>(train_->size() - held_);
    return o.steps > 0 ? o.steps : (o.epochs * texts + o.batch_size - 1) / o.batch_size;
  }

 private:
  std::unique_ptr<const TeacherTexts> train_, dev_texts_;
  std::uint64_t held_ = 0;
  std::size_t width_ = 0;
  std::optional<Permutation> order_;
  std::vector<Sample> dev_;
  nlohmann::ordered_json json_;
};

/// run.json without results.
nlohmann::ordered_json run_of(const DistillOptions& o, const Config& config,
                              const nlohmann::ordered_json& data,
                              const nlohmann::ordered_json& weights) {
  nlohmann::ordered_json run = run_versions();
  run.update({{"task", "distilling"},
              {"train", paths_json(o.train)},
              {"vectors", paths_json(o.vectors)},
              {"dev", paths_json(o.dev)},
              {"dev_vectors", paths_json(o.dev_vectors)},
              {"out", o.out.string()},
              {"from", o.from.string()},
              {"init_from", o.init_from.string()},
              {"teacher", o.teacher.string()},
              {"variant", o.from.empty() && o.init_from.empty() ? o.variant : ""},
              {"tokenizer", o.tokenizer.string()},
              {"set", o.set}});
  distill_options([&](std::string_view name, auto member, const Allowed&, std::string_view) {
    run[std::string(name)] = o.*member;
  });
  run["data"] = data;
  run["from_sha256"] = weight_hashes(o.init_from.empty() ? o.from : o.init_from);
  if (!o.teacher.empty()) run["teacher_sha256"] = weight_hashes(o.teacher);
  if (!weights.is_null()) run["weights"] = weights;
  run["threads"] = at::get_num_threads();
  run["config"] = nlohmann::ordered_json::parse(config.to_json());
  return run;
}

}  // namespace

TrainingReport distill(const DistillOptions& o, const TrainingCallbacks& callbacks) {
  check_options(o);
  const Machine machine = machine_named(o.device, o.dtype);
  use_threads(o.threads, 1);
  const Log log = [&](std::string_view line) {
    if (callbacks.log) callbacks.log(line);
  };
  RunDirectory directory(o.out,
                         {.overwrite = o.overwrite,
                          .keep_checkpoints = o.checkpoint_steps == 0 ? 0 : o.keep_checkpoints,
                          .log = log});
  const Start start = starting_point(o, log);
  const Tokenizer& tokenizer = *start.tokenizer;
  std::shared_ptr<const Teacher> teacher;
  if (!o.teacher.empty())
    teacher = std::make_shared<const Teacher>(o.teacher, tokenizer, machine.device);
  require(o.hidden_weight == 0 || teacher->width() == start.config.hidden_size, Kind::input,
          "hidden_weight: expected a teacher of the model's hidden_size ({}), found one of {}",
          start.config.hidden_size, teacher ? teacher->width() : 0);
  std::unique_ptr<const DistillData> data;
  try {
    data = std::make_unique<const DistillData>(o, start.config, tokenizer, teacher.get(), callbacks,
                                               log);
  } catch (const Corpus::Stopped&) {
    log("interrupted before the first step");
    TrainingReport none;
    none.interrupted = true;
    return none;
  }

  const auto model = std::make_shared<nn::FNetWithHeadImpl>(start.config, o.seed);
  model->set_recompute(o.recompute);
  nlohmann::ordered_json weights;
  if (start.model) weights = load_start(*model, start.options, *start.model, true, true, log);
  if (!o.init_from.empty())
    weights = take_teacher_weights(*model, o.init_from, o.tokenizer.empty(), log);
  log_model(*model, log);
  nlohmann::ordered_json run = run_of(o, start.config, data->json(), weights);
  directory.resume(run);
  directory.start(std::move(run),
                  {.write =
                       [&](const fs::path& place) {
                         model->save(place);
                         tokenizer.save(place);
                       },
                   .read = [&](const fs::path& place) { model->load_weights(place); }});

  const bool widths_agree = data->width() == static_cast<std::size_t>(start.config.hidden_size);
  const LoopOptions loop = {
      .stages = {{.steps = data->steps(o)}},
      .learning_rate = o.learning_rate,
      .warmup = o.warmup,
      .optimizer = {.weight_decay = o.weight_decay,
                    .max_grad_norm = o.max_grad_norm,
                    .average = o.average},
      .metric = widths_agree && o.loss != "similarity" ? "cosine" : "similarity",
      .score_first = start.scored,
      .device = machine.device,
      .products = machine.products,
      .checkpoint_steps = o.checkpoint_steps};
  TeacherObjective objective(model, teacher, data->dev(),
                             {o.loss, o.similarity_weight, o.hidden_weight}, o.seed);
  TeacherSource source = data->source(o);
  return directory.finish(Loop(loop, source, objective, directory, callbacks).run());
}

}  // namespace fnet
