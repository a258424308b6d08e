#include "train/recompute.h"

#include <c10/util/ScopeExit.h>

#include <utility>

#include "train/algebra.h"

namespace fnet {
namespace {

using Formula = std::function<at::Tensor(const at::Tensor&)>;

thread_local int again = 0;

/// As torch keeps what is no tensor.
struct Kept : torch::CustomClassHolder {
  Formula formula;
  ProductsIn::Choice products;
};

struct RecomputeFunction : torch::autograd::Function<RecomputeFunction> {
  /// `learns`: no more than a tensor that wants a gradient, for x may want none while the
  /// parameters in f do.
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& /*learns*/, const Formula& f) {
    auto kept = c10::make_intrusive<Kept>();
    kept->formula = f;
    kept->products = ProductsIn::now();
    context->saved_data["kept"] = c10::IValue::make_capsule(kept);
    context->save_for_backward({x});
    return f(x);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grad) {
    const auto kept = context->saved_data["kept"].toCapsule();
    const auto& own = dynamic_cast<const Kept&>(*kept);
    const at::AutoGradMode with_graph(true);
    const at::Tensor x =
        context->get_saved_variables()[0].detach().requires_grad_(context->needs_input_grad(0));
    const at::Tensor y = [&] {
      const ProductsIn products(own.products);
      ++again;
      const auto ends = c10::make_scope_exit([] { --again; });
      return own.formula(x);
    }();
    if (y.requires_grad()) y.backward(grad[0]);
    return {x.grad(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

bool recomputing() { return again > 0; }

at::Tensor recomputed(const at::Tensor& x, Formula f) {
  if (!at::GradMode::is_enabled()) return f(x);
  const at::Tensor learns = at::empty({0}, x.options()).requires_grad_();
  return RecomputeFunction::apply(x, learns, f);
}

}  // namespace fnet
