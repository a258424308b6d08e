#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fnet/tokenizer.h"

namespace fnet {

/// A piece of a text: its id and the bytes that it stands for, white space before it left out.
struct Token {
  std::int32_t id = 0;
  Span bytes;
};

/// Text to tokens and ids to text. Immutable, safe to share between threads.
class Segmenter {
 public:
  virtual ~Segmenter() = default;

  /// Tokens of a UTF-8 text, without special tokens around them. Throws: input where it is none.
  virtual std::vector<Token> segment(std::string_view text) const = 0;

  /// The text of ids in [0, size()).
  virtual std::string decode(const std::vector<int>& ids) const = 0;

  virtual std::int32_t size() const noexcept = 0;
  virtual const std::string& piece(std::int32_t id) const = 0;
  virtual std::optional<std::int32_t> id(std::string_view piece) const = 0;
  virtual std::int32_t unk() const noexcept = 0;
  virtual bool is_control(std::int32_t id) const noexcept = 0;

  /// A piece as it stands in a text, with a space where it begins a word: " the", "s".
  virtual std::string surface(std::int32_t id) const = 0;
  /// The piece that stands so in a text, or nothing.
  virtual std::optional<std::int32_t> id_of_surface(std::string_view surface) const = 0;

  /// Whether `decode` writes a special token in its place.
  virtual bool writes(std::int32_t id) const noexcept { return !is_control(id); }
};

/// SentencePiece behind a normalisation. Checks and loads a model file's bytes; `name` stands for
/// the file. Throws: input.
std::shared_ptr<const Segmenter> sentencepiece_segmenter(std::string_view model,
                                                         const TokenizerConfig& config,
                                                         const std::string& name);

/// WordPiece behind BERT's normalisation; `vocabulary` has a piece a line. `name` stands for its
/// file. Throws: input.
std::shared_ptr<const Segmenter> wordpiece_segmenter(std::string_view vocabulary,
                                                     const TokenizerConfig& config,
                                                     const std::string& name);

/// As Tokenizer::dna.
std::shared_ptr<const Segmenter> dna_segmenter(std::int64_t k, const TokenizerConfig& config);

}  // namespace fnet
