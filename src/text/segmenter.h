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

/// SentencePiece behind a normalisation: text to tokens and ids to text. Immutable, safe to share
/// between threads.
class Segmenter {
 public:
  /// Checks and loads a model file's bytes; `name` stands for the file. Throws: input.
  Segmenter(std::string_view model, const TokenizerConfig& config, const std::string& name);
  ~Segmenter();

  /// Tokens of a UTF-8 text, without special tokens around them.
  std::vector<Token> segment(std::string_view text) const;

  /// The text of ids in [0, size()).
  std::string decode(const std::vector<int>& ids) const;

  std::int32_t size() const noexcept;
  const std::string& piece(std::int32_t id) const;
  std::optional<std::int32_t> id(std::string_view piece) const;
  std::int32_t unk() const noexcept;
  bool is_control(std::int32_t id) const noexcept;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace fnet
