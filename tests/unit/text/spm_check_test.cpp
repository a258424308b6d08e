#include "text/spm_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "core/file.h"
#include "core/random.h"
#include "fnet/error.h"
#include "fnet/tokenizer.h"

namespace fnet {
namespace {

using testing::HasSubstr;

// Protobuf by hand.
std::string varint(std::uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7FU) | 0x80U);
  return out + static_cast<char>(value);
}
std::string field(unsigned number, std::uint64_t value) {
  return varint(number << 3) + varint(value);
}
std::string field(unsigned number, const std::string& bytes) {
  return varint(number << 3 | 2) + varint(bytes.size()) + bytes;
}
std::string field(unsigned number, float value) {
  std::string bytes(4, '\0');
  std::memcpy(bytes.data(), &value, 4);
  return varint(number << 3 | 5) + bytes;
}
std::string piece(const std::string& text, float score = 0, std::uint64_t type = 1) {
  return field(1, field(1, text) + field(2, score) + field(3, type));
}
std::string model(const std::string& more, std::uint64_t type = 2) {
  return piece("<unk>", 0, 2) + piece("a", -1) + more + field(2, field(3, type));
}

// A charsmap with these units and replacements; unused units point nowhere.
std::string charsmap(std::vector<std::uint32_t> units, const std::string& replacements) {
  units.resize((units.size() + 255) / 256 * 256, 0x80000000U);
  const auto size = static_cast<std::uint32_t>(units.size() * 4);
  std::string out(4 + size, '\0');
  std::memcpy(out.data(), &size, 4);
  std::memcpy(out.data() + 4, units.data(), size);
  return out + replacements;
}
std::string with_charsmap(const std::string& blob, unsigned at = 3) {
  return model(field(at, field(2, blob)));
}

std::string message(const std::string& bytes) {
  try {
    check_sentencepiece(bytes, "m");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::input);
    return error.what();
  }
  return "no error";
}

constexpr auto kOk = "no error";

TEST(SpmCheck, accepts_a_plain_model) {
  EXPECT_EQ(message(model("")), kOk);
  EXPECT_EQ(message(model("", 1)), kOk);
  EXPECT_EQ(message(model(field(900, std::string("unknown field")))), kOk);
  const std::string bytes = model("");
  const SpmSummary summary = check_sentencepiece(bytes, "m");
  ASSERT_EQ(summary.pieces.size(), 2U);
  EXPECT_EQ(summary.pieces[1].text, "a");
  float score = 0;
  std::memcpy(&score, bytes.data() + summary.pieces[1].score_offset, 4);
  EXPECT_EQ(score, -1);
}

TEST(SpmCheck, refuses_bad_pieces) {
  EXPECT_THAT(message(""), HasSubstr("expected pieces, found none"));
  EXPECT_THAT(message(model(piece("a"))), HasSubstr("piece 2: 'a' stands there twice"));
  EXPECT_THAT(message(model(piece(""))), HasSubstr("expected 1 to 4096 bytes, found 0"));
  EXPECT_THAT(message(model(piece(std::string(5000, 'x')))), HasSubstr("found 5000"));
  EXPECT_THAT(message(model(piece("\xff"))), HasSubstr("expected UTF-8"));
  EXPECT_THAT(message(model(piece("<unk2>", 0, 2))),
              HasSubstr("one piece of type UNKNOWN, found 2"));
  EXPECT_THAT(message(piece("a")), HasSubstr("one piece of type UNKNOWN, found 0"));
  EXPECT_THAT(message(model(piece("b", std::numeric_limits<float>::quiet_NaN()))),
              HasSubstr("finite"));
  EXPECT_THAT(message(model(piece("b", std::numeric_limits<float>::infinity()))),
              HasSubstr("finite"));
  EXPECT_THAT(message(model(piece("b", 0, 7))), HasSubstr("expected 1 to 6, found 7"));
  EXPECT_THAT(message(model(field(1, field(1, std::string("b")) + field(1, std::string("c"))))),
              HasSubstr("stands there twice"));
  EXPECT_THAT(message(model(field(1, field(1, std::uint64_t{3})))),
              HasSubstr("expected wire type 2, found 0"));
  EXPECT_THAT(message(model("", 3)), HasSubstr("expected 1 (unigram) or 2 (bpe), found 3"));
}

TEST(SpmCheck, refuses_symbols_that_overrun_the_librarys_buffer) {
  const auto chain = [](std::size_t n) {
    std::string out;
    for (std::size_t i = 1; i <= n; ++i) out += piece(std::string(i, 'z'), 0, 4);
    return model(out);
  };
  EXPECT_EQ(message(chain(63)), kOk);
  EXPECT_THAT(message(chain(64)), HasSubstr("begin one another"));
}

TEST(SpmCheck, refuses_bad_wire) {
  EXPECT_THAT(message(model("") + "\x0a"), HasSubstr("ends inside a number"));
  EXPECT_THAT(message(model("") + "\x0a\x7f"), HasSubstr("more bytes, found 0"));
  EXPECT_THAT(message(std::string(11, '\xff')), HasSubstr("at most 10 bytes"));
  EXPECT_THAT(message("\x0b"), HasSubstr("wire type"));
  EXPECT_THAT(message(std::string("\0\0", 2)), HasSubstr("field number"));
  EXPECT_THAT(message(model(field(2, std::string()))), HasSubstr("field 2 stands there twice"));
  EXPECT_THAT(message(model(field(4, std::string((1 << 20) + 1, 'x')))),
              HasSubstr("self_test_data"));
}

TEST(SpmCheck, refuses_charsmaps_that_lead_astray) {
  const std::string one("b\0", 2);
  // Unit 0 leads to base 1; 'a' (0x61) from there stands at 0x60.
  const auto units = [](std::uint32_t edge, std::uint32_t leaf) {
    std::vector<std::uint32_t> out(256, 0x80000000U);
    out[0] = 1 << 10;
    out[0x60] = edge;
    out[0x62] = leaf;
    return out;
  };
  const std::uint32_t edge = 2 << 10 | 0x100 | 'a';  // has a leaf, at 0x60 ^ 2
  EXPECT_EQ(message(with_charsmap(charsmap(units(edge, 0x80000000U), one))), kOk);
  EXPECT_EQ(message(with_charsmap(charsmap(units(edge, 0x80000000U), one), 5)), kOk);
  EXPECT_THAT(message(with_charsmap(charsmap(units(edge, 0x80000009U), one))),
              HasSubstr("one at 9"));
  EXPECT_THAT(message(with_charsmap(charsmap(units(edge, 0x80000009U), one), 5)),
              HasSubstr("denormalizer"));
  EXPECT_THAT(message(with_charsmap(charsmap(units(400 << 10 | 'a', 0), one))),
              HasSubstr("out of its 256 units"));
  EXPECT_THAT(
      message(with_charsmap(charsmap(units(edge, 0x80000000U), std::string(40, 'x') + '\0'))),
      HasSubstr("at most 18 bytes for 1, found 40"));
  EXPECT_THAT(message(with_charsmap(charsmap(units(edge, 0x80000001U), std::string("é\0", 3)))),
              HasSubstr("inside a character"));
  EXPECT_THAT(message(with_charsmap(charsmap(units(edge, 0x80000000U), "b"))),
              HasSubstr("end with NUL"));
  EXPECT_THAT(message(with_charsmap(charsmap(units(edge, 0x80000000U), std::string("\xff\0", 2)))),
              HasSubstr("in UTF-8"));
  EXPECT_THAT(message(with_charsmap("\x01")), HasSubstr("more than 4 bytes"));
  EXPECT_THAT(message(with_charsmap(std::string(2000, '\x7f'))), HasSubstr("multiple of 1024"));
  // A loop on 'a' with a rule in every round: more rules on a path than the library has room for.
  std::vector<std::uint32_t> loop(256, 0x80000000U);
  loop[0] = 1 << 10;
  loop[0x60] = 0x61 << 10 | 0x100 | 'a';  // back to base 1
  loop[1] = 0x80000000U;
  EXPECT_THAT(message(with_charsmap(charsmap(loop, one))), HasSubstr("begin alike"));
}

// Whatever is damaged, the answer is an Error or a tokenizer that works.
void try_model(std::string bytes) {
  try {
    const Tokenizer tokenizer = Tokenizer::parse(std::move(bytes));
    const Encoding encoding =
        tokenizer.encode("The café reads 1,000 words [MASK]. ﷺ", {}, {.add_special_tokens = false});
    tokenizer.decode(encoding.input_ids, false);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::input) << error.what();
  }
}

TEST(SpmCheck, damaged_models_are_errors_or_work) {
  for (const std::string name : {"bpe.model", "unigram.model"}) {
    const std::string bytes =
        read_file(std::string(FNET_SOURCE_DIR "/tests/golden/text/") + name, 1 << 20);
    Philox random(1, 0);
    for (int i = 0; i < 200; ++i) try_model(bytes.substr(0, random.below(bytes.size())));
    for (int i = 0; i < 400; ++i) {
      std::string damaged = bytes;
      // Half of the changes near the end, in the specs, where the library looks least.
      const std::size_t from =
          i % 2 == 0 ? 0 : bytes.size() - std::min<std::size_t>(bytes.size(), 800);
      for (std::uint64_t n = random.below(4) + 1; n > 0; --n)
        damaged[from + random.below(bytes.size() - from)] = static_cast<char>(random.next());
      try_model(std::move(damaged));
    }
  }
}

TEST(SpmCheck, odd_pieces_do_not_break_the_library) {
  for (const std::uint64_t type : {1, 2}) {  // unigram, bpe
    try_model(model(piece(std::string("a\0b", 3)) + piece(std::string("\0", 1)), type));
    try_model(model(piece(std::string(4096, 'a')) + piece("\xe2\x96\x81"), type));
    try_model(model(piece("T", 3e38F) + piece("Th", -3e38F) + piece("e", 3e38F, 4), type));
    try_model(model(piece("The", 0, 5) + piece("Th", 0, 5) + piece("T", 0, 5), type));
    try_model(model(piece("\xff", 0, 6), type));
    try_model(piece("<unk>", 0, 2) + field(2, field(3, type)));
  }
}

}  // namespace
}  // namespace fnet
