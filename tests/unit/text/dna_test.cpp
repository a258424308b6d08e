// The letters of DNA as tokens.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fnet/tokenizer.h"
#include "temporary.h"

namespace fnet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

EncodeOptions bare() {
  EncodeOptions options;
  options.add_special_tokens = false;
  return options;
}

std::vector<std::string> pieces(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<std::string> out;
  for (const std::int32_t id : tokenizer.encode(text, {}, bare()).input_ids)
    out.push_back(tokenizer.piece(id));
  return out;
}

TEST(Dna, a_letter_is_a_token_in_either_case_as_rna_too_and_n_where_it_is_not_known) {
  const Tokenizer dna = Tokenizer::dna();
  EXPECT_THAT(pieces(dna, "ACgtU nR-\n"), ElementsAre("A", "C", "G", "T", "T", "N", "N", "N"));
  EXPECT_EQ(dna.vocab_size(), 12);
  EXPECT_THAT(dna.encode("AC").input_ids, ElementsAre(4, 7, 8, 5));
  EXPECT_THAT(dna.encode("A", "C").token_type_ids, ElementsAre(0, 0, 0, 1, 1));
  EXPECT_EQ(dna.special().mask, 6);
  EXPECT_EQ(dna.special().pad, 3);
  EXPECT_TRUE(dna.is_special(4));
  EXPECT_FALSE(dna.is_special(7));
  EXPECT_EQ(dna.decode(dna.encode("ACGTN").input_ids), "ACGTN");
}

TEST(Dna, tokens_of_several_letters_overlap) {
  const Tokenizer dna = Tokenizer::dna(3);
  EXPECT_EQ(dna.vocab_size(), 7 + 64);
  EXPECT_THAT(pieces(dna, "ACGTNA"), ElementsAre("ACG", "CGT", "<unk>", "<unk>"));
  EXPECT_TRUE(pieces(dna, "AC").empty());
  for (std::int32_t id = 0; id < dna.vocab_size(); ++id) EXPECT_EQ(dna.id(dna.piece(id)), id);
  EXPECT_FALSE(dna.id("ACGT").has_value());
  EXPECT_EQ(dna.decode(dna.encode("ACGTA").input_ids), "ACGTA");
  const Encoding text = dna.encode("A CG", {}, bare());
  ASSERT_EQ(text.size(), 1U);
  EXPECT_EQ(text.offsets[0], (Span{0, 4}));
}

TEST(Dna, refuses_what_is_no_letter_and_sizes_out_of_range) {
  EXPECT_THAT(message_of([] { Tokenizer::dna().encode("ACZ"); }),
              HasSubstr("text: byte 2: expected a letter of DNA"));
  EXPECT_THAT(message_of([] { Tokenizer::dna().encode("A\xC3\xA4"); }), HasSubstr("byte 1"));
  EXPECT_THAT(message_of([] { Tokenizer::dna(0); }), HasSubstr("expected 1 to 8, found 0"));
  EXPECT_THAT(message_of([] { Tokenizer::dna(9); }), HasSubstr("found 9"));
}

TEST(Dna, a_directory_keeps_it_without_a_model_file) {
  for (const std::int64_t k : {1, 4}) {
    const TemporaryDirectory directory;
    EXPECT_FALSE(Tokenizer::stands_in(directory.path()));
    Tokenizer::dna(k).with_max_length(60).save(directory.path());
    EXPECT_FALSE(std::filesystem::exists(directory.path() / "spiece.model"));
    EXPECT_TRUE(Tokenizer::stands_in(directory.path()));
    const Tokenizer again = Tokenizer::load(directory.path());
    EXPECT_EQ(again.config().kmer_size, k);
    EXPECT_EQ(again.config().model_max_length, 60);
    EXPECT_EQ(again.encode("ACGTAC").input_ids, Tokenizer::dna(k).encode("ACGTAC").input_ids);
  }
  EXPECT_THAT(message_of([] { Tokenizer::dna().save("letters"); }),
              HasSubstr("expected a directory"));
}

TEST(Tokenizer, one_that_stands_for_none_says_so) {
  const Tokenizer none;
  EXPECT_FALSE(none);
  EXPECT_TRUE(Tokenizer::dna());
  EXPECT_THAT(message_of([&] { none.encode("a"); }), HasSubstr("expected one, found none"));
  EXPECT_EQ(none.vocab_size(), 0);
  EXPECT_EQ(none.special().mask, -1);
  EXPECT_FALSE(none.is_special(4));
}

}  // namespace
}  // namespace fnet
