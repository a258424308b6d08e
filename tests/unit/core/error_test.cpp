#include "core/error.h"

#include <gtest/gtest.h>

#include <array>

namespace fnet {
namespace {

TEST(Error, maps_kinds_to_exit_codes) {
  EXPECT_EQ(exit_code(Error::Kind::usage), 2);
  EXPECT_EQ(exit_code(Error::Kind::input), 2);
  EXPECT_EQ(exit_code(Error::Kind::system), 1);
  EXPECT_EQ(exit_code(Error::Kind::internal), 1);
}

TEST(Error, require_throws_with_kind_and_formatted_message) {
  require(true, Kind::input, "never {}", 1);
  try {
    require(false, Kind::input, "{}: expected {}, found {}", "a.json", 1, 2);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::input);
    EXPECT_STREQ(error.what(), "a.json: expected 1, found 2");
    EXPECT_STREQ(error.within("loading m").what(), "loading m: a.json: expected 1, found 2");
  }
}

TEST(Error, printable_escapes_control_characters_and_cuts_long_text) {
  EXPECT_EQ(printable("a\nb\x1b"), "a\\x0ab\\x1b");
  EXPECT_EQ(printable(std::string(300, 'x'), 10), std::string(10, 'x') + "…");
}

TEST(Error, printable_escapes_what_is_not_utf_8) {
  EXPECT_EQ(printable("a\xff\xc3\xa9\xc3"), "a\\xff\xc3\xa9\\xc3");
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
}

TEST(Error, nearest_suggests_only_close_words) {
  constexpr std::array names = {"layer_norm", "rms_norm"};
  EXPECT_EQ(nearest("rmsnorm", names), "rms_norm");
  EXPECT_EQ(nearest("attention", names), "");
}

}  // namespace
}  // namespace fnet
