#include "train/teacher_objective.h"

#include <algorithm>

#include "train/algebra.h"
#include "train/device.h"
#include "train/packing.h"
#include "train/source.h"
#include "train/teacher_start.h"

namespace fnet {
namespace {

/// Rows of a batch in evaluation.
constexpr std::size_t kEvaluationRows = 4096;

/// Pearson's correlation of the numbers above the diagonals of two square matrices.
double correlation(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor above = at::ones_like(a, at::kBool).triu(1);
  at::Tensor x = a.masked_select(above).to(at::kDouble), y = b.masked_select(above).to(at::kDouble);
  x = x - x.mean(), y = y - y.mean();
  const double scale = (x.square().sum() * y.square().sum()).sqrt().item<double>();
  return scale > 0 ? (x * y).sum().item<double>() / scale : 0;
}

/// Texts, and their rows.
std::vector<double> counts(std::span<const Sample> batch) {
  double rows = 0;
  for (const Sample& sample : batch) rows += static_cast<double>(tokens_of(sample));
  return {static_cast<double>(batch.size()), rows};
}

}  // namespace

at::Tensor teacher_loss(const at::Tensor& student, const at::Tensor& teacher,
                        const TeacherLoss& loss) {
  const auto texts = static_cast<double>(student.size(0));
  const at::Tensor unit = torch::nn::functional::normalize(student);
  at::Tensor sum;
  if (loss.kind == "squared_error") {
    sum = (student - teacher).square().sum() / texts;
  } else if (loss.kind == "cosine") {
    sum = 1 - (unit * teacher).sum() / texts;
  }
  const double weight = sum.defined() ? loss.similarity_weight : 1;
  if (weight == 0) return sum;
  // Of a text with itself both cosines are 1.
  const double pairs = std::max(1.0, texts * (texts - 1));
  const at::Tensor apart = at::matmul(unit, unit.t()) - at::matmul(teacher, teacher.t());
  const at::Tensor others = apart.square().sum() - apart.diagonal().square().sum();
  const at::Tensor likeness = others * (weight / pairs);
  return sum.defined() ? sum + likeness : likeness;
}

at::Tensor hidden_loss(std::span<const at::Tensor> student, std::span<const at::Tensor> teacher) {
  const auto layers = static_cast<std::int64_t>(student.size()) - 1,
             theirs = static_cast<std::int64_t>(teacher.size()) - 1;
  at::Tensor sum;
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    const auto own = static_cast<std::size_t>(layer + 1),
               other = static_cast<std::size_t>(layer_like(layer, layers, theirs) + 1);
    const at::Tensor& wanted = teacher[other];
    const at::Tensor part =
        ((student[own] - wanted).square().sum(1) / wanted.square().sum(1)).sum();
    sum = sum.defined() ? sum + part : part;
  }
  return sum / static_cast<double>(layers);
}

void TeacherObjective::pack_texts(std::span<const Sample> samples) {
  std::vector<Encoding> texts;
  for (const Sample& sample : samples) texts.push_back(sample.texts.at(0));
  pack(texts, model_->config(), batch_);
}

/// Of the texts that are packed: [B, H].
at::Tensor TeacherObjective::vectors(std::vector<at::Tensor>* states) {
  return widened(model_->scores(nn::hidden_of(*model_->fnet, batch_, states), batch_.rows));
}

/// What the samples have: [B, W].
at::Tensor TeacherObjective::targets(std::span<const Sample> samples) const {
  std::vector<float> values;
  for (const Sample& sample : samples)
    values.insert(values.end(), sample.values.begin(), sample.values.end());
  return on_device(values, at::kFloat, model_->parameters().front().device())
      .view({static_cast<std::int64_t>(samples.size()), -1});
}

std::vector<double> TeacherObjective::terms(std::span<const Sample> batch, std::int64_t /*step*/) {
  if (loss_.kind == "similarity" || loss_.similarity_weight != 0) return {};
  return counts(batch);
}

Objective::Result TeacherObjective::loss(std::span<const Sample> batch, const StepPart& part) {
  model_->set_dropout_place(nn::DropoutPlace{seed_, part.place()});
  pack_texts(batch);
  Teacher::Answer answer;
  const bool given = !batch[0].values.empty();
  if (!given || loss_.hidden_weight > 0) answer = teacher_->ask(batch_);
  if (given) answer.vectors = targets(batch);
  std::vector<at::Tensor> states;
  const at::Tensor student = vectors(loss_.hidden_weight > 0 ? &states : nullptr);
  const at::Tensor mean = teacher_loss(student, answer.vectors.to(student.scalar_type()), loss_);
  const std::vector<double> own = counts(batch);
  const std::span<const double> all = part.terms.empty() ? own : part.terms;
  at::Tensor loss = mean * (own[0] / all[0]);
  if (!states.empty())
    loss = loss + hidden_loss(states, answer.states) * (loss_.hidden_weight / all[1]);
  return {loss, batch_.rows.total()};
}

Evaluation TeacherObjective::evaluate() {
  const c10::InferenceMode guard;
  model_->eval();
  std::vector<at::Tensor> parts, wanted;
  const bool asks = dev_[0].values.empty() && !dev_targets_.defined();
  for (std::size_t begin = 0, end = 0; begin < dev_.size(); begin = end) {
    std::size_t tokens = 0;
    while (end < dev_.size() && (end == begin || tokens < kEvaluationRows))
      tokens += tokens_of(dev_[end++]);
    pack_texts(dev_.subspan(begin, end - begin));
    parts.push_back(vectors().to(at::kCPU, at::kFloat));
    if (asks) wanted.push_back(teacher_->ask(batch_).vectors.to(at::kCPU, at::kFloat));
  }
  if (!dev_targets_.defined()) dev_targets_ = asks ? at::cat(wanted) : targets(dev_).to(at::kCPU);
  const at::Tensor& teacher = dev_targets_;
  const at::Tensor student = at::cat(parts), unit = torch::nn::functional::normalize(student);
  Evaluation evaluation;
  evaluation.unit = "texts";
  evaluation.count = dev_.size();
  evaluation.loss = teacher_loss(student, teacher, loss_).item<double>();
  if (unit.size(1) == teacher.size(1)) {
    const double cosine = (unit * teacher).sum(1).mean().item<double>();
    evaluation.metrics.emplace_back("cosine", cosine);
  }
  evaluation.metrics.emplace_back(
      "similarity", correlation(at::matmul(unit, unit.t()), at::matmul(teacher, teacher.t())));
  return evaluation;
}

}  // namespace fnet
