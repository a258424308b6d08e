#include "fnet/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/file.h"
#include "core/json.h"
#include "fnet/error.h"
#include "temporary.h"

namespace fnet {
namespace {

using testing::AllOf;
using testing::Gt;
using testing::HasSubstr;
using testing::Lt;
namespace fs = std::filesystem;

const fs::path kGolden = FNET_SOURCE_DIR "/tests/golden/text";

// A directory that goes away with the test.
struct Directory {
  fs::path path =
      fs::path(testing::TempDir()) /
      (std::string("fnet_") + testing::UnitTest::GetInstance()->current_test_info()->name());
  Directory() { fs::remove_all(path), fs::create_directories(path); }
  ~Directory() { fs::remove_all(path); }
  fs::path write(const std::string& name, const std::string& text) const {
    std::ofstream(path / name, std::ios::binary) << text;
    return path / name;
  }
};

const Tokenizer& bpe() {
  static const Tokenizer tokenizer = Tokenizer::load(kGolden / "bpe.model");
  return tokenizer;
}

std::vector<std::string> pieces(const Tokenizer& tokenizer, const Encoding& encoding) {
  std::vector<std::string> out;
  for (const std::int32_t id : encoding.input_ids) out.push_back(tokenizer.piece(id));
  return out;
}

TEST(Tokenizer, equals_the_reference_in_every_mode) {
  const std::map<std::string, Normalization> modes = {{"raw", Normalization::raw},
                                                      {"hf_slow", Normalization::hf_slow},
                                                      {"hf_fast", Normalization::hf_fast}};
  std::map<std::string, Tokenizer> tokenizers;
  std::size_t count = 0;
  for (const auto& golden : read_json_file(kGolden / "tokens.json")) {
    TokenizerConfig config;
    config.normalization = modes.at(golden["mode"]);
    config.do_lower_case = golden.value("do_lower_case", false);
    config.keep_accents = golden.value("keep_accents", true);
    const std::string model = golden["model"].get<std::string>() + ".model";
    const std::string key = model + golden["mode"].get<std::string>() +
                            (config.do_lower_case ? "l" : "") + (config.keep_accents ? "k" : "");
    auto found = tokenizers.find(key);
    if (found == tokenizers.end())
      found = tokenizers.emplace(key, Tokenizer::parse(read_file(kGolden / model, 1 << 20), config))
                  .first;
    const Tokenizer& tokenizer = found->second;

    const std::string text = golden["text"];
    const Encoding encoding = tokenizer.encode(text, {}, {.add_special_tokens = false});
    EXPECT_EQ(encoding.input_ids, golden["ids"].get<std::vector<std::int32_t>>())
        << key << ": " << golden["text"] << testing::PrintToString(pieces(tokenizer, encoding));
    for (const Span& span : encoding.offsets)
      EXPECT_TRUE(span.begin <= span.end && span.end <= text.size());
    if (golden.contains("spans")) {
      std::vector<Span> spans;
      for (const auto& span : golden["spans"]) spans.push_back({span[0], span[1]});
      EXPECT_EQ(encoding.offsets, spans) << key << ": " << golden["text"];
      EXPECT_EQ(tokenizer.decode(encoding.input_ids, false), golden["decoded"]) << golden["text"];
    }
    ++count;
  }
  EXPECT_GT(count, 400U);
}

TEST(Tokenizer, puts_special_tokens_around) {
  const Tokenizer& t = bpe();
  EXPECT_EQ(t.special().cls, 4);
  EXPECT_EQ(t.special().sep, 5);
  EXPECT_EQ(t.special().mask, 6);
  EXPECT_EQ(t.special().pad, 3);
  EXPECT_EQ(t.special().unk, 0);
  EXPECT_EQ(t.encode("").input_ids, (std::vector<std::int32_t>{4, 5}));
  const Encoding pair = t.encode("rain", "the");
  const auto n = pair.input_ids.size();
  ASSERT_GE(n, 5U);
  EXPECT_EQ(pair.input_ids.front(), 4);
  EXPECT_EQ(pair.input_ids.back(), 5);
  EXPECT_EQ(pair.token_type_ids.front(), 0);
  EXPECT_EQ(pair.token_type_ids.back(), 1);
  EXPECT_EQ(std::count(pair.input_ids.begin(), pair.input_ids.end(), 5), 2);
  EXPECT_EQ(pair.offsets.front(), (Span{0, 0}));
  EXPECT_EQ(pair.offsets[n - 2], (Span{0, 3}));
  EXPECT_EQ(t.decode(pair.input_ids), "rain the");
  EXPECT_EQ(t.decode(pair.input_ids, false), "[CLS] rain [SEP] the [SEP]");
}

TEST(Tokenizer, truncates_as_asked) {
  const Tokenizer& t = bpe();
  const std::string text = "the the the the the the", pair = "rain rain rain rain";
  const auto ids = [&](std::size_t max_length, Truncation how, bool with_pair = true) {
    const Encoding e =
        t.encode(text, with_pair ? std::optional<std::string_view>(pair) : std::nullopt,
                 {.max_length = max_length, .truncation = how, .add_special_tokens = false});
    EXPECT_TRUE(e.truncated);
    const auto first = std::count(e.token_type_ids.begin(), e.token_type_ids.end(), 0);
    return std::pair(first, static_cast<std::ptrdiff_t>(e.input_ids.size()) - first);
  };
  const auto a = static_cast<std::ptrdiff_t>(
      t.encode(text, {}, {.add_special_tokens = false}).input_ids.size());
  const auto b = static_cast<std::ptrdiff_t>(
      t.encode(pair, {}, {.add_special_tokens = false}).input_ids.size());
  ASSERT_EQ(a, 6);
  ASSERT_EQ(b, 4);
  using Pair = std::pair<std::ptrdiff_t, std::ptrdiff_t>;
  EXPECT_EQ(ids(9, Truncation::longest_first), Pair(5, 4));
  EXPECT_EQ(ids(5, Truncation::longest_first), Pair(3, 2));
  EXPECT_EQ(ids(9, Truncation::right), Pair(6, 3));
  EXPECT_EQ(ids(2, Truncation::right), Pair(2, 0));
  EXPECT_EQ(ids(9, Truncation::left), Pair(5, 4));
  EXPECT_EQ(ids(3, Truncation::left), Pair(0, 3));
  EXPECT_EQ(ids(9, Truncation::only_first), Pair(5, 4));
  EXPECT_EQ(ids(3, Truncation::longest_first, false), Pair(3, 0));
  EXPECT_THROW(ids(3, Truncation::only_first), Error);
  EXPECT_THAT(message_of([&] { ids(9, Truncation::error); }),
              HasSubstr("expected at most 9 tokens, found 10"));
  EXPECT_EQ(t.encode(text, {}, {.max_length = 4}).input_ids.size(), 4U);
  EXPECT_FALSE(t.encode(text, {}, {.max_length = 8}).truncated);
  EXPECT_THAT(message_of([&] { t.encode(text, pair, {.max_length = 2}); }),
              HasSubstr("at least 3"));
}

TEST(Tokenizer, left_truncation_keeps_the_end) {
  const Tokenizer& t = bpe();
  const Encoding e = t.encode("the rain", {}, {.max_length = 3, .truncation = Truncation::left});
  EXPECT_EQ(t.decode(e.input_ids), t.piece(e.input_ids[1]).substr(e.offsets[1].begin == 4 ? 3 : 0));
  EXPECT_EQ(e.offsets[1].end, 8U);
}

TEST(Tokenizer, reads_no_more_of_a_long_text_than_truncation_keeps) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "the quick brown f\u00f6x ";
  for (const Truncation truncation :
       {Truncation::longest_first, Truncation::right, Truncation::only_first, Truncation::left}) {
    EncodeOptions options;
    options.max_length = 20;
    options.truncation = truncation;
    const Encoding whole = bpe().encode(text, {}, options);
    for (const std::size_t bytes : {1001, 1002, 1003}) {
      options.max_bytes = bytes;
      const Encoding part = bpe().encode(text, {}, options);
      EXPECT_TRUE(part.truncated);
      EXPECT_EQ(part.input_ids, whole.input_ids);
    }
    options.max_bytes = 50;  // fewer tokens than are kept: not enough of the text
    options.max_length = 200;
    EXPECT_THAT(message_of([&] { bpe().encode(text, {}, options); }),
                HasSubstr("at most 50 bytes"));
  }
}

TEST(Tokenizer, a_long_run_of_unknown_letters_is_one_token) {
  std::string text;
  for (int i = 0; i < 300'000; ++i) text += "\u4e00";
  EncodeOptions options;
  options.add_special_tokens = false;
  const Encoding all = bpe().encode(text, {}, options);
  EXPECT_EQ(all.input_ids.back(), bpe().special().unk);
  EXPECT_LE(all.input_ids.size(), 2U);
  EXPECT_EQ(all.offsets.back().end, text.size());
}

TEST(Tokenizer, words_get_tokens_and_first_flags) {
  const Tokenizer& t = bpe();
  const std::vector<std::string> words = {"The", "\u200b", "transform", "", "."};
  const Encoding e = t.encode_words(words);
  std::vector<std::size_t> tokens(words.size());
  std::size_t firsts = 0;
  for (std::size_t i = 0; i < e.word_ids.size(); ++i) {
    if (e.word_ids[i] >= 0) ++tokens[static_cast<std::size_t>(e.word_ids[i])];
    firsts += e.first_of_word(i);
  }
  EXPECT_THAT(tokens, testing::Each(testing::Ge(1U)));
  EXPECT_EQ(firsts, words.size());
  EXPECT_EQ(e.word_ids.front(), -1);
  EXPECT_EQ(e.word_ids.back(), -1);
  EXPECT_EQ(e.word_ids.size(), e.input_ids.size());
  EXPECT_EQ(e.offsets.size(), e.input_ids.size());

  const Encoding right = t.encode_words(words, {.max_length = 4});
  EXPECT_EQ(right.word_ids[1], 0);
  EXPECT_EQ(right.word_ids.size(), 4U);
  const Encoding left = t.encode_words(words, {.max_length = 5, .truncation = Truncation::left});
  EXPECT_EQ(left.word_ids, (std::vector<std::int32_t>{-1, 3, 4, 4, -1}));
}

TEST(Tokenizer, offsets_become_code_points) {
  const std::string text = "naïve café rain";
  const Encoding e = bpe().encode(text, {}, {.add_special_tokens = false});
  EXPECT_EQ(e.offsets.back().end, text.size());
  const std::vector<Span> points = code_point_offsets(text, e.offsets);
  EXPECT_EQ(points.back().end, 15U);
  const std::vector<Span> outside = {{0, 99}};
  EXPECT_THROW(code_point_offsets(text, outside), Error);
}

TEST(Tokenizer, refuses_bad_texts_and_ids) {
  const Tokenizer& t = bpe();
  EXPECT_THAT(message_of([&] { t.encode("ab\xff"); }),
              HasSubstr("text: byte 2: expected UTF-8, found 0xff"));
  EXPECT_THAT(message_of([&] { t.encode("a", "\xc3"); }), HasSubstr("text_pair: byte 0"));
  EXPECT_THAT(message_of([&] { t.encode("\xed\xa0\x80"); }), HasSubstr("UTF-8"));
  EXPECT_THAT(message_of([&] { t.encode(std::string(2 << 20, 'a')); }),
              HasSubstr("at most 1048576 bytes"));
  const std::vector<std::int32_t> ids = {-1};
  EXPECT_THROW(t.decode(ids), Error);
  EXPECT_THROW(t.piece(t.vocab_size()), Error);
  EXPECT_FALSE(t.id("no such piece"));
  EXPECT_EQ(t.id("[MASK]"), 6);
  EXPECT_FALSE(t.is_special(-1));
  EXPECT_TRUE(t.is_special(6));
}

TEST(Tokenizer, a_directory_has_its_config) {
  const Directory dir;
  fs::copy_file(kGolden / "bpe.model", dir.path / "spiece.model");
  EXPECT_EQ(Tokenizer::load(dir.path).config().normalization, Normalization::raw);
  const fs::path config = dir.write(
      "tokenizer_config.json",
      R"({"do_lower_case": true, "normalization": "hf_slow", "keep_accents": false, "model_max_length": 512,
          "mask_token": {"__type": "AddedToken", "content": "[MASK]", "lstrip": true}, "cls_token": "<s>"})");
  const Tokenizer t = Tokenizer::load(dir.path);
  EXPECT_EQ(t.config().normalization, Normalization::hf_slow);
  EXPECT_EQ(t.special().cls, 1);
  EXPECT_EQ(t.encode("").input_ids.front(), 1);

  const fs::path copy = dir.path / "copy";
  fs::create_directory(copy);
  t.save(copy);
  const Tokenizer again = Tokenizer::load(copy);
  EXPECT_EQ(again.config().normalization, Normalization::hf_slow);
  EXPECT_EQ(again.encode("``The Café''").input_ids, t.encode("``The Café''").input_ids);

  dir.write("tokenizer_config.json", R"({"sep_token": "[EOS]"})");
  EXPECT_THAT(message_of([&] { Tokenizer::load(dir.path); }),
              HasSubstr("sep_token: expected a piece of"));
  dir.write("tokenizer_config.json", R"({"do_lower_case": "yes"})");
  EXPECT_THAT(message_of([&] { Tokenizer::load(dir.path); }), HasSubstr("do_lower_case"));
  dir.write("tokenizer_config.json", R"({"normalization": "fast"})");
  EXPECT_THAT(message_of([&] { Tokenizer::load(dir.path); }),
              HasSubstr("expected raw, hf_slow or hf_fast"));
  dir.write("tokenizer_config.json", "[]");
  EXPECT_THAT(message_of([&] { Tokenizer::load(dir.path); }), HasSubstr("expected an object"));
}

TEST(Tokenizer, threads_agree) {
  const std::string text = "The model doesn't see 1,000 sentences in the evening.";
  const Encoding expected = bpe().encode(text);
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 200; ++k) wrong += bpe().encode(text).input_ids != expected.input_ids;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TokenizerTraining over(std::vector<std::string> texts, std::int32_t vocab_size,
                       const std::string& model) {
  TokenizerTraining t;
  t.vocab_size = vocab_size;
  t.model = model;
  t.next_text = [texts = std::move(texts), i = std::size_t{0}](std::string& text) mutable {
    if (i == texts.size()) return false;
    text = texts[i++];
    return true;
  };
  return t;
}

std::vector<std::string> some_texts() {
  std::vector<std::string> texts;
  for (int i = 0; i < 300; ++i)
    texts.push_back("Sentence " + std::to_string(i * 37 % 101) +
                    " tells of rivers, ridges and rain at " + std::to_string(i) + " o'clock.");
  return texts;
}

TEST(TokenizerTraining, makes_the_layout_and_the_same_bytes_again) {
  for (const std::string model : {"unigram", "bpe"}) {
    const Directory dir;
    const Tokenizer t = train_tokenizer(over(some_texts(), 70, model));
    EXPECT_EQ(t.vocab_size(), 70);
    const std::vector<std::string> layout = {"<unk>", "<s>",   "</s>",  "<pad>",
                                             "[CLS]", "[SEP]", "[MASK]"};
    for (std::int32_t id = 0; id < 7; ++id)
      EXPECT_EQ(t.piece(id), layout[static_cast<std::size_t>(id)]);
    t.save(dir.path / "a.model");
    train_tokenizer(over(some_texts(), 70, model)).save(dir.path / "b.model");
    EXPECT_EQ(read_file(dir.path / "a.model", 1 << 20), read_file(dir.path / "b.model", 1 << 20));
    t.save(dir.path);
    EXPECT_EQ(Tokenizer::load(dir.path).encode("rivers and rain").input_ids,
              t.encode("rivers and rain").input_ids);
    EXPECT_EQ(t.decode(t.encode("rivers and rain").input_ids), "rivers and rain");
  }
}

TEST(TokenizerTraining, reads_files_and_lowers_case_and_falls_back_to_bytes) {
  const Directory dir;
  std::string lines;
  for (const std::string& text : some_texts()) lines += text + "\n";
  TokenizerTraining t;
  t.inputs = {dir.write("a.txt", lines)};
  t.vocab_size = 340;
  t.byte_fallback = t.lower_case = true;
  t.model = "bpe";
  const Tokenizer tokenizer = train_tokenizer(t);
  EXPECT_EQ(tokenizer.encode("RIVERS").input_ids, tokenizer.encode("rivers").input_ids);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("漢").input_ids), "漢");
}

TEST(TokenizerTraining, says_which_size_would_do) {
  const std::string text = message_of([] { train_tokenizer(over(some_texts(), 90000, "bpe")); });
  ASSERT_THAT(text, HasSubstr("vocab_size: expected at most "));
  const int most = std::stoi(text.substr(std::string("vocab_size: expected at most ").size()));
  EXPECT_EQ(train_tokenizer(over(some_texts(), most, "bpe")).vocab_size(), most);
  EXPECT_THAT(message_of([] { train_tokenizer(over(some_texts(), 12, "bpe")); }),
              HasSubstr("vocab_size: expected at least "));
}

TEST(TokenizerTraining, makes_fewer_pieces_where_that_is_allowed) {
  for (const char* model : {"unigram", "bpe"}) {
    TokenizerTraining t = over(some_texts(), 5000, model);
    t.fewer_pieces = true;
    EXPECT_THAT(train_tokenizer(t).vocab_size(), AllOf(Gt(70), Lt(5000))) << model;
  }
}

TEST(TokenizerTraining, refuses_texts_without_content) {
  for (const std::string model : {"unigram", "bpe"})
    for (const std::string text : {"", " \t", "\u200b", "\u2581", "\u2585", "\x01"})
      EXPECT_THAT(message_of([&] { train_tokenizer(over({text, text}, 50, model)); }),
                  HasSubstr("expected texts, found none"))
          << model << testing::PrintToString(text);
  EXPECT_THAT(message_of([] { train_tokenizer(over({"a", "\xff"}, 9, "bpe")); }),
              HasSubstr("text 2: byte 0: expected UTF-8"));
  EXPECT_THAT(message_of([] { train_tokenizer({}); }),
              HasSubstr("expected files or texts, found neither"));
  TokenizerTraining word = over({"a"}, 50, "word");
  EXPECT_THAT(message_of([&] { train_tokenizer(word); }), HasSubstr("expected unigram or bpe"));
}

}  // namespace
}  // namespace fnet
