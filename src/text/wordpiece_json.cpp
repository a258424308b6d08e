#include "text/wordpiece_json.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"
#include "core/json.h"
#include "text/segmenter.h"
#include "text/tokenizer_config.h"
#include "text/tokenizer_json.h"
#include "text/wordpiece.h"

namespace fnet {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::int64_t kMaxLetters = 100;  // max_input_chars_per_word of BERT

/// A member of a JSON object at a place of a file, or null.
const json& member(const json& object, const char* key) {
  static const json null;
  const auto found = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && found != object.end() ? *found : null;
}

/// Reads parts of one tokenizer.json.
class Reader {
 public:
  Reader(json value, std::string source) : source_(std::move(source)), json_(std::move(value)) {}

  std::string type(const char* part) const {
    const json& of = member(json_, part);
    const json& name = member(of, "type");
    return name.is_string() ? name.get<std::string>()
           : of.is_null()   ? "none"
                            : "one without a type";
  }

  WordPieceFile read() {
    file_.config = wordpiece_config();
    expect("model", "WordPiece");
    expect("normalizer", "BertNormalizer");
    expect("pre_tokenizer", "BertPreTokenizer");
    read_model();
    read_normalizer();
    read_template();
    read_pieces();
    return std::move(file_);
  }

 private:
  void expect(const char* part, const char* wanted) const {
    const std::string found = type(part);
    require(found == wanted, Kind::input, "{}: {}: expected {}, found {}", source_, part, wanted,
            printable(found, 40));
  }

  template <class T>
  T value(const json& object, const char* key, T otherwise, const char* place) const {
    const json& found = member(object, key);
    return found.is_null() ? otherwise
                           : json_cast<T>(found, source_, fmt::format("{}.{}", place, key));
  }

  void read_model() {
    const json& model = member(json_, "model");
    file_.config.unk_token =
        value<std::string>(model, "unk_token", file_.config.unk_token, "model");
    const auto prefix =
        value<std::string>(model, "continuing_subword_prefix", std::string(kContinues), "model");
    require(prefix == kContinues, Kind::input,
            "{}: model.continuing_subword_prefix: expected '{}', found '{}'", source_, kContinues,
            printable(prefix, 40));
    const auto letters =
        value<std::int64_t>(model, "max_input_chars_per_word", kMaxLetters, "model");
    require(letters == kMaxLetters, Kind::input,
            "{}: model.max_input_chars_per_word: expected {}, found {}", source_, kMaxLetters,
            letters);
  }

  void read_normalizer() {
    const json& rules = member(json_, "normalizer");
    TokenizerConfig& config = file_.config;
    require(value(rules, "clean_text", true, "normalizer"), Kind::input,
            "{}: normalizer.clean_text: expected true, found false", source_);
    config.do_lower_case = value(rules, "lowercase", true, "normalizer");
    config.tokenize_chinese_chars = value(rules, "handle_chinese_chars", true, "normalizer");
    config.keep_accents = !value(rules, "strip_accents", config.do_lower_case, "normalizer");
  }

  void warn(const std::string& what) { file_.warnings.push_back(source_ + ": " + what); }

  /// Takes the names of [CLS] and [SEP] from the post-processor.
  void read_template() {
    const json& post = member(json_, "post_processor");
    const std::string kind = type("post_processor");
    TokenizerConfig& config = file_.config;
    if (kind == "BertProcessing" || kind == "RobertaProcessing") {
      for (const auto& [key, name] :
           {std::pair{"cls", &config.cls_token}, std::pair{"sep", &config.sep_token}}) {
        const json& of = member(post, key);
        require(of.is_array() && of.size() == 2 && of[0].is_string(), Kind::input,
                "{}: post_processor.{}: expected a piece and its id, found {}", source_, key,
                of.type_name());
        *name = of[0].get<std::string>();
      }
      if (kind == "RobertaProcessing")
        warn(
            "post_processor: pairs are put together as BERT's: one [SEP] between them, types 0 and "
            "1");
      return;
    }
    if (kind == "none") {
      warn(fmt::format("post_processor: expected one, found none: texts get {} and {}",
                       config.cls_token, config.sep_token));
      return;
    }
    const json& single = member(post, "single");
    const auto special = [&](std::size_t i) -> const json& {
      return member(member(single[i], "SpecialToken"), "id");
    };
    const bool ours = kind == "TemplateProcessing" && single.is_array() && single.size() == 3 &&
                      special(0).is_string() && special(2).is_string() &&
                      !member(single[1], "Sequence").is_null();
    require(ours, Kind::input,
            "{}: post_processor: expected [CLS] A [SEP] of TemplateProcessing or BertProcessing, "
            "found another {}",
            source_, printable(kind, 40));
    config.cls_token = special(0).get<std::string>();
    config.sep_token = special(2).get<std::string>();
    const json wanted = template_of(config, {.cls = 0, .sep = 0})["pair"];
    if (member(post, "pair") != wanted)
      warn(
          "post_processor: pairs are put together as BERT's: one [SEP] between them, types 0 and "
          "1");
  }

  void read_pieces() {
    const json& vocab = member(member(json_, "model"), "vocab");
    require(vocab.is_object() && !vocab.empty(), Kind::input,
            "{}: model.vocab: expected pieces with their ids, found {}", source_,
            vocab.is_object() ? "none" : vocab.type_name());
    struct Added {
      std::int64_t id;
      AddedToken token;
    };
    std::vector<Added> added;
    const json& list = member(json_, "added_tokens");
    require(list.is_null() || list.is_array(), Kind::input,
            "{}: added_tokens: expected an array, found {}", source_, list.type_name());
    for (const json& entry : list) {
      require(entry.is_object(), Kind::input, "{}: added_tokens: expected objects, found {}",
              source_, entry.type_name());
      AddedToken token = added_token(entry, source_);
      if (value(entry, "single_word", false, "added_tokens")) {
        warn(fmt::format("added_tokens: '{}' is read inside words too: single_word is not honoured",
                         printable(token.content, 40)));
      }
      added.push_back({value<std::int64_t>(entry, "id", -1, "added_tokens"), std::move(token)});
    }
    std::ranges::stable_sort(added, {}, &Added::id);

    std::size_t size = vocab.size();
    for (const Added& one : added) size += !vocab.contains(one.token.content);
    std::vector<std::string> pieces(size);
    const auto place = [&](const std::string& piece, std::int64_t id) {
      std::string fault = fault_of(piece);
      if (fault.empty() && (id < 0 || static_cast<std::size_t>(id) >= size)) {
        fault = fmt::format("expected an id of 0 to {}, as there are {} pieces, found {}", size - 1,
                            size, id);
      } else if (fault.empty() && !pieces[static_cast<std::size_t>(id)].empty() &&
                 pieces[static_cast<std::size_t>(id)] != piece) {
        fault = fmt::format("expected an id of its own, found {} of '{}'", id,
                            printable(pieces[static_cast<std::size_t>(id)], 40));
      }
      if (!fault.empty()) fail(Kind::input, "{}: '{}': {}", source_, printable(piece, 40), fault);
      pieces[static_cast<std::size_t>(id)] = piece;
    };
    for (const auto& [piece, id] : vocab.items())
      place(piece, json_cast<std::int64_t>(id, source_, "model.vocab"));
    for (const Added& one : added) place(one.token.content, one.id);

    while (size > 0 && !vocab.contains(pieces[size - 1])) --size;  // those stand after it
    for (std::size_t i = 0; i < size; ++i) file_.vocabulary += pieces[i] + '\n';
    for (Added& one : added) file_.config.added_tokens.push_back(std::move(one.token));
  }

  std::string source_;
  json json_;
  WordPieceFile file_;
};

}  // namespace

TokenizerConfig wordpiece_config() {
  TokenizerConfig config;
  config.kind = TokenizerKind::wordpiece;
  config.do_lower_case = true;
  config.keep_accents = false;
  config.pad_token = "[PAD]";
  return config;
}

bool is_wordpiece_json(const std::filesystem::path& path) {
  return Reader(read_json_file(path), path.string()).type("model") == "WordPiece";
}

WordPieceFile read_wordpiece_json(const std::filesystem::path& path) {
  return Reader(read_json_file(path), path.string()).read();
}

WordPieceFile parse_wordpiece_json(std::string_view text, const std::string& name) {
  return Reader(parse_json(text, name), name).read();
}

std::string wordpiece_json(std::string_view vocabulary, const TokenizerConfig& config,
                           const SpecialIds& special) {
  const auto segmenter = wordpiece_segmenter(vocabulary, config, "vocab.txt");
  const std::vector<std::string> pieces = read_vocabulary(vocabulary, "vocab.txt");
  ordered_json vocab = ordered_json::object();
  // An ordered object looks through all its keys for each new one: fill its list.
  ordered_json::object_t::Container& list = vocab.get_ref<ordered_json::object_t&>();
  for (std::size_t id = 0; id < pieces.size(); ++id) list.emplace_back(pieces[id], id);

  std::vector<AddedToken> tokens = config.added_tokens;
  for (const std::string* name : {&config.pad_token, &config.unk_token, &config.cls_token,
                                  &config.sep_token, &config.mask_token}) {
    const bool there = std::ranges::find(tokens, *name, &AddedToken::content) != tokens.end();
    if (!there && segmenter->id(*name)) tokens.push_back({.content = *name});
  }
  const auto id_of = [&](const AddedToken& token) { return *segmenter->id(token.content); };
  std::ranges::stable_sort(tokens, {}, id_of);
  ordered_json added = ordered_json::array();
  for (const AddedToken& token : tokens) {
    ordered_json one = {{"id", id_of(token)}};
    one.update(added_token_json(token));
    added.push_back(std::move(one));
  }
  const ordered_json json = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added},
      {"normalizer",
       {{"type", "BertNormalizer"},
        {"clean_text", true},
        {"handle_chinese_chars", config.tokenize_chinese_chars},
        {"strip_accents", !config.keep_accents},
        {"lowercase", config.do_lower_case}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"post_processor", template_of(config, special)},
      {"decoder", {{"type", "WordPiece"}, {"prefix", kContinues}, {"cleanup", true}}},
      {"model",
       {{"type", "WordPiece"},
        {"unk_token", config.unk_token},
        {"continuing_subword_prefix", kContinues},
        {"max_input_chars_per_word", kMaxLetters},
        {"vocab", vocab}}}};
  return json.dump() + "\n";
}

}  // namespace fnet
