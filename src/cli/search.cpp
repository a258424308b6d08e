#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/common_flags.h"
#include "cli/output.h"
#include "cli/stream.h"
#include "core/error.h"
#include "fnet/similarity.h"
#include "model/similarity_option.h"
#include "runtime/samples.h"
#include "tasks/labelling.h"

namespace fnet::cli {
namespace {

struct Flags {
  ModelFlags model;
  InputFlags input;
  std::vector<std::string> query;
  std::filesystem::path queries;
  std::string pooling, similarity = "cosine", format = "tsv";
  std::size_t top_k = 10;
};

/// A text of the file that is among the best of a query so far.
struct Kept {
  std::size_t line = 0;
  std::vector<std::string> texts;
};

/// The queries of the flags, then those of their file.
std::vector<Example> read_queries(const Flags& flags) {
  std::vector<Example> queries;
  for (const std::string& text : flags.query) queries.emplace_back().texts = {text};
  if (flags.queries.empty()) return queries;
  ReadOptions options = flags.input.options;
  options.format.clear();  // of FILE; here the extension tells
  ExampleReader reader(DataReader(flags.queries, options),
                       read_texts(flags.input.columns, "queries"));
  for (Example example; reader.next(example);) queries.push_back(std::move(example));
  warn_of_skipped(reader.name(), reader.skipped());
  require(queries.size() > flags.query.size(), Kind::input,
          "{}: expected at least one query, found none", reader.name());
  return queries;
}

Matrix embed_queries(const Engine& engine, std::span<const Example> queries,
                     const std::string& pooling) {
  constexpr std::size_t kAtOnce = 64;
  Matrix vectors(0, static_cast<std::size_t>(engine.config().hidden_size));
  for (std::size_t begin = 0; begin < queries.size(); begin += kAtOnce) {
    const auto some = queries.subspan(begin, std::min(kAtOnce, queries.size() - begin));
    const Matrix next = engine.embed(inputs_of(some), pooling);
    vectors.data.insert(vectors.data.end(), next.data.begin(), next.data.end());
    vectors.rows += next.rows;
  }
  return vectors;
}

void print_matches(const Flags& flags, const std::vector<Example>& queries,
                   const std::vector<std::vector<Match>>& matches,
                   const std::map<std::size_t, Kept>& kept) {
  for (std::size_t q = 0; q < queries.size(); ++q) {
    nlohmann::ordered_json line = {{"query", queries[q].texts[0]}};
    if (queries[q].texts.size() > 1) line["query_pair"] = queries[q].texts[1];
    line["matches"] = nlohmann::json::array();
    std::size_t rank = 0;
    for (const Match& match : matches[q]) {
      const Kept& text = kept.at(match.row);
      ++rank;
      if (flags.format == "tsv") {
        print(fmt::format("{}\t{}\t{:.6f}\t{}\t{}\n", q + 1, rank, match.score, text.line,
                          field(text.texts[0])));
        continue;
      }
      nlohmann::ordered_json& found = line["matches"].emplace_back();
      found = {{"rank", rank},
               {"score", rounded(match.score)},
               {"line", text.line},
               {"text", text.texts[0]}};
      if (text.texts.size() > 1) found["text_pair"] = text.texts[1];
    }
    if (flags.format != "tsv") print(line.dump() + '\n');
  }
  flush();
}

void run(const Flags& flags) {
  require(!flags.query.empty() || !flags.queries.empty(), Kind::usage,
          "--query: expected a query, or a file of them with --queries, found none");
  require(flags.queries != "-" || flags.input.path != "-", Kind::usage,
          "--queries: expected another file than FILE, found standard input twice");
  const Engine engine = flags.model.load();
  const std::vector<Example> queries = read_queries(flags);
  SemanticSearch search(embed_queries(engine, queries, flags.pooling), flags.top_k,
                        similarity_named(flags.similarity));
  // The file goes by once; of its texts those are kept that a query still has among its best.
  std::map<std::size_t, Kept> kept;
  std::size_t rows = 0;
  const Reading reading = read_texts(flags.input.columns, "texts to search");
  flags.input.for_each_batch(engine, reading, [&](std::span<const Example> batch) {
    search.add(engine.embed(inputs_of(batch), flags.pooling));
    std::erase_if(kept, [&](const auto& text) { return !search.holds(text.first); });
    for (const Example& example : batch) {
      if (search.holds(rows)) kept[rows] = {example.line, example.texts};
      ++rows;
    }
  });
  require(rows > 0, Kind::input, "{}: expected at least one text, found none",
          flags.input.path.string());
  print_matches(flags, queries, search.matches(), kept);
}

}  // namespace

Action declare_search(FlagSet& set) {
  const auto flags = std::make_shared<Flags>();
  flags->model.declare(set);
  set.add("FILE", &flags->input.path, "texts to search, read once; -: standard input, one a line");
  set.add("--query", &flags->query, "what to look for; may be given again");
  set.add("--queries", &flags->queries, "a file of queries; -: standard input, one a line");
  set.add("--top-k", &flags->top_k, "how many texts for each query, best first",
          {.range = Range{1, 100'000}});
  add_pooling(set, flags->pooling);
  add_similarity(set, flags->similarity);
  set.add("--format", &flags->format,
          "query number, rank, score, line and text; or one JSON object for each query",
          {.words = {"tsv", "jsonl"}});
  flags->input.declare(set);
  return [flags] { run(*flags); };
}

}  // namespace fnet::cli
