#include "train/teacher_objective.h"

#include <algorithm>

#include "train/packing.h"
#include "train/source.h"

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

/// [B, H]
at::Tensor TeacherObjective::vectors(std::span<const Sample> samples) {
  std::vector<Encoding> texts;
  std::size_t longest = 0;
  for (const Sample& sample : samples) {
    texts.push_back(sample.texts.at(0));
    longest = std::max(longest, texts.back().size());
  }
  pack(texts, model_->config(), static_cast<std::int64_t>(longest), batch_);
  return model_->scores(nn::hidden_of(*model_->fnet, batch_), batch_.rows);
}

/// [B, W]
at::Tensor TeacherObjective::targets(std::span<const Sample> samples) const {
  std::vector<float> values;
  for (const Sample& sample : samples)
    values.insert(values.end(), sample.values.begin(), sample.values.end());
  return at::tensor(values)
      .view({static_cast<std::int64_t>(samples.size()), -1})
      .to(model_->parameters().front().device());
}

std::vector<double> TeacherObjective::terms(std::span<const Sample> batch, std::int64_t /*step*/) {
  if (loss_.kind == "similarity" || loss_.similarity_weight != 0) return {};
  return {static_cast<double>(batch.size())};
}

Objective::Result TeacherObjective::loss(std::span<const Sample> batch, const StepPart& part) {
  model_->set_dropout_place(nn::DropoutPlace{seed_, part.place()});
  const at::Tensor student = vectors(batch);
  const at::Tensor mean = teacher_loss(student, targets(batch).to(student.scalar_type()), loss_);
  const double share = part.terms.empty() ? 1 : static_cast<double>(batch.size()) / part.terms[0];
  return {mean * share, batch_.rows.total()};
}

Evaluation TeacherObjective::evaluate() {
  const c10::InferenceMode guard;
  model_->eval();
  std::vector<at::Tensor> parts;
  for (std::size_t begin = 0, end = 0; begin < dev_.size(); begin = end) {
    std::size_t tokens = 0;
    while (end < dev_.size() && (end == begin || tokens < kEvaluationRows))
      tokens += tokens_of(dev_[end++]);
    parts.push_back(vectors(dev_.subspan(begin, end - begin)).to(at::kCPU, at::kFloat));
  }
  const at::Tensor student = at::cat(parts), unit = torch::nn::functional::normalize(student),
                   teacher = targets(dev_).to(at::kCPU);
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
