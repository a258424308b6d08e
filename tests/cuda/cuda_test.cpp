// What needs a CUDA device: the same numbers as on the CPU in float64, and whole trainings.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>

#include "core/file.h"
#include "fnet/engine.h"
#include "fnet/pretrain.h"
#include "fnet/train.h"
#include "models.h"
#include "temporary.h"
#include "train/algebra.h"
#include "train/device.h"
#include "train/mix_by_torch.h"
#include "train/optimizer.h"
#include "train/packing.h"

namespace fnet {
namespace {

using namespace testing_models;
using kernels::SpectrumPart;

struct Cuda : testing::Test {
  void SetUp() override {
    if (!torch::cuda::is_available()) GTEST_SKIP() << "torch sees no CUDA device";
  }

  at::Device device{at::kCUDA, 0};
};

/// How far `got`, wherever it is, is from `want`, as a share of it where it is not next to nothing.
double distance(const at::Tensor& got, const at::Tensor& want) {
  const at::Tensor here = got.to(at::kCPU, at::kDouble);
  return ((here - want).norm() / want.norm().clamp_min(0.1)).item<double>();
}

TEST_F(Cuda, mixes_as_defined_either_way) {
  for (const std::int64_t rows : {1, 7, 64, 128, 509, 512, 1024}) {
    for (const std::int64_t hidden : {37, 256, 768}) {
      const at::Tensor x = at::randn({2, rows, hidden}, at::kDouble);
      const at::Tensor spectrum = at::fft_fft2(x, {}, {1, 2});
      const at::Tensor there = x.to(device, at::kFloat);
      for (const MixWay way : {MixWay::transform, MixWay::matrices}) {
        const auto mix = [&](SpectrumPart part) { return mix_texts(there, false, part, way); };
        EXPECT_LT(distance(mix(SpectrumPart::real), at::real(spectrum)), 3e-6) << rows;
        EXPECT_LT(distance(mix(SpectrumPart::hartley), at::real(spectrum) - at::imag(spectrum)),
                  3e-6)
            << rows;
      }
    }
  }
}

// No test: where one way becomes the faster one is for whoever sets the limit between them.
TEST_F(Cuda, tells_the_time_of_mixing_either_way) {
  for (const std::int64_t hidden : {128, 256, 768}) {
    for (const std::int64_t rows : {16, 32, 64, 128, 256, 512, 1024}) {
      const at::Tensor x =
          at::randn({32'768 / rows, rows, hidden}, at::TensorOptions(device).dtype(at::kFloat));
      double milliseconds[2] = {};
      for (const MixWay way : {MixWay::transform, MixWay::matrices}) {
        at::Tensor y;
        const auto pass = [&](int count) {
          for (int i = 0; i < count; ++i) y = mix_texts(x, false, SpectrumPart::real, way);
          y[0][0][0].item<float>();
        };
        pass(2);
        const auto start = std::chrono::steady_clock::now();
        pass(20);
        const std::chrono::duration<double> all = std::chrono::steady_clock::now() - start;
        milliseconds[static_cast<int>(way)] = 1e3 * all.count() / 20;
      }
      std::printf("mixing 32768 rows of %4ld in texts of %4ld: transform %.3f ms, matrices %.3f\n",
                  static_cast<long>(hidden), static_cast<long>(rows), milliseconds[0],
                  milliseconds[1]);
    }
  }
}

/// Three texts and what a model makes of them, with its gradients.
std::vector<at::Tensor> trained(const Config& config, at::Device device, at::ScalarType type,
                                at::ScalarType products = at::kFloat) {
  nn::FNetModel model(config, 3);
  model->to(device, type);
  model->train();
  Philox random(3, 0);
  const std::vector<Encoding> texts = {random_encoding(random, 40, config),
                                       random_encoding(random, 40, config),
                                       random_encoding(random, 33, config)};
  Batch batch;
  pack(texts, config, batch);
  at::Tensor y;
  {
    const ProductsIn guard({products, device.type()});
    y = nn::hidden_of(*model, batch);
  }
  torch::manual_seed(5);
  (y * at::randn(y.sizes(), at::kDouble).to(y.options())).sum().backward();
  std::vector<at::Tensor> all = {y.detach()};
  for (const at::Tensor& p : model->parameters())
    if (p.grad().defined()) all.push_back(p.grad());
  return all;
}

TEST_F(Cuda, every_part_trains_as_on_the_cpu) {
  for (const Config& row : every_row()) {
    if (row.reads_numbers() || row.has_head()) continue;
    const Config config = without_dropout(row);
    SCOPED_TRACE(config.to_json());
    const auto want = trained(config, at::kCPU, at::kDouble);
    const auto exact = trained(config, device, at::kFloat);
    ASSERT_EQ(exact.size(), want.size());
    for (std::size_t i = 0; i < want.size(); ++i) {
      EXPECT_TRUE(exact[i].is_cuda());
      EXPECT_LT(distance(exact[i], want[i]), 1e-3) << i;
    }
    for (const at::ScalarType products : {at::kBFloat16, at::kHalf}) {
      const auto rounded = trained(config, device, at::kFloat, products);
      EXPECT_LT(distance(rounded[0], want[0]), 0.05) << products;
      for (const at::Tensor& gradient : rounded) EXPECT_EQ(gradient.scalar_type(), at::kFloat);
    }
  }
}

TEST_F(Cuda, dropout_is_a_function_of_its_seed_and_leaves_torchs_numbers_alone) {
  const at::Tensor x = at::ones({512, 768}, device).requires_grad_();
  const at::TensorOptions options(device);
  torch::manual_seed(7);
  const at::Tensor undisturbed = at::rand({4, 4}, options);
  torch::manual_seed(7);
  const at::Tensor y = fnet::dropout(x, 0.25, 11);
  EXPECT_TRUE(at::equal(at::rand({4, 4}, options), undisturbed));
  EXPECT_TRUE(at::equal(fnet::dropout(x, 0.25, 11), y));
  EXPECT_FALSE(at::equal(fnet::dropout(x, 0.25, 12), y));
  EXPECT_NEAR(y.eq(0).to(at::kFloat).mean().item<double>(), 0.25, 0.005);
  y.sum().backward();
  EXPECT_TRUE(at::equal(x.grad(), y.detach()));  // of ones: what is kept, scaled
}

TEST_F(Cuda, the_optimizer_steps_as_on_the_cpu) {
  std::vector<at::Tensor> ends;
  for (const at::Device place : {at::Device(at::kCPU), device}) {
    torch::manual_seed(1);
    at::Tensor p = at::randn({40, 30}).to(place).requires_grad_();
    AdamW optimizer({Learner(p, 1, "p")}, {.average = 0.9, .loss_scale = 1024});
    for (int i = 0; i < 20; ++i) {
      optimizer.scaled((p * p * (i + 1)).sum()).backward();
      EXPECT_TRUE(optimizer.step(0.01));
    }
    optimizer.swap_average();
    ends.push_back(p.detach().to(at::kCPU, at::kDouble));
  }
  EXPECT_LT(distance(ends[1], ends[0]), 1e-5);
}

std::string documents() {
  static constexpr const char* kPairs[] = {"red apple", "yellow lemon", "green pear", "blue plum"};
  std::string text;
  for (int i = 0; i < 480; ++i)
    text += std::string("line has a ") + kPairs[i % 4] + (i % 3 == 0 ? " today\n\n" : " here\n");
  return text;
}

/// A run of pretraining in this device and type, and how it is interrupted.
TrainingReport pretrained(const TemporaryDirectory& directory, const std::string& name,
                          const std::string& device, const std::string& dtype,
                          std::int64_t stop_after = 1'000) {
  PretrainOptions options;
  options.train = {directory.path() / "corpus.txt"};
  options.out = directory.path() / name;
  options.cache = directory.path() / "cache";
  options.set = {"hidden_size=64", "intermediate_size=128", "num_hidden_layers=2",
                 "hidden_dropout_prob=0"};
  options.steps = 60;
  options.eval_steps = 30;
  options.batch_size = 16;
  options.checkpoint_steps = 20;
  options.device = device;
  options.dtype = dtype;
  TrainingCallbacks callbacks;
  std::int64_t step = 0;
  callbacks.progress = [&](const TrainingProgress& progress) { step = progress.step; };
  callbacks.stop = [&] { return step >= stop_after; };
  return pretrain(options, callbacks);
}

TEST_F(Cuda, pretraining_learns_as_on_the_cpu_in_every_type) {
  TemporaryDirectory directory;
  directory.make("corpus.txt", documents());
  const double want = pretrained(directory, "cpu", "cpu", "float32").best_loss;
  EXPECT_NEAR(pretrained(directory, "cuda", "cuda", "float32").best_loss, want, 0.02 * want);
  for (const char* dtype : {"bfloat16", "float16"}) {
    const TrainingReport report = pretrained(directory, dtype, "cuda:0", dtype);
    EXPECT_NEAR(report.best_loss, want, 0.1 * want) << dtype;
    EXPECT_EQ(report.steps, 60) << dtype;
    const Engine engine = Engine::load(directory.path() / dtype);
    EXPECT_EQ(engine.config().task, "fill-mask");
  }
}

TEST_F(Cuda, an_interrupted_run_goes_on_from_its_checkpoint) {
  TemporaryDirectory directory;
  directory.make("corpus.txt", documents());
  const double want = pretrained(directory, "whole", "cuda", "bfloat16").best_loss;
  EXPECT_TRUE(pretrained(directory, "parts", "cuda", "bfloat16", 25).interrupted);
  const TrainingReport report = pretrained(directory, "parts", "cuda", "bfloat16");
  EXPECT_FALSE(report.interrupted);
  EXPECT_NEAR(report.best_loss, want, 0.01 * want);
}

}  // namespace
}  // namespace fnet
