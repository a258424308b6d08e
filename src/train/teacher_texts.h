#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/permutation.h"
#include "fnet/tokenizer.h"
#include "text/corpus.h"
#include "text/vector_file.h"
#include "train/source.h"

namespace fnet {

/// Texts of files, one a line, and for each the vector that a teacher gives it, unless the teacher
/// is asked itself. Both are read by position.
class TeacherTexts {
 public:
  /// `corpus`: how texts become tokens, but for its paths; `room`: tokens of a text at most,
  /// without special ones; `asked`: without `vectors`, no vectors are read. Throws: as Corpus and
  /// VectorFile; usage where there are not as many files of vectors as of texts, input where one
  /// has not as many vectors as texts, or of another width.
  TeacherTexts(const std::vector<std::filesystem::path>& texts,
               const std::vector<std::filesystem::path>& vectors, CorpusOptions corpus,
               std::uint64_t room, bool asked, Tokenizer tokenizer, const Corpus::Log& log);

  std::uint64_t size() const noexcept { return before_.back(); }
  /// Of the vectors; 0: there are none.
  std::size_t width() const noexcept {
    return files_.front().vectors ? files_.front().vectors->width() : 0;
  }
  std::uint64_t tokens() const noexcept;
  std::uint64_t fingerprint() const noexcept;  ///< of the vectors

  /// A text with its special tokens as the one text, its vector, of length 1, as the values, where
  /// there are vectors.
  Sample at(std::uint64_t index) const;

  /// Where a text stands, for messages: "a.txt text 3".
  std::string place(std::uint64_t index) const;

 private:
  struct File {
    std::string name;
    Corpus corpus;
    std::optional<VectorFile> vectors;
  };
  std::size_t file_of(std::uint64_t index) const;

  std::vector<File> files_;
  std::vector<std::uint64_t> before_ = {0};  // texts of the files before, and of all
  std::uint64_t room_;
  Tokenizer tokenizer_;
};

/// The texts of a run's steps: all but those held out, in another order in each pass.
class TeacherSource : public Source {
 public:
  /// The first `held` texts of `order` are left out. The texts must outlive this object.
  TeacherSource(const TeacherTexts& texts, const Permutation& order, std::uint64_t held,
                std::int64_t batch_size, std::int64_t eval_steps, std::uint64_t seed);

  std::int64_t epoch_steps() const override { return eval_steps_; }
  std::vector<Sample> batch(std::int64_t step) override;
  std::string place(std::int64_t step) override;

 private:
  std::uint64_t text_at(std::uint64_t position) const;

  const TeacherTexts& texts_;
  Permutation order_;
  std::uint64_t held_;
  std::int64_t batch_size_, eval_steps_;
  std::uint64_t seed_;
};

}  // namespace fnet
