#include "text/ngrams.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/file.h"
#include "temporary.h"

namespace fnet {
namespace {

using testing::HasSubstr;

/// What tools/make_text_goldens.py and scikit-learn say.
nlohmann::json golden() {
  return nlohmann::json::parse(
      read_file(FNET_SOURCE_DIR "/tests/golden/text/ngrams.json", 1 << 20));
}

std::vector<NgramCount> counts(const nlohmann::json& pairs) {
  std::vector<NgramCount> list;
  for (const auto& pair : pairs) list.push_back({pair[0], pair[1]});
  return list;
}

std::vector<std::vector<NgramCount>> corpus(const nlohmann::json& all) {
  std::vector<std::vector<NgramCount>> texts;
  for (const auto& text : all["corpus"]) texts.push_back(count_ngrams(text.get<std::string>()));
  return texts;
}

TEST(Ngrams, are_those_of_a_reference_in_python) {
  const nlohmann::json all = golden();
  for (const auto& entry : all["texts"]) {
    const auto text = entry["text"].get<std::string>(), pair = entry.value("pair", "");
    const auto found = entry.contains("pair") ? count_ngrams(text, pair) : count_ngrams(text);
    EXPECT_EQ(found, counts(entry["counts"])) << entry.dump();
  }
}

TEST(Ngrams, of_a_text_without_words_are_none_and_of_a_huge_one_all_are_read) {
  for (const std::string_view text : {"", " \t\n", "\xE3\x80\x80"}) {
    EXPECT_TRUE(count_ngrams(text).empty()) << text;
  }
  using namespace std::string_view_literals;
  EXPECT_EQ(count_ngrams("NUL\0inside"sv), count_ngrams("nul inside"));
  std::string huge;
  for (int i = 0; i < 200'000; ++i) huge += "wörd" + std::to_string(i % 1000) + " ";
  std::size_t total = 0;
  for (const NgramCount& ngram : count_ngrams(huge)) total += ngram.count;
  EXPECT_EQ(total, 2 * 200'000U - 1);
}

TEST(Ngrams, tell_letters_of_scripts_without_spaces_apart) {
  EXPECT_EQ(count_ngrams("日本語"), count_ngrams("日 本 語"));
  EXPECT_NE(count_ngrams("abc"), count_ngrams("a b c"));
  EXPECT_EQ(count_ngrams("ΜΈΓΑΣ ΣΙΓΜΑ"), count_ngrams("μέγασ σιγμα"));  // no rule of neighbours
}

TEST(NgramTable, weighs_as_scikit_learn_does) {
  const nlohmann::json all = golden();
  const auto texts = corpus(all);
  const NgramTable table(texts, 1'000'000);
  EXPECT_EQ(table.keys(), all["keys"].get<std::vector<float>>());
  Bags bags;
  for (const auto& text : texts) table.add(text, bags);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto& expected = all["tfidf"][i];
    const auto begin = static_cast<std::size_t>(bags.offsets[i]);
    ASSERT_EQ(static_cast<std::size_t>(bags.offsets[i + 1]) - begin, expected.size());
    for (std::size_t k = 0; k < expected.size(); ++k) {
      EXPECT_EQ(table.keys()[static_cast<std::size_t>(bags.ids[begin + k])], expected[k][0]);
      EXPECT_NEAR(bags.values[begin + k], expected[k][1].get<double>(), 1e-6);
    }
  }
}

TEST(NgramTable, keeps_the_most_frequent_and_adds_nothing_for_what_it_lacks) {
  const auto texts = corpus(golden());
  const NgramTable all(texts, 1'000'000), some(texts, 10);
  ASSERT_EQ(some.keys().size(), 10U);
  EXPECT_TRUE(std::ranges::is_sorted(some.keys()));
  std::vector<float> rarity = all.idf();
  std::ranges::sort(rarity);
  EXPECT_EQ(std::ranges::max(some.idf()), rarity[9]);
  Bags bags;
  some.add(count_ngrams("unheard of"), bags);
  NgramTable().add(texts[0], bags);
  EXPECT_EQ(bags.offsets, (std::vector<std::int64_t>{0, 0, 0}));
}

TEST(NgramTable, refuses_keys_that_are_none) {
  const auto refused = [](std::vector<float> keys, std::vector<float> idf) {
    return message_of([&] { NgramTable(keys, idf); });
  };
  EXPECT_EQ(refused({0, 1, 1, 16777215}, {1, 1, 1, 1}), "no error");
  for (const float bad : {-1.0F, 0.5F, 16777216.0F, std::nanf(""), HUGE_VALF}) {
    EXPECT_THAT(refused({bad}, {1}), HasSubstr("ascending whole numbers")) << bad;
  }
  EXPECT_THAT(refused({2, 1}, {1, 1}), HasSubstr("ascending whole numbers"));
  EXPECT_THAT(refused({1, 2}, {1}), HasSubstr("found 1"));
}

}  // namespace
}  // namespace fnet
