#include "train/cross_entropy.h"

#include "train/algebra.h"
#include "train/ops.h"

namespace fnet {
namespace {

struct CrossEntropyFunction : torch::autograd::Function<CrossEntropyFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& scores,
                            const at::Tensor& targets, bool mean) {
    const auto [losses, logs] = ops::cross_entropy(scores, targets);
    context->saved_data["scores"] = scores.detach();  // no saved variable: backward writes to it
    context->saved_data["mean"] = mean;
    context->save_for_backward({targets, logs});
    return (mean ? losses.mean() : losses.sum()).to(at::kFloat);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grad) {
    auto& saved = context->saved_data;
    TORCH_CHECK(!saved["scores"].isNone(), "cross_entropy: expected one pass back, found a second");
    const at::Tensor scores = saved["scores"].toTensor();
    saved["scores"] = c10::IValue();
    const auto kept = context->get_saved_variables();
    const double terms = saved["mean"].toBool() ? static_cast<double>(scores.size(0)) : 1.0;
    ops::cross_entropy_back(scores, kept[0], kept[1], grad[0].item<double>() / terms);
    return {scores, at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor cross_entropy(const at::Tensor& scores, const at::Tensor& targets,
                         at::Reduction::Reduction reduction) {
  const bool ours = fast(scores) && scores.requires_grad() && at::GradMode::is_enabled() &&
                    scores.is_contiguous() && !scores.is_leaf();
  if (!ours) return at::cross_entropy_loss(scores, targets, {}, reduction);
  return CrossEntropyFunction::apply(scores, targets, reduction == at::Reduction::Mean);
}

}  // namespace fnet
