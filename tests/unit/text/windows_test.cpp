// Long texts in windows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "fnet/tokenizer.h"
#include "temporary.h"

namespace fnet {
namespace {

using testing::HasSubstr;

/// [CLS] 10 11 … [SEP], and perhaps a pair 100 101 … [SEP]; each token its own byte.
Encoding numbers(std::int32_t text, std::int32_t pair = -1) {
  Encoding out;
  const auto put = [&](std::int32_t id, std::int32_t type, std::size_t at) {
    out.input_ids.push_back(id), out.token_type_ids.push_back(type);
    out.offsets.push_back(id < 10 ? Span() : Span{at, at + 1});
  };
  put(4, 0, 0);
  for (std::int32_t i = 0; i < text; ++i) put(10 + i, 0, static_cast<std::size_t>(i));
  put(5, 0, 0);
  if (pair < 0) return out;
  for (std::int32_t i = 0; i < pair; ++i) put(100 + i, 1, static_cast<std::size_t>(i));
  put(5, 1, 0);
  return out;
}

TEST(Windows, of_a_text_that_fits_are_the_text) {
  const Encoding text = numbers(7), pair = numbers(3, 4);
  for (const std::size_t limit : {0U, 9U, 100U}) {
    const auto windows = windows_of(text, limit, 2);
    ASSERT_EQ(windows.size(), 1U);
    EXPECT_EQ(windows[0].input_ids, text.input_ids);
  }
  EXPECT_EQ(windows_of(pair, 10, 2).at(0).input_ids, pair.input_ids);
}

TEST(Windows, have_every_token_and_share_the_stride) {
  for (std::int32_t length = 1; length < 60; ++length) {
    const Encoding text = numbers(length);
    for (const std::size_t limit : {3U, 4U, 7U, 16U}) {
      for (const std::size_t stride : {0U, 1U, 3U, 100U}) {
        const std::size_t room = limit - 2, shared = std::min<std::size_t>(stride, room / 2);
        const auto windows = windows_of(text, limit, stride);
        std::int32_t next = 10;
        for (std::size_t w = 0; w < windows.size(); ++w) {
          const auto& ids = windows[w].input_ids;
          ASSERT_LE(ids.size(), limit);
          ASSERT_EQ(windows[w].token_type_ids.size(), ids.size());
          EXPECT_EQ(ids.front(), 4);
          EXPECT_EQ(ids.back(), 5);
          EXPECT_FALSE(windows[w].truncated);
          EXPECT_EQ(ids[1], w == 0 ? 10 : next - static_cast<std::int32_t>(shared));
          for (std::size_t i = 1; i + 1 < ids.size(); ++i) {
            EXPECT_EQ(ids[i], ids[1] + static_cast<std::int32_t>(i) - 1);
            EXPECT_EQ(windows[w].offsets[i].begin, static_cast<std::size_t>(ids[i] - 10));
          }
          EXPECT_GT(ids[ids.size() - 2], next - 1);  // something new in each
          next = ids[ids.size() - 2] + 1;
        }
        EXPECT_EQ(next, 10 + length);
      }
    }
  }
}

TEST(Windows, of_a_pair_have_the_first_text_and_a_part_of_the_second) {
  const auto windows = windows_of(numbers(3, 20), 12, 2);
  ASSERT_EQ(windows.size(), 5U);
  std::int32_t next = 100;
  for (const Encoding& window : windows) {
    ASSERT_GT(window.input_ids.size(), 6U);
    EXPECT_EQ(std::vector(window.input_ids.begin(), window.input_ids.begin() + 5),
              (std::vector<std::int32_t>{4, 10, 11, 12, 5}));
    EXPECT_EQ(std::ranges::count(window.token_type_ids, 0), 5);
    EXPECT_LE(window.input_ids[5], next);
    next = window.input_ids[window.input_ids.size() - 2] + 1;
    EXPECT_FALSE(window.truncated);
  }
  EXPECT_EQ(next, 120);
  // A long first text leaves half of the room.
  for (const Encoding& window : windows_of(numbers(40, 20), 13, 0)) {
    EXPECT_EQ(std::ranges::count(window.token_type_ids, 0), 7);
    EXPECT_TRUE(window.truncated);
  }
}

TEST(Windows, have_a_word_where_its_first_token_stands) {
  Encoding text = numbers(9);
  text.word_ids = {-1, 0, 0, 0, 1, 2, 2, 2, 2, 3, -1};
  std::vector<int> firsts(4);
  for (const Encoding& window : windows_of(text, 4, 0)) {
    ASSERT_EQ(window.word_ids.size(), window.input_ids.size());
    for (std::size_t i = 0; i < window.word_ids.size(); ++i) {
      if (window.first_of_word(i)) ++firsts[static_cast<std::size_t>(window.word_ids[i])];
    }
  }
  EXPECT_EQ(firsts, std::vector<int>(4, 1));
}

TEST(Windows, are_refused_without_room_for_a_token) {
  EXPECT_THAT(message_of([] { windows_of(numbers(9), 2, 0); }),
              HasSubstr("max_length: expected at least 3 for windows, found 2"));
  EXPECT_THAT(message_of([] { windows_of(numbers(9, 9), 4, 0); }),
              HasSubstr("max_length: expected at least 5 for windows of a pair, found 4"));
}

TEST(Windows, come_from_texts_where_the_options_ask_for_them) {
  const Tokenizer tokenizer = Tokenizer::load(FNET_SOURCE_DIR "/tests/golden/text/bpe.model");
  std::string text;
  for (int i = 0; i < 40; ++i) text += "the river and the sea ";
  EncodeOptions options;
  options.max_length = 20;
  ASSERT_EQ(tokenizer.encode_windows(text, {}, options).size(), 1U);
  options.truncation = Truncation::windows;
  options.stride = 3;
  options.ngrams = true;
  const auto windows = tokenizer.encode_windows(text, {}, options);
  const Encoding whole = tokenizer.encode(text, {}, {.ngrams = true});
  EXPECT_GT(windows.size(), 5U);
  for (const Encoding& window : windows) EXPECT_EQ(window.ngrams, whole.ngrams);
  EXPECT_THAT(message_of([&] { tokenizer.encode(text, {}, options); }),
              HasSubstr("text: expected at most 18 tokens"));
  options.add_special_tokens = false;
  EXPECT_THAT(message_of([&] { tokenizer.encode_windows(text, {}, options); }),
              HasSubstr("expected special tokens"));
  options.add_special_tokens = true, options.max_bytes = 100;
  EXPECT_THAT(message_of([&] { tokenizer.encode_windows(text, {}, options); }),
              HasSubstr("expected at most 100 bytes"));
}

}  // namespace
}  // namespace fnet
