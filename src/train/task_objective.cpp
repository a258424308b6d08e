#include "train/task_objective.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/random.h"
#include "model/similarity_option.h"
#include "text/ngrams.h"
#include "train/algebra.h"
#include "train/device.h"
#include "train/packing.h"
#include "train/source.h"
#include "train/wide_head.h"

namespace fnet {
namespace {

/// Stream of the tokens' dropout; those below are the epochs' orders.
constexpr std::uint64_t kTokenDropoutStream = std::uint64_t{1} << 40;

}  // namespace

TaskObjective::TaskObjective(const Task& task, std::shared_ptr<nn::FNetWithHeadImpl> model,
                             Tokenizer tokenizer, std::span<const Example> examples,
                             std::span<const Sample> dev, Options options)
    : task_(task),
      model_(std::move(model)),
      tokenizer_(std::move(tokenizer)),
      examples_(examples),
      dev_(dev),
      options_(std::move(options)),
      head_(model_->config().head(options_.head)) {
  if (head_.wide_features == 0) return;
  wide_ = wide_scores(*model_, dev_);
  const auto buffers = model_->named_buffers();
  wide_weight_ = buffers["wide.weight"].clone();
  wide_bias_ = buffers["wide.bias"].clone();
}

Scored TaskObjective::scores(std::span<const Sample* const> samples, Batch& batch,
                             const std::function<void(Batch&)>& change) {
  std::vector<Encoding> texts;
  Scored out;
  std::int64_t scored = 0;
  for (const Sample* sample : samples) {
    out.add(*sample, scored);
    for (std::size_t t = 0; t < sample->texts.size(); ++t) {
      texts.push_back(sample->texts[t]);
      scored += static_cast<std::int64_t>(sample->rows(t));
    }
  }
  pack(texts, model_->config(), batch);
  if (change) change(batch);
  const at::Tensor hidden = nn::hidden_of(*model_->fnet, batch);
  std::vector<std::int64_t> rows;
  std::int64_t text = 0;
  for (const Sample* sample : samples) {
    for (const auto& picks : sample->picks) {
      for (const std::int32_t row : picks) rows.push_back(batch.rows.begin(text) + row);
      ++text;
    }
  }
  const at::Tensor picks = text > 0 ? on_device(rows, at::kLong, hidden.device()) : at::Tensor();
  out.logits = widened(model_->scores(hidden, batch.rows, picks, options_.head));
  return out;
}

/// Replaces a share of the tokens by [MASK] (or <unk>), never special ones; of rows of numbers by
/// the mean.
void TaskObjective::drop_tokens(Batch& batch, const StepPart& part) const {
  if (options_.token_dropout <= 0) return;
  Philox random(options_.seed, kTokenDropoutStream | part.place());
  if (!batch.values.empty()) {
    const at::Tensor mean =
        model_->named_buffers()["fnet.embeddings.input_embeddings.mean"].to(at::kCPU, at::kFloat);
    const auto width = static_cast<std::size_t>(mean.numel());
    for (auto row = batch.values.begin(); row != batch.values.end();
         row += static_cast<std::ptrdiff_t>(width)) {
      if (random.uniform() < static_cast<float>(options_.token_dropout))
        std::copy_n(mean.const_data_ptr<float>(), width, row);
    }
    return;
  }
  const SpecialIds& special = tokenizer_.special();
  const std::int32_t by = special.mask >= 0 ? special.mask : special.unk;
  if (by < 0) return;
  for (std::int32_t& id : batch.ids) {
    if (random.uniform() < static_cast<float>(options_.token_dropout) &&
        !tokenizer_.is_special(id)) {
      id = by;
    }
  }
}

std::vector<double> TaskObjective::terms(std::span<const Sample> batch, std::int64_t /*step*/) {
  Scored truth;
  for (const Sample& sample : batch) truth.add(sample, 0);
  // Pairs without scores are compared with all others of their batch.
  if (task_.loss() == Loss::similarity && truth.values.empty()) return {};
  if (options_.class_weights.empty()) return {static_cast<double>(truth.terms())};
  double sum = 0;
  for (const std::int64_t target : truth.targets)
    sum += options_.class_weights[static_cast<std::size_t>(target)];
  return {sum};
}

Objective::Result TaskObjective::loss(std::span<const Sample> batch, const StepPart& part) {
  std::vector<const Sample*> samples;
  for (const Sample& sample : batch) samples.push_back(&sample);
  Batch packed;
  model_->set_dropout_place(nn::DropoutPlace{options_.seed, part.place()});
  const Scored result = scores(samples, packed, [&](Batch& b) { drop_tokens(b, part); });
  LossOptions how{at::Reduction::Mean, options_.class_weights, options_.label_smoothing,
                  options_.matryoshka_dims, similarity_of(head_)};
  const bool whole = part.terms.empty();
  if (!whole) how.reduction = at::Reduction::Sum;
  return {loss_of(task_.loss(), result, how) / (whole ? 1.0 : part.terms[0]), packed.rows.total()};
}

/// How much each part counts goes into the wide part's weights, so that the stored model has it.
void TaskObjective::add_wide(std::vector<Scored>& batches,
                             std::span<const std::vector<std::size_t>> places) {
  std::vector<at::Tensor> parts;
  std::vector<std::int64_t> rows;
  for (const auto& batch : places) rows.insert(rows.end(), batch.begin(), batch.end());
  Scored all;
  for (const Scored& batch : batches) {
    parts.push_back(batch.logits.to(at::kCPU, at::kFloat));
    all.targets.insert(all.targets.end(), batch.targets.begin(), batch.targets.end());
    all.values.insert(all.values.end(), batch.values.begin(), batch.values.end());
  }
  const at::Tensor deep = all.logits = at::cat(parts);
  for (std::int64_t text = 0; text < deep.size(0); ++text)
    all.units.push_back(text), all.ends.push_back(text + 1);
  const auto buffers = model_->named_buffers();
  const at::Tensor wide = wide_.index_select(0, at::tensor(rows, at::kLong));
  Shares shares{.deep = buffers["wide.deep_scale"].item<double>(), .wide = 1};
  if (options_.weigh_wide) {
    shares = best_shares(task_.loss(), std::move(all), wide, options_.may_drop_wide);
    buffers["wide.deep_scale"].fill_(shares.deep);
    buffers["wide.weight"].copy_(wide_weight_ * shares.wide);
    buffers["wide.bias"].copy_(wide_bias_ * shares.wide);
  }
  const at::Tensor sum = deep * shares.deep + wide * shares.wide;
  std::int64_t row = 0;
  for (Scored& batch : batches) {
    batch.logits = sum.narrow(0, row, batch.logits.size(0));
    row += batch.logits.size(0);
  }
}

Evaluation TaskObjective::evaluate() {
  const c10::InferenceMode guard;
  model_->eval();
  const auto batches = batches_by_length(dev_, model_->config());
  const auto scorer = task_.scorer(head_);
  double loss = 0;
  std::int64_t count = 0;
  const auto take = [&](const Scored& batch, std::span<const std::size_t> places) {
    loss += loss_of(task_.loss(), batch, {at::Reduction::Sum, {}, 0}).item<double>();
    count += batch.terms();
    const at::Tensor logits = batch.logits.to(at::kCPU, at::kFloat).contiguous();
    const float* next = logits.const_data_ptr<float>();
    for (const std::size_t i : places) {
      std::vector<Matrix> answers;
      for (std::size_t text = 0; text < dev_[i].texts.size(); ++text) {
        Matrix& matrix =
            answers.emplace_back(dev_[i].rows(text), static_cast<std::size_t>(logits.size(1)));
        std::copy_n(next, matrix.data.size(), matrix.data.begin());
        next += matrix.data.size();
      }
      scorer->add(examples_[i], dev_[i], answers);
    }
  };
  std::vector<Scored> kept;  // the share of a wide part is chosen by all scores
  Batch packed;
  for (const auto& places : batches) {
    std::vector<const Sample*> samples;
    for (const std::size_t i : places) samples.push_back(&dev_[i]);
    Scored batch = scores(samples, packed, {});
    if (wide_.defined()) {
      kept.push_back(std::move(batch));
    } else {
      take(batch, places);
    }
  }
  if (!kept.empty()) add_wide(kept, batches);
  for (std::size_t k = 0; k < kept.size(); ++k) take(kept[k], batches[k]);
  Evaluation evaluation = scorer->finish();
  evaluation.loss = count > 0 ? loss / static_cast<double>(count) : 0;
  return evaluation;
}

std::vector<double> balanced_weights(std::span<const Sample> samples, std::size_t classes) {
  std::vector<double> weights(classes, 0.0);
  double total = 0;
  for (const Sample& sample : samples) {
    for (const std::int32_t label : sample.targets)
      ++weights[static_cast<std::size_t>(label)], ++total;
  }
  for (double& weight : weights) {
    weight = weight > 0 ? total / (static_cast<double>(classes) * weight) : 0.0;
  }
  return weights;
}

}  // namespace fnet
