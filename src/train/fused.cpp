// Faster ways through parts of a model and halves of its blocks, forward and back by our kernels.
#include <cmath>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "blocks/model.h"
#include "blocks/part_kernels.h"
#include "train/algebra.h"
#include "train/ops.h"

namespace fnet {
namespace {

using kernels::Activation;
using kernels::Dtype;
using kernels::SpectrumPart;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// torch wants an input that is not there as no tensor, where the rest takes an undefined one.
using MaybeTensor = std::optional<at::Tensor>;

/// Keeps a norm beside its tensors, which the function saves.
void keep(AutogradContext* context, const ops::SumNorm& layer) {
  auto& saved = context->saved_data;
  saved["kind"] = static_cast<std::int64_t>(layer.kind);
  saved["eps"] = layer.eps;
  saved["p"] = layer.p;
  saved["seed"] = static_cast<std::int64_t>(layer.seed);
}
ops::SumNorm kept(AutogradContext* context, const at::Tensor& weight, const at::Tensor& bias) {
  auto& saved = context->saved_data;
  return {.kind = static_cast<kernels::NormKind>(saved["kind"].toInt()),
          .eps = saved["eps"].toDouble(),
          .p = saved["p"].toDouble(),
          .seed = static_cast<std::uint64_t>(saved["seed"].toInt()),
          .weight = weight,
          .bias = bias};
}

struct NormFunction : torch::autograd::Function<NormFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const MaybeTensor& weight, const MaybeTensor& bias,
                            ops::SumNorm layer) {
    layer.weight = weight.value_or(at::Tensor()), layer.bias = bias.value_or(at::Tensor());
    const ops::Summed out = ops::sum_norm(layer, x);
    context->save_for_backward({out.sum, layer.weight, layer.bias});
    keep(context, layer);
    return out.y;
  }
  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const auto back = ops::sum_norm_back(kept(context, saved[1], saved[2]), saved[0], grads[0]);
    return {back.sum, back.weight, back.bias, {}};
  }
};

struct MixingFunction : torch::autograd::Function<MixingFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const MaybeTensor& weight, const MaybeTensor& bias, const Rows& rows,
                            bool ortho, SpectrumPart part, ops::SumNorm layer) {
    layer.weight = weight.value_or(at::Tensor()), layer.bias = bias.value_or(at::Tensor());
    const at::Tensor sum = ops::mix(x, rows, ortho, part, x);
    context->save_for_backward({sum, layer.weight, layer.bias});
    context->saved_data["offsets"] = rows.offsets;
    context->saved_data["ortho"] = ortho;
    context->saved_data["part"] = static_cast<std::int64_t>(part);
    keep(context, layer);
    return ops::sum_norm(layer, sum).y;
  }
  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto tensors = context->get_saved_variables();
    auto& saved = context->saved_data;
    const auto back =
        ops::sum_norm_back(kept(context, tensors[1], tensors[2]), tensors[0], grads[0]);
    // The transform is its own adjoint.
    const at::Tensor of_x =
        ops::mix(back.sum, ops::rows_from(saved["offsets"].toIntVector()), saved["ortho"].toBool(),
                 static_cast<SpectrumPart>(saved["part"].toInt()), back.sum);
    return {of_x, back.weight, back.bias, {}, {}, {}, {}};
  }
};

/// W2 act(W1 x + b1) + b2.
struct MlpWeights {
  at::Tensor up, up_bias, down, down_bias;
};
struct MlpResult {
  at::Tensor before, inner, y;
};

MlpResult mlp(Dtype dtype, Activation activation, const at::Tensor& x, const MlpWeights& w) {
  at::Tensor before = at::empty({x.size(0), w.up.size(0)}, x.options());
  at::Tensor inner = ops::product(dtype, {x}, {w.up, true},
                                  {.bias = w.up_bias.const_data_ptr<float>(),
                                   .activation = activation,
                                   .before = before.mutable_data_ptr<float>()});
  at::Tensor y =
      ops::product(dtype, {inner}, {w.down, true}, {.bias = w.down_bias.const_data_ptr<float>()});
  return {before, inner, y};
}

/// The gradients of x and of the weights, in the order of MlpWeights, the first inputs of a
/// function; `add` is added to that of x.
variable_list mlp_back(AutogradContext* context, const variable_list& saved, const at::Tensor& grad,
                       const at::Tensor& add) {
  const at::Tensor &x = saved[0], &up = saved[1], &down = saved[2], &before = saved[3],
                   &inner = saved[4];
  const auto dtype = static_cast<Dtype>(context->saved_data["dtype"].toInt());
  const auto activation = static_cast<Activation>(context->saved_data["activation"].toInt());
  const auto wants = [&](std::size_t input) { return context->needs_input_grad(input); };
  const auto of_down = ops::map_gradients(dtype, grad, inner, wants(3), wants(4));
  variable_list result = {{}, {}, {}, of_down.weight, of_down.bias};
  if (!wants(0) && !wants(1) && !wants(2)) return result;
  const at::Tensor grad_before =
      ops::product(dtype, {grad}, {down},
                   {.activation = activation, .slope_at = before.const_data_ptr<float>()});
  const auto of_up = ops::map_gradients(dtype, grad_before, x, wants(1), wants(2));
  result[1] = of_up.weight, result[2] = of_up.bias;
  if (wants(0)) {
    result[0] = ops::product(dtype, {grad_before}, {up},
                             {.add = add.defined() ? add.const_data_ptr<float>() : nullptr});
  }
  return result;
}

void keep(AutogradContext* context, Dtype dtype, Activation activation) {
  context->saved_data["dtype"] = static_cast<std::int64_t>(dtype);
  context->saved_data["activation"] = static_cast<std::int64_t>(activation);
}

struct MlpFunction : torch::autograd::Function<MlpFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& up,
                            const at::Tensor& up_bias, const at::Tensor& down,
                            const at::Tensor& down_bias, Activation activation) {
    const Dtype dtype = ProductsIn::of_kernels();
    const MlpResult out = mlp(dtype, activation, x, {up, up_bias, down, down_bias});
    context->save_for_backward({x, up, down, out.before, out.inner});
    keep(context, dtype, activation);
    return out.y;
  }
  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    variable_list result =
        mlp_back(context, context->get_saved_variables(), grads[0].contiguous(), {});
    result.resize(6);
    return result;
  }
};

/// norm(x + dropout(mlp(x)))
struct FeedForwardFunction : torch::autograd::Function<FeedForwardFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& up,
                            const at::Tensor& up_bias, const at::Tensor& down,
                            const at::Tensor& down_bias, const MaybeTensor& weight,
                            const MaybeTensor& bias, Activation activation, ops::SumNorm layer) {
    const Dtype dtype = ProductsIn::of_kernels();
    layer.weight = weight.value_or(at::Tensor()), layer.bias = bias.value_or(at::Tensor());
    const MlpResult inner = mlp(dtype, activation, x, {up, up_bias, down, down_bias});
    const ops::Summed out = ops::sum_norm(layer, inner.y, x);
    context->save_for_backward(
        {x, up, down, inner.before, inner.inner, out.sum, layer.weight, layer.bias});
    keep(context, dtype, activation);
    keep(context, layer);
    return out.y;
  }
  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const auto back = ops::sum_norm_back(kept(context, saved[6], saved[7]), saved[5], grads[0]);
    variable_list result = mlp_back(context, saved, back.x, back.sum);
    if (!result[0].defined() && context->needs_input_grad(0)) result[0] = back.sum;
    result.insert(result.end(), {back.weight, back.bias, {}, {}});
    return result;
  }
};

MaybeTensor weight_or_none(const Context<TorchTensor>& c, std::string_view name) {
  if (!c.w.has(name)) return {};
  return c.w[name].value;
}

template <class NormPart>
std::optional<TorchTensor> fast_norm(const NormPart& part, const TorchTensor& x,
                                     const Context<TorchTensor>& c) {
  if (!fast(x) || x.value.dim() != 2) return {};
  return NormFunction::apply(x.value, weight_or_none(c, "weight"), weight_or_none(c, "bias"),
                             ops::SumNorm{.kind = *norm_kernel(part), .eps = c.eps()});
}

/// The norm behind a half of a block where there is a kernel for it.
std::optional<ops::SumNorm> norm_behind(const TorchTensor& x, const Context<TorchTensor>& c,
                                        const Norm& norm) {
  const auto kind = std::visit([](const auto& part) { return norm_kernel(part); }, norm);
  const bool drops = c.training() && c.config.drop_path(c.layer) > 0;
  if (!fast(x) || c.config.norm_position == "pre" || drops || !kind ||
      kind == kernels::NormKind::none)
    return {};
  return ops::SumNorm{.kind = *kind, .eps = c.eps()};
}

/// The activation of an Mlp that runs by kernels.
std::optional<Activation> mlp_kernel(const TorchTensor& x, const Context<TorchTensor>& c) {
  if (!fast(x) || (c.training() && c.config.inner_dropout() > 0)) return {};
  return kernel_of(c.activation);
}

}  // namespace

std::optional<TorchTensor> Fast<TorchTensor>::apply(const LayerNorm& part, const TorchTensor& x,
                                                    const Context<TorchTensor>& c) {
  if (FormulasOnly::active()) return {};
  if (auto y = fast_norm(part, x, c)) return y;
  return at::layer_norm(x, {x.value.size(-1)}, c.w["weight"].value, weight_or_none(c, "bias"),
                        c.eps());
}

std::optional<TorchTensor> Fast<TorchTensor>::apply(const RmsNorm& part, const TorchTensor& x,
                                                    const Context<TorchTensor>& c) {
  return fast_norm(part, x, c);
}

std::optional<TorchTensor> Fast<TorchTensor>::apply(const Mlp&, const TorchTensor& x,
                                                    const Context<TorchTensor>& c) {
  const auto activation = mlp_kernel(x, c);
  if (!activation) return {};
  return MlpFunction::apply(x.value, c.w["intermediate.dense.weight"].value,
                            c.w["intermediate.dense.bias"].value, c.w["output.dense.weight"].value,
                            c.w["output.dense.bias"].value, *activation);
}

std::optional<TorchTensor> Fast<TorchTensor>::apply(const MixingHalf& half, const TorchTensor& x,
                                                    const Context<TorchTensor>& c) {
  const auto layer = norm_behind(x, c, half.parts.norm);
  const auto mixer =
      std::visit([](const auto& part) { return mixer_kernel(part); }, half.parts.mixer(c.layer));
  if (!layer || !mixer || mixer == MixerKernel::identity) return {};
  const Context<TorchTensor> norm = c.under(MixingHalf::kNorm);
  return MixingFunction::apply(
      x.value, weight_or_none(norm, "weight"), weight_or_none(norm, "bias"), c.rows,
      c.config.fourier_norm == "ortho",
      mixer == MixerKernel::fourier ? SpectrumPart::real : SpectrumPart::hartley, *layer);
}

std::optional<TorchTensor> Fast<TorchTensor>::apply(const FeedForwardHalf& half,
                                                    const TorchTensor& x,
                                                    const Context<TorchTensor>& c) {
  auto layer = norm_behind(x, c, half.parts.norm);
  const auto activation = mlp_kernel(x, c);
  if (!layer || !activation || !std::holds_alternative<Mlp>(half.parts.ffn)) return {};
  if (c.training()) {
    const auto drop = c.dropout_at(c.config.output_dropout(), FeedForwardHalf::kDropout);
    layer->p = drop.p;
    layer->seed = drop.dropout.mask_seed(drop.place);
  }
  const Context<TorchTensor> norm = c.under(FeedForwardHalf::kNorm);
  return FeedForwardFunction::apply(
      x.value, c.w["intermediate.dense.weight"].value, c.w["intermediate.dense.bias"].value,
      c.w["output.dense.weight"].value, c.w["output.dense.bias"].value,
      weight_or_none(norm, "weight"), weight_or_none(norm, "bias"), *activation, *layer);
}

}  // namespace fnet
