#include "train/algebra.h"

#include <ATen/autocast_mode.h>
#include <c10/util/ScopeExit.h>

#include <array>
#include <cmath>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "core/hash.h"
#include "train/mix_by_torch.h"
#include "train/ops.h"
#include "train/recompute.h"

namespace fnet {
namespace {

using kernels::SpectrumPart;

thread_local int formulas_only = 0;
thread_local ProductsIn::Choice products;

/// mix(rows of a text) for each, one after the other.
template <class Mix>
at::Tensor by_text(const at::Tensor& x, const Rows& rows, const Mix& mix) {
  std::vector<at::Tensor> mixed;
  for (std::int64_t text = 0; text < rows.texts(); ++text) {
    mixed.push_back(mix(x.narrow(0, rows.begin(text), rows.rows(text))));
  }
  return at::cat(mixed);
}

struct FourierFunction : torch::autograd::Function<FourierFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const std::vector<std::int64_t>& offsets, bool ortho, SpectrumPart part,
                            bool by_kernel) {
    context->saved_data["offsets"] = offsets;
    context->saved_data["ortho"] = ortho;
    context->saved_data["part"] = static_cast<std::int64_t>(part);
    context->saved_data["by_kernel"] = by_kernel;
    const Rows rows = ops::rows_from(offsets);
    return by_kernel ? ops::mix(x, rows, ortho, part) : mix_by_torch(x, rows, ortho, part);
  }

  /// Either map is its own adjoint.
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grad) {
    auto& saved = context->saved_data;
    return {apply(grad[0], saved["offsets"].toIntVector(), saved["ortho"].toBool(),
                  static_cast<SpectrumPart>(saved["part"].toInt()), saved["by_kernel"].toBool()),
            at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

struct DenseFunction : torch::autograd::Function<DenseFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
    context->save_for_backward({x, weight});
    context->saved_data["bias"] = bias.has_value();
    const kernels::Dtype dtype = ProductsIn::of_kernels();
    context->saved_data["dtype"] = static_cast<std::int64_t>(dtype);
    return ops::product(dtype, {x}, {weight, true},
                        {.bias = bias ? bias->const_data_ptr<float>() : nullptr});
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grad) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& weight = saved[1];
    const auto dtype = static_cast<kernels::Dtype>(context->saved_data["dtype"].toInt());
    const bool bias = context->saved_data["bias"].toBool() && context->needs_input_grad(2);
    const auto map = ops::map_gradients(dtype, grad[0], x, context->needs_input_grad(1), bias);
    at::Tensor of_x;
    if (context->needs_input_grad(0)) of_x = ops::product(dtype, {grad[0]}, {weight});
    return {of_x, map.weight, map.bias};
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

/// By the device's own random numbers, begun at the seed: a mask made here would have to go there.
at::Tensor dropout_by_device(const at::Tensor& x, double p, std::uint64_t seed) {
  at::Generator numbers = at::globalContext().defaultGenerator(x.device());
  const auto begin_at = [&](std::uint64_t own_seed, std::uint64_t offset) {
    const std::lock_guard lock(numbers.mutex());
    numbers.set_current_seed(own_seed);
    numbers.set_offset(offset);
  };
  const auto back =
      c10::make_scope_exit([=, before = numbers.current_seed(), offset = numbers.get_offset()] {
        begin_at(before, offset);
      });
  begin_at(seed, 0);
  return std::get<0>(at::native_dropout(x, p, true));
}

at::Tensor linear_map(const at::Tensor& x, const at::Tensor& weight,
                      const std::optional<at::Tensor>& bias) {
  return fast(x) && x.dim() == 2 ? DenseFunction::apply(x, weight, bias)
                                 : at::linear(x, weight, bias);
}

/// Attention of texts of equal length [texts, heads, rows, d]; `place`: of the dropout.
at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                  const DropoutAt<TorchTensor>& drop, std::uint64_t place) {
  const bool drops = drop.dropout.active && drop.p > 0;
  if (formulas_only == 0 && !drops) return at::scaled_dot_product_attention(q, k, v);
  const double scale = 1 / std::sqrt(static_cast<double>(q.size(-1)));
  const at::Tensor weights = at::softmax(at::matmul(q, k.transpose(-2, -1)) * scale, -1);
  return at::matmul(drop.dropout(weights, drop.p, place).value, v);
}

/// A text's rows with their spectrum times the filter real + i·imag [K, H], read between its
/// frequencies by straight lines.
at::Tensor filter_text(const at::Tensor& x, const at::Tensor& real, const at::Tensor& imag) {
  const std::int64_t rows = x.size(0), last = real.size(0) - 1;
  const at::Tensor place =
      at::arange(rows / 2 + 1, at::TensorOptions(at::kLong).device(x.device())) * (2 * last);
  const at::Tensor below = place.div(rows, "floor"), above = (below + 1).clamp_max(last);
  const at::Tensor share = (place.remainder(rows).to(real.scalar_type()) / rows).unsqueeze(1);
  const auto between = [&](const at::Tensor& w) {
    return at::lerp(w.index_select(0, below), w.index_select(0, above),
                    share.expand({-1, w.size(1)}));
  };
  return at::fft_irfft(at::fft_rfft(x, {}, 0) * at::complex(between(real), between(imag)), rows, 0);
}

}  // namespace

bool fast(const at::Tensor& x) {
  return formulas_only == 0 && x.device().is_cpu() && x.scalar_type() == at::kFloat;
}

FormulasOnly::FormulasOnly() { ++formulas_only; }
FormulasOnly::~FormulasOnly() { --formulas_only; }
bool FormulasOnly::active() { return formulas_only > 0; }

at::Tensor widened(const at::Tensor& x) {
  const bool half = x.scalar_type() == at::kHalf || x.scalar_type() == at::kBFloat16;
  return half ? x.to(at::kFloat) : x;
}

ProductsIn::ProductsIn(Choice choice) : before_(std::exchange(products, choice)) {
  const bool by_kernels = choice.device == at::kCPU && !FormulasOnly::active();
  if (by_kernels || choice.type == at::kFloat) return;
  autocast_before_ = at::autocast::get_autocast_dtype(choice.device);
  autocast_was_on_ = at::autocast::is_autocast_enabled(choice.device);
  at::autocast::set_autocast_dtype(choice.device, choice.type);
  at::autocast::set_autocast_enabled(choice.device, true);
  at::autocast::increment_nesting();
}

ProductsIn::~ProductsIn() {
  if (autocast_before_) {
    // Rounded weights are kept until then.
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(products.device, autocast_was_on_);
    at::autocast::set_autocast_dtype(products.device, *autocast_before_);
  }
  products = before_;
}

ProductsIn::Choice ProductsIn::now() { return products; }

kernels::Dtype ProductsIn::of_kernels() {
  return products.type == at::kBFloat16 ? kernels::Dtype::bfloat16 : kernels::Dtype::float32;
}

TorchTensor dense(const TorchTensor& x, const TorchTensor& weight) {
  return linear_map(x, weight, std::nullopt);
}
TorchTensor dense(const TorchTensor& x, const TorchTensor& weight, const TorchTensor& bias) {
  return linear_map(x, weight, bias.value);
}

TorchTensor fourier_mix(const TorchTensor& x, const Rows& rows, bool ortho) {
  return FourierFunction::apply(x.value, rows.offsets, ortho, SpectrumPart::real, fast(x.value));
}
TorchTensor hartley_mix(const TorchTensor& x, const Rows& rows, bool ortho) {
  return FourierFunction::apply(x.value, rows.offsets, ortho, SpectrumPart::hartley, fast(x.value));
}

TorchTensor attention(const TorchTensor& q, const TorchTensor& k, const TorchTensor& v,
                      const Rows& rows, std::int64_t heads, const DropoutAt<TorchTensor>& drop) {
  std::vector<at::Tensor> answers;
  for (std::int64_t text = 0, end = 0; text < rows.texts(); text = end) {
    // Texts of one length lie one after the other: they are a tensor as they are.
    const std::int64_t count = rows.rows(text), tokens = rows.length(text);
    while (end < rows.texts() && rows.rows(end) == count && rows.length(end) == tokens) ++end;
    const auto by_head = [&](const TorchTensor& x, std::int64_t keep) {
      return x.value.narrow(0, rows.begin(text), (end - text) * count)
          .reshape({end - text, count, heads, -1})
          .transpose(1, 2)
          .narrow(2, 0, keep);
    };
    const std::uint64_t place = fnv1a(std::to_string(text), drop.place);
    answers.push_back(attend(by_head(q, count), by_head(k, tokens), by_head(v, tokens), drop, place)
                          .transpose(1, 2)
                          .reshape({-1, q.value.size(1)}));
  }
  return at::cat(answers);
}

TorchTensor mix_rows(const TorchTensor& matrix, const TorchTensor& x, const Rows& rows) {
  return by_text(x, rows, [&](const at::Tensor& text) {
    const std::int64_t n = text.size(0);
    return linear_map(matrix.value.narrow(0, 0, n).narrow(1, 0, n), text.t(), std::nullopt);
  });
}

TorchTensor filter_spectrum(const TorchTensor& x, const Rows& rows, const TorchTensor& real,
                            const TorchTensor& imag) {
  const auto filter = [re = widened(real), im = widened(imag)](const at::Tensor& text) {
    return filter_text(text, re, im);
  };
  return by_text(widened(x), rows, filter).to(x.value.scalar_type());
}

void track(const TorchTensor& buffer, const TorchTensor& value, double momentum) {
  if (recomputing()) return;
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
  if (!x.device().is_cpu()) return dropout_by_device(x, p, seed);
  if (fast(x)) return DropoutFunction::apply(x, p, static_cast<std::int64_t>(seed));
  const at::Tensor mask = ops::dropout(at::ones(x.sizes(), at::kFloat), p, seed);
  return x * mask.to(x.options());
}

TorchTensor Dropout<TorchTensor>::operator()(const TorchTensor& x, double p,
                                             std::uint64_t place) const {
  if (!active || p <= 0) return x;
  return dropout(x, p, mask_seed(place));
}

std::uint64_t Dropout<TorchTensor>::mask_seed(std::uint64_t place) const {
  const std::array<std::uint64_t, 3> key = {seed, step, place};
  return fnv1a({reinterpret_cast<const char*>(key.data()), sizeof key});
}

TorchTensor Dropout<TorchTensor>::path(const TorchTensor& x, const Rows& rows, double p,
                                       std::uint64_t place) const {
  if (!active || p <= 0) return x;
  const TorchTensor kept = at::ones({rows.texts(), 1}, x.value.options());
  return x * repeat_rows((*this)(kept, p, place), rows);
}

}  // namespace fnet
