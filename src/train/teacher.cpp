#include "train/teacher.h"

#include "core/error.h"
#include "tasks/task.h"
#include "train/packing.h"
#include "train/teacher_start.h"

namespace fnet {
namespace {

Config config_of(const std::filesystem::path& directory) {
  Config config = config_like(directory);
  config.task = "sentence-similarity";
  config.labels = find_task(config.task).labels({});
  config.pooling = "mean";
  config.mixers = {"attention"};
  config.mixer_options["num_attention_heads"] = attention_heads(directory);
  config.validate();
  return config;
}

bool same_tokens(const Tokenizer& a, const Tokenizer& b) {
  if (a.vocab_size() != b.vocab_size()) return false;
  for (std::int32_t id = 0; id < a.vocab_size(); ++id) {
    if (a.piece(id) != b.piece(id)) return false;
  }
  return true;
}

}  // namespace

Teacher::Teacher(const std::filesystem::path& directory, const Tokenizer& tokenizer,
                 at::Device device)
    : model_(std::make_shared<nn::FNetWithHeadImpl>(config_of(directory))) {
  const nlohmann::ordered_json report =
      take_teacher_weights(*model_, directory, true, [](std::string_view) {});
  require(report["fresh"].empty(), Kind::input, "{}: expected all weights of a BERT, found no {}",
          (directory / "model.safetensors").string(), report["fresh"].dump());
  require(same_tokens(Tokenizer::load(directory), tokenizer), Kind::input,
          "{}: expected the tokenizer of the student, found another; a teacher that reads other "
          "tokens can give vectors only, by a file",
          directory.string());
  model_->to(device);
  model_->eval();
}

Teacher::Answer Teacher::ask(const Batch& batch) const {
  const at::NoGradGuard no_grad;
  Answer answer;
  const at::Tensor last = nn::hidden_of(*model_->fnet, batch, &answer.states);
  answer.vectors = torch::nn::functional::normalize(model_->scores(last, batch.rows));
  return answer;
}

}  // namespace fnet
