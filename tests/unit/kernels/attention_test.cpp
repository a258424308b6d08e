#include "kernels/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "reference.h"

namespace fnet::kernels {
namespace {

using Values = std::vector<float>;

/// By definition, in double: all scores of a row at once.
std::vector<double> by_definition(const Rows& rows, const Values& q, const Values& k,
                                  const Values& v, std::size_t hidden, std::size_t heads) {
  const std::size_t size = hidden / heads;
  std::vector<double> y(q.size());
  for (std::int64_t text = 0; text < rows.texts(); ++text) {
    const auto begin = static_cast<std::size_t>(rows.begin(text));
    const auto count = static_cast<std::size_t>(rows.rows(text));
    const auto keys = static_cast<std::size_t>(rows.length(text));
    for (std::size_t head = 0; head < hidden; head += size) {
      for (std::size_t i = begin; i < begin + count; ++i) {
        std::vector<double> weights(keys);
        double most = -INFINITY, total = 0;
        for (std::size_t j = 0; j < keys; ++j) {
          for (std::size_t c = head; c < head + size; ++c) {
            weights[j] += static_cast<double>(q[i * hidden + c]) * k[(begin + j) * hidden + c];
          }
          weights[j] /= std::sqrt(static_cast<double>(size));
          most = std::max(most, weights[j]);
        }
        for (double& w : weights) total += w = std::exp(w - most);
        for (std::size_t j = 0; j < keys; ++j) {
          for (std::size_t c = head; c < head + size; ++c) {
            y[i * hidden + c] += weights[j] / total * v[(begin + j) * hidden + c];
          }
        }
      }
    }
  }
  return y;
}

struct Inputs {
  Values q, k, v;
  Inputs(const Rows& rows, std::size_t hidden, float size = 1.0F)
      : q(values(rows, hidden, 1, size)),
        k(values(rows, hidden, 2, 1)),
        v(values(rows, hidden, 3, 1)) {}
  static Values values(const Rows& rows, std::size_t hidden, std::uint64_t seed, float size) {
    return reference::normals(static_cast<std::size_t>(rows.total()) * hidden, seed, size);
  }
};

Values answers(const Rows& rows, const Inputs& in, std::size_t hidden, std::size_t heads,
               Dtype dtype, int threads, const Table& isa) {
  Values y(in.q.size());
  ThreadPool pool(threads);
  Workspace workspace;
  attention(rows, in.q.data(), in.k.data(), in.v.data(), hidden, heads, dtype, y.data(), pool,
            workspace, isa);
  return y;
}

Rows texts(std::initializer_list<std::int64_t> lengths) {
  Rows rows;
  for (const std::int64_t length : lengths) rows.add(length);
  return rows;
}

class AttentionIsa : public testing::TestWithParam<const Table*> {};

TEST_P(AttentionIsa, is_the_softmax_by_definition_for_any_length_and_head) {
  struct Case {
    std::size_t hidden, heads;
    Rows rows;
  };
  for (const auto& [hidden, heads, rows] : {Case{1, 1, texts({1, 2, 33})},
                                            {12, 3, texts({1, 5, 47, 48, 49})},
                                            {37, 1, texts({31, 32, 64, 65})},
                                            {64, 1, texts({255, 256, 257, 513})},
                                            {130, 2, texts({7, 600})},
                                            {1100, 2, texts({40})}}) {
    for (const float size : {1.0F, 20.0F}) {  // nearly a mean, and nearly a choice
      const Inputs in(rows, hidden, size);
      const auto want = by_definition(rows, in.q, in.k, in.v, hidden, heads);
      const Values y = answers(rows, in, hidden, heads, Dtype::float32, 1, *GetParam());
      EXPECT_LE(reference::relative_error(y, want), size * 1e-6)
          << hidden << " / " << heads << ", " << size;
      if (size > 1) continue;
      const Values half = answers(rows, in, hidden, heads, Dtype::bfloat16, 1, *GetParam());
      EXPECT_LE(reference::relative_error(half, want), 2e-2) << hidden;
    }
  }
}

TEST_P(AttentionIsa, padding_asks_but_does_not_answer) {
  Rows rows;
  rows.add(60, 23);
  rows.add(40, 40);
  const std::size_t hidden = 32;
  Inputs in(rows, hidden);
  const auto want = by_definition(rows, in.q, in.k, in.v, hidden, 4);
  for (std::size_t i = 23 * hidden; i < 60 * hidden; ++i) in.k[i] = in.v[i] = NAN;
  const Values y = answers(rows, in, hidden, 4, Dtype::float32, 2, *GetParam());
  EXPECT_LE(reference::relative_error(y, want), 1e-6);
}

TEST_P(AttentionIsa, bytes_do_not_depend_on_batch_or_threads) {
  const std::size_t hidden = 40, heads = 5;
  const Rows rows = texts({1, 700, 3, 50, 256, 1030});
  const Inputs in(rows, hidden);
  for (const Dtype dtype : {Dtype::float32, Dtype::bfloat16}) {
    const Values all = answers(rows, in, hidden, heads, dtype, 1, *GetParam());
    EXPECT_EQ(all, answers(rows, in, hidden, heads, dtype, 3, *GetParam()));
    for (std::int64_t text = 0; text < rows.texts(); ++text) {
      const auto begin = static_cast<std::ptrdiff_t>(rows.begin(text) * 40);
      const auto end = static_cast<std::ptrdiff_t>(rows.begin(text + 1) * 40);
      const Rows alone = texts({rows.rows(text)});
      Inputs own = in;
      for (Values* part : {&own.q, &own.k, &own.v}) {
        *part = Values(part->begin() + begin, part->begin() + end);
      }
      EXPECT_EQ(answers(alone, own, hidden, heads, dtype, 2, *GetParam()),
                Values(all.begin() + begin, all.begin() + end))
          << text;
    }
  }
}

TEST_P(AttentionIsa, an_overflow_shows) {
  const Rows rows = texts({300, 5});
  for (const float bad : {INFINITY, -INFINITY, NAN}) {
    Inputs in(rows, 8);
    in.q[3] = bad;  // of the first row of the first head
    const Values y = answers(rows, in, 8, 2, Dtype::float32, 1, *GetParam());
    EXPECT_FALSE(std::isfinite(y[0]));
    for (std::size_t i = 8; i < y.size(); ++i) EXPECT_TRUE(std::isfinite(y[i]));
  }
}

TEST_P(AttentionIsa, takes_no_more_memory_for_longer_texts) {
  std::vector<std::size_t> bytes;
  for (const std::int64_t length : {64, 5000}) {
    const Rows rows = texts({length});
    const Inputs in(rows, 16);
    Values y(in.q.size());
    ThreadPool pool(1);
    Workspace workspace;
    attention(rows, in.q.data(), in.k.data(), in.v.data(), 16, 1, Dtype::float32, y.data(), pool,
              workspace, *GetParam());
    bytes.push_back(workspace.size());
  }
  EXPECT_EQ(bytes[0], bytes[1]);
}

INSTANTIATE_TEST_SUITE_P(on, AttentionIsa, testing::ValuesIn(tables().begin(), tables().end()),
                         [](const auto& isa) { return std::string(isa.param->name); });

}  // namespace
}  // namespace fnet::kernels
