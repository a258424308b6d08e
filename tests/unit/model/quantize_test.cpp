#include "model/quantize.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/init.h"
#include "temporary.h"

namespace fnet {
namespace {

const std::vector<WeightSpec> kSpecs = {
    {"embeddings.word_embeddings.weight", {50, 64}, Init::normal()},
    {"embeddings.LayerNorm.weight", {64}, Init::normal()},
    {"encoder.layer.0.output.dense.weight", {64, 96}, Init::normal()},
    {"encoder.layer.0.output.dense.bias", {64}, Init::normal()},
};

class Quantize : public testing::Test {
 protected:
  Quantize() {
    for (const WeightSpec& spec : kSpecs) original_[spec.name] = initial_values(spec, 0.02, 1);
    std::fill_n(original_[kSpecs[2].name].begin(), 96, 0.0F);  // a row without any weight
  }
  WeightReader save(std::string_view dtype) {
    save_quantized(
        directory_.path(), kSpecs,
        [&](const std::string& name) { return std::span<const float>(original_.at(name)); }, dtype);
    return WeightReader::open(directory_.path(), kSpecs);
  }

  TemporaryDirectory directory_;
  std::map<std::string, std::vector<float>> original_;
};

TEST_F(Quantize, int8_is_within_half_a_step_of_each_row_and_leaves_small_weights_alone) {
  const WeightReader reader = save("int8");
  EXPECT_TRUE(reader.report().has_int8);
  EXPECT_TRUE(reader.report().unexpected.empty());
  for (const WeightSpec& spec : kSpecs) {
    const auto before = original_[spec.name];
    const auto after = reader.read(spec.name);
    ASSERT_EQ(before.size(), after.size());
    if (spec.shape.size() == 1) {
      EXPECT_EQ(before, after) << spec.name;
      continue;
    }
    const auto width = static_cast<std::size_t>(spec.shape[1]);
    for (std::size_t row = 0; row < before.size() / width; ++row) {
      float most = 0;
      for (std::size_t i = 0; i < width; ++i)
        most = std::max(most, std::abs(before[row * width + i]));
      for (std::size_t i = 0; i < width; ++i) {
        EXPECT_LE(std::abs(after[row * width + i] - before[row * width + i]),
                  most / 254.0F * 1.0001F);
      }
    }
  }
}

TEST_F(Quantize, int8_again_changes_nothing) {
  const WeightReader first = save("int8");
  std::map<std::string, std::vector<float>> once;
  for (const WeightSpec& spec : kSpecs) once[spec.name] = first.read(spec.name);
  original_ = once;
  const WeightReader second = save("int8");
  for (const WeightSpec& spec : kSpecs) {
    const auto twice = second.read(spec.name);
    for (std::size_t i = 0; i < twice.size(); ++i) {
      EXPECT_NEAR(twice[i], once[spec.name][i], 1e-6F * std::abs(once[spec.name][i]));
    }
  }
}

TEST_F(Quantize, bfloat16_is_within_one_part_in_256) {
  const WeightReader reader = save("bfloat16");
  EXPECT_TRUE(reader.report().has_bfloat16);
  for (const WeightSpec& spec : kSpecs) {
    const auto after = reader.read(spec.name);
    for (std::size_t i = 0; i < after.size(); ++i) {
      const float before = original_[spec.name][i];
      EXPECT_LE(std::abs(after[i] - before), std::abs(before) / 256.0F);
    }
  }
}

TEST_F(Quantize, int8_takes_a_row_of_the_smallest_numbers_as_zero) {
  std::fill_n(original_[kSpecs[2].name].begin(), 96, 1e-42F);
  const auto after = save("int8").read(kSpecs[2].name);
  for (std::size_t i = 0; i < 96; ++i) EXPECT_EQ(after[i], 0.0F);
}

TEST_F(Quantize, another_dtype_is_refused) { EXPECT_THROW(save("float16"), Error); }

TEST_F(Quantize, int8_without_its_scale_is_refused) {
  const std::vector<std::byte> codes(96 * 64 + 0);
  write_safetensors(directory_.path() / "model.safetensors",
                    {{"encoder.layer.0.output.dense.weight", StoredType::i8, {64, 96}, [&] {
                        return std::span<const std::byte>(codes);
                      }}});
  EXPECT_THROW(WeightReader::open(directory_.path(), {kSpecs[2]}), Error);
}

TEST_F(Quantize, keys_stay_as_they_are_and_a_wide_table_gets_smaller) {
  WeightSpec keys{"wide.keys", {2}, Init::zeros()}, table{"wide.weight", {2, 3}, Init::zeros()};
  keys.exact = true;
  const std::vector<float> key = {3, 16777215}, weight = {1, -0.25F, 0, 3, 2, 1};
  for (const char* dtype : {"int8", "bfloat16"}) {
    save_quantized(
        directory_.path(), {keys, table},
        [&](const std::string& name) {
          return std::span<const float>(name == "wide.keys" ? key : weight);
        },
        dtype);
    const WeightReader reader = WeightReader::open(directory_.path(), {keys, table});
    EXPECT_EQ(reader.read("wide.keys"), key) << dtype;
    const std::vector<float> read = reader.read("wide.weight");
    for (std::size_t i = 0; i < read.size(); ++i) EXPECT_NEAR(read[i], weight[i], 0.013) << dtype;
    EXPECT_EQ(reader.report().has_int8, std::string_view(dtype) == "int8");
  }
}

}  // namespace
}  // namespace fnet
