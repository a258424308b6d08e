// How arrays of numbers become rows.
#include "model/input_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "fnet/config.h"
#include "model/batch.h"
#include "temporary.h"

namespace fnet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Array counted(std::vector<std::size_t> shape) {
  std::size_t size = 1;
  for (const std::size_t axis : shape) size *= axis;
  std::vector<float> data(size);
  std::iota(data.begin(), data.end(), 0.0F);
  return {std::move(shape), std::move(data)};
}

EncodeOptions steps(std::size_t step, std::size_t length = 1, std::size_t stride = 1) {
  EncodeOptions options;
  options.numbers = {.step = step, .length = length, .stride = stride};
  return options;
}

EncodeOptions image(std::size_t height, std::size_t width, std::size_t patch, std::size_t step) {
  EncodeOptions options;
  options.numbers = {.step = step, .height = height, .width = width, .patch = patch};
  return options;
}

std::vector<float> row(const Encoding& text, std::size_t i) {
  const auto values = text.vectors.row(i);
  return {values.begin(), values.end()};
}

TEST(InputRows, windows_cover_all_steps_and_the_last_one_repeats) {
  const Encoding whole = encode_array(counted({3, 2}), steps(2));
  EXPECT_EQ(whole.size(), 3U);
  EXPECT_THAT(row(whole, 2), ElementsAre(4, 5));
  const Encoding apart = encode_array(counted({5}), steps(1, 2, 2));
  ASSERT_EQ(apart.size(), 3U);
  EXPECT_THAT(row(apart, 1), ElementsAre(2, 3));
  EXPECT_THAT(row(apart, 2), ElementsAre(4, 4));
  const Encoding over = encode_array(counted({6}), steps(1, 4, 1));
  ASSERT_EQ(over.size(), 3U);
  EXPECT_THAT(row(over, 2), ElementsAre(2, 3, 4, 5));
  const Encoding shorter = encode_array(counted({1, 2}), steps(2, 3, 3));
  ASSERT_EQ(shorter.size(), 1U);
  EXPECT_THAT(row(shorter, 0), ElementsAre(0, 1, 0, 1, 0, 1));
  // Steps in one line, one after the other.
  EXPECT_EQ(encode_array(counted({6}), steps(2)).vectors.data,
            encode_array(counted({3, 2}), steps(2)).vectors.data);
}

TEST(InputRows, patches_go_from_left_to_right_and_down) {
  const Encoding grey = encode_array(counted({4, 6}), image(4, 6, 2, 1));
  ASSERT_EQ(grey.size(), 6U);
  EXPECT_THAT(row(grey, 1), ElementsAre(2, 3, 8, 9));
  EXPECT_THAT(row(grey, 3), ElementsAre(12, 13, 18, 19));
  const Encoding colour = encode_array(counted({2, 4, 3}), image(2, 4, 2, 3));
  EXPECT_THAT(row(colour, 1), ElementsAre(6, 7, 8, 9, 10, 11, 18, 19, 20, 21, 22, 23));
  EXPECT_EQ(encode_array(counted({24}), image(2, 4, 2, 3)).vectors.data, colour.vectors.data);
  EXPECT_EQ(encode_array(counted({4, 6, 1}), image(4, 6, 2, 1)).vectors.data, grey.vectors.data);
}

TEST(InputRows, more_rows_than_the_model_reads_are_cut) {
  EncodeOptions options = steps(1);
  options.max_length = 2;
  const Encoding first = encode_array(counted({5}), options);
  EXPECT_TRUE(first.truncated);
  EXPECT_THAT(first.vectors.data, ElementsAre(0, 1));
  options.truncation = Truncation::left;
  EXPECT_THAT(encode_array(counted({5}), options).vectors.data, ElementsAre(3, 4));
  options.truncation = Truncation::error;
  EXPECT_THAT(message_of([&] { encode_array(counted({5}), options); }),
              HasSubstr("expected at most 2 rows, found 5"));
}

TEST(InputRows, refuses_other_shapes_and_numbers_that_are_not_finite) {
  const auto fails = [](const Array& array, const EncodeOptions& options) {
    return message_of([&] { encode_array(array, options); });
  };
  EXPECT_THAT(fails(counted({3, 2}), steps(3)), HasSubstr("steps of 3 numbers"));
  EXPECT_THAT(fails(counted({4}), steps(3)), HasSubstr("found the shape [4]"));
  EXPECT_THAT(fails(counted({1, 4, 3}), steps(3)), HasSubstr("found the shape [1, 4, 3]"));
  EXPECT_THAT(fails(counted({6, 4}), image(4, 6, 2, 1)),
              HasSubstr("expected an image of the shape [4, 6], found [6, 4]"));
  EXPECT_THAT(fails(counted({3, 4, 6}), image(4, 6, 2, 3)),
              HasSubstr("expected an image of the shape [4, 6, 3], found [3, 4, 6]"));
  EXPECT_THAT(fails({{}, {}}, steps(1)), HasSubstr("values: expected numbers"));
  EXPECT_THAT(fails({{2}, {1}}, steps(1)),
              HasSubstr("expected numbers for the shape [2], found 1"));
  EXPECT_THAT(fails(counted({2}), {}), HasSubstr("the model reads tokens"));
  Array bad = counted({2, 3});
  bad.data[4] = std::nanf("");
  EXPECT_THAT(fails(bad, steps(3)), HasSubstr("values[1, 1]: expected a finite number, found nan"));
}

TEST(InputRows, padding_is_zeros_and_other_inputs_are_refused) {
  Config config;
  config.input_type = "vectors";
  config.input_size = 2;
  config.length_policy = "fixed:4";
  const std::vector<Encoding> texts = {encode_array(counted({3, 2}), steps(2))};
  Batch batch;
  pack(texts, config, 3, batch);
  EXPECT_THAT(batch.values, ElementsAre(0, 1, 2, 3, 4, 5, 0, 0));
  EXPECT_THAT(batch.ids, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(batch.positions, ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(batch.rows.length(0), 3);

  std::vector<Encoding> tokens(1);
  tokens[0].input_ids = {1, 2};
  EXPECT_THAT(message_of([&] { pack(tokens, config, 2, batch); }),
              HasSubstr("expected rows of numbers, found token ids"));
  EXPECT_THAT(message_of([&] { pack(texts, Config(), 3, batch); }),
              HasSubstr("expected token ids, found rows of numbers"));
  config.input_size = 3;
  EXPECT_THAT(message_of([&] { pack(texts, config, 3, batch); }),
              HasSubstr("expected rows of 3 numbers"));
}

Config numbers(const std::string& type) {
  Config config;
  config.input_type = type;
  return config;
}

TEST(InputType, options_of_the_type_are_written_and_no_others) {
  EXPECT_THAT(Config().to_json(), Not(HasSubstr("input")));
  EXPECT_THAT(Config().to_json(), Not(HasSubstr("patch")));
  Config config = numbers("vectors");
  config.patch_length = 7;
  EXPECT_THAT(config.to_json(), HasSubstr("\"patch_length\": 7"));
  EXPECT_THAT(config.to_json(), HasSubstr("\"model_type\": \"fnet-cpp\""));
  EXPECT_THAT(config.to_json(), Not(HasSubstr("image_size")));
  EXPECT_EQ(Config::from_json(config.to_json(), "config.json"), config);
}

TEST(InputType, what_does_not_fit_together_is_refused) {
  const auto fails = [](Config config) { return message_of([&] { config.validate(); }); };
  Config config = numbers("vectors");
  config.patch_size = 4;
  EXPECT_THAT(fails(config), HasSubstr("patch_size: expected it left out for input_type vectors"));
  config = numbers("patches");
  config.patch_size = 15;
  EXPECT_THAT(fails(config), HasSubstr("one that divides images of 224 x 224 pixels"));
  config = numbers("patches");
  config.max_position_embeddings = 100;
  EXPECT_THAT(fails(config), HasSubstr("at least the 196 patches of an image"));
  config = numbers("vectors");
  config.task = "token-classification", config.labels = {"a", "b"};
  EXPECT_THAT(fails(config), HasSubstr("expected text-classification or none"));
  config = numbers("vectors");
  config.task = "text-classification", config.labels = {"a", "b"}, config.wide_features = 3;
  EXPECT_THAT(fails(config), HasSubstr("which has no words"));
  config = numbers("vectors");
  config.input_size = 65'536, config.patch_length = 65'536;
  EXPECT_THAT(fails(config), HasSubstr("numbers in a row"));
  EXPECT_THAT(fails(numbers("pixels")), HasSubstr("tokens, dna, vectors, patches"));
}

}  // namespace
}  // namespace fnet
