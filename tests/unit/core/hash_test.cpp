#include "core/hash.h"

#include <gtest/gtest.h>

#include "core/file.h"
#include "temporary.h"

namespace fnet {
namespace {

// What hashlib.sha256 of Python gives.
TEST(Sha256, is_that_of_fips_180_4) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(std::string(55, 'a')),
            "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
  EXPECT_EQ(sha256(std::string(56, 'a')),
            "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a");
}

TEST(Sha256, of_a_file_larger_than_what_is_read_at_once) {
  const TemporaryDirectory folder;
  write_file(folder.path() / "a", std::string(1'000'003, 'a') + std::string(100'000, 'b'));
  EXPECT_EQ(sha256_of_file(folder.path() / "a"),
            sha256(std::string(1'000'003, 'a') + std::string(100'000, 'b')));
  EXPECT_EQ(sha256(std::string(1'000'003, 'a')),
            "cf5f310cac13bb0f1de288d09940e8ee441e8d5d88b0fd4ec6021c405fda8c8c");
}

}  // namespace
}  // namespace fnet
