// What a training takes of another model, and what of it learns how fast.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "core/file.h"
#include "fnet/engine.h"
#include "fnet/finetune.h"
#include "fnet/train.h"
#include "model/safetensors.h"
#include "model/weights.h"
#include "models.h"
#include "temporary.h"
#include "text/vocabulary_map.h"
#include "train/optimizer.h"

namespace fnet {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const fs::path kTokenizers = FNET_SOURCE_DIR "/tests/golden/text";

using Values = std::map<std::string, std::vector<float>>;

Values weights_of(const fs::path& directory) {
  const SafetensorsFile file = SafetensorsFile::open(directory / "model.safetensors");
  Values values;
  for (const TensorInfo& tensor : file.tensors()) {
    values[tensor.name].resize(tensor.count());
    file.read(tensor, values[tensor.name]);
  }
  return values;
}

/// The largest change of any of a weight's numbers.
double change(const std::vector<float>& a, const std::vector<float>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(double{a[i]} - b[i]));
  return most;
}

/// A tiny model of two layers, and a run that starts from it.
struct Start {
  TemporaryDirectory folder;
  FinetuneOptions options;
  std::string log;

  explicit Start(const std::vector<std::string>& settings = {}) {
    label_as("bad", "good");
    options.set = {"hidden_size=16", "intermediate_size=24", "num_hidden_layers=2"};
    options.set.insert(options.set.end(), settings.begin(), settings.end());
    options.tokenizer = kTokenizers / "bpe.model";
    options.epochs = 1;
    options.batch_size = 32;
    options.average = 0;
    options.token_dropout = 0;
    options.threads = 1;
    options.max_length = 32;
    options.wide = "off";
    options.fit_head = "off";
    options.out = folder.path() / "first";
    run();
    options.from = options.out;
    options.tokenizer.clear();
    options.set.clear();
    options.out = folder.path() / "next";
  }

  /// With other labels than before the head is new, and each run's own epochs are its best ones.
  void label_as(const std::string& even, const std::string& odd) {
    std::string file = "text\tlabel\n";
    for (int i = 0; i < 32; ++i)
      file += i % 2 == 0 ? "The model reads rain.\t" + even + "\n"
                         : "A reader finds the words.\t" + odd + "\n";
    options.train = options.dev = folder.make("train.tsv", file);
  }

  TrainingReport run() {
    TrainingCallbacks callbacks;
    log.clear();
    callbacks.log = [&](std::string_view line) { log += std::string(line) + "\n"; };
    return finetune(options, callbacks);
  }

  Values before() const { return weights_of(options.from); }
  Values after() const { return weights_of(options.out); }
  nlohmann::json run_json() const {
    return nlohmann::json::parse(read_file(options.out / "run.json", 1 << 24));
  }
};

TEST(Freezing, leaves_every_bit_of_what_it_names_and_lets_the_rest_learn) {
  Start start({"norm_type=batch_norm"});  // its running statistics are frozen with it
  start.label_as("no", "yes");
  start.options.learning_rate = 0.1;
  start.options.freeze = {"embeddings", "*.layer.0.output.*", "encoder.layer.1.fourier"};
  start.run();
  const Values before = start.before(), after = start.after();
  std::size_t frozen = 0;
  for (const auto& [name, values] : before) {
    const bool named = name.starts_with("fnet.embeddings.") ||
                       name.starts_with("fnet.encoder.layer.0.output.") ||
                       name.starts_with("fnet.encoder.layer.1.fourier.");
    frozen += named;
    EXPECT_EQ(values == after.at(name), named) << name;
  }
  EXPECT_GE(frozen, 14U);
  EXPECT_THAT(start.log, HasSubstr("frozen: " + std::to_string(frozen) + " weights"));
  EXPECT_EQ(start.run_json()["frozen"].size(), frozen);
}

TEST(Freezing, names_what_fits_nothing_and_refuses_to_freeze_all) {
  Start start;
  start.options.freeze = {"encoder.layer.0", "encoder.layr.1.*"};
  EXPECT_THAT(message_of([&] { start.run(); }),
              AllOf(HasSubstr("freeze: expected"), HasSubstr("'encoder.layr.1.*'"),
                    HasSubstr("did you mean 'encoder.layer.1'?")));
  start.options.freeze = {"*"};
  EXPECT_THAT(message_of([&] { start.run(); }), HasSubstr("found all of them frozen"));
  start.options.freeze = {"classifier", "pooler*", "encoder.layer.*"};
  EXPECT_THAT(message_of([&] { start.run(); }), HasSubstr("'pooler*'"));  // it has none
  start.options.freeze = {"classifier"};
  start.options.head_epochs = 1;
  EXPECT_THAT(message_of([&] { start.run(); }), HasSubstr("head_epochs: expected 0"));
}

TEST(Freezing, asks_for_no_gradient_of_what_is_frozen_and_the_same_of_the_rest) {
  Config config = testing_models::small_config();
  config.hidden_dropout_prob = 0;
  nn::FNetModel model(config, 1);
  const at::Tensor ids = at::randint(4, 100, {2, 9}, at::kLong);
  const auto gradients = [&](const std::set<std::string>& frozen) {
    model->set_frozen(frozen);
    model->zero_grad(true);
    model->forward(ids).last_hidden_state.square().sum().backward();
    std::map<std::string, at::Tensor> all;
    for (const auto& item : model->named_parameters()) all[item.key()] = item.value().grad();
    return all;
  };
  const auto whole = gradients({});
  const std::vector<std::vector<std::string>> choices = {
      {"encoder.layer.1.intermediate"},
      {"encoder.layer.1.output.dense.weight", "embeddings.projection.bias"},
      {"encoder.layer.2.*.bias", "embeddings"},
      {"embeddings", "encoder.layer.[0-1]", "encoder.layer.2.intermediate"}};
  for (const auto& patterns : choices) {
    const std::vector<std::string> names = model->weights_like(patterns);
    const std::set<std::string> frozen(names.begin(), names.end());
    for (const auto& [name, gradient] : gradients(frozen)) {
      if (name.starts_with("pooler.")) continue;  // not read here
      EXPECT_EQ(gradient.defined(), !frozen.contains(name)) << name;
      if (frozen.contains(name)) continue;
      EXPECT_TRUE(at::equal(gradient, whole.at(name))) << name;
    }
  }
}

TEST(LayerDecay, is_the_formula_of_beit) {
  // numpy: 0.9 ** (13 - numpy.arange(14)) for embeddings, layers 0 to 11, head.
  const std::vector<double> expected = {
      0.2541865828329, 0.282429536481, 0.31381059609, 0.3486784401, 0.387420489,
      0.43046721,      0.4782969,      0.531441,      0.59049,      0.6561,
      0.729,           0.81,           0.9,           1.0};
  EXPECT_NEAR(layer_rate("fnet.embeddings.word_embeddings.weight", 12, 0.9), expected[0], 1e-12);
  for (int i = 0; i < 12; ++i) {
    const std::string name = "fnet.encoder.layer." + std::to_string(i) + ".output.dense.weight";
    EXPECT_NEAR(layer_rate(name, 12, 0.9), expected[static_cast<std::size_t>(i) + 1], 1e-12);
  }
  EXPECT_EQ(layer_rate("fnet.pooler.dense.weight", 12, 0.9), 1);
  EXPECT_EQ(layer_rate("classifier.bias", 12, 0.9), 1);
  EXPECT_EQ(layer_rate("fnet.embeddings.word_embeddings.weight", 12, 1), 1);
}

TEST(LayerDecay, makes_each_layers_step_smaller) {
  // Adam's first step is the learning rate for every number whose gradient is not near 0.
  Start start;
  start.label_as("no", "yes");
  start.options.learning_rate = 0.01;
  start.options.warmup = 0;
  start.options.weight_decay = 0;
  start.options.layer_decay = 0.5;
  start.run();
  const Values before = start.before(), after = start.after();
  for (const auto& [name, values] : before) {
    if (name.starts_with("classifier.")) continue;  // a new one
    const double expected = 0.01 * std::pow(0.5, 3.0 - static_cast<double>(depth_of(name, 2)));
    EXPECT_NEAR(change(values, after.at(name)) / expected, 1, 0.02) << name;
  }
}

TEST(HeadEpochs, train_the_head_alone_with_a_schedule_of_their_own) {
  Start start;
  start.label_as("no", "yes");
  start.options.head_epochs = 2;
  start.options.epochs = 2;
  start.options.learning_rate = 1e-3;
  start.options.warmup = 0;
  start.options.batch_size = 16;  // two steps an epoch
  std::vector<double> rates;
  TrainingCallbacks callbacks;
  callbacks.progress = [&](const TrainingProgress& p) {
    rates.push_back(p.learning_rate / start.options.learning_rate);
    EXPECT_EQ(p.epochs, 4);
    EXPECT_EQ(p.steps, 8);
  };
  finetune(start.options, callbacks);
  EXPECT_EQ(rates, (std::vector<double>{1, 0.75, 0.5, 0.25, 1, 0.75, 0.5, 0.25}));

  // Ended with the head's epochs, only the head has moved.
  start.options.out = start.folder.path() / "head";
  callbacks = {};
  callbacks.stop = [steps = 0]() mutable { return ++steps == 5; };
  const auto report = finetune(start.options, callbacks);
  EXPECT_TRUE(report.interrupted);
  ASSERT_LE(*report.best_epoch, 2);
  for (const auto& [name, values] : start.before()) {
    EXPECT_EQ(values == start.after().at(name), depth_of(name, 2) <= 2) << name;
  }
}

TEST(StartingModel, is_taken_as_far_as_it_fits_when_asked) {
  Start start;
  start.options.set = {"num_hidden_layers=3"};
  EXPECT_THAT(message_of([&] { start.run(); }),
              AllOf(HasSubstr("fnet.encoder.layer.2."), HasSubstr("skip_mismatch")));
  start.options.skip_mismatch = true;
  start.options.learning_rate = 0;
  start.run();
  const Values before = start.before(), after = start.after();
  for (const auto& [name, values] : before) EXPECT_EQ(values, after.at(name)) << name;
  const auto weights = start.run_json()["weights"];
  EXPECT_EQ(weights["loaded"], before.size());
  EXPECT_EQ(weights["missing"].size(), after.size() - before.size());
  EXPECT_THAT(start.log, HasSubstr("weights: " + std::to_string(before.size()) + " of " +
                                   std::to_string(after.size()) + " taken"));
  // Nothing of another width fits: that is no start.
  start.options.set = {"hidden_size=20"};
  start.options.overwrite = true;
  EXPECT_THAT(message_of([&] { start.run(); }),
              HasSubstr("expected some matrices that fit this encoder, found none"));
  start.options.from.clear();
  EXPECT_THAT(message_of([&] { start.run(); }), HasSubstr("skip_mismatch: expected a model"));
}

TEST(StartingModel, with_another_tokenizer_keeps_what_it_knows_of_the_pieces) {
  Start start;
  start.options.tokenizer = kTokenizers / "unigram.model";
  start.options.learning_rate = 0;
  start.run();
  const Tokenizer from = Tokenizer::load(start.options.from);
  const Tokenizer to = Tokenizer::load(start.options.out);
  EXPECT_EQ(to.vocab_size(), Tokenizer::load(start.options.tokenizer).vocab_size());
  const VocabularyMap map = map_vocabulary(from, to);
  EXPECT_THAT(start.log, HasSubstr(std::to_string(map.kept) + " keep their vectors"));
  const char* const kTable = "fnet.embeddings.word_embeddings.weight";
  const std::vector<float> before = start.before()[kTable], after = start.after()[kTable];
  constexpr std::size_t kWidth = 16;
  ASSERT_EQ(after.size(), map.sources.size() * kWidth);
  for (std::size_t id = 0; id < map.sources.size(); ++id) {
    if (map.sources[id].empty()) continue;
    for (std::size_t i = 0; i < kWidth; ++i) {
      double mean = 0;
      for (const std::int32_t source : map.sources[id])
        mean += before[static_cast<std::size_t>(source) * kWidth + i];
      mean /= static_cast<double>(map.sources[id].size());
      EXPECT_NEAR(after[id * kWidth + i], mean, 1e-6) << to.piece(static_cast<std::int32_t>(id));
    }
  }
  // The same pieces again are no change.
  start.options.tokenizer = kTokenizers / "bpe.model";
  start.options.out = start.folder.path() / "same";
  start.run();
  EXPECT_EQ(start.before(), start.after());
  EXPECT_THAT(start.log, Not(HasSubstr("in place of")));
}

TEST(StartingModel, reads_its_positions_at_more_places) {
  Start start({"max_position_embeddings=33", "mixers=linear"});
  start.options.set = {"max_position_embeddings=65"};
  start.options.learning_rate = 0;
  start.options.resize_positions = "interpolate";
  start.run();
  Values before = start.before(), after = start.after();
  // numpy.interp at 65 places of 33 points from end to end: each old one, and the means between.
  const char* const kTable = "fnet.embeddings.position_embeddings.weight";
  constexpr std::size_t kWidth = 16;
  for (std::size_t row = 0; row < 65; ++row) {
    for (std::size_t i = 0; i < kWidth; ++i) {
      const auto at = [&](std::size_t r) { return double{before[kTable][r * kWidth + i]}; };
      const double expected = row % 2 == 0 ? at(row / 2) : (at(row / 2) + at(row / 2 + 1)) / 2;
      EXPECT_NEAR(after[kTable][row * kWidth + i], expected, 1e-6) << row;
    }
  }
  // What a matrix of positions makes of a smooth input stays the same: constants, to begin with.
  for (const auto& [name, values] : before) {
    if (values.size() != 33U * 33U) continue;
    const auto row_sum = [](const std::vector<float>& m, std::size_t row, std::size_t n) {
      double sum = 0;  // by the trapezoidal rule, which does not see straight lines
      for (std::size_t i = 0; i < n; ++i)
        sum += double{m[row * n + i]} * (i == 0 || i + 1 == n ? 0.5 : 1.0);
      return sum / static_cast<double>(n - 1);
    };
    for (std::size_t row = 0; row < 33; ++row) {
      EXPECT_NEAR(row_sum(after.at(name), 2 * row, 65) * 65 / 33, row_sum(values, row, 33), 1e-6)
          << name;
    }
  }
}

TEST(AdamW, gives_each_parameter_its_share_of_the_rate_as_torchs_groups) {
  torch::manual_seed(3);
  const at::Tensor x = at::randn({4, 3}), y = at::randn({4, 3});
  const at::Tensor a1 = x.clone().requires_grad_(), b1 = y.clone().requires_grad_();
  const at::Tensor a2 = x.clone().requires_grad_(), b2 = y.clone().requires_grad_();
  AdamW ours({Learner(a1, 0.25), Learner(b1)}, {.weight_decay = 0.1, .max_grad_norm = 0});
  torch::optim::AdamW theirs(
      {torch::optim::OptimizerParamGroup({a2}), torch::optim::OptimizerParamGroup({b2})},
      torch::optim::AdamWOptions(0.05).weight_decay(0.1));
  static_cast<torch::optim::AdamWOptions&>(theirs.param_groups()[0].options()).lr(0.05 * 0.25);
  for (int step = 0; step < 5; ++step) {
    ((a1 * a1).sum() * 3 + b1.exp().sum()).backward();
    EXPECT_TRUE(ours.step(0.05));
    ((a2 * a2).sum() * 3 + b2.exp().sum()).backward();
    theirs.step();
    theirs.zero_grad();
  }
  EXPECT_LT((a1 - a2).abs().max().item<double>(), 1e-6);
  EXPECT_LT((b1 - b2).abs().max().item<double>(), 1e-6);
}

TEST(AdamW, keeps_no_state_for_what_does_not_learn) {
  torch::nn::Module module;
  module.register_parameter("a", at::ones({2}));
  module.register_parameter("b", at::ones({2}), false);
  const auto learners =
      learners_of(module, [](const std::string& name) { return name == "a" ? 0.5 : 1.0; });
  ASSERT_EQ(learners.size(), 1U);
  EXPECT_EQ(learners[0].rate, 0.5);
  EXPECT_TRUE(learners[0].value.is_same(module.named_parameters()["a"]));
}

}  // namespace
}  // namespace fnet
