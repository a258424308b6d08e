#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fnet {

/// What the check of a SentencePiece model file read on its way.
struct SpmSummary {
  enum class Type { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
  struct Piece {
    std::string_view text;  // into the model's bytes
    float score = 0;
    std::size_t score_offset = 0;  // of the four bytes of its score; 0 where it has none
    Type type = Type::normal;
  };
  std::vector<Piece> pieces;         // [V]
  std::string_view normalizer_spec;  // serialized NormalizerSpec, into the model's bytes
  std::string_view charsmap;         // precompiled, in there
  bool add_dummy_prefix = true, remove_extra_whitespaces = true, escape_whitespaces = true;
  bool bpe = false, byte_fallback = false;
  bool suffix_space = false;  // a space belongs to the piece before it
};

/// Walks the protobuf wire format of a SentencePiece model and refuses whatever the SentencePiece
/// library would trust without looking: sizes, UTF-8, scores, duplicate pieces, chains of
/// user-defined symbols longer than its stack buffer, and normalisation tables (Darts double
/// arrays) that lead out of their bytes. Linear in the file's size; no recursion.
///
/// `name` stands for the file in messages. Throws: input.
/// Source: sentencepiece_model.proto and normalizer.cc of SentencePiece 0.2.1.
SpmSummary check_sentencepiece(std::string_view model, const std::string& name);

}  // namespace fnet
