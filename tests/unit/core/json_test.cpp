#include "core/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <random>

#include "core/error.h"

namespace fnet {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

std::string refusal(std::string_view text, const JsonLimits& limits = {}) {
  try {
    parse_json(text, "f.json", limits);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::input);
    return error.what();
  }
  ADD_FAILURE() << "accepted: " << text;
  return {};
}

TEST(Json, reads_every_kind_of_value_exactly) {
  const json value = parse_json(
      R"( {"a": [1, -2, 18446744073709551615, -9223372036854775808, 1.5e3, true, null],
           "b": {"c": "\u00e9\ud83d\ude00 é"}, "d": {}, "e": []} )",
      "f.json");
  EXPECT_EQ(value["a"][2].get<std::uint64_t>(), UINT64_MAX);
  EXPECT_EQ(value["a"][3].get<std::int64_t>(), INT64_MIN);
  EXPECT_EQ(value["a"][4].get<double>(), 1500.0);
  EXPECT_TRUE(value["a"][6].is_null());
  EXPECT_EQ(value["b"]["c"], "é😀 é");
  EXPECT_EQ(value.size(), 4);
  EXPECT_TRUE(value["d"].is_object());
  EXPECT_TRUE(value["e"].is_array());
}

TEST(Json, agrees_with_a_plain_parser_on_random_values) {
  std::mt19937 random(1);
  const std::function<json(int)> make = [&](int depth) -> json {
    switch (random() % (depth < 4 ? 7 : 5)) {
      case 0:
        return random();
      case 1:
        return -static_cast<std::int64_t>(random());
      case 2:
        return random() / 7.0;
      case 3:
        return std::string(random() % 5, static_cast<char>('a' + random() % 26));
      case 4:
        return random() % 2 == 0;
      case 5: {
        json array = json::array();
        for (auto n = random() % 4; n > 0; --n) array.push_back(make(depth + 1));
        return array;
      }
      default: {
        json object = json::object();
        for (auto n = random() % 4; n > 0; --n) object[std::to_string(n)] = make(depth + 1);
        return object;
      }
    }
  };
  for (int i = 0; i < 300; ++i) {
    const json value = make(0);
    EXPECT_EQ(parse_json(value.dump(i % 3 - 1), "f.json"), value);
  }
}

TEST(Json, refuses_duplicate_keys_also_when_escaped) {
  EXPECT_THAT(refusal("{\n \"x\": {\"a\": 1, \"\\u0061\": 2}}"),
              AllOf(StartsWith("f.json: line 2, column "), HasSubstr(": x.a: "),
                    HasSubstr("each key once")));
}

TEST(Json, says_where_a_nested_value_is_wrong) {
  EXPECT_THAT(refusal(R"({"layers": [{"n": 1}, {"n": 99999999999999999999}]})"),
              HasSubstr("line 1, column 49: layers[1].n: expected an integer of at most 64 bits, "
                        "found 99999999999999999999"));
}

TEST(Json, refuses_what_is_not_json) {
  for (const std::string_view text : {"",
                                      " ",
                                      "{",
                                      "[1,]",
                                      "{\"a\":1,}",
                                      "{'a':1}",
                                      "// c\n1",
                                      "NaN",
                                      "[Infinity]",
                                      "-Infinity",
                                      "01",
                                      "+1",
                                      "1.",
                                      ".5",
                                      "1 2",
                                      "{} {}",
                                      "\"\\ud800\"",
                                      "\"a\nb\"",
                                      "\"\xff\"",
                                      "\"\xc0\xaf\"",
                                      "\"\xed\xa0\x80\"",
                                      "tru",
                                      "\xff\xfe{"}) {
    EXPECT_THAT(refusal(text), StartsWith("f.json: line ")) << text;
  }
  EXPECT_THAT(refusal("[1e400]"), HasSubstr("number overflow"));
}

TEST(Json, refuses_bytes_that_hide_text) {
  EXPECT_THAT(refusal(std::string_view("{}\0{}", 5)), HasSubstr("NUL"));
  EXPECT_THAT(refusal("\xef\xbb\xbf{}"), HasSubstr("byte order mark"));
}

TEST(Json, keeps_to_its_limits) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_NO_THROW(parse_json(nested(16), "f.json"));
  EXPECT_THAT(refusal(nested(17)), HasSubstr("at most 16 levels"));
  EXPECT_THAT(refusal(std::string(1'000'000, '[')), HasSubstr("at most 16 levels"));
  EXPECT_THAT(refusal("[1,2,3]", {.max_values = 3}), HasSubstr("at most 3 values"));
  EXPECT_THAT(refusal("[1,2,3]", {.max_bytes = 6}), HasSubstr("at most 6 bytes, found 7"));
}

TEST(Json, prints_no_control_characters_of_the_text) {
  const std::string message = refusal("{\"\\u001b[31m\": 1, \"\\u001b[31m\": 2}");
  EXPECT_EQ(message.find('\x1b'), std::string::npos) << message;
}

TEST(Json, casts_without_conversion) {
  EXPECT_EQ(json_cast<std::int64_t>(json(-3), "f", "k"), -3);
  EXPECT_EQ(json_cast<double>(json(3), "f", "k"), 3.0);
  EXPECT_EQ(json_cast<std::string>(json("s"), "f", "k"), "s");
  EXPECT_TRUE(json_cast<bool>(json(true), "f", "k"));
  EXPECT_THROW(json_cast<bool>(json(1), "f", "k"), Error);
  EXPECT_THROW(json_cast<double>(json("1"), "f", "k"), Error);
  EXPECT_THROW(json_cast<std::int64_t>(json(UINT64_MAX), "f", "k"), Error);
  try {
    json_cast<std::int64_t>(json(2.0), "f.json", "hidden_size");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "f.json: hidden_size: expected an integer, found 2.0");
  }
}

}  // namespace
}  // namespace fnet
