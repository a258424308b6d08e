// Walks kinds.def: every row trains, and gives in torch what it gives in the runtime.
#include <gtest/gtest.h>

#include "blocks/model.h"
#include "core/rows.h"
#include "fnet/engine.h"
#include "fnet/train.h"
#include "models.h"
#include "temporary.h"
#include "train/algebra.h"

namespace fnet {
namespace {

using namespace testing_models;

std::shared_ptr<nn::FNetModule> make(const Config& config) {
  if (config.has_head()) return std::make_shared<nn::FNetWithHeadImpl>(config);
  return std::make_shared<nn::FNetModelImpl>(config);
}

void fill(nn::FNetModule& module, const WeightSource& weights) {
  const at::NoGradGuard no_grad;
  auto tensors = module.named_parameters();
  for (auto& item : module.named_buffers()) tensors.insert(item.key(), item.value());
  for (const WeightSpec& spec : model_weights(module.config())) {
    // A module with a head that has no weights is stored as its encoder.
    const bool bare = !tensors.contains(spec.name);
    at::Tensor& tensor = tensors[bare ? "fnet." + spec.name : spec.name];
    tensor.copy_(at::tensor(weights(spec.name, spec.shape), at::kFloat).view(spec.shape));
  }
}

at::Tensor int_tensor(const std::vector<std::int32_t>& values) {
  return at::tensor(values, at::kLong);
}

/// Three texts of 5, 1 and 5 rows: ids, types.
struct Texts {
  Rows rows;
  std::vector<Encoding> encodings;
  at::Tensor ids, types, values;

  explicit Texts(const Config& config) {
    Philox random(3, 0);
    std::vector<std::int32_t> all_ids, all_types;
    std::vector<float> all_values;
    for (const std::size_t length : {5, 1, 5}) {
      encodings.push_back(random_encoding(random, length, config));
      rows.add(static_cast<std::int64_t>(length));
      for (const auto id : encodings.back().input_ids) all_ids.push_back(id);
      for (const auto type : encodings.back().token_type_ids) all_types.push_back(type);
      const auto& numbers = encodings.back().vectors.data;
      all_values.insert(all_values.end(), numbers.begin(), numbers.end());
    }
    if (config.reads_numbers()) {
      values = at::tensor(all_values).view({rows.total(), -1});
      all_types.resize(static_cast<std::size_t>(rows.total()));
    }
    ids = int_tensor(all_ids);
    types = int_tensor(all_types);
  }
};

/// Scores of a model with a head; of an encoder the last hidden state, pooled where it can be.
at::Tensor output(nn::FNetModule& module, const at::Tensor& vectors, const Texts& texts) {
  if (auto* with_head = dynamic_cast<nn::FNetWithHeadImpl*>(&module)) {
    return with_head->forward_rows(vectors, texts.types, texts.rows);
  }
  return dynamic_cast<nn::FNetModelImpl&>(module).forward_rows(vectors, texts.types, texts.rows);
}

nn::FNetModelImpl& encoder(nn::FNetModule& module) {
  if (auto* with_head = dynamic_cast<nn::FNetWithHeadImpl*>(&module)) return *with_head->fnet;
  return dynamic_cast<nn::FNetModelImpl&>(module);
}

at::Tensor vectors_of(nn::FNetModule& module, const Texts& texts) {
  return texts.values.defined() ? encoder(module).input_embeddings(texts.values)
                                : encoder(module).word_embeddings(texts.ids);
}

/// Poolings are read through a head: without one, a config that only changes the pooling gets one.
Config with_head(Config config) {
  if (!config.has_head()) {
    config.task = "text-classification";
    config.labels = {"a", "b", "c"};
  }
  return config;
}

std::span<const float> floats(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

TEST(TrainTables, every_row_answers_as_the_runtime_does) {
  const at::NoGradGuard no_grad;
  for (const Config& row : every_row()) {
    const Config config = with_head(row);
    SCOPED_TRACE(config.to_json());
    const Texts texts(config);
    const auto module = make(config);
    fill(*module, lively_weights());
    module->eval();
    const at::Tensor ours = output(*module, vectors_of(*module, texts), texts).contiguous();
    EngineOptions formulas;
    formulas.formulas = true;
    for (const EngineOptions& options : {formulas, EngineOptions()}) {
      const Engine engine(config, lively_weights(), options);
      std::vector<float> expected;
      for (const Matrix& matrix : engine.scores(texts.encodings)) {
        expected.insert(expected.end(), matrix.data.begin(), matrix.data.end());
      }
      ASSERT_EQ(expected.size(), floats(ours).size());
      EXPECT_LT(relative_error(floats(ours), expected), 1e-5);
    }
  }
}

TEST(TrainTables, every_rows_gradient_is_its_slope) {
  Config small;
  small.vocab_size = 20;
  small.hidden_size = 8;
  small.num_hidden_layers = 2;
  small.intermediate_size = 12;
  small.max_position_embeddings = 8;
  for (Config row : every_row(small)) {
    if (row.mixers.size() > 1) row.mixers.resize(2);
    if (row.hidden_size == 37) row.hidden_size = 7;
    const Config config = with_head(row);
    SCOPED_TRACE(config.to_json());
    const Texts texts(config);
    const auto module = make(config);
    fill(*module, lively_weights());
    module->to(at::kDouble);
    module->eval();
    torch::manual_seed(5);
    const at::Tensor weights = at::randn_like(output(*module, vectors_of(*module, texts), texts));
    const auto value = [&] {
      return (output(*module, vectors_of(*module, texts), texts) * weights).sum();
    };
    module->zero_grad();
    value().backward();
    for (auto& item : module->named_parameters()) {
      SCOPED_TRACE(item.key());
      const bool reads_pooler = is_pooled(head_for(config.task)) && config.pooling == "pooler";
      if (item.key().find("pooler") != std::string::npos && !reads_pooler) {
        EXPECT_FALSE(item.value().grad().defined());
        continue;
      }
      const at::NoGradGuard no_grad;
      const at::Tensor direction = at::randn_like(item.value());
      const auto slope_over = [&](double step) {
        item.value().add_(direction, step);
        const double up = value().item<double>();
        item.value().add_(direction, -2 * step);
        const double down = value().item<double>();
        item.value().add_(direction, step);
        return (up - down) / (2 * step);
      };
      const double ours = (item.value().grad() * direction).sum().item<double>();
      const auto allowed = [](double slope) { return 1e-6 * std::max(1.0, std::abs(slope)); };
      double slope = slope_over(1e-6);
      if (std::abs(ours - slope) > allowed(slope)) {
        // A large sum loses digits over a short step, and a curve bends over a long one: without
        // the third derivative's share (Richardson) the step may be longer.
        slope = (4 * slope_over(5e-6) - slope_over(1e-5)) / 3;
      }
      EXPECT_NEAR(ours, slope, allowed(slope));
    }
  }
}

TEST(TrainTables, fast_ways_equal_the_formulas_in_value_and_gradient) {
  for (const Config& row : every_row()) {
    const Config config = with_head(row);
    SCOPED_TRACE(config.to_json());
    const Texts texts(config);
    const auto module = make(config);
    fill(*module, lively_weights());
    module->eval();
    const auto run = [&] {
      module->zero_grad();
      const at::Tensor y = output(*module, vectors_of(*module, texts), texts);
      (y * y).sum().backward();
      std::vector<at::Tensor> results = {y.detach().contiguous()};
      for (const at::Tensor& p : module->parameters()) {
        if (p.grad().defined()) results.push_back(p.grad().clone().contiguous());
      }
      return results;
    };
    const auto fast = run();
    const FormulasOnly guard;
    const auto slow = run();
    ASSERT_EQ(fast.size(), slow.size());
    std::vector<at::Tensor> exact;
    // How far a result in float32 is from the one in float64.
    const auto error = [&](const std::vector<at::Tensor>& results, std::size_t i) {
      if (exact.empty()) {
        module->to(at::kDouble);
        exact = run();
      }
      return ((results[i].to(at::kDouble) - exact[i]).norm() / exact[i].norm()).item<double>();
    };
    for (std::size_t i = 0; i < fast.size(); ++i) {
      // Some gradients cancel to nothing, a bias before a norm for one: their size is then noise.
      if (slow[i].norm().item<double>() < 1e-3) continue;
      if (relative_error(floats(fast[i]), floats(slow[i])) < 1e-4) continue;
      // Statistics that do not fit the rows let errors grow: they may not grow more.
      EXPECT_LT(error(fast, i), 2 * error(slow, i)) << i;
    }
  }
}

TEST(TrainTables, every_row_is_saved_and_loaded) {
  for (const Config& row : every_row()) {
    const Config config = with_head(row);
    SCOPED_TRACE(config.to_json());
    const TemporaryDirectory directory;
    const auto module = make(config);
    fill(*module, lively_weights());
    module->save(directory.path());
    const auto again = make(Config::load(directory.path()));
    again->load_weights(directory.path());
    const auto a = module->named_parameters(), b = again->named_parameters();
    ASSERT_EQ(a.size(), b.size());
    for (const auto& item : a) EXPECT_TRUE(at::equal(item.value(), b[item.key()])) << item.key();
    const auto buffers = module->named_buffers(), read = again->named_buffers();
    ASSERT_EQ(buffers.size(), read.size());
    for (const auto& item : buffers) {
      EXPECT_TRUE(at::equal(item.value(), read[item.key()])) << item.key();
    }
  }
}

TEST(TrainTables, every_mixer_answers_padded_texts_as_the_runtime_does) {
  const at::NoGradGuard no_grad;
  std::vector<Config> configs;
  for (const KindRow& row : mixer_kinds()) {
    configs.push_back(small_config());
    configs.back().mixers = {std::string(row.name)};
  }
  configs.push_back(small_config());
  configs.back().mixer_options["mask"] = "output";
  std::vector<float> unmasked;
  for (Config& config : configs) {
    config.length_policy = "fixed:12";
    SCOPED_TRACE(config.to_json());
    const Texts texts(config);
    nn::Inputs inputs;
    inputs.input_ids = at::zeros({texts.rows.texts(), 5}, at::kLong);
    inputs.token_type_ids = at::zeros_like(inputs.input_ids);
    std::vector<float> expected;
    const Engine engine(config, lively_weights());
    for (std::int64_t i = 0; i < texts.rows.texts(); ++i) {
      const std::int64_t begin = texts.rows.begin(i), length = texts.rows.length(i);
      inputs.lengths.push_back(length);
      inputs.input_ids[i].narrow(0, 0, length).copy_(texts.ids.narrow(0, begin, length));
      inputs.token_type_ids[i].narrow(0, 0, length).copy_(texts.types.narrow(0, begin, length));
    }
    for (const Matrix& matrix : engine.forward(texts.encodings)) {
      expected.insert(expected.end(), matrix.data.begin(), matrix.data.end());
    }
    const auto module = std::make_shared<nn::FNetModelImpl>(config);
    fill(*module, lively_weights());
    module->eval();
    const at::Tensor hidden = module->forward(inputs).last_hidden_state;
    std::vector<at::Tensor> rows;
    for (std::int64_t i = 0; i < texts.rows.texts(); ++i) {
      rows.push_back(hidden[i].narrow(0, 0, texts.rows.length(i)));
    }
    const at::Tensor ours = at::cat(rows).contiguous();
    EXPECT_LT(relative_error(floats(ours), expected), 1e-5);
    if (config.mixers[0] != "fourier") continue;
    if (unmasked.empty()) unmasked = expected;
    const bool masked = config.mixer_options.contains("mask");
    EXPECT_EQ(relative_error(unmasked, expected) > 1e-3, masked);
  }
}

}  // namespace
}  // namespace fnet
