#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "core/file.h"
#include "core/json.h"
#include "fnet/tokenizer.h"
#include "temporary.h"
#include "text/masking.h"
#include "text/tokenizer_files.h"
#include "text/vocabulary_map.h"
#include "text/wordpiece_json.h"

namespace fnet {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
namespace fs = std::filesystem;

const fs::path kGolden = FNET_SOURCE_DIR "/tests/golden/text";
constexpr std::string_view kNames = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";

/// A vocabulary of the special tokens and these pieces.
Tokenizer with(std::string_view pieces, const TokenizerConfig& config = wordpiece_config()) {
  return Tokenizer::parse(std::string(kNames).append(pieces), config, "vocab.txt");
}

std::vector<std::string> pieces_of(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<std::string> pieces;
  for (const auto id : tokenizer.encode(text, {}, {.add_special_tokens = false}).input_ids)
    pieces.push_back(tokenizer.piece(id));
  return pieces;
}

TEST(WordPiece, equals_the_reference_with_each_normalisation) {
  const std::string vocabulary = read_file(kGolden / "wordpiece.txt", 1 << 20);
  std::map<std::pair<bool, bool>, Tokenizer> tokenizers;
  std::size_t count = 0;
  for (const auto& golden : read_json_file(kGolden / "wordpiece.json")) {
    const std::pair<bool, bool> rules(golden["do_lower_case"], golden["strip_accents"]);
    Tokenizer& tokenizer = tokenizers[rules];
    if (!tokenizer) {
      TokenizerConfig config = wordpiece_config();
      config.do_lower_case = rules.first;
      config.keep_accents = !rules.second;
      tokenizer = Tokenizer::parse(vocabulary, config, "wordpiece.txt");
    }
    const std::string text = golden["text"];
    const Encoding encoding = tokenizer.encode(text, {}, {.add_special_tokens = false});
    EXPECT_EQ(encoding.input_ids, golden["ids"].get<std::vector<std::int32_t>>())
        << golden["text"] << rules.first << rules.second;
    std::vector<Span> spans;
    for (const auto& span : golden["spans"]) spans.push_back({span[0], span[1]});
    EXPECT_EQ(encoding.offsets, spans) << golden["text"];
    EXPECT_EQ(tokenizer.decode(encoding.input_ids, false), golden["decoded"]) << golden["text"];
    ++count;
  }
  EXPECT_GT(count, 140U);
}

TEST(WordPiece, takes_the_longest_piece_and_a_word_that_lacks_one_is_unknown) {
  const Tokenizer t = with("un\n##aff\n##a\nunaffa\n##ble\n##b\n.\n");
  EXPECT_THAT(pieces_of(t, "Unaffable. unab unaffx"),
              ElementsAre("unaffa", "##ble", ".", "un", "##a", "##b", "[UNK]"));
  EXPECT_THAT(pieces_of(t, "ble ##b"), ElementsAre("[UNK]", "[UNK]", "[UNK]", "[UNK]"));
}

TEST(WordPiece, puts_special_tokens_around_and_reads_those_in_a_text) {
  const Tokenizer t = with("a\nb\n");
  EXPECT_THAT(t.encode("a", "b").input_ids, ElementsAre(2, 5, 3, 6, 3));
  EXPECT_THAT(t.encode("a", "b").token_type_ids, ElementsAre(0, 0, 0, 1, 1));
  EXPECT_THAT(t.encode("a[MASK] b").input_ids, ElementsAre(2, 5, 4, 6, 3));
  EXPECT_EQ(t.encode("a[MASK] b").offsets[2], (Span{1, 7}));
  EXPECT_THAT(pieces_of(t, "[mask]"), testing::Each("[UNK]"));
  EXPECT_EQ(t.special().unk, 1);
  EXPECT_EQ(t.special().pad, 0);
  EXPECT_TRUE(t.is_special(4));
  EXPECT_FALSE(t.is_special(1));
  const std::vector<std::int32_t> ids = {2, 5, 4, 6, 3};
  EXPECT_EQ(t.decode(ids), "a b");
  EXPECT_EQ(t.decode(ids, false), "[CLS] a [MASK] b [SEP]");
}

TEST(WordPiece, words_windows_and_whole_word_masks_know_where_words_begin) {
  const Tokenizer t = with("play\n##ing\n##s\n.\n");
  const std::vector<std::string> words = {"Playing", "plays", "\u200b", "."};
  EXPECT_THAT(t.encode_words(words).word_ids, ElementsAre(-1, 0, 0, 1, 1, 2, 3, -1));
  EXPECT_TRUE(t.begins_word(5));
  EXPECT_FALSE(t.begins_word(6));
  EXPECT_EQ(t.surface(5), " play");
  EXPECT_EQ(t.surface(6), "ing");
  EXPECT_EQ(t.id_of_surface("ing"), 6);
  EXPECT_EQ(t.id_of_surface(" play"), 5);
  EXPECT_FALSE(t.id_of_surface(" ing"));
  EXPECT_EQ(t.encode_windows("playing plays playing", {},
                             {.max_length = 5, .truncation = Truncation::windows, .stride = 1})
                .size(),
            3U);
  const Masker masker(t, {.masking = "whole-word", .mask_prob = 0.5});
  for (std::uint64_t i = 0; i < 20; ++i) {
    std::vector<std::int32_t> ids = t.encode("playing playing plays plays").input_ids;
    Philox random(3, i);
    const std::vector<std::int32_t> rows = masker.mask(ids, random).rows;
    ASSERT_EQ(rows.size(), 4U);  // of two words
    for (const std::size_t word : {0U, 2U}) {
      EXPECT_EQ(rows[word] % 2, 1);
      EXPECT_EQ(rows[word + 1], rows[word] + 1);
    }
  }
}

TEST(WordPiece, maps_pieces_of_a_sentencepiece_model_by_what_they_stand_for) {
  const Tokenizer bert = with("the\n##s\nrain\n");
  const Tokenizer bpe = Tokenizer::load(kGolden / "bpe.model");
  const VocabularyMap map = map_vocabulary(bpe, bert);
  const auto only = [](std::int32_t id) { return std::vector<std::int32_t>{id}; };
  EXPECT_EQ(map.sources[0], only(bpe.special().pad));
  EXPECT_EQ(map.sources[1], only(bpe.special().unk));
  EXPECT_EQ(map.sources[5], only(*bpe.id("\u2581the")));
  EXPECT_EQ(map.sources[6], only(*bpe.id("s")));
}

TEST(WordPiece, a_file_alone_folds_case_unless_its_pieces_have_capitals) {
  const TemporaryDirectory folder;
  const auto load = [&](std::string_view pieces) {
    return Tokenizer::load(folder.make("v.txt", std::string(kNames).append(pieces))).config();
  };
  EXPECT_TRUE(load("a\n").do_lower_case);
  EXPECT_FALSE(load("a\n").keep_accents);
  EXPECT_FALSE(load("a\nA\n").do_lower_case);
  EXPECT_TRUE(load("a\n\u00c9\n").keep_accents);
}

TEST(WordPiece, refuses_damaged_vocabularies) {
  const auto message = [](std::string text) {
    return message_of([&] { Tokenizer::parse(std::move(text), wordpiece_config(), "v"); });
  };
  const std::string names(kNames);
  EXPECT_THAT(message(names + "a\nb\na\n"),
              HasSubstr("v: line 8: 'a' stands there twice, first in line 6"));
  EXPECT_THAT(message("a\n"), HasSubstr("v: expected the piece '[UNK]' (unk_token), found none"));
  EXPECT_THAT(message(""), HasSubstr("expected a piece a line, found none"));
  EXPECT_THAT(message(names + "a\n\nb\n"), HasSubstr("v: line 7: expected a piece, found nothing"));
  EXPECT_THAT(message(names + "a\xff\n"), HasSubstr("v: line 6: expected UTF-8"));
  EXPECT_THAT(message(names + "a\rb\n"), HasSubstr("one line"));
  EXPECT_THAT(message(names + std::string(5000, 'a') + "\n"),
              HasSubstr("at most 4096 bytes, found 5000"));
  EXPECT_EQ(Tokenizer::parse("[UNK]\r\na\r\n", wordpiece_config()).piece(1), "a");
  EXPECT_EQ(Tokenizer::parse("[UNK]\na", wordpiece_config()).vocab_size(), 2);
}

TEST(WordPiece, comes_back_from_its_folder_and_leaves_no_other_tokenizer_there) {
  const TemporaryDirectory folder;
  TokenizerConfig config = wordpiece_config();
  config.do_lower_case = false;
  config.keep_accents = true;
  config.tokenize_chinese_chars = false;
  config.model_max_length = 77;
  config.added_tokens = {{.content = "<new>", .special = true, .rstrip = true},
                         {.content = "covid", .special = false, .normalized = true}};
  const Tokenizer t = with("A\na\n\u00e9\n\u4e2d\n##\u4e2d\n", config);
  EXPECT_EQ(t.vocab_size(), 12);
  folder.make("spiece.model", "old");
  t.save(folder.path());
  EXPECT_FALSE(fs::exists(folder.path() / "spiece.model"));
  EXPECT_EQ(tokenizer_file(folder.path()), folder.path() / "vocab.txt");
  const std::string text = "A a \u00e9 \u4e2d\u4e2d <new>  a covid acovid [MASK]";
  for (const bool by_json : {false, true}) {
    if (by_json) fs::remove(folder.path() / "vocab.txt");
    EXPECT_TRUE(Tokenizer::stands_in(folder.path()));
    std::vector<std::string> warnings;
    const Tokenizer again = Tokenizer::load(folder.path(), &warnings);
    EXPECT_THAT(warnings, IsEmpty());
    EXPECT_EQ(again.config().model_max_length, 77);
    EXPECT_EQ(again.vocab_size(), t.vocab_size());
    EXPECT_EQ(again.encode(text).input_ids, t.encode(text).input_ids);
    EXPECT_EQ(again.encode(text).offsets, t.encode(text).offsets);
    EXPECT_EQ(again.is_special(10), true);
    EXPECT_EQ(again.is_special(11), false);
  }
  EXPECT_THAT(pieces_of(t, text), ElementsAre("A", "a", "\u00e9", "\u4e2d", "##\u4e2d", "<new>",
                                              "a", "covid", "a", "covid", "[MASK]"));
}

/// A tokenizer.json that is read, to be changed.
nlohmann::json whole() {
  const Tokenizer t = with("a\n##b\n");
  return nlohmann::json::parse(wordpiece_json(t.model(), t.config(), t.special()));
}

TEST(WordPiece, refuses_what_a_tokenizer_json_asks_for_and_is_not_done) {
  const TemporaryDirectory folder;
  const auto message = [&](auto change) {
    nlohmann::json json = whole();
    change(json);
    const fs::path path = folder.make("tokenizer.json", json.dump());
    return message_of([&] { Tokenizer::load(path); });
  };
  EXPECT_EQ(message([](auto&) {}), "no error");
  EXPECT_THAT(message([](auto& j) { j["model"]["type"] = "BPE"; }),
              HasSubstr("model: expected WordPiece, found BPE"));
  EXPECT_THAT(message([](auto& j) { j["normalizer"] = nullptr; }),
              HasSubstr("normalizer: expected BertNormalizer, found none"));
  EXPECT_THAT(message([](auto& j) { j["pre_tokenizer"]["type"] = "Whitespace"; }),
              HasSubstr("pre_tokenizer: expected BertPreTokenizer, found Whitespace"));
  EXPECT_THAT(message([](auto& j) { j["normalizer"]["clean_text"] = false; }),
              HasSubstr("clean_text: expected true"));
  EXPECT_THAT(message([](auto& j) { j["model"]["continuing_subword_prefix"] = "@@"; }),
              HasSubstr("expected '##', found '@@'"));
  EXPECT_THAT(message([](auto& j) { j["model"]["max_input_chars_per_word"] = 50; }),
              HasSubstr("expected 100, found 50"));
  EXPECT_THAT(message([](auto& j) { j["model"]["vocab"] = 3; }),
              HasSubstr("model.vocab: expected"));
  EXPECT_THAT(message([](auto& j) { j["model"]["vocab"]["a"] = 9; }),
              HasSubstr("'a': expected an id of 0 to 6, as there are 7 pieces, found 9"));
  EXPECT_THAT(message([](auto& j) { j["model"]["vocab"]["a"] = 6; }),
              HasSubstr("expected an id of its own, found 6"));
  EXPECT_THAT(message([](auto& j) { j["model"]["vocab"]["a\nb"] = 7; }), HasSubstr("one line"));
  EXPECT_THAT(message([](auto& j) { j["model"]["unk_token"] = "<unk>"; }), HasSubstr("<unk>"));
  EXPECT_THAT(message([](auto& j) { j["added_tokens"][0]["id"] = 5; }), HasSubstr("found 5"));
  EXPECT_THAT(message([](auto& j) { j["added_tokens"] = "x"; }),
              HasSubstr("added_tokens: expected"));
  EXPECT_THAT(message([](auto& j) { j["post_processor"]["single"].erase(0); }),
              HasSubstr("post_processor: expected [CLS] A [SEP]"));
}

TEST(WordPiece, tells_what_a_foreign_folder_asks_for_and_is_not_done) {
  const TemporaryDirectory folder;
  nlohmann::json json = whole();
  json["added_tokens"][0]["single_word"] = true;
  json["post_processor"] = {
      {"type", "RobertaProcessing"}, {"cls", {"[CLS]", 2}}, {"sep", {"[SEP]", 3}}};
  folder.make("tokenizer.json", json.dump());
  folder.make("vocab.txt", "[UNK]\n");
  std::vector<std::string> warnings;
  Tokenizer::load(folder.path(), &warnings);
  EXPECT_THAT(warnings,
              ElementsAre(HasSubstr("pairs are put together as BERT's"),
                          HasSubstr("'[PAD]' is read inside words too"),
                          HasSubstr("vocab.txt: not read: tokenizer.json has other pieces")));
  warnings.clear();
  folder.make("tokenizer_config.json",
              R"({"do_lower_case": false, "strip_accents": true, "truncation_side": "left"})");
  const Tokenizer t = Tokenizer::load(folder.path(), &warnings);
  EXPECT_EQ(warnings.size(), 4U);
  EXPECT_FALSE(t.config().do_lower_case);
  EXPECT_FALSE(t.config().keep_accents);
  folder.make("tokenizer_config.json", R"({"mask_token": "<mask>"})");
  EXPECT_THAT(message_of([&] { Tokenizer::load(folder.path()); }),
              HasSubstr("mask_token: expected a piece of"));
  folder.make("tokenizer_config.json", R"({"normalization": "raw"})");
  EXPECT_THAT(message_of([&] { Tokenizer::load(folder.path()); }),
              HasSubstr("normalization: expected bert for WordPiece, found 'raw'"));
}

TEST(WordPiece, a_long_word_is_unknown_and_a_long_text_is_cut_in_time) {
  const Tokenizer t = with("a\n##a\n");
  EXPECT_EQ(pieces_of(t, std::string(100, 'a')).size(), 100U);
  EXPECT_THAT(pieces_of(t, std::string(101, 'a')), ElementsAre("[UNK]"));
  const Encoding all = t.encode(std::string(1 << 20, 'a'));
  EXPECT_EQ(all.input_ids.size(), 3U);
  EXPECT_EQ(all.offsets[1], (Span{0, 1 << 20}));
  std::string marks = "a";
  for (int i = 0; i < 300'000; ++i) marks += "\u0301";
  EXPECT_THAT(pieces_of(t, marks), ElementsAre("a"));
}

}  // namespace
}  // namespace fnet
