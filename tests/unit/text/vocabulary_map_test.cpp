#include "text/vocabulary_map.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <tuple>

#include "core/json.h"

namespace fnet {
namespace {

const std::filesystem::path kGolden = FNET_SOURCE_DIR "/tests/golden/text";

TEST(VocabularyMap, splits_pieces_as_sentencepiece_does) {
  const auto golden = read_json_file(kGolden / "vocabulary_map.json");
  const Tokenizer bpe = Tokenizer::load(kGolden / "bpe.model");
  const Tokenizer unigram = Tokenizer::load(kGolden / "unigram.model");
  for (const auto& [name, from, to] : {std::tuple("bpe_to_unigram", &bpe, &unigram),
                                       std::tuple("unigram_to_bpe", &unigram, &bpe)}) {
    const VocabularyMap map = map_vocabulary(*from, *to);
    const auto expected = golden[name].get<std::vector<std::vector<std::int32_t>>>();
    ASSERT_EQ(map.sources.size(), expected.size());
    std::size_t kept = 0;
    for (std::int32_t id = 0; id < to->vocab_size(); ++id) {
      const auto i = static_cast<std::size_t>(id);
      EXPECT_EQ(map.sources[i], expected[i]) << name << " of " << to->piece(id);
      kept += expected[i].size() == 1 && from->piece(expected[i][0]) == to->piece(id);
    }
    EXPECT_EQ(map.kept, kept);
    EXPECT_EQ(map.kept + map.composed + map.fresh(), expected.size());
    EXPECT_FALSE(map.same());
  }
}

TEST(VocabularyMap, of_a_vocabulary_to_itself_is_the_same) {
  const Tokenizer bpe = Tokenizer::load(kGolden / "bpe.model");
  const VocabularyMap map = map_vocabulary(bpe, bpe);
  EXPECT_TRUE(map.same());
  EXPECT_EQ(map.kept, map.sources.size());
}

}  // namespace
}  // namespace fnet
