#include "runtime/packed_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "blocks/model.h"
#include "core/file.h"
#include "kernels/kernels.h"
#include "models.h"
#include "temporary.h"

namespace fnet {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace testing_models;

void save_model(const fs::path& directory, const Config& config, std::uint64_t seed) {
  write_file(directory / "config.json", config.to_json());
  const WeightSource source = lively_weights(seed);
  const auto specs = model_weights(config);
  std::vector<float> values;
  save_weights(directory, specs, [&](const std::string& name) {
    values = source(name, std::ranges::find(specs, name, &WeightSpec::name)->shape);
    return std::span<const float>(values);
  });
}

fs::path file_of(const fs::path& directory, std::string_view dtype = "float32") {
  return directory / fmt::format("packed-{}-{}.safetensors", kernels::table().name, dtype);
}

std::vector<float> answer(const fs::path& directory, bool packed, const std::string& dtype = "auto",
                          std::vector<std::string>* warnings = nullptr) {
  EngineOptions options;
  options.dtype = dtype;
  options.packed_file = packed;
  const Engine engine = Engine::load(directory, options);
  if (warnings != nullptr) *warnings = engine.warnings();
  return engine.embed(random_encodings(3, 40, engine.config(), 7), "mean").data;
}

TEST(PackedFile, a_mapped_model_answers_as_a_packed_one_in_every_type) {
  for (const Config& config : every_row()) {
    const TemporaryDirectory directory;
    save_model(directory.path(), config, 1);
    for (const std::string dtype : {"float32", "bfloat16", "int8"}) {
      const auto plain = answer(directory.path(), false, dtype);
      EXPECT_FALSE(fs::exists(file_of(directory.path(), dtype)));
      EXPECT_EQ(answer(directory.path(), true, dtype), plain);
      ASSERT_TRUE(fs::exists(file_of(directory.path(), dtype)));
      const auto time = fs::last_write_time(file_of(directory.path(), dtype));
      EXPECT_EQ(answer(directory.path(), true, dtype), plain);
      EXPECT_EQ(fs::last_write_time(file_of(directory.path(), dtype)), time) << "written again";
    }
  }
}

TEST(PackedFile, is_made_again_for_other_weights_or_another_config) {
  const TemporaryDirectory directory;
  Config config = small_config();
  save_model(directory.path(), config, 1);
  answer(directory.path(), true);
  save_model(directory.path(), config, 2);
  EXPECT_EQ(answer(directory.path(), true), answer(directory.path(), false));
  config.ffn_type = "swiglu";
  save_model(directory.path(), config, 2);
  EXPECT_EQ(answer(directory.path(), true), answer(directory.path(), false));
}

TEST(PackedFile, is_made_again_for_other_weights_of_equal_size_and_time) {
  const TemporaryDirectory directory;
  const fs::path weights = directory.path() / "model.safetensors";
  const auto time = fs::file_time_type::clock::now();
  std::vector<std::vector<float>> answers;
  for (const std::uint64_t seed : {1, 2}) {
    save_model(directory.path(), small_config(), seed);
    fs::last_write_time(weights, time);
    answers.push_back(answer(directory.path(), true));
    EXPECT_EQ(answers.back(), answer(directory.path(), false));
  }
  EXPECT_NE(answers[0], answers[1]);
}

TEST(PackedFile, is_made_again_where_it_is_damaged) {
  const TemporaryDirectory directory;
  save_model(directory.path(), small_config(), 1);
  const auto plain = answer(directory.path(), true);
  const fs::path file = file_of(directory.path());
  const std::string whole = read_file(file, 1 << 24);
  for (const std::size_t length :
       {std::size_t{0}, std::size_t{7}, std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
    write_file(file, whole.substr(0, length));
    EXPECT_EQ(answer(directory.path(), true), plain) << length;
    EXPECT_EQ(read_file(file, 1 << 24), whole) << length;
  }
}

TEST(PackedFile, that_cannot_be_written_is_a_warning) {
  const TemporaryDirectory directory;
  save_model(directory.path(), small_config(), 1);
  fs::create_directories(file_of(directory.path()) / "in_the_way");
  std::vector<std::string> warnings;
  EXPECT_EQ(answer(directory.path(), true, "float32", &warnings), answer(directory.path(), false));
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_THAT(warnings[0], HasSubstr("packed-"));
}

TEST(PackedFile, is_not_made_unless_asked_for) {
  const TemporaryDirectory directory;
  save_model(directory.path(), small_config(), 1);
  std::vector<std::string> warnings;
  answer(directory.path(), false, "float32", &warnings);
  EXPECT_THAT(warnings, IsEmpty());
  EXPECT_FALSE(fs::exists(file_of(directory.path())));
}

}  // namespace
}  // namespace fnet
