#include "export/tensor.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "blocks/norm/layer_norm.h"
#include "blocks/norm/zero_centered_rms_norm.h"
#include "core/error.h"

namespace fnet {
namespace {

using Names = std::vector<std::string>;
using Attributes = std::vector<OnnxAttribute>;
using Whole = std::int64_t;

/// x through an operator that keeps its shape, or changes it to `cols` columns.
OnnxTensor through(std::string_view op, const OnnxTensor& x, Names more = {},
                   const Attributes& attributes = {}, Whole cols = -1) {
  more.insert(more.begin(), x.name());
  return {x.texts(), x.graph().add(op, more, attributes), cols < 0 ? x.cols() : cols};
}

OnnxTensor combine(std::string_view op, const OnnxTensor& a, const OnnxTensor& b) {
  return through(op, a, {b.name()}, {}, std::max(a.cols(), b.cols()));
}

OnnxTensor with_number(std::string_view op, const OnnxTensor& a, double b) {
  return through(op, a, {a.graph().number(b)});
}

OnnxTensor reduce_rows(std::string_view op, const OnnxTensor& x) {
  // ReduceSum takes its axes as an input since opset 13, the others as an attribute until 18.
  if (op == "ReduceSum") return through(op, x, {x.graph().integers({1})});
  return through(op, x, {}, {{"axes", std::vector<Whole>{1}}});
}

/// x where a row is a token, else another number.
OnnxTensor tokens_or(const OnnxTensor& x, double other) {
  OnnxGraph& g = x.graph();
  return {x.texts(), g.add("Where", {x.texts().tokens(), x.name(), g.number(other)}), x.cols()};
}

/// The operator normalizes by mean and variance of the last axis, as standardize() does.
OnnxTensor layer_norm(const OnnxTensor& x, const Context<OnnxTensor>& c) {
  Names weights = {c.w["weight"].name()};
  if (c.w.has("bias")) weights.push_back(c.w["bias"].name());
  return through("LayerNormalization", x, weights, {{"axis", Whole{-1}}, {"epsilon", c.eps()}});
}

}  // namespace

OnnxTensor operator+(const OnnxTensor& a, const OnnxTensor& b) { return combine("Add", a, b); }
OnnxTensor operator-(const OnnxTensor& a, const OnnxTensor& b) { return combine("Sub", a, b); }
OnnxTensor operator*(const OnnxTensor& a, const OnnxTensor& b) { return combine("Mul", a, b); }
OnnxTensor operator/(const OnnxTensor& a, const OnnxTensor& b) { return combine("Div", a, b); }
OnnxTensor operator+(const OnnxTensor& a, double b) { return with_number("Add", a, b); }
OnnxTensor operator*(const OnnxTensor& a, double b) { return with_number("Mul", a, b); }

OnnxTensor rsqrt(const OnnxTensor& x) { return through("Reciprocal", through("Sqrt", x)); }
OnnxTensor log(const OnnxTensor& x) { return through("Log", x); }
OnnxTensor tanh(const OnnxTensor& x) { return through("Tanh", x); }
OnnxTensor sigmoid(const OnnxTensor& x) { return through("Sigmoid", x); }
OnnxTensor relu(const OnnxTensor& x) { return through("Relu", x); }
OnnxTensor silu(const OnnxTensor& x) { return x * sigmoid(x); }

// In the order of operations in which ONNX Runtime finds a GELU and runs it as one.
OnnxTensor gelu(const OnnxTensor& x) {
  const OnnxTensor scaled = with_number("Div", x, std::numbers::sqrt2);
  return x * (through("Erf", scaled) + 1.0) * 0.5;
}
OnnxTensor gelu_tanh(const OnnxTensor& x) {
  const OnnxTensor inner =
      (x + with_number("Pow", x, 3) * 0.044715) * std::sqrt(2 * std::numbers::inv_pi);
  return x * 0.5 * (tanh(inner) + 1.0);
}

OnnxTensor mean_last(const OnnxTensor& x) {
  return through("ReduceMean", x, {}, {{"axes", std::vector<Whole>{-1}}}, 1);
}
OnnxTensor softmax_last(const OnnxTensor& x) {
  return through("Softmax", x, {}, {{"axis", Whole{-1}}});
}

OnnxTensor columns(const OnnxTensor& x, Whole first, Whole count) {
  OnnxGraph& g = x.graph();
  return through("Slice", x, {g.integers({first}), g.integers({first + count}), g.integers({-1})},
                 {}, count);
}

OnnxTensor concat(const std::vector<OnnxTensor>& parts) {
  Names rest;
  Whole cols = 0;
  for (const OnnxTensor& part : parts) rest.push_back(part.name()), cols += part.cols();
  rest.erase(rest.begin());
  return through("Concat", parts.front(), rest, {{"axis", Whole{-1}}}, cols);
}

OnnxTensor channel_shuffle(const OnnxTensor& x, Whole groups) {
  OnnxGraph& g = x.graph();
  const OnnxTensor split = through("Reshape", x, {g.integers({0, 0, groups, -1})});
  const OnnxTensor turned =
      through("Transpose", split, {}, {{"perm", std::vector<Whole>{0, 1, 3, 2}}});
  return through("Reshape", turned, {g.integers({0, 0, -1})});
}

OnnxTensor dense(const OnnxTensor& x, const OnnxTensor& weight) {
  const std::string factor = weight.turned()
                                 ? weight.name()
                                 : through("Transpose", weight).name();  // of a table of two axes
  const std::string place = weight.name().substr(0, weight.name().rfind('.'));
  return {x.texts(), x.graph().add("MatMul", {x.name(), factor}, {}, place), weight.cols()};
}
OnnxTensor dense(const OnnxTensor& x, const OnnxTensor& weight, const OnnxTensor& bias) {
  return dense(x, weight) + bias;
}

OnnxTensor lookup(const OnnxTensor& table, const OnnxTensor& ids) {
  return {table.texts(), table.graph().add("Gather", {table.name(), ids.name()}, {}, table.name()),
          table.cols()};
}

OnnxTensor dense_table(const OnnxTensor& x, const OnnxTensor& table, const OnnxTensor& bias) {
  return through("MatMul", x, {through("Transpose", table).name()}, {}, bias.cols()) + bias;
}

OnnxTensor zero_padding(const OnnxTensor& x, const Rows&) { return tokens_or(x, 0); }

OnnxTensor first_rows(const OnnxTensor& x, const Rows&) {
  OnnxGraph& g = x.graph();
  return through("Slice", x, {g.integers({0}), g.integers({1}), g.integers({1})});
}

OnnxTensor last_rows(const OnnxTensor& x, const Rows&) {
  OnnxGraph& g = x.graph();
  const std::string last = g.add("Cast", {g.add("Sub", {x.texts().lengths(), g.number(1)})},
                                 {{"to", OnnxGraph::kInt64}});
  return through("GatherND", x, {last}, {{"batch_dims", Whole{1}}});
}

OnnxTensor mean_rows(const OnnxTensor& x, const Rows& rows) {
  return through("Div", sum_rows(x, rows), {x.texts().lengths()});
}

OnnxTensor max_rows(const OnnxTensor& x, const Rows&) {
  return reduce_rows("ReduceMax", tokens_or(x, std::numeric_limits<float>::lowest()));
}

OnnxTensor sum_rows(const OnnxTensor& x, const Rows& rows) {
  return reduce_rows("ReduceSum", zero_padding(x, rows));
}

OnnxTensor cumsum_rows(const OnnxTensor& x, const Rows& rows) {
  return through("CumSum", zero_padding(x, rows), {x.graph().integer(1)});
}

OnnxTensor softmax_rows(const OnnxTensor& x, const Rows& rows) {
  const OnnxTensor tokens = tokens_or(x, std::numeric_limits<float>::lowest());
  return zero_padding(through("Softmax", tokens, {}, {{"axis", Whole{1}}}), rows);
}

OnnxTensor batch_mean(const OnnxTensor&, const Rows&) {
  fail(Kind::internal, "batch_mean: a graph has no training");
}
void track(const OnnxTensor&, const OnnxTensor&, double) {
  fail(Kind::internal, "track: a graph has no training");
}
OnnxTensor embedding_bag(const OnnxTensor&, const Bags&) {
  fail(Kind::internal, "embedding_bag: a graph has no words");
}

std::optional<OnnxTensor> Fast<OnnxTensor>::apply(const LayerNorm&, const OnnxTensor& x,
                                                  const Context<OnnxTensor>& c) {
  return layer_norm(x, c);
}
std::optional<OnnxTensor> Fast<OnnxTensor>::apply(const ZeroCenteredRmsNorm&, const OnnxTensor& x,
                                                  const Context<OnnxTensor>& c) {
  return layer_norm(x, c);
}

}  // namespace fnet
