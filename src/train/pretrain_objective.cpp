#include "train/pretrain_objective.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "model/kinds.h"
#include "train/algebra.h"
#include "train/cross_entropy.h"
#include "train/device.h"
#include "train/packing.h"
#include "train/source.h"

namespace fnet {
namespace {

/// Rows of a batch in evaluation.
constexpr std::size_t kEvaluationRows = 2048;
/// Texts that a report shows, and tokens of each.
constexpr std::size_t kShown = 8, kShownTokens = 80;

}  // namespace

PretrainObjective::PretrainObjective(std::shared_ptr<nn::FNetWithHeadImpl> model,
                                     std::optional<Tokenizer> tokenizer,
                                     std::span<const Sample> dev, std::uint64_t seed)
    : model_(std::move(model)), tokenizer_(std::move(tokenizer)), dev_(dev), seed_(seed) {}

at::Tensor PretrainObjective::Scores::loss(at::Reduction::Reduction reduction) const {
  return cross_entropy(logits, targets, reduction);
}

at::Tensor PretrainObjective::Scores::order_loss(at::Reduction::Reduction reduction) const {
  return at::cross_entropy_loss(order, labels, {}, reduction);
}

PretrainObjective::Scores PretrainObjective::scores(std::span<const Sample> samples) {
  std::vector<Encoding> texts;
  for (const Sample& sample : samples) texts.push_back(sample.texts.at(0));
  pack(texts, model_->config(), batch_);
  std::vector<std::int64_t> rows, targets, labels;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::int64_t begin = batch_.rows.begin(static_cast<std::int64_t>(i));
    for (const std::int32_t row : samples[i].picks.at(0)) rows.push_back(begin + row);
    targets.insert(targets.end(), samples[i].targets.begin(), samples[i].targets.end());
    for (const float label : samples[i].values) labels.push_back(static_cast<std::int64_t>(label));
  }
  const at::Tensor hidden = nn::hidden_of(*model_->fnet, batch_);
  const auto tensor = [&](const std::vector<std::int64_t>& numbers) {
    return on_device(numbers, at::kLong, hidden.device());
  };
  Scores out;
  out.rows = batch_.rows.total();
  out.logits = widened(model_->scores(hidden, batch_.rows, tensor(rows)));
  out.targets = tensor(targets);
  if (labels.empty()) return out;
  out.order = widened(model_->scores(hidden, batch_.rows, {}, kOrderHead));
  out.labels = tensor(labels);
  return out;
}

std::vector<double> PretrainObjective::terms(std::span<const Sample> batch, std::int64_t /*step*/) {
  std::vector<double> sums(2, 0.0);
  for (const Sample& sample : batch) {
    sums[0] += static_cast<double>(sample.targets.size());
    sums[1] += static_cast<double>(sample.values.size());
  }
  return sums;
}

Objective::Result PretrainObjective::loss(std::span<const Sample> batch, const StepPart& part) {
  model_->set_dropout_place(nn::DropoutPlace{seed_, part.place()});
  const Scores result = scores(batch);
  const bool whole = part.terms.empty();
  const auto how = whole ? at::Reduction::Mean : at::Reduction::Sum;
  at::Tensor loss = result.loss(how) / (whole ? 1.0 : part.terms[0]);
  if (result.order.defined()) loss = loss + result.order_loss(how) / (whole ? 1.0 : part.terms[1]);
  return {loss, result.rows};
}

/// The beginning of a sample's text with what the model puts in place of each masked token;
/// `probabilities`: [its masked rows, V].
FilledText PretrainObjective::filled(const Sample& sample, const at::Tensor& probabilities) const {
  FilledText out;
  std::vector<std::int32_t> ids = sample.texts[0].input_ids;
  ids.resize(std::min(ids.size(), kShownTokens));
  const auto text_of = [&](std::size_t begin, std::size_t end) {
    const std::span<const std::int32_t> run(ids.data() + begin, end - begin);
    std::string text = tokenizer_->decode(run);
    const bool space = !run.empty() && tokenizer_->begins_word(run[0]);
    return (space ? " " : "") + text;
  };
  const std::vector<std::int32_t>& rows = sample.picks[0];
  std::size_t begin = 0;
  for (std::size_t i = 0; i < rows.size() && static_cast<std::size_t>(rows[i]) < ids.size(); ++i) {
    const auto [score, best] = probabilities[static_cast<std::int64_t>(i)].max(0);
    const auto row = static_cast<std::size_t>(rows[i]);
    const auto piece = [&](std::int32_t id) {
      return id < tokenizer_->vocab_size() ? tokenizer_->piece(id) : std::string();
    };
    out.parts.push_back({text_of(begin, row), piece(sample.targets[i]),
                         piece(static_cast<std::int32_t>(best.item<std::int64_t>())),
                         score.item<float>()});
    begin = row + 1;
  }
  out.parts.push_back({text_of(begin, ids.size()), {}, {}, 0});
  return out;
}

Evaluation PretrainObjective::evaluate() {
  const c10::InferenceMode guard;
  model_->eval();
  Evaluation evaluation;
  evaluation.unit = "masks";
  double loss = 0, order_loss = 0, right = 0, in_order = 0;
  std::int64_t masks = 0, pairs = 0;
  // Those that are shown are of all lengths.
  const std::size_t every = (dev_.size() + kShown - 1) / kShown;
  for (std::size_t begin = 0, end = 0; begin < dev_.size(); begin = end) {
    std::size_t tokens = 0;
    while (end < dev_.size() && (end == begin || tokens < kEvaluationRows))
      tokens += tokens_of(dev_[end++]);
    const auto samples = dev_.subspan(begin, end - begin);
    const Scores result = scores(samples);
    loss += result.loss(at::Reduction::Sum).item<double>();
    right += result.logits.argmax(1).eq(result.targets).sum().item<double>();
    masks += result.targets.size(0);
    if (result.order.defined()) {
      order_loss += result.order_loss(at::Reduction::Sum).item<double>();
      in_order += result.order.argmax(1).eq(result.labels).sum().item<double>();
      pairs += result.labels.size(0);
    }
    std::int64_t first = 0;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const auto count = static_cast<std::int64_t>(samples[i].targets.size());
      if ((begin + i) % every == every / 2) {
        const at::Tensor own = result.logits.narrow(0, first, count);
        evaluation.filled.push_back(
            filled(samples[i], at::softmax(own, 1).to(at::kCPU, at::kFloat)));
      }
      first += count;
    }
  }
  evaluation.count = static_cast<std::size_t>(masks);
  evaluation.loss = loss / static_cast<double>(masks);
  evaluation.metrics = {{"accuracy", right / static_cast<double>(masks)},
                        {"perplexity", std::exp(evaluation.loss)},
                        {"likelihood", std::exp(-evaluation.loss)}};
  if (pairs > 0) {
    evaluation.metrics.emplace_back("order_accuracy", in_order / static_cast<double>(pairs));
    evaluation.loss += order_loss / static_cast<double>(pairs);
  }
  return evaluation;
}

}  // namespace fnet
