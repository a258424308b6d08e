#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>

#include "core/error.h"
#include "core/file.h"
#include "core/random.h"
#include "fnet/finetune.h"
#include "fnet/train.h"
#include "model/batch.h"
#include "train/batches.h"
#include "train/optimizer.h"
#include "train/report.h"
#include "train/run_log.h"
#include "train/setup.h"

namespace fnet {
namespace {

using Clock = std::chrono::steady_clock;

/// Steps in a row without a finite loss or gradient after which training gives up.
constexpr int kMaxBadSteps = 8;
/// Steps between two lines of the log.
constexpr std::int64_t kLogEvery = 10;
/// Rows of a batch in evaluation.
constexpr std::int64_t kEvaluationRows = 4096;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class Trainer {
 public:
  Trainer(const FinetuneOptions& options, const FinetuneCallbacks& callbacks)
      : options_(options),
        callbacks_(callbacks),
        setup_(set_up(options, [&](auto line) { log(line); })) {
    // An error in the options is told before the directory is touched.
    std::error_code error;
    std::filesystem::create_directories(options.out, error);
    require(!error, Kind::system, "{}: cannot make the directory: {}", options.out.string(),
            error.message());
    log_ = std::make_unique<RunLog>(options.out);
    write_file(options.out / "run.json", setup_.run.dump(2) + "\n");
    torch::manual_seed(options.seed);
    optimizer_ = std::make_unique<AdamW>(model().parameters(),
                                         AdamW::Options{.weight_decay = options.weight_decay,
                                                        .max_grad_norm = options.max_grad_norm,
                                                        .average = options.average});
    if (options.class_weights == "balanced") {
      class_weights_ =
          at::tensor(balanced_weights(setup_.train, setup_.config().labels.size()), at::kFloat);
    }
    const auto size = static_cast<std::int64_t>(setup_.train.size());
    steps_ = options.epochs * ((size + options.batch_size - 1) / options.batch_size);
  }

  FinetuneReport run() {
    report_.metric = setup_.metric;
    report_.skipped_lines = setup_.skipped_lines;
    std::int64_t without_better = 0;
    for (std::int64_t epoch = 1; epoch <= options_.epochs; ++epoch) {
      EpochReport line = train_epoch(epoch);
      if (report_.interrupted) break;
      optimizer_->swap_average();
      Evaluation evaluation = evaluate();
      const double dev_loss = evaluation.loss;
      line.metrics = evaluation.metrics;
      line.best = report_.best_epoch == 0 || evaluation.metric(setup_.metric) > report_.best;
      if (line.best) {
        report_.best = evaluation.metric(setup_.metric);
        report_.best_epoch = epoch;
        best_ = std::move(evaluation);
        save();
      }
      optimizer_->swap_average();
      without_better = line.best ? 0 : without_better + 1;
      auto values = line.metrics;
      values.insert(values.begin(),
                    {{"loss", line.loss}, {"dev_loss", dev_loss}, {"seconds", line.seconds}});
      log_->write("epoch", step_, values);
      report_.epochs.push_back(line);
      if (callbacks_.epoch) callbacks_.epoch(line);
      write_report();
      if (options_.patience > 0 && without_better >= options_.patience) {
        log(fmt::format("early stop: no better {} for {} epochs", setup_.metric,
                        options_.patience));
        break;
      }
    }
    if (report_.interrupted) finish_interrupted();
    return std::move(report_);
  }

 private:
  nn::FNetWithHeadImpl& model() { return *setup_.model; }

  void log(std::string_view line) {
    if (callbacks_.log) callbacks_.log(line);
  }

  /// The scores of samples [S, C], text after text, and their units: rows [U] and targets [U].
  struct Scores {
    at::Tensor logits, units, targets;

    at::Tensor of_units() const { return logits.index_select(0, units); }
  };

  Scores scores(const std::vector<Sample>& samples, std::span<const std::size_t> chosen,
                const std::function<void(Batch&)>& change) {
    std::vector<Encoding> texts;
    std::vector<std::int64_t> units, targets;
    std::int64_t scored = 0, longest = 0;
    for (const std::size_t i : chosen) {
      const Sample& sample = samples[i];
      for (std::size_t u = 0; u < sample.units.size(); ++u) {
        if (sample.units[u] < 0) continue;
        units.push_back(scored + sample.units[u]);
        targets.push_back(sample.targets[u]);
      }
      for (std::size_t t = 0; t < sample.texts.size(); ++t) {
        texts.push_back(sample.texts[t]);
        longest = std::max(longest, static_cast<std::int64_t>(texts.back().input_ids.size()));
        scored += static_cast<std::int64_t>(sample.rows(t));
      }
    }
    Batch batch;
    pack(texts, setup_.config(), longest, batch);
    if (change) change(batch);
    const auto tensor = [](const auto& numbers) { return at::tensor(numbers, at::kLong); };
    at::Tensor logits = model().forward_rows(model().fnet->word_embeddings(tensor(batch.ids)),
                                             tensor(batch.types), batch.rows);
    std::vector<std::int64_t> rows;
    std::int64_t text = 0;
    for (const std::size_t i : chosen) {
      for (const auto& picks : samples[i].picks) {
        for (const std::int32_t row : picks) rows.push_back(batch.rows.begin(text) + row);
        ++text;
      }
    }
    if (text > 0) logits = logits.index_select(0, tensor(rows));
    return {logits, tensor(units), tensor(targets)};
  }

  /// Replaces a share of the tokens by [MASK] (or <unk>), never special ones.
  void drop_tokens(Batch& batch) {
    const SpecialIds& special = setup_.tokenizer.special();
    const std::int32_t by = special.mask >= 0 ? special.mask : special.unk;
    if (setup_.token_dropout <= 0 || by < 0) return;
    Philox random(options_.seed, std::uint64_t{1} << 40 | static_cast<std::uint64_t>(step_));
    for (std::int32_t& id : batch.ids) {
      if (random.uniform() < static_cast<float>(setup_.token_dropout) &&
          !setup_.tokenizer.is_special(id)) {
        id = by;
      }
    }
  }

  EpochReport train_epoch(std::int64_t epoch) {
    model().train();
    const auto batches = make_batches(setup_.train, options_.batch_size, options_.seed, epoch);
    const auto start = Clock::now();
    double loss_sum = 0;
    std::int64_t good_steps = 0, tokens = 0;
    for (const auto& picks : batches) {
      const double rate = options_.learning_rate * linear_schedule(step_, steps_, options_.warmup);
      const Scores batch = scores(setup_.train, picks, [&](Batch& b) {
        tokens += b.rows.total();
        drop_tokens(b);
      });
      at::Tensor loss_tensor =
          at::cross_entropy_loss(batch.of_units(), batch.targets, class_weights_,
                                 at::Reduction::Mean, -100, options_.label_smoothing);
      loss_tensor.backward();
      const double loss = loss_tensor.item<double>();
      const bool good = std::isfinite(loss) && optimizer_->step(rate);
      ++step_;
      if (good) {
        bad_in_a_row_.clear();
        loss_sum += loss;
        ++good_steps;
      } else {
        skip_step(picks);
      }
      const double elapsed = seconds_since(start);
      TrainingProgress progress{
          .epoch = epoch,
          .epochs = options_.epochs,
          .step = step_,
          .steps = steps_,
          .loss = good_steps > 0 ? loss_sum / static_cast<double>(good_steps) : 0,
          .learning_rate = rate,
          .tokens_per_second = static_cast<double>(tokens) / elapsed,
          .seconds_left = seconds_left(elapsed)};
      if (step_ % kLogEvery == 0) {
        log_->write("step", step_,
                    {{"epoch", static_cast<double>(epoch)},
                     {"loss", loss},
                     {"learning_rate", rate},
                     {"grad_norm", optimizer_->grad_norm()},
                     {"tokens_per_second", progress.tokens_per_second}});
      }
      if (callbacks_.progress) callbacks_.progress(progress);
      if (callbacks_.stop && callbacks_.stop()) {
        report_.interrupted = true;
        break;
      }
    }
    seconds_ += seconds_since(start);
    return {.epoch = epoch,
            .loss = good_steps > 0 ? loss_sum / static_cast<double>(good_steps) : 0,
            .metrics = {},
            .seconds = seconds_since(start),
            .tokens_per_second = static_cast<double>(tokens) / seconds_since(start),
            .best = false};
  }

  double seconds_left(double in_epoch) const {
    const double each = (seconds_ + in_epoch) / static_cast<double>(step_);
    return each * static_cast<double>(steps_ - step_);
  }

  /// Counts a step without finite loss or gradient; gives up after several in a row, with their
  /// lines.
  void skip_step(std::span<const std::size_t> picks) {
    optimizer_->zero_grad();
    ++report_.skipped_steps;
    std::vector<std::size_t> lines;
    for (const std::size_t pick : picks) {
      lines.push_back(setup_.train_examples[pick].line);
    }
    bad_in_a_row_.push_back(fmt::format("{}", fmt::join(lines, ",")));
    log(fmt::format("step {}: loss or gradient is not finite, step skipped ({} lines {})", step_,
                    options_.train.string(), bad_in_a_row_.back()));
    require(bad_in_a_row_.size() < kMaxBadSteps, Kind::input,
            "training: expected a finite loss and gradient, found none in {} steps in a row (lines "
            "{} of "
            "{}); lower the learning rate",
            kMaxBadSteps, fmt::join(bad_in_a_row_, " | "), options_.train.string());
  }

  Evaluation evaluate() {
    const c10::InferenceMode guard;
    model().eval();
    std::vector<std::size_t> order(setup_.dev.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    const auto length = [&](std::size_t i) { return tokens_of(setup_.dev[i]); };
    std::ranges::stable_sort(order, {}, length);
    std::vector<std::vector<Matrix>> answers(setup_.dev.size());
    double loss = 0;
    std::int64_t count = 0;
    for (std::size_t begin = 0; begin < order.size();) {
      std::size_t end = begin;
      for (std::int64_t rows = 0; end < order.size() && rows < kEvaluationRows; ++end) {
        rows += static_cast<std::int64_t>(length(order[end]));
      }
      const auto chosen = std::span(order).subspan(begin, end - begin);
      const Scores batch = scores(setup_.dev, chosen, {});
      loss += at::cross_entropy_loss(batch.of_units(), batch.targets, {}, at::Reduction::Sum)
                  .item<double>();
      count += batch.targets.numel();
      const at::Tensor logits = batch.logits.contiguous();
      const float* next = logits.const_data_ptr<float>();
      for (const std::size_t i : chosen) {
        const Sample& sample = setup_.dev[i];
        for (std::size_t text = 0; text < sample.texts.size(); ++text) {
          Matrix& matrix =
              answers[i].emplace_back(sample.rows(text), static_cast<std::size_t>(logits.size(1)));
          std::copy_n(next, matrix.data.size(), matrix.data.begin());
          next += matrix.data.size();
        }
      }
      begin = end;
    }
    const auto scorer = setup_.task->scorer(setup_.config().labels);
    for (std::size_t i = 0; i < setup_.dev.size(); ++i) {
      scorer->add(setup_.dev_examples[i], setup_.dev[i], answers[i]);
    }
    Evaluation evaluation = scorer->finish();
    evaluation.loss = count > 0 ? loss / static_cast<double>(count) : 0;
    return evaluation;
  }

  void save() {
    model().save(options_.out);
    setup_.tokenizer.save(options_.out);
  }

  void write_report() {
    write_file(options_.out / "report.html", html_report(setup_.run, report_, best_));
  }

  void finish_interrupted() {
    if (report_.best_epoch == 0) {
      optimizer_->swap_average();
      save();
      log(fmt::format(
          "interrupted in the first epoch, after step {} of {}: {} holds the model of this step",
          step_, steps_, options_.out.string()));
    } else {
      log(fmt::format(
          "interrupted after step {} of {}: {} holds the best model, of epoch {} ({} {:.4f})",
          step_, steps_, options_.out.string(), report_.best_epoch, setup_.metric, report_.best));
    }
    log(fmt::format("to go on from its weights, run the same command with `--from {}`{}",
                    options_.out.string(),
                    options_.tokenizer.empty() ? "" : " and without --tokenizer"));
  }

  FinetuneOptions options_;
  FinetuneCallbacks callbacks_;
  TrainingSetup setup_;
  std::unique_ptr<RunLog> log_;
  std::unique_ptr<AdamW> optimizer_;
  std::optional<at::Tensor> class_weights_;
  std::int64_t step_ = 0, steps_ = 0;
  double seconds_ = 0;  // of training so far
  std::vector<std::string> bad_in_a_row_;
  FinetuneReport report_;
  Evaluation best_;
};

}  // namespace

FinetuneReport finetune(const FinetuneOptions& options, const FinetuneCallbacks& callbacks) {
  if (options.threads > 0) at::set_num_threads(options.threads);
  return Trainer(options, callbacks).run();
}

std::vector<std::string> finetune_metrics(std::string_view task) {
  return find_task(task).metrics({});
}

}  // namespace fnet
