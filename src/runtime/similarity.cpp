#include "fnet/similarity.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.h"
#include "core/vectors.h"
#include "kernels/product.h"
#include "model/similarity_option.h"
#include "runtime/tensor.h"

namespace fnet {
namespace {

bool better(const Match& a, const Match& b) {
  return a.score != b.score ? a.score > b.score : a.row < b.row;
}

}  // namespace

void normalize_rows(Matrix& rows) {
  for (std::size_t i = 0; i < rows.rows; ++i) normalize(rows.row(i));
}

std::vector<float> pairwise_similarity(const Matrix& a, const Matrix& b, Similarity similarity) {
  require(a.rows == b.rows && a.cols == b.cols, Kind::usage,
          "pairwise_similarity: expected matrices of one shape, found [{}, {}] and [{}, {}]",
          a.rows, a.cols, b.rows, b.cols);
  std::vector<float> scores;
  for (std::size_t i = 0; i < a.rows; ++i) {
    scores.push_back(static_cast<float>(likeness(similarity, a.row(i), b.row(i))));
  }
  return scores;
}

struct SemanticSearch::Impl {
  std::size_t top_k;
  Similarity similarity;
  kernels::PackedMatrix queries;
  std::vector<std::vector<Match>> found;       // of each query a heap, its worst in front
  std::map<std::size_t, std::size_t> holders;  // how many queries hold a row
  std::size_t rows = 0;                        // seen so far
  kernels::Workspace workspace;

  void offer(std::vector<Match>& heap, const Match& match) {
    if (top_k == 0 || !std::isfinite(match.score)) return;
    if (heap.size() == top_k) {
      if (!better(match, heap.front())) return;
      std::ranges::pop_heap(heap, better);
      const auto holder = holders.find(heap.back().row);
      if (--holder->second == 0) holders.erase(holder);
      heap.pop_back();
    }
    heap.push_back(match);
    std::ranges::push_heap(heap, better);
    ++holders[match.row];
  }
};

SemanticSearch::SemanticSearch(Matrix queries, std::size_t top_k, Similarity similarity)
    : impl_(std::make_unique<Impl>()) {
  if (similarity == Similarity::cosine) normalize_rows(queries);
  impl_->top_k = top_k;
  impl_->similarity = similarity;
  impl_->queries =
      kernels::pack(queries.data.data(), queries.rows, queries.cols, kernels::Dtype::float32);
  impl_->found.resize(queries.rows);
}
SemanticSearch::SemanticSearch(SemanticSearch&&) noexcept = default;
SemanticSearch& SemanticSearch::operator=(SemanticSearch&&) noexcept = default;
SemanticSearch::~SemanticSearch() = default;

void SemanticSearch::add(const Matrix& rows) {
  constexpr std::size_t kBlock = 64;  // rows whose scores are in memory at once
  Impl& m = *impl_;
  require(rows.cols == m.queries.k(), Kind::usage,
          "SemanticSearch: expected vectors of {} numbers as the queries', found {}", m.queries.k(),
          rows.cols);
  for (std::size_t begin = 0; begin < rows.rows; begin += kBlock) {
    const std::size_t count = std::min(kBlock, rows.rows - begin);
    Matrix block(count, rows.cols), scores(count, m.found.size());
    const std::size_t first = begin * rows.cols;
    std::ranges::copy(std::span(rows.data).subspan(first, block.data.size()), block.data.begin());
    if (m.similarity == Similarity::cosine) normalize_rows(block);
    kernels::linear(block.data.data(), count, m.queries, nullptr, kernels::Activation::none,
                    scores.data.data(), this_thread(), m.workspace);
    for (std::size_t i = 0; i < count; ++i, ++m.rows) {
      for (std::size_t q = 0; q < m.found.size(); ++q) {
        m.offer(m.found[q], {m.rows, scores.row(i)[q]});
      }
    }
  }
}

bool SemanticSearch::holds(std::size_t row) const { return impl_->holders.contains(row); }

std::vector<std::vector<Match>> SemanticSearch::matches() const {
  std::vector<std::vector<Match>> sorted = impl_->found;
  for (std::vector<Match>& matches : sorted) std::ranges::sort(matches, better);
  return sorted;
}

}  // namespace fnet
