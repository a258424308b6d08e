#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "export/graph.h"
#include "fnet/config.h"

namespace fnet {

/// How texts are transformed in a graph.
enum class OnnxFourier : std::uint8_t {
  matmul,  ///< products with cosines and sines of each text's own length
  dft,     ///< the operator DFT, over all rows of a batch
};

/// The texts of a batch in a graph, as Rows are elsewhere: B texts in N rows each, of which a
/// text's tokens are the first. N is the inputs' length, or that of the length policy `fixed`. What
/// the graph is given and cannot answer ends the run: a mask other than ones and then zeros, a text
/// without tokens or longer than N; with the operator DFT over exact lengths, any padding.
class OnnxTexts {
 public:
  /// Adds the inputs input_ids, attention_mask and token_type_ids [batch, sequence]; of a model
  /// that reads numbers input_values [batch, sequence, F] and attention_mask. Throws: input for the
  /// length policy `batch`.
  OnnxTexts(OnnxGraph& graph, const Config& config, OnnxFourier fourier);
  OnnxTexts(const OnnxTexts&) = delete;  // values of the graph point to it
  OnnxTexts& operator=(const OnnxTexts&) = delete;

  OnnxGraph& graph() const { return graph_; }
  OnnxFourier fourier() const { return fourier_; }

  // Whole numbers: [B, N], [B, N], [N].
  const std::string& ids() const { return ids_; }  ///< of a model that reads tokens
  const std::string& types() const { return types_; }
  const std::string& positions() const { return positions_; }

  /// Of a model that reads numbers: those of each row, 0 in padding, float [B, N, F].
  const std::string& values() const { return values_; }

  /// Which rows are tokens, bool [B, N, 1].
  const std::string& tokens() const { return tokens_; }
  /// How many, float [B, 1, 1].
  const std::string& lengths() const { return lengths_; }
  /// N as a list of one.
  const std::string& rows() const { return rows_; }

  /// Whether a text owns all N rows: mixing reads its padding too.
  bool padded() const { return padded_; }
  /// How many rows a text owns, a whole number [B, 1, 1] or [1, 1, 1].
  const std::string& owned() const { return owned_; }

  /// 1 / sqrt(owned rows · hidden size), float, as `owned`.
  std::string ortho_scale();

  struct Waves {
    std::string cos, sin;
  };
  /// cos and sin of 2π ij / n for a text that owns n rows, [B, N, N] or [1, N, N]; 0 where i or j
  /// is none of them. `ortho`: times ortho_scale. The same values whenever it is asked again.
  const Waves& waves(bool ortho);

  /// The same for the columns, k from 0 to H / 2 of H: a constant [H, 2 (H / 2 + 1)], cosines
  /// before sines, so that one product gives both.
  const std::string& column_waves();

  /// x [B, N, …] as the caller of the graph sees it, without rows beyond the inputs' own.
  std::string unpadded(const std::string& x) const;

 private:
  std::string guard(const std::string& mask, const std::string& inside, const std::string& count,
                    const std::string& length);

  OnnxGraph& graph_;
  OnnxFourier fourier_;
  std::int64_t hidden_size_;
  bool padded_;
  std::int64_t fixed_;  // rows of a text where `padded_`
  std::string ids_, values_, types_, positions_, tokens_, lengths_, rows_, owned_, scale_,
      input_rows_;
  std::map<bool, Waves> waves_;
  std::string column_waves_;
};

}  // namespace fnet
