#include "model/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/json.h"
#include "model/weights_index.h"
#include "temporary.h"

namespace fnet {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Specs = std::vector<WeightSpec>;

/// Values that tell the weight.
std::vector<float> values_of(const WeightSpec& spec, float first) {
  std::vector<float> values(TensorInfo{.shape = spec.shape}.count());
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = first + static_cast<float>(i) / 8;
  return values;
}

void save(const fs::path& directory, const Specs& specs, std::uint64_t max_shard_bytes = 1 << 30) {
  std::vector<float> values;
  save_weights(
      directory, specs,
      [&](const std::string& name) {
        const auto at = std::ranges::find(specs, name, &WeightSpec::name);
        values = values_of(*at, static_cast<float>(at - specs.begin()));
        return std::span<const float>(values);
      },
      max_shard_bytes);
}

void expect_values(const WeightReader& reader, const Specs& specs) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    EXPECT_EQ(reader.read(specs[i].name), values_of(specs[i], static_cast<float>(i)))
        << specs[i].name;
  }
}

const Specs kModel = {{"fnet.embeddings.word_embeddings.weight", {5, 4}},
                      {"fnet.encoder.layer.0.output.dense.bias", {4}},
                      {"fnet.pooler.dense.weight", {4, 4}},
                      {"classifier.weight", {3, 4}}};

std::vector<std::string> file_names(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory))
    names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

TEST(Weights, come_back_as_saved_in_one_file_or_in_shards) {
  const TemporaryDirectory temporary;
  for (const std::uint64_t limit : {1, 100, 160, 1 << 30, 160}) {
    save(temporary.path(), kModel, limit);
    const WeightReader reader = WeightReader::open(temporary.path(), kModel);
    expect_values(reader, kModel);
    EXPECT_THAT(reader.report().missing, IsEmpty());
    EXPECT_THAT(reader.report().unexpected, IsEmpty());
    // Nothing of the save before is left: it would be read instead, or as well.
    const std::size_t index = limit < 200;
    EXPECT_EQ(file_names(temporary.path()).size(), reader.report().files.size() + index);
  }
  EXPECT_THAT(file_names(temporary.path()),
              ElementsAre("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                          "model.safetensors.index.json"));
}

TEST(Weights, are_found_with_and_without_the_prefix) {
  Specs bare = {{"embeddings.word_embeddings.weight", {5, 4}}, {"pooler.dense.weight", {4, 4}}};
  Specs prefixed = bare;
  for (WeightSpec& spec : prefixed) spec.name = "fnet." + spec.name;
  for (const auto& [stored, wanted] : {std::pair(bare, prefixed), std::pair(prefixed, bare)}) {
    const TemporaryDirectory temporary;
    save(temporary.path(), stored);
    expect_values(WeightReader::open(temporary.path(), wanted), wanted);
  }
  const TemporaryDirectory temporary;
  save(temporary.path(), {bare[0], prefixed[0]});
  EXPECT_THAT(error_of([&] { WeightReader::open(temporary.path(), {bare[0]}); }).what(),
              HasSubstr("expected each weight once"));
}

TEST(Weights, may_be_stored_under_a_tied_name_or_both) {
  const WeightSpec word{"fnet.embeddings.word_embeddings.weight", {5, 4}};
  const WeightSpec bias{"cls.predictions.bias", {5}};
  const WeightSpec decoder{"cls.predictions.decoder.weight", {5, 4}};
  const WeightSpec decoder_bias{"cls.predictions.decoder.bias", {5}};
  const TemporaryDirectory temporary;
  save(temporary.path(), {word, bias, decoder, decoder_bias});
  const WeightReader both = WeightReader::open(temporary.path(), {word, bias});
  expect_values(both, {word, bias});
  EXPECT_THAT(both.report().ignored, ElementsAre(decoder_bias.name, decoder.name));
  save(temporary.path(), {decoder, decoder_bias});
  const WeightReader renamed = WeightReader::open(temporary.path(), {word, bias});
  EXPECT_EQ(renamed.read(word.name), values_of(decoder, 0));
  EXPECT_EQ(renamed.read(bias.name), values_of(decoder_bias, 1));
}

TEST(Weights, ignore_buffers_of_old_checkpoints) {
  const TemporaryDirectory temporary;
  Specs stored = kModel;
  stored.push_back({"fnet.embeddings.position_ids", {1, 8}});
  stored.push_back({"fnet.embeddings.token_type_ids", {1, 8}});
  stored.push_back({"fnet.encoder.layer.0.fourier.self.dft_mat_seq", {4, 4}});
  save(temporary.path(), stored);
  const WeightReader reader = WeightReader::open(temporary.path(), kModel);
  expect_values(reader, kModel);
  EXPECT_EQ(reader.report().ignored.size(), 3);
}

TEST(Weights, list_every_fault_in_one_error) {
  const TemporaryDirectory temporary;
  save(temporary.path(), kModel);
  const Specs wanted = {{"fnet.embeddings.word_embeddings.weight", {5, 8}},
                        {"fnet.encoder.layer.0.output.dense.bias", {4}},
                        {"fnet.encoder.layer.1.output.dense.bias", {4}},
                        {"fnet.encoder.layer.2.output.dense.bias", {4}},
                        {"classifier.weight", {3, 4}}};
  const Error error = error_of([&] { WeightReader::open(temporary.path(), wanted); });
  EXPECT_EQ(error.kind(), Kind::input);
  EXPECT_THAT(
      error.what(),
      AllOf(HasSubstr("model.safetensors: expected the weights of the configuration"),
            HasSubstr("2 missing: fnet.encoder.layer.1.output.dense.bias, "
                      "fnet.encoder.layer.2.output.dense.bias"),
            HasSubstr("1 unexpected: fnet.pooler.dense.weight"),
            HasSubstr(
                "1 of wrong shape or type: fnet.embeddings.word_embeddings.weight "
                "(expected [5, 8] of a float type, or I8 with ..._scale, found [5, 4] of F32)")));
}

TEST(Weights, let_a_head_be_new_when_asked) {
  const TemporaryDirectory temporary;
  Specs stored = kModel;
  stored.push_back({"qa_outputs.weight", {2, 4}});
  stored.push_back({"cls.seq_relationship.weight", {2, 4}});
  save(temporary.path(), stored);
  Specs wanted = kModel;
  wanted[3].shape = {7, 4};                    // another number of labels
  wanted.push_back({"classifier.bias", {7}});  // not there at all
  const WeightOptions options{.may_be_missing = {"classifier."}, .allow_unexpected = true};
  const WeightReader reader = WeightReader::open(temporary.path(), wanted, options);
  EXPECT_THAT(reader.report().missing, ElementsAre("classifier.bias"));
  EXPECT_THAT(reader.report().mismatched,
              ElementsAre(HasSubstr("classifier.weight (expected [7, 4]")));
  EXPECT_THAT(reader.report().unexpected, ElementsAre("qa_outputs.weight"));
  EXPECT_THAT(reader.report().ignored, ElementsAre("cls.seq_relationship.weight"));
  EXPECT_TRUE(reader.has("fnet.pooler.dense.weight"));
  EXPECT_FALSE(reader.has("classifier.weight"));
  EXPECT_EQ(error_of([&] { reader.read("classifier.weight"); }).kind(), Kind::internal);
  EXPECT_THROW(WeightReader::open(temporary.path(), wanted, {.may_be_missing = {"classifier."}}),
               Error);
}

TEST(Weights, that_do_not_fit_are_left_out_when_asked_but_never_all) {
  const TemporaryDirectory temporary;
  save(temporary.path(), kModel);
  Specs wanted = kModel;
  wanted[1] = {"fnet.encoder.layer.1.output.dense.bias", {4}};  // another layer
  wanted[2].shape = {8, 8};
  const WeightOptions options{.skip_mismatch = true};
  const WeightReader reader = WeightReader::open(temporary.path(), wanted, options);
  EXPECT_EQ(reader.read(wanted[0].name), values_of(kModel[0], 0));
  EXPECT_EQ(reader.read(wanted[3].name), values_of(kModel[3], 3));
  EXPECT_THAT(reader.report().missing, ElementsAre(wanted[1].name));
  EXPECT_THAT(reader.report().mismatched,
              ElementsAre(AllOf(HasSubstr("fnet.pooler.dense.weight (expected [8, 8]"),
                                HasSubstr("found [4, 4]"))));
  EXPECT_THAT(reader.report().unexpected, ElementsAre(kModel[1].name));
  // What is left is a head: a new encoder under it would be no model of these files.
  wanted[0].shape = {5, 8};
  EXPECT_THAT(error_of([&] { WeightReader::open(temporary.path(), wanted, options); }).what(),
              AllOf(HasSubstr("expected some matrices that fit this encoder, found none"),
                    HasSubstr("2 of wrong shape"), HasSubstr("1 missing")));
}

TEST(Weights, of_a_vocabulary_may_have_other_rows_when_asked) {
  const TemporaryDirectory temporary;
  save(temporary.path(), kModel);
  Specs wanted = kModel;
  wanted[0].shape = {9, 4};
  wanted[0].resize = Resize::vocabulary;
  EXPECT_THROW(WeightReader::open(temporary.path(), wanted), Error);
  EXPECT_THROW(WeightReader::open(temporary.path(), wanted, {.may_resize = {Resize::rows}}), Error);
  const WeightOptions options{.may_resize = {Resize::vocabulary}};
  const WeightReader reader = WeightReader::open(temporary.path(), wanted, options);
  EXPECT_EQ(reader.shape(wanted[0].name), (std::vector<std::int64_t>{5, 4}));
  EXPECT_THAT(reader.report().resized, ElementsAre(wanted[0].name));
  wanted[0].shape = {9, 5};
  EXPECT_THROW(WeightReader::open(temporary.path(), wanted, options), Error);
}

TEST(Weights, stand_at_depths) {
  EXPECT_EQ(depth_of("fnet.embeddings.projection.weight", 12), 0);
  EXPECT_EQ(depth_of("encoder.layer.0.output.dense.bias", 12), 1);
  EXPECT_EQ(depth_of("fnet.encoder.layer.11.fourier.output.LayerNorm.weight", 12), 12);
  for (const char* name : {"fnet.encoder.LayerNorm.weight", "fnet.pooler.dense.bias",
                           "classifier.weight", "heads.topic.classifier.weight"}) {
    EXPECT_EQ(depth_of(name, 12), 13) << name;
  }
}

TEST(Weights, must_be_of_a_float_type) {
  const TemporaryDirectory temporary;
  const std::int64_t value = 1;
  write_safetensors(
      temporary.path() / "model.safetensors",
      {{.name = "classifier.bias", .dtype = StoredType::i64, .shape = {1}, .data = [&] {
          return std::as_bytes(std::span(&value, 1));
        }}});
  EXPECT_THAT(
      error_of([&] { WeightReader::open(temporary.path(), {{"classifier.bias", {1}}}); }).what(),
      HasSubstr("found [1] of I64"));
}

TEST(Weights, are_checked_before_memory_is_taken) {
  const TemporaryDirectory temporary;
  // No data, but a shape that would be 2^50 rows.
  temporary.make(
      "model.safetensors",
      read_file(FNET_SOURCE_DIR "/tests/hostile/safetensors/41_huge_but_empty.safetensors", 4096));
  EXPECT_THAT(error_of([&] { WeightReader::open(temporary.path(), {{"w", {4, 4}}}); }).what(),
              HasSubstr("found [1125899906842624, 0]"));
}

TEST(Weights, are_missed_in_an_empty_directory) {
  const TemporaryDirectory temporary;
  EXPECT_THAT(error_of([&] { WeightReader::open(temporary.path(), kModel); }).what(),
              HasSubstr("expected model.safetensors or model.safetensors.index.json"));
  EXPECT_EQ(error_of([&] { WeightReader::open(temporary.path() / "no", kModel); }).kind(),
            Kind::input);
}

TEST(WeightsIndex, refuses_names_that_are_paths) {
  for (const std::string name :
       {"../a.safetensors", "/a.safetensors", "a/b.safetensors", ".safetensors", "a.bin",
        "a\\\\b.safetensors", "a b.safetensors", "\\u0000.safetensors"}) {
    const Error error = error_of(
        [&] { parse_weights_index(R"({"weight_map":{"w":")" + name + R"("}})", "index"); });
    EXPECT_EQ(error.kind(), Kind::input) << name;
    EXPECT_THAT(error.what(), HasSubstr("index: weight_map.w: expected a file name of")) << name;
  }
  for (const std::string text : {"[]", "{}", R"({"weight_map":{}})", R"({"weight_map":[]})"}) {
    EXPECT_THAT(error_of([&] { parse_weights_index(text, "index"); }).what(),
                HasSubstr("index: weight_map: expected an object"));
  }
  EXPECT_THAT(error_of([&] { parse_weights_index(R"({"weight_map":{"w":1}})", "index"); }).what(),
              HasSubstr("expected a string, found 1"));
}

TEST(WeightsIndex, refuses_a_link_as_a_shard) {
  const TemporaryDirectory temporary;
  save(temporary.path(), kModel, 1);
  const fs::path shard = temporary.path() / "model-00002-of-00004.safetensors";
  fs::rename(shard, temporary.path() / "elsewhere");
  fs::create_symlink("elsewhere", shard);
  EXPECT_THAT(error_of([&] { WeightReader::open(temporary.path(), kModel); }).what(),
              HasSubstr("symbolic link"));
  fs::remove(shard);
  EXPECT_THAT(error_of([&] { WeightReader::open(temporary.path(), kModel); }).what(),
              HasSubstr("model-00002-of-00004.safetensors: cannot open"));
}

TEST(WeightsIndex, must_agree_with_the_shards) {
  const TemporaryDirectory temporary;
  save(temporary.path(), kModel, 1);
  const fs::path path = temporary.path() / "model.safetensors.index.json";
  const nlohmann::json good = read_json_file(path);
  const auto with = [&](const auto& change) {
    nlohmann::json bad = good;
    change(bad["weight_map"]);
    temporary.make("model.safetensors.index.json", bad.dump());
    return std::string(error_of([&] { WeightReader::open(temporary.path(), kModel); }).what());
  };
  EXPECT_THAT(with([](auto& map) { map["x"] = "model-00001-of-00004.safetensors"; }),
              HasSubstr("weight_map.x: expected 'model-00001-of-00004.safetensors' to hold"));
  EXPECT_THAT(
      with([](auto& map) { map["classifier.weight"] = "model-00001-of-00004.safetensors"; }),
      HasSubstr("weight_map.classifier.weight: expected"));
  EXPECT_THAT(
      with([](auto& map) { std::swap(map["classifier.weight"], map["fnet.pooler.dense.weight"]); }),
      HasSubstr("which holds this tensor"));
}

}  // namespace
}  // namespace fnet
