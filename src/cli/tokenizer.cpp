#include "fnet/tokenizer.h"

#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/common_flags.h"
#include "cli/log.h"
#include "cli/output.h"
#include "core/error.h"
#include "core/file.h"
#include "tasks/example.h"

namespace fnet::cli {
namespace {

using nlohmann::ordered_json;

struct TrainFlags {
  TokenizerTraining training;
  ReadOptions read;
  Columns columns;
  std::vector<std::filesystem::path> inputs;
  std::filesystem::path out;
};

struct CodeFlags {
  std::filesystem::path model, path = "-";
  std::string format = "ids";
  EncodeOptions options;
  bool no_special = false, keep_special = false;
};

/// Texts of the files one after another; of a pair both.
std::function<bool(std::string&)> texts_of_files(const TrainFlags& flags) {
  struct State {
    std::vector<std::filesystem::path> left;
    std::optional<ExampleReader> reader;
    std::vector<std::string> texts;  // of the example that was read last, the next one at the end
  };
  const auto state = std::make_shared<State>();
  state->left.assign(flags.inputs.rbegin(), flags.inputs.rend());
  const Reading reading = read_texts_or_words(flags.columns, "a tokenizer");
  return [state, reading, options = flags.read](std::string& text) {
    while (state->texts.empty()) {
      Example example;
      if (state->reader && state->reader->next(example)) {
        state->texts.assign(example.texts.rbegin(), example.texts.rend());
        if (!example.words.empty()) {
          state->texts.push_back(fmt::format("{}", fmt::join(example.words, " ")));
        }
      } else {
        if (state->reader) warn_of_skipped(state->reader->name(), state->reader->skipped());
        state->reader.reset();
        if (state->left.empty()) return false;
        state->reader.emplace(DataReader(state->left.back(), options), reading);
        state->left.pop_back();
      }
    }
    text = std::move(state->texts.back());
    state->texts.pop_back();
    return true;
  };
}

void train(TrainFlags flags) {
  flags.training.next_text = texts_of_files(flags);
  const Tokenizer tokenizer = train_tokenizer(flags.training);
  tokenizer.save(flags.out);
  log_info("{}: {} pieces", flags.out.string(), tokenizer.vocab_size());
}

std::string encoded(const Tokenizer& tokenizer, const Encoding& encoding,
                    const std::string& format) {
  std::vector<std::string> pieces;
  for (const std::int32_t id : encoding.input_ids) pieces.push_back(tokenizer.piece(id));
  if (format == "ids") return fmt::format("{}\n", fmt::join(encoding.input_ids, " "));
  if (format == "pieces") return fmt::format("{}\n", fmt::join(pieces, " "));
  ordered_json line = {{"ids", encoding.input_ids}, {"pieces", pieces}};
  line["offsets"] = ordered_json::array();
  for (const Span& span : encoding.offsets) line["offsets"].push_back({span.begin, span.end});
  return line.dump() + '\n';
}

std::vector<std::int32_t> parse_ids(std::string_view line) {
  std::vector<std::int32_t> ids;
  const char* at = line.data();
  const char* const end = at + line.size();
  while (at != end) {
    if (*at == ' ' || *at == '\t') {
      ++at;
      continue;
    }
    std::int32_t id = 0;
    const auto [next, error] = std::from_chars(at, end, id);
    require(error == std::errc() && (next == end || *next == ' ' || *next == '\t'), Kind::input,
            "expected ids parted by spaces, found '{}'", printable({at, end}, 20));
    ids.push_back(id);
    at = next;
  }
  return ids;
}

/// Prints `code(line)` for each line; an error gets the line's place.
void for_each_line(const std::filesystem::path& path,
                   const std::function<std::string(std::string_view)>& code) {
  LineReader reader(path);
  for (std::string_view line; reader.next(line);) {
    try {
      print(code(line));
    } catch (const Error& error) {
      throw error.within(fmt::format("{}:{}", reader.name(), reader.line_number()));
    }
  }
  flush();
}

void encode(CodeFlags flags) {
  const Tokenizer tokenizer = load_tokenizer(flags.model);
  flags.options.add_special_tokens = !flags.no_special;
  for_each_line(flags.path, [&](std::string_view line) {
    return encoded(tokenizer, tokenizer.encode(line, {}, flags.options), flags.format);
  });
}

void decode(const CodeFlags& flags) {
  const Tokenizer tokenizer = load_tokenizer(flags.model);
  for_each_line(flags.path, [&](std::string_view line) {
    return tokenizer.decode(parse_ids(line), !flags.keep_special) + '\n';
  });
}

void add_code_flags(FlagSet& set, CodeFlags& flags, std::string what) {
  set.add("MODEL", &flags.model,
          "SentencePiece model, vocab.txt, tokenizer.json of BERT, or a directory",
          {.required = true, .model = true});
  set.add("FILE", &flags.path, std::move(what));
}

}  // namespace

Action declare_tokenizer_train(FlagSet& set) {
  const auto flags = std::make_shared<TrainFlags>();
  TokenizerTraining& training = flags->training;
  set.add("--input", &flags->inputs, "texts: one a line, or TSV, CSV, JSONL, CoNLL; gzip too",
          {.required = true, .several = true});
  set.add("--out", &flags->out, "model file, or directory for a model file with its config",
          {.required = true, .letter = 'o'});
  set.add("--vocab-size", &training.vocab_size, "pieces, special tokens included",
          {.range = Range{8, 1 << 20}});
  set.add("--model", &training.model, "how pieces are found", {.words = {"unigram", "bpe"}});
  set.add("--character-coverage", &training.character_coverage,
          "share of the characters that get a piece");
  set.add("--byte-fallback", &training.byte_fallback, "unknown characters become bytes");
  set.add("--lower-case", &training.lower_case, "fold case inside the model");
  set.add("--max-texts", &training.max_texts, "learn from a random sample of so many; 0: all");
  set.add("--seed", &training.seed, "of the sample");
  add_data(set, flags->read, flags->columns);
  return [flags] { train(*flags); };
}

Action declare_tokenizer_encode(FlagSet& set) {
  const auto flags = std::make_shared<CodeFlags>();
  add_code_flags(set, *flags, "texts, one a line; -: standard input");
  set.add("--format", &flags->format, "ids, pieces, or both with byte offsets as JSON",
          {.words = {"ids", "pieces", "jsonl"}});
  set.add("--max-length", &flags->options.max_length, "tokens a text; 0: no limit");
  set.add("--no-special", &flags->no_special, "without [CLS] and [SEP]");
  return [flags] { encode(*flags); };
}

Action declare_tokenizer_decode(FlagSet& set) {
  const auto flags = std::make_shared<CodeFlags>();
  add_code_flags(set, *flags, "ids parted by spaces, one text a line; -: standard input");
  set.add("--keep-special", &flags->keep_special, "with special tokens by name");
  return [flags] { decode(*flags); };
}

}  // namespace fnet::cli
