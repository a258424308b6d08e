// Trains a model directory on a corpus as `fnet pretrain` does, and prints a line of JSON for each
// step: its samples and its loss, for a reference to take the same steps.
//
//   pretrain_steps MODEL CORPUS STEPS CACHE
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "train/corpus_source.h"
#include "train/loop.h"
#include "train/pretrain_objective.h"

using namespace fnet;

namespace {

struct Printed : Objective {
  explicit Printed(PretrainObjective& inner_) : inner(inner_) {}
  torch::nn::Module& model() override { return inner.model(); }
  Evaluation evaluate() override { return inner.evaluate(); }

  Result loss(std::span<const Sample> batch, const StepPart& part) override {
    Result result = inner.loss(batch, part);
    nlohmann::json line = {{"loss", result.loss.item<double>()}};
    for (const Sample& sample : batch) {
      line["samples"].push_back({{"ids", sample.texts[0].input_ids},
                                 {"types", sample.texts[0].token_type_ids},
                                 {"picks", sample.picks[0]},
                                 {"targets", sample.targets},
                                 {"order", sample.values}});
    }
    std::puts(line.dump().c_str());
    return result;
  }

  PretrainObjective& inner;
};

struct Nowhere : Saver {
  void log(std::string_view, std::int64_t,
           const std::vector<std::pair<std::string, double>>&) override {}
  void save(const TrainingReport&, const Evaluation&) override {}
  void update(const TrainingReport&, const Evaluation&) override {}
  bool holds_model() const override { return true; }
  void checkpoint(std::int64_t, const nlohmann::json&, const NamedTensors&) override {}
  const nlohmann::json& resumed() const override { return none; }
  void restore(const NamedTensors&) override {}
  void restore_best() override {}

  nlohmann::json none;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const Config config = Config::load(argv[1]);
  const Tokenizer tokenizer = Tokenizer::load(argv[1]);
  const auto model = std::make_shared<nn::FNetWithHeadImpl>(config);
  model->load_weights(argv[1]);
  CorpusOptions reading;
  reading.paths = {argv[2]};
  reading.cache = argv[4];
  const Corpus corpus = Corpus::open(reading, tokenizer, [](std::string_view) {});
  SampleOptions options{.max_length = 48, .seed = 1};
  if (!config.heads.empty()) options.pairs = PairObjective::order;
  const CorpusTexts texts(corpus, CorpusSamples::room(options), CorpusSamples::kLeast);
  const Masker masker(tokenizer, {});
  const CorpusSamples samples(texts, tokenizer, masker, options);
  const std::vector<Sample> dev = {samples.at(0)};
  PretrainObjective inner(model, tokenizer, dev, 1);
  Printed objective(inner);
  const std::int64_t steps = std::atoll(argv[3]);
  CorpusSource source(texts, samples, 8, steps);
  Nowhere saver;
  const TrainingCallbacks callbacks;
  LoopOptions loop;
  loop.stages = {{.steps = steps}};
  loop.learning_rate = 2e-3;
  loop.metric = "accuracy";
  loop.checkpoint_steps = 0;
  Loop(loop, source, objective, saver, callbacks).run();
  return 0;
}
