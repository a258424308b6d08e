#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "blocks/algebra.h"
#include "core/bags.h"
#include "core/rows.h"
#include "export/texts.h"

namespace fnet {

struct LayerNorm;
struct ZeroCenteredRmsNorm;

/// A value of a graph as the formulas of blocks/ see a tensor: each function adds the nodes that
/// compute it. Rows [T, H] are [B, N, H] here, a row a text [B, H] is [B, 1, H], so that operators
/// repeat it by themselves.
class OnnxTensor {
 public:
  using Ids = OnnxTensor;  ///< whole numbers

  /// `cols`: the last axis. `turned`: a weight [N, K] that the graph has as [K, N], for `dense`.
  OnnxTensor(OnnxTexts& texts, std::string name, std::int64_t cols, bool turned = false)
      : texts_(&texts), name_(std::move(name)), cols_(cols), turned_(turned) {}

  OnnxTexts& texts() const { return *texts_; }
  OnnxGraph& graph() const { return texts_->graph(); }
  const std::string& name() const { return name_; }
  std::int64_t cols() const { return cols_; }
  bool turned() const { return turned_; }

 private:
  OnnxTexts* texts_;
  std::string name_;
  std::int64_t cols_;
  bool turned_;
};

// Element by element; what is one number a row, a column or a text is repeated.
OnnxTensor operator+(const OnnxTensor& a, const OnnxTensor& b);
OnnxTensor operator-(const OnnxTensor& a, const OnnxTensor& b);
OnnxTensor operator*(const OnnxTensor& a, const OnnxTensor& b);
OnnxTensor operator/(const OnnxTensor& a, const OnnxTensor& b);
OnnxTensor operator+(const OnnxTensor& a, double b);
OnnxTensor operator*(const OnnxTensor& a, double b);

OnnxTensor rsqrt(const OnnxTensor& x);
OnnxTensor log(const OnnxTensor& x);
OnnxTensor tanh(const OnnxTensor& x);
OnnxTensor sigmoid(const OnnxTensor& x);
OnnxTensor relu(const OnnxTensor& x);
OnnxTensor silu(const OnnxTensor& x);
OnnxTensor gelu(const OnnxTensor& x);
OnnxTensor gelu_tanh(const OnnxTensor& x);

OnnxTensor mean_last(const OnnxTensor& x);
OnnxTensor softmax_last(const OnnxTensor& x);
OnnxTensor columns(const OnnxTensor& x, std::int64_t first, std::int64_t count);
OnnxTensor concat(const std::vector<OnnxTensor>& parts);
OnnxTensor channel_shuffle(const OnnxTensor& x, std::int64_t groups);

OnnxTensor dense(const OnnxTensor& x, const OnnxTensor& weight);
OnnxTensor dense(const OnnxTensor& x, const OnnxTensor& weight, const OnnxTensor& bias);
OnnxTensor lookup(const OnnxTensor& table, const OnnxTensor& ids);
OnnxTensor dense_table(const OnnxTensor& x, const OnnxTensor& table, const OnnxTensor& bias);

// Each text by itself, as blocks/mixer/ says. The texts are those of the graph.
OnnxTensor fourier_mix(const OnnxTensor& x, const Rows&, bool ortho);
OnnxTensor hartley_mix(const OnnxTensor& x, const Rows&, bool ortho);
OnnxTensor attention(const OnnxTensor& q, const OnnxTensor& k, const OnnxTensor& v, const Rows&,
                     std::int64_t heads, const DropoutAt<OnnxTensor>&);
OnnxTensor mix_rows(const OnnxTensor& matrix, const OnnxTensor& x, const Rows&);
OnnxTensor filter_spectrum(const OnnxTensor& x, const Rows&, const OnnxTensor& real,
                           const OnnxTensor& imag);

OnnxTensor zero_padding(const OnnxTensor& x, const Rows&);
OnnxTensor first_rows(const OnnxTensor& x, const Rows&);
OnnxTensor last_rows(const OnnxTensor& x, const Rows&);
OnnxTensor mean_rows(const OnnxTensor& x, const Rows&);
OnnxTensor max_rows(const OnnxTensor& x, const Rows&);
OnnxTensor sum_rows(const OnnxTensor& x, const Rows&);
OnnxTensor cumsum_rows(const OnnxTensor& x, const Rows&);
OnnxTensor softmax_rows(const OnnxTensor& x, const Rows&);

/// x itself: operators repeat a text's row.
inline OnnxTensor repeat_rows(const OnnxTensor& x, const Rows&) { return x; }

// Throw internal: for training, and for a wide head, which is refused before.
OnnxTensor batch_mean(const OnnxTensor& x, const Rows&);
void track(const OnnxTensor&, const OnnxTensor&, double);
OnnxTensor embedding_bag(const OnnxTensor&, const Bags&);

static_assert(Algebra<OnnxTensor>);

/// Parts that ONNX has as one operator.
template <>
struct Fast<OnnxTensor> {
  template <class Part>
  static std::optional<OnnxTensor> apply(const Part&, const OnnxTensor&,
                                         const Context<OnnxTensor>&) {
    return {};
  }
  static std::optional<OnnxTensor> apply(const LayerNorm&, const OnnxTensor& x,
                                         const Context<OnnxTensor>& c);
  static std::optional<OnnxTensor> apply(const ZeroCenteredRmsNorm&, const OnnxTensor& x,
                                         const Context<OnnxTensor>& c);
};

}  // namespace fnet
