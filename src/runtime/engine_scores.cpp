// What an engine's heads say of texts.
#include <algorithm>
#include <utility>

#include "core/error.h"
#include "model/kinds.h"
#include "runtime/engine_impl.h"
#include "runtime/picked_rows.h"

namespace fnet {
namespace {

/// A head that is asked in a pass.
struct AskedHead {
  std::string_view name;
  HeadConfig config;
  Head formula;
  Pooling pooling;
  std::span<const std::vector<std::int32_t>> picks;

  AskedHead(const Config& model, const HeadQuery& query, std::size_t texts)
      : name(model.head_key(query.head)),
        config(model.head(query.head)),
        formula(make_head(config)),
        pooling(pooling_named(config.pooling)),
        picks(query.picks) {
    require(picks.empty() || picks.size() == texts, Kind::usage,
            "picks: expected one list for each of {} texts, found {}", texts, picks.size());
    require(!pooled() || picks.empty(), Kind::usage,
            "picks: expected none for a head that reads one vector a text");
  }

  bool pooled() const { return is_pooled(formula); }
};

/// Whether no head of a model reads more than the texts' first rows. Then the last layer runs on
/// them alone, with sums in another order: a rule for the whole model, so that a head gives the
/// same bits whichever others are asked with it.
bool read_first_rows_only(const Config& config) {
  return std::ranges::all_of(config.head_names(), [&](const std::string& name) {
    const HeadConfig head = config.head(name);
    return is_pooled(head_for(head.task)) &&
           row_of(pooling_named(head.pooling)).reach == Reach::first_row;
  });
}

/// Adds the scores of the texts of a pass, [rows, C] each.
void add_scores(const Tensor& scored, std::span<const std::size_t> counts,
                std::vector<Matrix>& result) {
  std::int64_t row = 0;
  for (const std::size_t count : counts) {
    Matrix& matrix = result.emplace_back(count, static_cast<std::size_t>(scored.cols()));
    for (std::size_t r = 0; r < count; ++r, ++row) {
      std::ranges::copy(scored.row(row), matrix.row(r).begin());
    }
  }
}

}  // namespace

std::vector<std::vector<Matrix>> Engine::scores(std::span<const Encoding> batch,
                                                std::span<const HeadQuery> heads) const {
  const Impl& m = *impl_;
  std::vector<AskedHead> asked;
  for (const HeadQuery& query : heads) asked.emplace_back(m.config, query, batch.size());
  const bool first = read_first_rows_only(m.config);
  std::vector<std::vector<Matrix>> results(asked.size());
  m.run(batch, first, [&](ThreadPool&, std::size_t begin, const Batch& packed, const Tensor& x) {
    const std::int64_t texts = packed.rows.texts();
    const Rows rows = first ? single_rows(texts) : packed.rows;
    const auto texts_of = [&](auto all) {
      return all.empty() ? all : all.subspan(begin, static_cast<std::size_t>(texts));
    };
    for (std::size_t h = 0; h < asked.size(); ++h) {
      const AskedHead& head = asked[h];
      PickedRows picked;
      if (head.pooled()) {
        picked.counts.assign(static_cast<std::size_t>(texts), 1);
      } else {
        picked = picked_rows(rows, texts_of(head.picks));
      }
      if (!head.pooled() && picked.rows.empty()) {  // no kernel runs over no rows
        results[h].resize(results[h].size() + picked.counts.size());
        continue;
      }
      HeadContext<Tensor> context =
          m.model->head_context(head.name, head.config, head.pooling, rows);
      const Tensor::Ids ids = picked.rows;
      if (!head.pooled()) context.picked = &ids;
      Bags ngrams;
      if (head.config.wide_features > 0) {
        ngrams = m.model->ngrams_of(texts_of(batch));
        context.ngrams = &ngrams;
      }
      add_scores(apply(head.formula, x, context), picked.counts, results[h]);
    }
  });
  for (const auto& result : results) Impl::require_finite(result, "scores");
  return results;
}

std::vector<Matrix> Engine::scores(std::span<const Encoding> batch,
                                   std::span<const std::vector<std::int32_t>> picks,
                                   std::string_view head) const {
  const HeadQuery query{head, picks};
  return std::move(scores(batch, {&query, 1}).front());
}

std::map<std::string, std::vector<Matrix>> Engine::all_scores(
    std::span<const Encoding> batch) const {
  const std::vector<std::string> names = config().head_names();
  require(!names.empty(), Kind::usage, "model: expected one with a head, found an encoder");
  std::vector<HeadQuery> queries;
  for (const std::string& name : names) queries.push_back({.head = name});
  std::vector<std::vector<Matrix>> scored = scores(batch, queries);
  std::map<std::string, std::vector<Matrix>> by_name;
  for (std::size_t h = 0; h < names.size(); ++h)
    by_name[config().head_title(names[h])] = std::move(scored[h]);
  return by_name;
}

}  // namespace fnet
