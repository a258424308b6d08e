#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "kernels/kernels.h"

namespace fnet::kernels {
namespace {

TEST(select, offers_the_portable_table_last_and_uses_one_it_offers) {
  ASSERT_FALSE(tables().empty());
  EXPECT_EQ(tables().back()->name, "portable");
  EXPECT_THAT(tables(), testing::Contains(&table()));
  const char* wanted = std::getenv("FNET_ISA");
  if (wanted != nullptr) {
    EXPECT_EQ(table().name, wanted);
    EXPECT_EQ(table_reason(), "FNET_ISA=" + std::string(wanted));
  } else {
    EXPECT_EQ(&table(), tables().front());
  }
}

// A weak symbol of std or of another namespace made inside a target region could replace the
// baseline's own in the final program: an illegal instruction on an older CPU.
TEST(select, objects_of_an_isa_export_no_weak_symbol_of_others) {
  const std::string command =
      "find '" FNET_BIN_DIR "/..' -path '*kernels/isa/*.o' | xargs -r '" FNET_NM "' -C";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  ASSERT_NE(pipe, nullptr);
  std::array<char, 4096> line;
  int symbols = 0;
  while (std::fgets(line.data(), line.size(), pipe.get()) != nullptr) {
    const std::string_view text(line.data());
    // "0000000000000000 T name"; a file's name stands on a line of its own.
    if (text.size() < 20 || text[16] != ' ' || text[18] != ' ') continue;
    ++symbols;
    if (std::string_view("WVu").find(text[17]) == std::string_view::npos) continue;
    if (text.find("typeinfo") != text.npos) continue;  // UBSan's: no instructions in it
    EXPECT_NE(text.find("fnet::kernels::"), text.npos) << text;
  }
  if (symbols == 0) GTEST_SKIP() << "no nm, or no object files where this test was built";
}

}  // namespace
}  // namespace fnet::kernels
