#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "fnet/train.h"
#include "golden.h"

namespace fnet {
namespace {

/// The weights of the golden files; no dropout.
void prepare(nn::FNetModule& model) {
  const torch::NoGradGuard no_gradient;
  auto tensors = model.named_parameters();
  for (auto& entry : model.named_buffers()) {
    // A table that is computed has its values.
    if (entry.key().find("position_embeddings") == std::string::npos)
      tensors.insert(entry.key(), entry.value());
  }
  for (auto& entry : tensors) {
    auto values = golden::formula_weight(entry.key(), entry.value().sizes());
    entry.value().copy_(torch::from_blob(values.data(), entry.value().sizes()));
  }
  model.eval();
}

/// Texts as users give them: padded to the longest, with their lengths.
nn::Inputs batch_of(const std::vector<Encoding>& texts) {
  nn::Inputs inputs;
  for (const Encoding& text : texts) {
    inputs.lengths.push_back(static_cast<std::int64_t>(text.size()));
  }
  const auto batch = static_cast<std::int64_t>(texts.size());
  if (const auto width = static_cast<std::int64_t>(texts[0].vectors.cols); width > 0) {
    inputs.input_values = torch::zeros({batch, std::ranges::max(inputs.lengths), width});
    for (std::int64_t i = 0; i < batch; ++i) {
      const Matrix& rows = texts[static_cast<std::size_t>(i)].vectors;
      inputs.input_values[i]
          .slice(0, 0, static_cast<std::int64_t>(rows.rows))
          .copy_(torch::tensor(rows.data).view({-1, width}));
    }
    return inputs;
  }
  inputs.input_ids = torch::zeros({batch, std::ranges::max(inputs.lengths)}, torch::kInt64);
  inputs.token_type_ids = torch::zeros_like(inputs.input_ids);
  for (std::int64_t i = 0; i < batch; ++i) {
    const Encoding& text = texts[static_cast<std::size_t>(i)];
    for (std::size_t j = 0; j < text.input_ids.size(); ++j) {
      inputs.input_ids[i][static_cast<std::int64_t>(j)] = text.input_ids[j];
      inputs.token_type_ids[i][static_cast<std::int64_t>(j)] = text.token_type_ids[j];
    }
  }
  return inputs;
}

std::vector<float> values_of(const torch::Tensor& x) {
  const torch::Tensor flat = x.contiguous();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

/// Rows [B, M, C] of the texts, packed end to end.
std::vector<float> packed(const torch::Tensor& x, const nn::Inputs& inputs) {
  std::vector<torch::Tensor> texts;
  for (std::size_t i = 0; i < inputs.lengths.size(); ++i) {
    texts.push_back(x[static_cast<std::int64_t>(i)].slice(0, 0, inputs.lengths[i]));
  }
  return values_of(torch::cat(texts));
}

class TrainParity : public testing::TestWithParam<std::string> {};

// The same bar as the runtime's, on the path that training takes.
TEST_P(TrainParity, modules_are_as_near_to_float64_as_torch) {
  golden::Golden golden = golden::named(GetParam());
  for (golden::Case& c : golden.cases) {  // modules pool for a head, and have no other way to
    for (const std::string pooling : {"cls", "mean", "max", "last", "attention"})
      c.outputs.erase("embed " + pooling);
    std::erase_if(c.outputs, [](const auto& output) {  // nor do they show what is inside
      return output.first.starts_with("hidden state ") || output.first.starts_with("energy ");
    });
  }
  const torch::NoGradGuard no_gradient;
  Config with_head = golden.config;
  with_head.labels = golden.labels;
  nn::FNetModel encoder(golden.config);
  nn::FNetForSequenceClassification classifier{nullptr};
  nn::FNetForTokenClassification tagger{nullptr};
  if (golden.cases.at(0).outputs.contains("text-classification")) {
    classifier = nn::FNetForSequenceClassification(with_head);
    prepare(*classifier);
  }
  if (golden.cases.at(0).outputs.contains("token-classification")) {
    tagger = nn::FNetForTokenClassification(with_head);
    prepare(*tagger);
  }
  prepare(*encoder);
  std::map<std::string, nn::FNetWithHead> others;  // of the files that have them
  for (const std::string task : {"multiple-choice", "next-sentence-prediction"}) {
    if (!golden.cases.at(0).outputs.contains(task)) continue;
    nn::FNetWithHead& model =
        others.emplace(task, nn::FNetWithHead(nn::with_task(with_head, task))).first->second;
    prepare(*model);
  }

  golden::Judge judge(golden);
  for (const golden::Case& c : golden.cases) {
    const nn::Inputs inputs = batch_of(c.texts);
    const auto encoded = encoder->forward(inputs);
    for (const auto& [name, output] : c.outputs) {
      if (name == "hidden") judge.add(name, c, packed(encoded.last_hidden_state, inputs));
      if (name == "embed pooler") judge.add(name, c, values_of(encoded.pooler_output));
      if (name == "text-classification") judge.add(name, c, values_of(classifier->forward(inputs)));
      if (name == "token-classification")
        judge.add(name, c, packed(tagger->forward(inputs), inputs));
      if (name == "fill-mask") {
        nn::FNetWithHead masked_lm(nn::with_task(golden.config, "fill-mask"));
        prepare(*masked_lm);
        judge.add(name, c, packed(masked_lm->forward(inputs), inputs));
      }
      if (const auto other = others.find(name); other != others.end())
        judge.add(name, c, values_of(other->second->forward(inputs)));
    }
  }
  judge.finish();
}

INSTANTIATE_TEST_SUITE_P(Golden, TrainParity, testing::ValuesIn(golden::names()),
                         [](const auto& file) { return file.param; });

}  // namespace
}  // namespace fnet
