#include "train/algebra.h"

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "blocks/part_kernels.h"
#include "core/hash.h"
#include "kernels/rows.h"
#include "train/ops.h"

namespace fnet {
namespace {

thread_local int formulas_only = 0;
thread_local kernels::Dtype product_dtype = kernels::Dtype::float32;

/// The type of this thread's products, kept for the gradients.
kernels::Dtype keep_dtype(torch::autograd::AutogradContext* context) {
  context->saved_data["dtype"] = static_cast<std::int64_t>(product_dtype);
  return product_dtype;
}
kernels::Dtype kept_dtype(torch::autograd::AutogradContext* context) {
  return static_cast<kernels::Dtype>(context->saved_data["dtype"].toInt());
}

/// Whether a kernel for the CPU in fp32 may stand for the formula.
bool fast(const at::Tensor& x) {
  return formulas_only == 0 && x.device().is_cpu() && x.scalar_type() == at::kFloat;
}

Rows rows_from(const std::vector<std::int64_t>& offsets) {
  Rows rows;
  for (std::size_t i = 1; i < offsets.size(); ++i) rows.add(offsets[i] - offsets[i - 1]);
  return rows;
}

/// The transform by torch, text by text, of any type and on any device.
at::Tensor mix_formula(const at::Tensor& x, const Rows& rows, bool ortho) {
  const bool half = x.scalar_type() == at::kHalf || x.scalar_type() == at::kBFloat16;
  const at::Tensor in = half ? x.to(at::kFloat) : x;
  std::vector<at::Tensor> mixed;
  for (std::int64_t text = 0; text < rows.texts(); ++text) {
    const at::Tensor part = in.narrow(0, rows.begin(text), rows.rows(text));
    mixed.push_back(at::real(at::fft_fft2(part, {}, {0, 1}, ortho ? "ortho" : "backward")));
  }
  const at::Tensor y = at::cat(mixed);
  return half ? y.to(x.scalar_type()) : y;
}

struct FourierFunction : torch::autograd::Function<FourierFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const std::vector<std::int64_t>& offsets, bool ortho, bool by_kernel) {
    context->saved_data["offsets"] = offsets;
    context->saved_data["ortho"] = ortho;
    context->saved_data["by_kernel"] = by_kernel;
    const Rows rows = rows_from(offsets);
    return by_kernel ? ops::mix(x, rows, ortho) : mix_formula(x, rows, ortho);
  }

  /// The map is its own adjoint.
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grad) {
    auto& saved = context->saved_data;
    return {apply(grad[0], saved["offsets"].toIntVector(), saved["ortho"].toBool(),
                  saved["by_kernel"].toBool()),
            at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

struct DenseFunction : torch::autograd::Function<DenseFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
    context->save_for_backward({x, weight});
    context->saved_data["bias"] = bias.has_value();
    const kernels::Dtype dtype = keep_dtype(context);
    return ops::product(dtype, {x}, {weight, true},
                        {.bias = bias ? bias->const_data_ptr<float>() : nullptr});
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grad) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& weight = saved[1];
    const kernels::Dtype dtype = kept_dtype(context);
    torch::autograd::variable_list result(3);
    if (context->needs_input_grad(0)) result[0] = ops::product(dtype, {grad[0]}, {weight});
    if (context->needs_input_grad(1)) result[1] = ops::product(dtype, {grad[0], true}, {x});
    if (context->saved_data["bias"].toBool()) result[2] = grad[0].sum(0);
    return result;
  }
};

struct MlpFunction : torch::autograd::Function<MlpFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& up, const at::Tensor& up_bias, const at::Tensor& down,
                            const at::Tensor& down_bias, kernels::Activation activation) {
    const kernels::Dtype dtype = keep_dtype(context);
    at::Tensor before = at::empty({x.size(0), up.size(0)}, x.options());
    const at::Tensor inner = ops::product(dtype, {x}, {up, true},
                                          {.bias = up_bias.const_data_ptr<float>(),
                                           .activation = activation,
                                           .before = before.mutable_data_ptr<float>()});
    context->save_for_backward({x, up, down, before, inner});
    context->saved_data["activation"] = static_cast<std::int64_t>(activation);
    return ops::product(dtype, {inner}, {down, true}, {.bias = down_bias.const_data_ptr<float>()});
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &up = saved[1], &down = saved[2], &before = saved[3],
                     &inner = saved[4];
    const at::Tensor grad = grads[0].contiguous();
    const kernels::Dtype dtype = kept_dtype(context);
    const auto activation =
        static_cast<kernels::Activation>(context->saved_data["activation"].toInt());
    const at::Tensor grad_before =
        ops::product(dtype, {grad}, {down},
                     {.activation = activation, .slope_at = before.const_data_ptr<float>()});
    return {context->needs_input_grad(0) ? ops::product(dtype, {grad_before}, {up}) : at::Tensor(),
            ops::product(dtype, {grad_before, true}, {x}),
            grad_before.sum(0),
            ops::product(dtype, {grad, true}, {inner}),
            grad.sum(0),
            at::Tensor()};
  }
};

struct DropoutFunction : torch::autograd::Function<DropoutFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            double p, std::int64_t seed) {
    context->saved_data["p"] = p;
    context->saved_data["seed"] = seed;
    return ops::dropout(x, p, static_cast<std::uint64_t>(seed));
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grad) {
    auto& saved = context->saved_data;
    return {ops::dropout(grad[0], saved["p"].toDouble(),
                         static_cast<std::uint64_t>(saved["seed"].toInt())),
            at::Tensor(), at::Tensor()};
  }
};

/// The rows of each text without its padding.
std::vector<at::Tensor> text_rows(const at::Tensor& x, const Rows& rows) {
  std::vector<std::int64_t> sizes;
  for (std::int64_t text = 0; text < rows.texts(); ++text) {
    sizes.push_back(rows.length(text));
    sizes.push_back(rows.rows(text) - rows.length(text));
  }
  const auto pieces = x.split_with_sizes(sizes);
  std::vector<at::Tensor> texts;
  for (std::size_t i = 0; i < pieces.size(); i += 2) texts.push_back(pieces[i]);
  return texts;
}

at::Tensor linear_map(const at::Tensor& x, const at::Tensor& weight,
                      const std::optional<at::Tensor>& bias) {
  return fast(x) && x.dim() == 2 ? DenseFunction::apply(x, weight, bias)
                                 : at::linear(x, weight, bias);
}

}  // namespace

FormulasOnly::FormulasOnly() { ++formulas_only; }
FormulasOnly::~FormulasOnly() { --formulas_only; }

ProductsIn::ProductsIn(kernels::Dtype dtype) : before_(std::exchange(product_dtype, dtype)) {}
ProductsIn::~ProductsIn() { product_dtype = before_; }

TorchTensor dense(const TorchTensor& x, const TorchTensor& weight) {
  return linear_map(x, weight, std::nullopt);
}
TorchTensor dense(const TorchTensor& x, const TorchTensor& weight, const TorchTensor& bias) {
  return linear_map(x, weight, bias.value);
}

TorchTensor fourier_mix(const TorchTensor& x, const Rows& rows, bool ortho) {
  return FourierFunction::apply(x.value, rows.offsets, ortho, fast(x.value));
}

TorchTensor first_rows(const TorchTensor& x, const Rows& rows) {
  const std::vector<std::int64_t> begins(rows.offsets.begin(), rows.offsets.end() - 1);
  return x.value.index_select(0, at::tensor(begins, at::kLong).to(x.value.device()));
}

TorchTensor mean_rows(const TorchTensor& x, const Rows& rows) {
  std::vector<at::Tensor> means;
  for (const at::Tensor& text : text_rows(x, rows)) means.push_back(text.mean(0));
  return at::stack(means);
}

TorchTensor max_rows(const TorchTensor& x, const Rows& rows) {
  std::vector<at::Tensor> largest;
  for (const at::Tensor& text : text_rows(x, rows)) largest.push_back(std::get<0>(text.max(0)));
  return at::stack(largest);
}

TorchTensor sum_rows(const TorchTensor& x, const Rows& rows) {
  std::vector<at::Tensor> sums;
  for (const at::Tensor& text : text_rows(x, rows)) sums.push_back(text.sum(0));
  return at::stack(sums);
}

TorchTensor repeat_rows(const TorchTensor& x, const Rows& rows) {
  std::vector<std::int64_t> texts;
  for (std::int64_t text = 0; text < rows.texts(); ++text) {
    texts.insert(texts.end(), static_cast<std::size_t>(rows.rows(text)), text);
  }
  return x.value.index_select(0, at::tensor(texts, at::kLong).to(x.value.device()));
}

TorchTensor cumsum_rows(const TorchTensor& x, const Rows& rows) {
  std::vector<at::Tensor> sums;
  std::int64_t i = 0;
  for (const at::Tensor& text : text_rows(x, rows)) {
    sums.push_back(text.cumsum(0));
    const std::int64_t padding = rows.rows(i) - rows.length(i);
    if (padding > 0) sums.push_back(sums.back().slice(0, -1).expand({padding, -1}));
    ++i;
  }
  return at::cat(sums);
}

TorchTensor batch_mean(const TorchTensor& x, const Rows& rows) {
  return at::cat(text_rows(x, rows)).mean(0, true);
}

void track(const TorchTensor& buffer, const TorchTensor& value, double momentum) {
  const at::NoGradGuard no_grad;
  at::Tensor kept = buffer.value;
  kept.mul_(momentum).add_(value.value.detach().view(kept.sizes()).to(kept.scalar_type()),
                           1 - momentum);
}

TorchTensor concat(const std::vector<TorchTensor>& parts) {
  std::vector<at::Tensor> list;
  for (const TorchTensor& part : parts) list.push_back(part.value);
  return at::cat(list, -1);
}

at::Tensor dropout(const at::Tensor& x, double p, std::uint64_t seed) {
  if (fast(x)) return DropoutFunction::apply(x, p, static_cast<std::int64_t>(seed));
  const at::Tensor mask = ops::dropout(at::ones(x.sizes(), at::kFloat), p, seed);
  return x * mask.to(x.options());
}

TorchTensor Dropout<TorchTensor>::operator()(const TorchTensor& x, double p,
                                             std::uint64_t place) const {
  if (!active || p <= 0) return x;
  const std::array<std::uint64_t, 3> key = {seed, step, place};
  return dropout(x, p, fnv1a({reinterpret_cast<const char*>(key.data()), sizeof key}));
}

TorchTensor Dropout<TorchTensor>::path(const TorchTensor& x, const Rows& rows, double p,
                                       std::uint64_t place) const {
  if (!active || p <= 0) return x;
  const TorchTensor kept = at::ones({rows.texts(), 1}, x.value.options());
  return x * repeat_rows((*this)(kept, p, place), rows);
}

std::optional<TorchTensor> Fast<TorchTensor>::apply(const LayerNorm&, const TorchTensor& x,
                                                    const Context<TorchTensor>& c) {
  if (formulas_only > 0) return {};
  const std::optional<at::Tensor> bias =
      c.w.has("bias") ? std::optional(c.w["bias"].value) : std::nullopt;
  return at::layer_norm(x, {x.value.size(-1)}, c.w["weight"].value, bias, c.eps());
}

std::optional<TorchTensor> Fast<TorchTensor>::apply(const Mlp&, const TorchTensor& x,
                                                    const Context<TorchTensor>& c) {
  const auto activation = kernel_of(c.activation);
  const bool drops = c.training() && c.config.inner_dropout() > 0;
  if (!fast(x) || !activation || drops) return {};
  return MlpFunction::apply(x.value, c.w["intermediate.dense.weight"].value,
                            c.w["intermediate.dense.bias"].value, c.w["output.dense.weight"].value,
                            c.w["output.dense.bias"].value, *activation);
}

}  // namespace fnet
