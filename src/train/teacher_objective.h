#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "fnet/train.h"
#include "model/batch.h"
#include "train/objective.h"
#include "train/teacher.h"

namespace fnet {

/// How far a student's vectors are from its teacher's.
struct TeacherLoss {
  std::string kind = "cosine";   ///< as DistillOptions::loss
  double similarity_weight = 0;  ///< as there, as the next
  double hidden_weight = 0;
};

/// The mean over texts of that, with its graph. `student` [B, H]; `teacher` [B, W], each of length
/// 1, with W = H unless the kind is similarity. Of one text there is no similarity: 0.
at::Tensor teacher_loss(const at::Tensor& student, const at::Tensor& teacher,
                        const TeacherLoss& loss);

/// How far the rows that the layers of a student make are from those of a teacher's layers at like
/// heights: the sum over rows of the mean over layers of |s − t|² / |t|², with its graph. Both
/// begin with what the first layer reads; [T, H] each.
at::Tensor hidden_loss(std::span<const at::Tensor> student, std::span<const at::Tensor> teacher);

/// How far a model's vectors of texts are from those of a teacher: the samples' values, or where
/// they have none what the teacher answers.
class TeacherObjective : public Objective {
 public:
  /// The model's own head is for sentence-similarity. `dev`, two samples or more, must outlive this
  /// object. `teacher` may be null where the samples have values and hidden_weight is 0.
  TeacherObjective(std::shared_ptr<nn::FNetWithHeadImpl> model,
                   std::shared_ptr<const Teacher> teacher, std::span<const Sample> dev,
                   TeacherLoss loss, std::uint64_t seed)
      : model_(std::move(model)),
        teacher_(std::move(teacher)),
        dev_(dev),
        loss_(std::move(loss)),
        seed_(seed) {}

  torch::nn::Module& model() override { return *model_; }
  /// Texts, unless they are compared with each other.
  std::vector<double> terms(std::span<const Sample> batch, std::int64_t step) override;
  Result loss(std::span<const Sample> batch, const StepPart& part) override;
  /// Metrics: cosine, the mean with the teacher's vectors, where they have the model's width; and
  /// similarity, the correlation (Pearson's) of the texts' cosines with each other.
  Evaluation evaluate() override;

 private:
  void pack_texts(std::span<const Sample> samples);
  at::Tensor vectors(std::vector<at::Tensor>* states = nullptr);
  at::Tensor targets(std::span<const Sample> samples) const;

  std::shared_ptr<nn::FNetWithHeadImpl> model_;
  std::shared_ptr<const Teacher> teacher_;
  std::span<const Sample> dev_;
  TeacherLoss loss_;
  std::uint64_t seed_;
  Batch batch_;
  at::Tensor dev_targets_;
};

}  // namespace fnet
