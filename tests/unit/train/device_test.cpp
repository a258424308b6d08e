// What a training does elsewhere than on the CPU, as far as a machine without such a device tells:
// the formulas by torch, and that no tensor stays behind.
#include "train/device.h"

#include <ATen/autocast_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/library.h>

#include "core/error.h"
#include "fnet/train.h"
#include "model/kinds.h"
#include "models.h"
#include "train/algebra.h"
#include "train/mix_by_torch.h"
#include "train/packing.h"
#include "train/pretrain_objective.h"
#include "train/source.h"

namespace fnet {
namespace {

using namespace testing_models;
using kernels::SpectrumPart;
using testing::ElementsAre;
using testing::HasSubstr;

std::string message_of(std::string_view device, std::string_view dtype = "float32") {
  try {
    machine_named(device, dtype);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::usage);
    return error.what();
  }
  return "";
}

TEST(Machine, is_told_by_its_options) {
  EXPECT_EQ(machine_named("cpu", "float32").products, at::kFloat);
  EXPECT_EQ(machine_named("cpu", "bfloat16").products, at::kBFloat16);
  EXPECT_THAT(message_of("cpu", "float16"), HasSubstr("float32 or bfloat16 on the CPU"));
  for (const char* name : {"", "gpu", "CUDA", "cuda:", "cuda:x", "cuda:0x", "cuda:1:2", "cuda:-1"})
    EXPECT_THAT(message_of(name), HasSubstr("device: expected cpu, cuda or cuda:N")) << name;
  EXPECT_THAT(message_of("cuda:99"), HasSubstr("device: expected a CUDA device that torch sees"));
  if (torch::cuda::is_available()) {
    EXPECT_EQ(machine_named("cuda", "float16").device, at::Device(at::kCUDA, 0));
  } else {
    EXPECT_THAT(message_of("cuda"), HasSubstr("found 'cuda' where"));
  }
}

at::Tensor defined(const at::Tensor& x, bool ortho, SpectrumPart part) {
  const at::Tensor y = at::fft_fft2(x, {}, {-2, -1}, ortho ? "ortho" : "backward");
  return part == SpectrumPart::hartley ? at::real(y) - at::imag(y) : at::real(y);
}

double furthest(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

TEST(MixByTorch, gives_the_same_either_way) {
  torch::manual_seed(1);
  for (const std::int64_t rows : {1, 2, 5, 16, 33}) {
    for (const std::int64_t hidden : {1, 2, 3, 8, 37}) {
      const at::Tensor x = at::randn({3, rows, hidden}, at::kDouble);
      for (const bool ortho : {false, true}) {
        for (const SpectrumPart part : {SpectrumPart::real, SpectrumPart::hartley}) {
          const at::Tensor want = defined(x, ortho, part);
          for (const MixWay way : {MixWay::transform, MixWay::matrices})
            EXPECT_LT(furthest(mix_texts(x, ortho, part, way), want), 1e-10) << rows << hidden;
        }
      }
    }
  }
}

TEST(MixByTorch, mixes_texts_of_any_lengths_each_by_itself) {
  Rows rows;
  for (const std::int64_t length : {5, 400, 1, 5, 9, 400}) rows.add(length);
  const at::Tensor x = at::randn({rows.total(), 6}, at::kDouble);
  const at::Tensor y = mix_by_torch(x, rows, false, SpectrumPart::real);
  for (std::int64_t text = 0; text < rows.texts(); ++text) {
    const auto own = [&](const at::Tensor& all) {
      return all.narrow(0, rows.begin(text), rows.rows(text));
    };
    EXPECT_LT(furthest(own(y), defined(own(x), false, SpectrumPart::real)), 1e-9) << text;
  }
}

/// Two texts of the model's, packed.
Batch two_texts(const Config& config) {
  Philox random(3, 0);
  std::vector<Encoding> texts = {random_encoding(random, 9, config),
                                 random_encoding(random, 5, config)};
  Batch batch;
  pack(texts, config, batch);
  return batch;
}

at::Tensor answer(nn::FNetModule& model, const Batch& batch) {
  if (auto* with_head = dynamic_cast<nn::FNetWithHeadImpl*>(&model))
    return with_head->scores(nn::hidden_of(*with_head->fnet, batch), batch.rows);
  return nn::hidden_of(dynamic_cast<nn::FNetModelImpl&>(model), batch);
}

std::shared_ptr<nn::FNetModule> made(const Config& row) {
  Config config = without_dropout(row);
  config.max_position_embeddings = 16;
  if (config.has_head()) return std::make_shared<nn::FNetWithHeadImpl>(config, 3);
  return std::make_shared<nn::FNetModelImpl>(config, 3);
}

// torch's device without values. Some operations are there only by its Python, so here they are by
// the CPU's; every tensor of theirs must be there, as on any device.
void by_cpu(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const auto is_tensor = [](const c10::IValue& value) {
    return value.isTensor() && value.toTensor().defined();
  };
  for (std::size_t i = stack->size() - op.schema().arguments().size(); i < stack->size(); ++i) {
    c10::IValue& value = (*stack)[i];
    if (!is_tensor(value)) continue;
    TORCH_CHECK(value.toTensor().is_meta(), op.schema().name(), ": a tensor on the CPU");
    value = at::zeros_like(value.toTensor(), at::TensorOptions(at::kCPU));
  }
  op.callBoxed(stack);
  for (c10::IValue& value : *stack)
    if (is_tensor(value)) value = value.toTensor().to(at::kMeta);
}

TORCH_LIBRARY_IMPL(aten, Meta, m) {
  for (const char* name :
       {"_fft_c2c", "_fft_c2r", "_fft_r2c", "_safe_softmax", "complex", "embedding_dense_backward",
        "flip", "index_select", "native_batch_norm", "native_batch_norm_backward",
        "native_layer_norm_backward", "relu", "roll"})
    m.impl(name, torch::CppFunction::makeFromBoxedFunction<&by_cpu>());
}

/// Puts a module's tensors there, which Module::to does not do.
void to_meta(const torch::nn::Module& module) {
  for (const auto& tensors : {module.parameters(), module.buffers()}) {
    for (const at::Tensor& tensor : tensors) {
      const at::Tensor there = tensor.detach().to(at::kMeta);
      tensor.unsafeGetTensorImpl()->shallow_copy_from(there.getIntrusivePtr());
    }
  }
}

// torch refuses to mix tensors of two devices.
TEST(Device, all_of_a_model_is_where_its_parameters_are) {
  for (const Config& config : every_row()) {
    SCOPED_TRACE(config.to_json());
    const auto model = made(config);
    to_meta(*model);
    model->train();
    const at::Tensor y = answer(*model, two_texts(model->config()));
    EXPECT_TRUE(y.is_meta());
    y.sum().backward();
  }
}

TEST(Device, all_of_pretraining_is_where_the_model_is) {
  Config config = without_dropout(small_config());
  config.task = "fill-mask";
  config.heads[std::string(kOrderHead)] = order_head();
  const auto model = std::make_shared<nn::FNetWithHeadImpl>(config, 3);
  to_meta(*model);
  PretrainObjective objective(model, std::nullopt, {}, 1);
  Sample sample;
  Philox random(3, 0);
  sample.texts = {random_encoding(random, 3, config)};
  sample.picks = {{0, 2}};
  sample.targets = {8, 9};
  sample.values = {1};
  const std::vector<Sample> batch = {sample, sample};
  const at::Tensor loss = objective.loss(batch, 0).loss;
  EXPECT_TRUE(loss.is_meta());
  loss.backward();
}

/// An answer and its gradients.
std::vector<at::Tensor> trained(const Config& config, bool recompute = false) {
  const auto model = made(config);
  model->train();
  model->set_recompute(recompute);
  const at::Tensor given = answer(*model, two_texts(model->config()));
  // What blocks add to keeps its precision.
  EXPECT_TRUE(config.has_head() || given.scalar_type() == at::kFloat);
  const at::Tensor y = widened(given);
  std::vector<at::Tensor> all = {y.detach()};
  torch::manual_seed(5);
  (y * at::randn(y.sizes())).sum().backward();
  for (const at::Tensor& p : model->parameters())
    if (p.grad().defined()) all.push_back(p.grad());
  return all;
}

// As on a device: bfloat16 by torch's autocast. Eight bits of each factor, layer after layer.
TEST(ProductsIn, by_torch_stays_near_in_every_part) {
  const FormulasOnly formulas;
  for (const Config& config : every_row()) {
    SCOPED_TRACE(config.to_json());
    const auto plain = trained(config);
    const ProductsIn products({at::kBFloat16});
    const auto rounded = trained(config);
    ASSERT_EQ(rounded.size(), plain.size());
    const double far = ((rounded[0] - plain[0]).norm() / plain[0].norm()).item<double>();
    EXPECT_LT(far, 0.05);
    for (const at::Tensor& gradient : rounded) {
      EXPECT_EQ(gradient.scalar_type(), at::kFloat);
      EXPECT_TRUE(gradient.isfinite().all().item<bool>());
    }
  }
}

TEST(ProductsIn, by_torch_computes_the_same_again_and_leaves_torch_as_it_was) {
  const FormulasOnly formulas;
  {
    const ProductsIn products({at::kBFloat16});
    EXPECT_TRUE(at::autocast::is_autocast_enabled(at::kCPU));
    const auto plain = trained(small_config()), again = trained(small_config(), true);
    for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_TRUE(at::equal(plain[i], again[i])) << i;
  }
  EXPECT_FALSE(at::autocast::is_autocast_enabled(at::kCPU));
}

/// Batches of the step's number, of which one fails.
struct Numbered : Source {
  std::int64_t epoch_steps() const override { return 10; }
  std::vector<Sample> batch(std::int64_t step) override {
    require(step != 4, Kind::system, "no step {}", step);
    asked.push_back(step);
    Sample sample;
    sample.targets = {static_cast<std::int32_t>(step)};
    return {sample};
  }
  std::string place(std::int64_t step) override { return std::to_string(asked.size() + step * 0); }

  std::vector<std::int64_t> asked;
};

TEST(AheadSource, has_the_next_batch_once_a_step_is_done) {
  Numbered source;
  AheadSource ahead(source);
  EXPECT_EQ(ahead.batch(1).at(0).targets.at(0), 1);
  EXPECT_EQ(ahead.place(1), "2");
  EXPECT_EQ(ahead.batch(2).at(0).targets.at(0), 2);
  EXPECT_EQ(ahead.batch(3).at(0).targets.at(0), 3);
  EXPECT_THROW(ahead.batch(4), Error);
  EXPECT_THAT(source.asked, ElementsAre(1, 2, 3));
}

}  // namespace
}  // namespace fnet
