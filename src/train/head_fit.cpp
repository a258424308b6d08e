#include "train/head_fit.h"

#include <fmt/core.h>

#include <limits>
#include <span>
#include <vector>

#include "blocks/heads.h"
#include "model/batch.h"
#include "train/linear_fit.h"
#include "train/packing.h"
#include "train/source.h"
#include "train/wide_head.h"

namespace fnet {
namespace {

/// How much the samples may count, times the usual: the more classes share them, the more they
/// should.
constexpr double kCounts[] = {0.25, 1, 4, 16, 64};

/// The name of a head's classifier.
std::string classifier_of(const TaskSetup& task) {
  const std::string place = head_place(task.head);
  return (place.empty() ? place : place + '.') + kClassifier;
}

/// What the head's last map reads of each sample's text [S, width]; not defined where `stop` says
/// so.
at::Tensor pooled_vectors(nn::FNetWithHeadImpl& model, std::span<const Sample> samples,
                          std::string_view head, const std::function<bool()>& stop) {
  at::Tensor all;
  Batch batch;
  for (const auto& places : batches_by_length(samples, model.config())) {
    if (stop && stop()) return {};
    std::vector<Encoding> texts;
    for (const std::size_t i : places) texts.push_back(samples[i].texts.at(0));
    pack(texts, model.config(), batch);
    const at::Tensor vectors = model.pooled(nn::hidden_of(*model.fnet, batch), batch.rows, head);
    const std::vector<std::int64_t> rows(places.begin(), places.end());
    if (!all.defined())
      all = at::empty({static_cast<std::int64_t>(samples.size()), vectors.size(1)}, at::kFloat);
    all.index_copy_(0, at::tensor(rows, at::kLong), vectors.to(at::kCPU, at::kFloat));
  }
  return all;
}

Bags dense_bags(const at::Tensor& vectors) {
  Bags bags;
  const at::Tensor flat = vectors.contiguous();
  const float* values = flat.const_data_ptr<float>();
  bags.values.assign(values, values + flat.numel());
  for (std::int64_t text = 0; text < flat.size(0); ++text) {
    for (std::int64_t j = 0; j < flat.size(1); ++j)
      bags.ids.push_back(static_cast<std::int32_t>(j));
    bags.offsets.push_back(static_cast<std::int64_t>(bags.ids.size()));
  }
  return bags;
}

}  // namespace

bool may_fit_head(const FinetuneOptions& options, const TaskSetup& task,
                  const std::set<std::string>& frozen) {
  if (options.fit_head == "off" || options.from.empty() || task.fits) return false;
  if (!std::holds_alternative<SequenceClassification>(head_for(task.task->name()))) return false;
  return !frozen.contains(classifier_of(task) + ".weight");
}

void fit_head(nn::FNetWithHeadImpl& model, const TaskSetup& task, const std::function<bool()>& stop,
              const std::function<void(std::string_view)>& log) {
  const c10::InferenceMode guard;
  model.eval();
  const at::Tensor train = pooled_vectors(model, task.train, task.head, stop);
  const at::Tensor dev = train.defined() ? pooled_vectors(model, task.dev, task.head, stop) : train;
  if (!dev.defined()) return;
  // Vectors of length 1 on the whole, as the n-grams' are.
  const double length = std::max(train.norm(2, 1).mean().item<double>(), 1e-12);
  const Bags texts = dense_bags(train / length);
  const std::size_t scores = task.labels.size();
  const LinearTargets targets = targets_of(task.task->loss(), scores, task.train);
  Scored truth;
  for (std::size_t i = 0; i < task.dev.size(); ++i)
    truth.add(task.dev[i], static_cast<std::int64_t>(i));

  const double usual = usual_c(targets.loss);
  const auto parameters = model.named_parameters();
  const at::Tensor weight = parameters[classifier_of(task) + ".weight"],
                   bias = parameters[classifier_of(task) + ".bias"];
  const at::Tensor wide = task.head.empty() ? wide_scores(model, task.dev) : at::Tensor();
  double least = std::numeric_limits<double>::infinity(), chosen = 0;
  for (const double count : kCounts) {
    if (stop && stop()) return;
    const LinearFit fit = fit_linear(texts, static_cast<std::size_t>(train.size(1)), targets,
                                     {.c = count * usual, .class_weights = task.class_weights});
    const at::Tensor w = at::tensor(fit.weight).view({train.size(1), -1}).t() / length;
    const at::Tensor b = at::tensor(fit.bias);
    truth.logits = at::addmm(b, dev, w.t());
    const double loss = best_shares(task.task->loss(), truth, wide, true).loss;
    if (loss >= least) break;
    least = loss, chosen = count * usual;
    weight.copy_(w);
    bias.copy_(b);
  }
  log(fmt::format("head{}: fitted to {} vectors of the encoder as it stands, C = {:g}",
                  task.head.empty() ? "" : " " + task.head, train.size(0), chosen));
}

}  // namespace fnet
