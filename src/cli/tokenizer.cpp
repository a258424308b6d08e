#include "fnet/tokenizer.h"

#include <spdlog/spdlog.h>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/output.h"
#include "core/error.h"
#include "core/file.h"
#include "text/data.h"

namespace fnet::cli {
namespace {

using nlohmann::ordered_json;

struct TrainFlags {
  TokenizerTraining training;
  ReadOptions read;
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
    std::optional<DataReader> reader;
    std::optional<std::string> pair;
  };
  const auto state = std::make_shared<State>();
  state->left.assign(flags.inputs.rbegin(), flags.inputs.rend());
  return [state, read = flags.read](std::string& text) {
    if (state->pair) {
      text = std::move(*state->pair);
      state->pair.reset();
      return true;
    }
    for (Example example;;) {
      if (state->reader && state->reader->next(example)) {
        text = example.tokens.empty() ? example.text
                                      : fmt::format("{}", fmt::join(example.tokens, " "));
        state->pair = example.text_pair;
        return true;
      }
      if (state->left.empty()) return false;
      ReadOptions options = read;
      const std::filesystem::path path = state->left.back();
      state->left.pop_back();
      state->reader.emplace(path, options);
    }
  };
}

void train(TrainFlags flags) {
  flags.training.next_text = texts_of_files(flags);
  const Tokenizer tokenizer = train_tokenizer(flags.training);
  tokenizer.save(flags.out);
  spdlog::info("{}: {} pieces", flags.out.string(), tokenizer.vocab_size());
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
  const Tokenizer tokenizer = Tokenizer::load(flags.model);
  flags.options.add_special_tokens = !flags.no_special;
  for_each_line(flags.path, [&](std::string_view line) {
    return encoded(tokenizer, tokenizer.encode(line, {}, flags.options), flags.format);
  });
}

void decode(const CodeFlags& flags) {
  const Tokenizer tokenizer = Tokenizer::load(flags.model);
  for_each_line(flags.path, [&](std::string_view line) {
    return tokenizer.decode(parse_ids(line), !flags.keep_special) + '\n';
  });
}

void declare_train(CLI::App& app, TrainFlags& flags) {
  app.add_option("--input", flags.inputs, "texts: one a line, or TSV, CSV, JSONL, CoNLL; gzip too")
      ->required();
  app.add_option("--vocab-size", flags.training.vocab_size, "pieces, special tokens included")
      ->check(CLI::Range(8, 1 << 20))
      ->capture_default_str();
  app.add_option("--model", flags.training.model, "how pieces are found")
      ->check(one_of({"unigram", "bpe"}))
      ->capture_default_str();
  app.add_option("--out", flags.out, "model file, or directory for a model file with its config")
      ->required();
  app.add_option("--character-coverage", flags.training.character_coverage,
                 "share of the characters that get a piece")
      ->capture_default_str();
  app.add_flag("--byte-fallback", flags.training.byte_fallback, "unknown characters become bytes");
  app.add_flag("--lower-case", flags.training.lower_case, "fold case inside the model");
  app.add_option("--max-texts", flags.training.max_texts,
                 "learn from a random sample of so many; 0: all");
  app.add_option("--seed", flags.training.seed, "of the sample")->capture_default_str();
  app.add_option("--text-column", flags.read.text_column, "name of the texts' column")
      ->capture_default_str();
}

void declare_code(CLI::App& app, CodeFlags& flags, const char* what) {
  app.add_option("MODEL", flags.model, "SentencePiece model, or model directory")->required();
  app.add_option("FILE", flags.path, what)->capture_default_str();
}

}  // namespace

Action declare_tokenizer(CLI::App& app) {
  const auto training = std::make_shared<TrainFlags>();
  const auto coding = std::make_shared<CodeFlags>();
  app.require_subcommand(1);
  CLI::App* train_app = app.add_subcommand("train", "learn a SentencePiece model from texts");
  declare_train(*train_app, *training);
  CLI::App* encode_app = app.add_subcommand("encode", "print the tokens of each line");
  declare_code(*encode_app, *coding, "texts, one a line; -: standard input");
  encode_app
      ->add_option("--format", coding->format, "ids, pieces, or both with byte offsets as JSON")
      ->check(one_of({"ids", "pieces", "jsonl"}))
      ->capture_default_str();
  encode_app->add_option("--max-length", coding->options.max_length, "tokens a text; 0: no limit");
  encode_app->add_flag("--no-special", coding->no_special, "without [CLS] and [SEP]");
  CLI::App* decode_app = app.add_subcommand("decode", "print the text of each line of ids");
  declare_code(*decode_app, *coding, "ids parted by spaces, one text a line; -: standard input");
  decode_app->add_flag("--keep-special", coding->keep_special, "with special tokens by name");
  return [=] {
    if (train_app->parsed()) return train(*training);
    if (encode_app->parsed()) return encode(*coding);
    decode(*coding);
  };
}

}  // namespace fnet::cli
