#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/common_flags.h"
#include "cli/output.h"
#include "core/error.h"
#include "tasks/example.h"
#include "text/vocabulary_map.h"

namespace fnet::cli {
namespace {

using nlohmann::ordered_json;

struct Flags {
  std::filesystem::path a, b, data;
  std::int64_t top = 5;
  ReadOptions read;
  Columns columns;
  bool json = false;
};

/// What one tokenizer makes of a text.
struct Tokens {
  std::vector<std::int32_t> ids;
  std::vector<std::string> pieces;

  Tokens(const Tokenizer& tokenizer, const std::string& text) {
    ids = tokenizer.encode(text).input_ids;
    for (const std::int32_t id : ids) pieces.push_back(tokenizer.piece(id));
  }
};

/// What is counted of one tokenizer.
struct Side {
  std::string name;
  Tokenizer tokenizer;
  std::int64_t tokens = 0, unknown = 0;

  Tokens read(const std::string& text) {
    Tokens result(tokenizer, text);
    tokens += static_cast<std::int64_t>(result.ids.size());
    unknown += std::ranges::count(result.ids, tokenizer.special().unk);
    return result;
  }

  ordered_json to_json() const {
    return {{"tokenizer", name},
            {"pieces", tokenizer.vocab_size()},
            {"tokens", tokens},
            {"unknown", unknown}};
  }
};

/// A text that the two read differently, from the first token on that is another.
struct Difference {
  std::size_t line, token;
  std::string text;
  Tokens a, b;
};

std::size_t first_other(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

ordered_json to_json(const Difference& d) {
  const auto tokens = [](const Tokens& t) {
    return ordered_json{{"ids", t.ids}, {"pieces", t.pieces}};
  };
  return {{"line", d.line},
          {"token", d.token},
          {"text", d.text},
          {"a", tokens(d.a)},
          {"b", tokens(d.b)}};
}

/// Some tokens around the first that differs, as `piece:id`.
std::string around(const Tokens& tokens, std::size_t at) {
  constexpr std::size_t kBefore = 2, kShown = 10;
  const std::size_t begin = at > kBefore ? at - kBefore : 0;
  const std::size_t end = std::min(tokens.ids.size(), begin + kShown);
  std::string text = begin > 0 ? "… " : "";
  for (std::size_t i = begin; i < end; ++i)
    text += fmt::format("{}:{} ", printable(tokens.pieces[i]), tokens.ids[i]);
  return text + (end < tokens.ids.size() ? "…" : "");
}

std::string percent(std::int64_t part, std::int64_t all) {
  return fmt::format("{:.2f} %",
                     all > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(all) : 0.0);
}

std::string text_of(const ordered_json& all, const std::vector<Difference>& differences,
                    const std::string& file) {
  const auto number = [](const ordered_json& json) { return json.get<std::int64_t>(); };
  const std::int64_t texts = number(all["texts"]);
  std::string text = fmt::format("{:12} {:>10} {:>10} {:>10}\n", "", "pieces", "tokens", "unknown");
  for (const char* side : {"a", "b"}) {
    const ordered_json& one = all[side];
    text += fmt::format("{:12} {:>10} {:>10} {:>10}  {}\n", side, number(one["pieces"]),
                        number(one["tokens"]), number(one["unknown"]),
                        printable(one["tokenizer"].get<std::string>()));
  }
  text += fmt::format(
      "\n{} texts; other ids in {} ({}), other pieces in {} ({})\n"
      "{} pieces of b are in a too\n",
      texts, number(all["other_ids"]), percent(number(all["other_ids"]), texts),
      number(all["other_pieces"]), percent(number(all["other_pieces"]), texts),
      number(all["pieces_in_both"]));
  for (const Difference& d : differences) {
    text += fmt::format("\n{}:{}: token {}: {}\n  a  {}\n  b  {}\n", file, d.line, d.token,
                        printable(d.text, 120), around(d.a, d.token), around(d.b, d.token));
  }
  return text;
}

void run(const Flags& flags) {
  Side a{flags.a.string(), load_tokenizer(flags.a)}, b{flags.b.string(), load_tokenizer(flags.b)};
  std::int64_t texts = 0, other_ids = 0, other_pieces = 0;
  std::vector<Difference> differences;
  const auto compare = [&](const std::string& text, std::size_t line) {
    Tokens of_a = a.read(text), of_b = b.read(text);
    ++texts;
    other_ids += of_a.ids != of_b.ids;
    other_pieces += of_a.pieces != of_b.pieces;
    if (of_a.ids == of_b.ids && of_a.pieces == of_b.pieces) return;
    if (static_cast<std::int64_t>(differences.size()) >= flags.top) return;
    std::size_t at = first_other(of_a.pieces, of_b.pieces);
    if (of_a.pieces == of_b.pieces) {
      at = static_cast<std::size_t>(std::ranges::mismatch(of_a.ids, of_b.ids).in1 -
                                    of_a.ids.begin());
    }
    differences.push_back({line, at, text, std::move(of_a), std::move(of_b)});
  };
  ExampleReader reader(DataReader(flags.data, flags.read),
                       read_texts_or_words(flags.columns, "texts to compare on"));
  for (Example example; reader.next(example);) {
    for (const std::string& text : example.texts) compare(text, example.line);
    if (!example.words.empty()) {
      compare(fmt::format("{}", fmt::join(example.words, " ")), example.line);
    }
  }
  warn_of_skipped(reader.name(), reader.skipped());
  ordered_json all = {{"texts", texts},
                      {"other_ids", other_ids},
                      {"other_pieces", other_pieces},
                      {"a", a.to_json()},
                      {"b", b.to_json()},
                      {"pieces_in_both", map_vocabulary(a.tokenizer, b.tokenizer).kept}};
  if (flags.json) {
    all["differences"] = ordered_json::array();
    for (const Difference& d : differences) all["differences"].push_back(to_json(d));
    print(all.dump(2) + '\n');
  } else {
    print(text_of(all, differences, reader.name()));
  }
  flush();
}

}  // namespace

Action declare_tokenizer_compare(FlagSet& set) {
  const auto flags = std::make_shared<Flags>();
  set.add("A", &flags->a, "SentencePiece model, vocab.txt, tokenizer.json of BERT, or a directory",
          {.required = true, .model = true});
  set.add("B", &flags->b, "another one", {.required = true, .model = true});
  set.add("--data", &flags->data, "texts: one a line, or TSV, CSV, JSONL, CoNLL; gzip too",
          {.required = true});
  set.add("--top", &flags->top, "show the first so many texts that differ",
          {.range = Range{0, 1'000'000}});
  set.add("--json", &flags->json, "one JSON object");
  add_data(set, flags->read, flags->columns);
  return [flags] { run(*flags); };
}

}  // namespace fnet::cli
