#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "fnet/engine.h"
#include "tasks/task.h"

namespace fnet {

/// How the energy of rows [N, H] is spread over the frequencies along the text: of frequency k,
/// k / N cycles a token, the squares of all columns' DFT at k and N − k, divided by N; k = 0 … N/2.
/// They sum to Σ x². Source: Parseval's theorem; numpy's |rfft|².
std::vector<double> energy_by_frequency(std::span<const float> rows, std::size_t width);

/// A hidden state of a text.
struct StateView {
  Stage stage;
  std::int64_t layer;
  double norm = 0;   ///< mean Euclidean length of its rows
  double added = 0;  ///< ‖f(x)‖ / ‖x‖ of the part that led to it; 0 where there is none
  std::vector<double> energy = {};  ///< [N/2 + 1]: shares of its energy by frequency

  /// Mean frequency, in cycles a token, of what is not constant; 0 where all is.
  double mean_frequency(std::size_t tokens) const;
};

/// What one token does: how things change where another stands in its place.
struct TokenView {
  std::int32_t id = 0;
  std::string piece;        ///< `▁the`
  std::string surface;      ///< ` the`
  bool replaced = false;    ///< special tokens are not, and have no changes
  double vector = 0;        ///< 1 − cosine of the text's vectors
  double answer = 0;        ///< mean over the units: the score of the best answer, minus before
  std::size_t flipped = 0;  ///< units that have another best answer
  std::vector<double> layers =
      {};  ///< [L + 1]: mean over the rows of 1 − cosine of the hidden states
};

struct InspectOptions {
  /// Tokens that are replaced together; 0: one, or more where that would be over 256 passes.
  std::size_t span = 0;
};

struct Inspection {
  std::vector<StateView> states;  ///< in the order of a pass
  std::vector<TokenView> tokens;  ///< [N]
  std::string replacement;        ///< the piece that stands in for a token
  std::size_t span = 1;
  std::size_t texts = 1;  ///< that the model reads for the example; the first is what is seen here
  Answer answers;         ///< of the example; empty for a model without a head
};

/// Runs an example through a model that has a tokenizer and looks inside. A longer one is cut, or
/// seen in its first window, as the model reads it. Throws: input.
Inspection inspect(const Engine& engine, const Example& example,
                   const InspectOptions& options = {});

}  // namespace fnet
