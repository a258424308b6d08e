#include "core/html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fnet {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(Html, escapes_what_html_gives_a_meaning) {
  EXPECT_EQ(escape_html("<a href=\"x\">&'é"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;é");
}

TEST(Html, a_page_asks_for_nothing_and_escapes_its_title) {
  const std::string page = html_page("<i>", "<p>body</p>", ".own{}");
  EXPECT_THAT(page, StartsWith("<!doctype html>"));
  EXPECT_THAT(page, HasSubstr("<title>&lt;i&gt;</title>"));
  EXPECT_THAT(page, HasSubstr("<h1>&lt;i&gt;</h1>\n<p>body</p>"));
  EXPECT_THAT(page, HasSubstr(".own{}</style>"));
  EXPECT_THAT(page, HasSubstr("prefers-color-scheme:dark"));
  for (const char* outside : {"http", "src=", "@import", "url("})
    EXPECT_THAT(page, Not(HasSubstr(outside)));
}

}  // namespace
}  // namespace fnet
