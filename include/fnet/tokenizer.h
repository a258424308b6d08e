#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fnet/api.h"
#include "fnet/error.h"
#include "fnet/types.h"

namespace fnet {

/// A half-open range of positions in a text.
struct Span {
  std::size_t begin = 0, end = 0;
  bool operator==(const Span&) const = default;
};

/// A word or pair of words of a text, by its hash, and how often it stands there.
struct NgramCount {
  std::uint32_t key = 0;  ///< below 2^24
  std::uint32_t count = 0;
  bool operator==(const NgramCount&) const = default;
};

/// What a model reads for one text or one pair of texts, N tokens; or for one array of numbers, N
/// rows.
struct Encoding {
  std::vector<std::int32_t> input_ids;       ///< [N]
  std::vector<std::int32_t> token_type_ids;  ///< [N]: 0 for the text, 1 for the pair and its [SEP]
  std::vector<Span> offsets;           ///< [N]: bytes of the token's text; empty for special tokens
  std::vector<std::int32_t> word_ids;  ///< [N] from encode_words: index of the word, else -1
  std::vector<std::int32_t> position_ids;  ///< [N]; empty: 0, 1, 2, …
  bool truncated = false;                  ///< tokens were dropped to fit max_length
  /// By ascending key, where EncodeOptions::ngrams asked for them: of the whole text.
  std::optional<std::vector<NgramCount>> ngrams;
  Matrix vectors = {};  ///< [N, F] in place of ids and types, of a model that reads numbers

  /// N.
  std::size_t size() const { return vectors.rows > 0 ? vectors.rows : input_ids.size(); }

  /// Whether token `i` begins a word: where a tagger reads and writes the word's tag.
  bool first_of_word(std::size_t i) const {
    return word_ids[i] >= 0 && (i == 0 || word_ids[i - 1] != word_ids[i]);
  }
};

/// What gives way when a text has more tokens than `max_length`.
enum class Truncation {
  longest_first,  ///< the end of the longer text, as Hugging Face does; with one text as `right`
  right,          ///< the end of the input: of the pair first, then of the text
  left,           ///< the start of the input: of the text first, then of the pair
  only_first,     ///< the end of the text, never the pair
  error,          ///< nothing: Error (input)
  windows,        ///< nothing: it is read in windows; Error (input) where there can be one only
};

struct EncodeOptions {
  std::size_t max_length = 0;  ///< tokens, special ones included; 0 is no limit
  Truncation truncation = Truncation::longest_first;
  bool add_special_tokens = true;  ///< [CLS] A [SEP], or [CLS] A [SEP] B [SEP]
  /// Tokens that two neighbours share where a long text is read in windows: at most half a window.
  std::size_t stride = 128;
  /// Of a text; a longer one is an Error (input), but where max_length cuts it before that.
  std::size_t max_bytes = 1024 * 1024;
  /// Count words and pairs of words too, which a model with a wide head reads; of the text's part
  /// within max_bytes.
  bool ngrams = false;
  InputShape numbers = {};  ///< of a model that reads numbers: max_length then counts rows
};

/// What cuts a text into tokens.
enum class TokenizerKind {
  sentencepiece,  ///< a SentencePiece model, BPE or unigram
  wordpiece,      ///< a vocabulary of BERT: the longest pieces of each word, "##" where it goes on
  dna,            ///< letters of DNA, `kmer_size` a token
};

/// What happens to a text before SentencePiece sees it.
enum class Normalization {
  raw,      ///< nothing: the model's own rules, as Google's and Keras' FNet
  hf_slow,  ///< as Hugging Face's Python tokenizer of version 4
  hf_fast,  ///< as the tokenizer.json that Hugging Face's converter writes
};

/// Special tokens, -1 where the model has none. FNet's layout is
/// `<unk>` 0, `<s>` 1, `</s>` 2, `<pad>` 3, `[CLS]` 4, `[SEP]` 5, `[MASK]` 6.
struct SpecialIds {
  std::int32_t unk = -1, bos = -1, eos = -1, pad = -1, cls = -1, sep = -1, mask = -1;
};

/// A token of WordPiece that is read wherever its name stands in a text.
struct AddedToken {
  std::string content;
  bool special = true;                  ///< it stands for no text
  bool lstrip = false, rstrip = false;  ///< white space beside it goes
  bool normalized = false;  ///< looked for in the normalised text, where that makes one word of it
};

/// The part of tokenizer_config.json that changes ids.
struct TokenizerConfig {
  TokenizerKind kind = TokenizerKind::sentencepiece;
  Normalization normalization = Normalization::raw;  ///< key "normalization": raw, hf_slow, hf_fast
  bool do_lower_case = false;
  /// false: combining marks are dropped, after NFKD, of WordPiece NFD (key "strip_accents").
  bool keep_accents = true;
  std::string cls_token = "[CLS]", sep_token = "[SEP]", mask_token = "[MASK]", pad_token = "<pad>";
  std::int64_t model_max_length =
      0;                       ///< tokens of a text that the model was trained with; 0: not said
  std::int64_t kmer_size = 0;  ///< of DNA: letters of a token
  // Of WordPiece:
  std::string unk_token = "[UNK]";
  bool tokenize_chinese_chars = true;  ///< each Chinese character is a word
  /// Beside those above. One that the vocabulary lacks gets the next id after it.
  std::vector<AddedToken> added_tokens = {};
};

/// A SentencePiece model with FNet's special tokens, a WordPiece vocabulary with BERT's, or the
/// letters of DNA. Immutable, cheap to copy, safe to share between threads. A model file is checked
/// by rules of our own before the SentencePiece library sees it. One that is made without arguments
/// stands for none: its calls throw usage.
class FNET_API Tokenizer {
 public:
  Tokenizer() = default;

  /// Whether it is one.
  explicit operator bool() const noexcept { return impl_ != nullptr; }

  /// Whether a model directory has one.
  static bool stands_in(const std::filesystem::path& directory);

  /// The letters of DNA, of which `k` that follow each other are a token, the next beginning one
  /// letter on: A, C, G, T, with k = 1 also N for what is not known. Letters of either case, U as
  /// T, IUPAC's for several bases as N; with k > 1 a token with an N is <unk>. Source: DNABERT.
  /// Throws: usage unless k is 1 to 8.
  static Tokenizer dna(std::int64_t k = 1);

  /// Reads a SentencePiece model file, WordPiece's vocabulary (`.txt`, a piece a line; folded to
  /// lower case unless it has capitals) or tokenizer.json (`.json`), or a model directory with
  /// `spiece.model`, or with `vocab.txt` or such a `tokenizer.json`, and, perhaps,
  /// `tokenizer_config.json`. What the directory's files ask for and is not done (added tokens,
  /// another side to cut at, a foreign tokenizer.json) is told in `*warnings`, a line each.
  /// Throws: input where a file is damaged or the model lacks a special token that
  /// tokenizer_config.json names.
  static Tokenizer load(const std::filesystem::path& path,
                        std::vector<std::string>* warnings = nullptr);

  /// The same from the bytes of a model file or vocabulary, as `config.kind` says; `name` stands
  /// for the file in messages.
  static Tokenizer parse(std::string model, const TokenizerConfig& config = {},
                         const std::string& name = "spiece.model");

  /// Tokens of a text or of a pair. Offsets are bytes of `text` where the type is 0, of `pair`
  /// where it is 1. Throws: input where a text is not UTF-8 or too long, or where special tokens
  /// are wanted and the model has no [CLS] or [SEP].
  Encoding encode(std::string_view text, std::optional<std::string_view> pair = {},
                  const EncodeOptions& options = {}) const;

  /// Tokens of a text that is split into words already, each with at least one token. Offsets are
  /// bytes of the word.
  Encoding encode_words(std::span<const std::string> words,
                        const EncodeOptions& options = {}) const;

  /// The same as `encode` and `encode_words`, but that with Truncation::windows a longer text gives
  /// its windows: see `windows_of`.
  std::vector<Encoding> encode_windows(std::string_view text,
                                       std::optional<std::string_view> pair = {},
                                       const EncodeOptions& options = {}) const;
  std::vector<Encoding> encode_windows(std::span<const std::string> words,
                                       const EncodeOptions& options = {}) const;

  /// The same tokenizer whose texts have at most so many tokens (`model_max_length`).
  Tokenizer with_max_length(std::int64_t tokens) const;

  /// The text of these ids; special tokens are left out, or stand in it by name.
  /// Throws: input where an id is not in [0, vocab_size()).
  std::string decode(std::span<const std::int32_t> ids, bool skip_special = true) const;

  std::int32_t vocab_size() const noexcept;

  /// The piece of an id, e.g. "▁the" or "##s". Throws: usage where the id is not in [0,
  /// vocab_size()).
  const std::string& piece(std::int32_t id) const;

  /// The id of a piece, or nothing.
  std::optional<std::int32_t> id(std::string_view piece) const;

  /// A piece as it stands in a text, with a space where it begins a word: " the", "s". Throws:
  /// usage where the id is not in [0, vocab_size()).
  std::string surface(std::int32_t id) const;

  /// The id of the piece that stands so in a text, or nothing.
  std::optional<std::int32_t> id_of_surface(std::string_view surface) const;

  /// Whether a piece begins a word.
  bool begins_word(std::int32_t id) const { return surface(id).starts_with(' '); }

  const SpecialIds& special() const noexcept;

  /// Whether the id stands for no text: <s>, </s>, <pad>, [CLS], [SEP], [MASK].
  bool is_special(std::int32_t id) const noexcept;

  const TokenizerConfig& config() const noexcept;

  /// The bytes of the SentencePiece model, or of the vocabulary with a piece a line.
  const std::string& model() const noexcept;

  /// Writes that file; where `path` is a directory, `spiece.model` or `vocab.txt`,
  /// `tokenizer_config.json` and `tokenizer.json` inside it, from which Hugging Face's
  /// AutoTokenizer makes the same ids.
  void save(const std::filesystem::path& path) const;

 private:
  struct Impl;
  explicit Tokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  const Impl& impl() const;
  std::shared_ptr<const Impl> impl_;
};

/// An encoding with its special tokens, in windows of at most `max_length` tokens where it has
/// more; 0: there is one. Of a pair each window has the first text and a part of the second; the
/// first is cut to half of the room (`truncated`). Neighbours share `stride` tokens, at most half
/// of what a window has room for. A word belongs to the windows that have its first token. Ngrams
/// are those of the whole text. Throws: usage where
/// `max_length` leaves no room.
FNET_API std::vector<Encoding> windows_of(const Encoding& whole, std::size_t max_length,
                                          std::size_t stride);

/// Byte ranges of a UTF-8 text as ranges of code points.
FNET_API std::vector<Span> code_point_offsets(std::string_view text, std::span<const Span> bytes);

struct TokenizerTraining {
  std::vector<std::filesystem::path> inputs;  ///< one text a line, plain or gzip
  std::function<bool(std::string&)>
      next_text;                       ///< instead of inputs: the next text, false at the end
  std::int32_t vocab_size = 32000;     ///< special tokens included
  bool fewer_pieces = false;           ///< allowed where the texts have no more
  std::string model = "unigram";       ///< unigram, bpe
  double character_coverage = 0.9995;  ///< share of the characters that get a piece, 0.98 to 1
  bool byte_fallback = false;          ///< unknown characters become 256 byte pieces
  bool lower_case = false;             ///< case folding inside the model
  std::size_t max_texts = 0;           ///< a random sample of so many texts; 0 is all
  std::uint64_t seed = 1;
};

/// Learns a SentencePiece model with FNet's special tokens. The same texts and options give the
/// same bytes on any machine of the same kind. Throws: input where there is no text, or vocab_size
/// is too small or (without fewer_pieces, saying the largest possible) too large for it.
FNET_API Tokenizer train_tokenizer(const TokenizerTraining& training);

}  // namespace fnet
