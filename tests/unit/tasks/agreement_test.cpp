#include "tasks/agreement.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string_view>

namespace fnet {
namespace {

/// The answers, a letter each.
Agreement of(std::string_view a, std::string_view b) {
  Agreement agreement;
  for (std::size_t i = 0; i < a.size(); ++i)
    agreement.add(std::string(1, a[i]), std::string(1, b[i]));
  return agreement;
}

TEST(Agreement, kappa_is_that_of_scikit_learn) {
  // cohen_kappa_score of scikit-learn 1.9.
  EXPECT_NEAR(of("xxyzzxyyzx", "xyyzxxyzzx").kappa(), 0.5454545454545454, 1e-15);
  EXPECT_DOUBLE_EQ(of("xxyzzxyyzx", "xyyzxxyzzx").share(), 0.7);
  EXPECT_DOUBLE_EQ(of("aabb", "bbaa").kappa(), -1);
  EXPECT_DOUBLE_EQ(of("aabb", "aabb").kappa(), 1);
}

TEST(Agreement, of_one_answer_alone_has_no_kappa) {
  EXPECT_TRUE(std::isnan(of("aaa", "aaa").kappa()));
  EXPECT_DOUBLE_EQ(of("aaa", "aaa").share(), 1);
  EXPECT_DOUBLE_EQ(Agreement().share(), 0);
}

TEST(Agreement, sign_test_is_scipys_binomtest) {
  EXPECT_NEAR(sign_test(3, 10), 0.09228515625, 1e-12);
  EXPECT_NEAR(sign_test(5, 0), 0.0625, 1e-12);
  EXPECT_DOUBLE_EQ(sign_test(7, 7), 1);
  EXPECT_NEAR(sign_test(180, 120), 0.0006342200069283566, 1e-12);
  EXPECT_DOUBLE_EQ(sign_test(0, 1), 1);
  EXPECT_DOUBLE_EQ(sign_test(0, 0), 1);
}

}  // namespace
}  // namespace fnet
