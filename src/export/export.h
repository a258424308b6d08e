#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "export/texts.h"
#include "fnet/config.h"
#include "fnet/engine.h"

namespace fnet {

/// What was written.
struct OnnxReport {
  std::vector<std::string> outputs;
  std::uint64_t bytes = 0;
};

/// Writes a model as one ONNX file, weights in float32. Inputs are input_ids, attention_mask and
/// token_type_ids, int64 [batch, sequence], as OnnxTexts has them. Outputs, by Hugging Face's
/// names: of a head that scores texts `logits` [batch, labels], of one that scores rows `logits`
/// [batch, sequence, labels], and for both `scores`, what our answers say: probabilities, or the
/// numbers of a regression; of question answering `start_logits` and `end_logits` [batch,
/// sequence]; of an encoder `last_hidden_state` [batch, sequence, hidden], `pooler_output` where it
/// has a pooler, and `sentence_embedding` [batch, hidden] where it pools otherwise. Those of a
/// further head have its name in front: `<name>.logits`. The file is written whole or not at all.
/// Throws: input where the model has no export or does not fit in a file; system.
OnnxReport export_onnx(const Config& config, const WeightSource& weights,
                       const std::filesystem::path& file,
                       OnnxFourier fourier = OnnxFourier::matmul);

}  // namespace fnet
