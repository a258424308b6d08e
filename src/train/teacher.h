#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "fnet/tokenizer.h"
#include "fnet/train.h"
#include "model/batch.h"

namespace fnet {

/// A BERT in Hugging Face's format whose vector is the mean of a text's rows, asked beside the
/// model that learns from it, on a device of its own choice. It stays as it is.
class Teacher {
 public:
  /// Throws: as config_like; input where it lacks weights, or `tokenizer`, the student's, makes
  /// other tokens than its own.
  Teacher(const std::filesystem::path& directory, const Tokenizer& tokenizer,
          at::Device device = at::kCPU);

  struct Answer {
    std::vector<at::Tensor> states;  ///< what each layer reads, then the last: [T, H] each
    at::Tensor vectors;              ///< [B, H], each of length 1
  };
  Answer ask(const Batch& batch) const;

  std::int64_t layers() const { return model_->config().num_hidden_layers; }
  std::int64_t width() const { return model_->config().hidden_size; }
  /// Tokens of a text that it reads at most.
  std::int64_t longest() const { return model_->config().longest_text(); }

 private:
  std::shared_ptr<nn::FNetWithHeadImpl> model_;
};

}  // namespace fnet
