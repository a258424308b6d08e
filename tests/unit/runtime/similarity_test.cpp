#include "fnet/similarity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/random.h"
#include "temporary.h"

namespace fnet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Matrix random_rows(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  Philox random(seed, 0);
  Matrix m(rows, cols);
  for (float& v : m.data) v = 2 * random.uniform() - 1;
  return m;
}

Matrix matrix(std::size_t rows, std::vector<float> values) {
  Matrix m(rows, values.size() / rows);
  m.data = std::move(values);
  return m;
}

/// By definition, in double.
double likeness(std::span<const float> a, std::span<const float> b, Similarity similarity) {
  double dot = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    dot += double{a[i]} * b[i], aa += double{a[i]} * a[i], bb += double{b[i]} * b[i];
  }
  return similarity == Similarity::dot ? dot : dot / std::sqrt(aa * bb);
}

std::vector<std::size_t> rows_of(const std::vector<Match>& matches) {
  std::vector<std::size_t> rows;
  for (const Match& match : matches) rows.push_back(match.row);
  return rows;
}

TEST(Similarity, of_pairs_is_the_definitions) {
  const Matrix a = random_rows(9, 37, 1), b = random_rows(9, 37, 2);
  for (const auto similarity : {Similarity::cosine, Similarity::dot}) {
    const auto scores = pairwise_similarity(a, b, similarity);
    ASSERT_EQ(scores.size(), 9U);
    for (std::size_t i = 0; i < 9; ++i) {
      EXPECT_NEAR(scores[i], likeness(a.row(i), b.row(i), similarity), 1e-6);
    }
  }
  EXPECT_THAT(pairwise_similarity(a, a), testing::Each(1.0F));
  EXPECT_THAT(pairwise_similarity(Matrix(1, 3), Matrix(1, 3)), ElementsAre(0.0F));
  EXPECT_THAT(message_of([&] { pairwise_similarity(a, Matrix(9, 36)); }),
              HasSubstr("found [9, 37] and [9, 36]"));
}

TEST(SemanticSearch, finds_what_comparing_all_with_all_finds) {
  const Matrix queries = random_rows(5, 37, 3), texts = random_rows(300, 37, 4);
  for (const auto similarity : {Similarity::cosine, Similarity::dot}) {
    SemanticSearch search(queries, 7, similarity);
    search.add(texts);
    const auto matches = search.matches();
    ASSERT_EQ(matches.size(), 5U);
    for (std::size_t q = 0; q < 5; ++q) {
      std::vector<std::pair<double, std::size_t>> all;
      for (std::size_t i = 0; i < texts.rows; ++i)
        all.emplace_back(-likeness(queries.row(q), texts.row(i), similarity), i);
      std::ranges::sort(all);
      ASSERT_EQ(matches[q].size(), 7U);
      for (std::size_t i = 0; i < 7; ++i) {
        EXPECT_EQ(matches[q][i].row, all[i].second);
        EXPECT_NEAR(matches[q][i].score, -all[i].first, 1e-5);
      }
    }
  }
}

TEST(SemanticSearch, does_not_depend_on_the_parts_and_holds_what_it_found) {
  const Matrix queries = random_rows(3, 16, 5), texts = random_rows(150, 16, 6);
  SemanticSearch whole(queries, 4), parts(queries, 4);
  whole.add(texts);
  for (std::size_t i = 0; i < texts.rows; ++i) {
    Matrix one(1, texts.cols);
    std::ranges::copy(texts.row(i), one.data.begin());
    parts.add(one);
  }
  std::vector<std::size_t> found;
  for (std::size_t q = 0; q < 3; ++q) {
    ASSERT_EQ(rows_of(whole.matches()[q]), rows_of(parts.matches()[q]));
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(whole.matches()[q][i].score, parts.matches()[q][i].score);
      found.push_back(whole.matches()[q][i].row);
    }
  }
  for (std::size_t i = 0; i < texts.rows; ++i) {
    EXPECT_EQ(parts.holds(i), std::ranges::count(found, i) > 0) << i;
  }
}

TEST(SemanticSearch, gives_the_earlier_of_equals_and_fewer_where_there_are_no_more) {
  SemanticSearch search(matrix(1, {1, 0}), 2, Similarity::dot);
  search.add(matrix(4, {1, 0, 2, 0, 2, 5, 2, 1}));
  EXPECT_THAT(rows_of(search.matches()[0]), ElementsAre(1, 2));
  SemanticSearch few(matrix(1, {1, 0}), 10);
  EXPECT_TRUE(few.matches()[0].empty());
  few.add(matrix(2, {0, 1, 3, 0}));
  EXPECT_THAT(rows_of(few.matches()[0]), ElementsAre(1, 0));
}

TEST(SemanticSearch, leaves_out_scores_that_are_no_numbers) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  SemanticSearch search(matrix(1, {1, 0}), 3, Similarity::dot);
  search.add(matrix(3, {kNan, 0, 1, 0, 2, 0}));
  EXPECT_THAT(rows_of(search.matches()[0]), ElementsAre(2, 1));
  EXPECT_THAT(message_of([&] { search.add(Matrix(1, 3)); }), HasSubstr("2 numbers"));
}

}  // namespace
}  // namespace fnet
