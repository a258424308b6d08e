// Tokenizers and the files of a model directory.
#include "text/tokenizer_files.h"

#include <algorithm>
#include <tuple>

#include "core/error.h"
#include "core/file.h"
#include "fnet/tokenizer.h"
#include "text/normalize.h"
#include "text/tokenizer_config.h"
#include "text/tokenizer_json.h"
#include "text/wordpiece.h"
#include "text/wordpiece_json.h"

namespace fnet {
namespace {

constexpr std::uint64_t kMaxModelBytes = std::uint64_t{64} << 20;
constexpr const char *kSentencePiece = "spiece.model", *kVocabulary = "vocab.txt",
                     *kJson = "tokenizer.json", *kConfig = "tokenizer_config.json";

/// The name of the file with a tokenizer's model, or nothing where it has none.
const char* file_of(TokenizerKind kind) {
  switch (kind) {
    case TokenizerKind::sentencepiece:
      return kSentencePiece;
    case TokenizerKind::wordpiece:
      return kVocabulary;
    case TokenizerKind::dna:
      break;
  }
  return nullptr;
}

/// What a tokenizer is made of.
struct Parts {
  std::string model, name;
  TokenizerFile file;
  bool reads_json = false;  ///< ids come from tokenizer.json
};

bool has_capitals(std::string_view vocabulary, const std::string& name) {
  const std::vector<std::string> pieces = read_vocabulary(vocabulary, name);
  return std::ranges::any_of(pieces, [](const std::string& piece) {
    return !piece.starts_with('[') && lower_case(AlignedText(piece)).text != piece;
  });
}

/// Where no other file `says_case`, capitals stay if some piece has one.
Parts vocabulary_parts(const std::filesystem::path& path, bool says_case = false) {
  Parts parts{read_file(path, kMaxModelBytes), path.string(), {}};
  TokenizerConfig& config = parts.file.config;
  config = wordpiece_config();
  config.do_lower_case = says_case || !has_capitals(parts.model, parts.name);
  config.keep_accents = !config.do_lower_case;
  return parts;
}

Parts json_parts(const std::filesystem::path& path) {
  WordPieceFile read = read_wordpiece_json(path);
  Parts parts{std::move(read.vocabulary), path.string(), {}, true};
  parts.file.config = std::move(read.config);
  parts.file.warnings = std::move(read.warnings);
  return parts;
}

Parts parts_of_file(const std::filesystem::path& path) {
  if (path.extension() == ".json") return json_parts(path);
  if (path.extension() == ".txt") return vocabulary_parts(path);
  return {read_file(path, kMaxModelBytes), path.string(), {}};
}

/// Adds what tokenizer_config.json says.
void add_config(Parts& parts, const std::filesystem::path& path) {
  TokenizerFile file = read_tokenizer_config(path, parts.file.config);
  file.warnings.insert(file.warnings.begin(), parts.file.warnings.begin(),
                       parts.file.warnings.end());
  parts.file = std::move(file);
}

/// Of a folder with a vocabulary. What this program wrote has all in vocab.txt and its config;
/// other programs go by tokenizer.json where there is one.
Parts wordpiece_parts(const std::filesystem::path& folder) {
  const std::filesystem::path vocabulary = folder / kVocabulary, json = folder / kJson,
                              config = folder / kConfig;
  const bool has_config = path_exists(config), has_vocabulary = path_exists(vocabulary);
  const TokenizerFile file =
      has_config ? read_tokenizer_config(config, wordpiece_config()) : TokenizerFile();
  const bool by_json = path_exists(json) && !(file.ours && has_vocabulary);
  Parts parts = by_json ? json_parts(json) : vocabulary_parts(vocabulary, file.says_case);
  if (by_json && has_vocabulary) {
    const std::string other = read_file(vocabulary, kMaxModelBytes);
    if (read_vocabulary(other, vocabulary.string()) != read_vocabulary(parts.model, parts.name))
      parts.file.warnings.push_back(
          fmt::format("{}: not read: tokenizer.json has other pieces", vocabulary.string()));
  }
  if (has_config) add_config(parts, config);
  return parts;
}

Parts parts_of_folder(const std::filesystem::path& folder) {
  const std::filesystem::path file = tokenizer_file(folder), config = folder / kConfig;
  if (!file.empty() && file.filename() != kSentencePiece) return wordpiece_parts(folder);
  Parts parts;
  parts.name = config.string();
  if (path_exists(config)) add_config(parts, config);
  if (parts.file.config.kind == TokenizerKind::dna) return parts;
  parts.name = (folder / kSentencePiece).string();
  parts.model = read_file(parts.name, kMaxModelBytes);
  return parts;
}

/// What other programs would read in the folder of a tokenizer, and this one does not.
void warn_of_ignored(const Tokenizer& tokenizer, const Parts& parts,
                     const std::filesystem::path& folder, std::vector<std::string>& warnings) {
  const TokenizerFile& file = parts.file;
  const std::string own = std::filesystem::path(parts.name).filename().string();
  warnings.insert(warnings.end(), file.warnings.begin(), file.warnings.end());
  std::size_t unknown = 0;
  std::string first;
  for (const AddedPiece& token : file.added) {
    if (tokenizer.id(token.content) == token.id) continue;
    if (unknown++ == 0) first = token.content;
  }
  if (unknown > 0) {
    warnings.push_back(fmt::format(
        "{}: added_tokens_decoder: {} tokens that {} lacks are not honoured, the first '{}'",
        (folder / kConfig).string(), unknown, own, printable(first)));
  }
  for (const AddedToken& token : file.config.added_tokens) {
    if (token.normalized && one_word(token.content, file.config).empty())
      warnings.push_back(fmt::format("{}: added token '{}' is read as it stands, not in other case",
                                     parts.name, printable(token.content, 40)));
  }
  const auto unread = [&](const char* name, const std::string& why) {
    if (path_exists(folder / name))
      warnings.push_back(fmt::format("{}: not read: {}", (folder / name).string(), why));
  };
  if (!file.ours && !parts.reads_json)
    unread(kJson,
           "ids come from spiece.model; \"normalization\": \"hf_fast\" in tokenizer_config.json "
           "gives those of Hugging Face's conversion");
  if (!parts.reads_json) unread("added_tokens.json", "ids come from " + own);
  unread("sentence_bert_config.json", "give its max_seq_length as --max-length");
}

}  // namespace

std::filesystem::path tokenizer_file(const std::filesystem::path& directory) {
  for (const char* name : {kSentencePiece, kVocabulary})
    if (path_exists(directory / name)) return directory / name;
  const std::filesystem::path json = directory / kJson;
  return path_exists(json) && is_wordpiece_json(json) ? json : std::filesystem::path();
}

bool Tokenizer::stands_in(const std::filesystem::path& directory) {
  if (!tokenizer_file(directory).empty()) return true;
  const std::filesystem::path config = directory / kConfig;
  return path_exists(config) && read_tokenizer_config(config).config.kind == TokenizerKind::dna;
}

Tokenizer Tokenizer::load(const std::filesystem::path& path, std::vector<std::string>* warnings) {
  const bool folder = path_is_directory(path);
  Parts parts = folder ? parts_of_folder(path) : parts_of_file(path);
  Tokenizer out = parse(std::move(parts.model), parts.file.config, parts.name);
  if (!folder) {
    if (warnings != nullptr)
      warnings->insert(warnings->end(), parts.file.warnings.begin(), parts.file.warnings.end());
    return out;
  }
  if (warnings != nullptr) warn_of_ignored(out, parts, path, *warnings);
  const std::filesystem::path config = path / kConfig;
  if (!path_exists(config)) return out;
  const SpecialIds& special = out.special();
  const TokenizerConfig& names = out.config();
  for (const auto& [id, key, piece] : {std::tuple{special.cls, "cls_token", names.cls_token},
                                       {special.sep, "sep_token", names.sep_token},
                                       {special.pad, "pad_token", names.pad_token},
                                       {special.mask, "mask_token", names.mask_token}})
    require(id >= 0, Kind::input, "{}: {}: expected a piece of {}, found '{}'", config.string(),
            key, parts.name, printable(piece));
  return out;
}

void Tokenizer::save(const std::filesystem::path& path) const {
  const char* own = file_of(config().kind);
  require(own != nullptr || path_is_directory(path), Kind::usage,
          "{}: expected a directory for the tokenizer of DNA, which has no model file",
          path.string());
  if (!path_is_directory(path)) return write_file(path, model());
  for (const char* name : {kSentencePiece, kVocabulary}) {
    if (own != nullptr && std::string_view(name) == own)
      write_file(path / name, model());
    else
      std::filesystem::remove(path / name);  // one of another tokenizer
  }
  const std::string json = tokenizer_json(model(), config(), special());
  write_file(path / kConfig, tokenizer_config_json(*this, !json.empty()));
  if (!json.empty())
    write_file(path / kJson, json);
  else
    std::filesystem::remove(path / kJson);
}

}  // namespace fnet
