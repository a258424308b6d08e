#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "fnet/tokenizer.h"
#include "fnet/types.h"
#include "text/data.h"

namespace fnet {

/// What a task takes from a record.
struct Example {
  std::size_t line = 0;            ///< of the record in its file, from 1
  std::vector<std::string> texts;  ///< one, a pair, or one and those to choose from
  std::vector<std::string> words;  ///< in their place for a tagger
  Array numbers;                   ///< in their place for a model that reads numbers
  /// Labels as written, or the answers to a question; empty where they are not asked for.
  std::vector<std::string> truth;
  bool listed = false;       ///< the record has a list of labels, of whatever length
  std::vector<Span> places;  ///< where the answers stand: bytes of the second text
  std::string id;            ///< of the record, where it has one and the task asks for it
};

/// How examples are made of records.
struct Reading {
  /// A field that a record must have, under one of these names.
  struct Need {
    std::vector<std::string> names;
    bool optional = false;
  };

  std::string purpose;  ///< for messages: "text-classification"
  std::vector<Need> needs;
  /// The example of a record that has what is needed. Throws: input where a value does not fit.
  std::function<Example(const Record&)> read;
};

/// The first numbers of an example, for people.
std::string shown(const Array& numbers);

/// The first of these names that the record has a field of, or an empty one.
std::string name_in(const Record& record, std::span<const std::string> names);

/// A text, or a pair of texts; or numbers, where `columns` says so.
Reading read_texts(const Columns& columns, std::string purpose);

/// A text, a pair of texts, or words: what the record has.
Reading read_texts_or_words(const Columns& columns, std::string purpose);

/// A text's words: what white space parts.
std::vector<std::string> words_of(const std::string& text);

/// An example as a task takes it that reads words or a text: of a text its words, of words the text
/// that they make with spaces between.
Example with_words(const Example& example);
Example with_text(const Example& example);

/// A stream of examples from a file. Where the file's header or format tells that a needed field is
/// missing, that is said before the first record.
class ExampleReader {
 public:
  /// Throws: input where the file cannot have what is needed.
  ExampleReader(DataReader reader, Reading reading);

  /// The next example, or false at the end. Throws: input, `file:line: …`, unless the reader skips
  /// bad lines.
  bool next(Example& example);

  const std::string& name() const noexcept { return reader_.name(); }  ///< as DataReader::name

  /// Bad lines and records that did not fit, skipped so far.
  std::size_t skipped() const noexcept { return reader_.skipped() + skipped_; }

  std::size_t cut() const noexcept { return reader_.cut(); }  ///< as DataReader::cut

 private:
  DataReader reader_;
  Reading reading_;
  std::size_t skipped_ = 0;
};

/// A tokenizer learned from the examples' texts, of so many pieces; 0: 16000, or fewer where they
/// have no more. Throws: as train_tokenizer.
Tokenizer learn_tokenizer(std::span<const Example> examples, std::int32_t vocab_size = 0,
                          std::uint64_t seed = 1);

/// A fingerprint of examples: texts, words, labels and their order.
std::uint64_t fingerprint(std::span<const Example> examples);

}  // namespace fnet
