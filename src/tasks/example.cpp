#include "tasks/example.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "core/error.h"
#include "core/hash.h"

namespace fnet {
namespace {

bool among(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

std::string quoted(const std::vector<std::string>& names, std::string_view between) {
  return names.empty() ? "none" : fmt::format("'{}'", fmt::join(names, between));
}

/// Throws input unless fields of these names are what `reading` needs, each once.
void check_fields(const std::vector<std::string>& fields, const Reading& reading,
                  std::string_view format) {
  std::vector<std::string> expected;
  bool all = true;
  for (const Reading::Need& need : reading.needs) {
    for (const std::string& name : need.names) {
      require(std::ranges::count(fields, name) <= 1, Kind::input,
              "expected one field '{}', found more", name);
    }
    if (need.optional) continue;
    expected.push_back(quoted(need.names, "' or '"));
    all &= std::ranges::any_of(need.names, [&](const auto& name) { return among(fields, name); });
  }
  require(all, Kind::input,
          "expected the {} {} for {}, found {} (format {}); name the fields or the format to use",
          expected.size() > 1 ? "fields" : "field", fmt::join(expected, " and "), reading.purpose,
          printable(quoted(fields, "', '")), format);
}

std::vector<std::string> names_of(const Record& record) {
  std::vector<std::string> names;
  for (const Record::Field& field : record.fields) names.push_back(field.name);
  return names;
}

}  // namespace

std::string shown(const Array& numbers) {
  constexpr std::size_t kShown = 8;
  const auto first = std::span(numbers.data).first(std::min(kShown, numbers.data.size()));
  return fmt::format("{:.4g}{}", fmt::join(first, " "), numbers.data.size() > kShown ? " …" : "");
}

std::string name_in(const Record& record, std::span<const std::string> names) {
  const auto there = [&](const std::string& name) { return record.find(name) != nullptr; };
  const auto found = std::ranges::find_if(names, there);
  return found == names.end() ? std::string() : *found;
}

Reading read_texts(const Columns& columns, std::string purpose) {
  if (columns.numbers) {
    return {.purpose = std::move(purpose),
            .needs = {{{std::string(kValues)}}},
            .read = [](const Record& record) {
              Example example;
              example.line = record.line;
              example.numbers = record.array(kValues);
              return example;
            }};
  }
  return {.purpose = std::move(purpose),
          .needs = {{{columns.text}}, {{columns.text_pair}, true}},
          .read = [columns](const Record& record) {
            Example example;
            example.line = record.line;
            example.texts.push_back(record.text(columns.text));
            if (record.find(columns.text_pair) != nullptr) {
              example.texts.push_back(record.text(columns.text_pair));
            }
            return example;
          }};
}

Reading read_texts_or_words(const Columns& columns, std::string purpose) {
  Reading texts = read_texts(columns, std::move(purpose));
  texts.needs[0].names.push_back(columns.tokens);
  texts.read = [columns, read = std::move(texts.read)](const Record& record) {
    if (record.find(columns.text) != nullptr) return read(record);
    Example example;
    example.line = record.line;
    example.words = record.list(columns.tokens);
    return example;
  };
  return texts;
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

Example with_words(const Example& example) {
  Example other = example;
  if (!example.texts.empty()) other.words = words_of(example.texts[0]);
  return other;
}

Example with_text(const Example& example) {
  Example other = example;
  if (example.texts.empty()) other.texts = {fmt::format("{}", fmt::join(example.words, " "))};
  return other;
}

ExampleReader::ExampleReader(DataReader reader, Reading reading)
    : reader_(std::move(reader)), reading_(std::move(reading)) {
  const auto fields = reader_.fields();
  if (fields.empty()) return;
  try {
    check_fields({fields.begin(), fields.end()}, reading_, reader_.format());
  } catch (const Error& error) {
    throw error.within(reader_.name());
  }
}

bool ExampleReader::next(Example& example) {
  for (Record record; reader_.next(record);) {
    try {
      check_fields(names_of(record), reading_, reader_.format());
      example = reading_.read(record);
      return true;
    } catch (const Error& error) {
      if (!reader_.skips_bad_lines())
        throw error.within(fmt::format("{}:{}", reader_.name(), record.line));
      ++skipped_;
    }
  }
  return false;
}

Tokenizer learn_tokenizer(std::span<const Example> examples, std::int32_t vocab_size,
                          std::uint64_t seed) {
  constexpr std::int32_t kUsual = 16000;
  TokenizerTraining training;
  training.next_text = [&, next = std::size_t{0}](std::string& text) mutable {
    if (next == examples.size()) return false;
    const Example& example = examples[next++];
    text = fmt::format("{}", fmt::join(example.words.empty() ? example.texts : example.words, " "));
    std::ranges::replace(text, '\n', ' ');
    return true;
  };
  training.vocab_size = vocab_size > 0 ? vocab_size : kUsual;
  training.fewer_pieces = vocab_size == 0;
  training.seed = seed;
  return train_tokenizer(training);
}

std::uint64_t fingerprint(std::span<const Example> examples) {
  std::uint64_t hash = fnv1a("");
  const auto add = [&](std::string_view text) { hash = fnv1a("\xFF", fnv1a(text, hash)); };
  const auto part = [](const std::vector<std::string>& parts, std::size_t i) {
    return i < parts.size() ? std::string_view(parts[i]) : std::string_view();
  };
  for (const Example& example : examples) {
    const bool words = !example.words.empty();
    add(part(example.texts, 0));
    add(part(example.texts, 1));
    add(words ? "" : part(example.truth, 0));
    for (const std::string& word : example.words) add(word);
    for (std::size_t i = words ? 0 : 1; i < example.truth.size(); ++i) add(example.truth[i]);
    for (std::size_t i = 2; i < example.texts.size(); ++i) add(example.texts[i]);
    const Array& numbers = example.numbers;
    if (numbers.data.empty()) continue;
    add(fmt::format("{}", fmt::join(numbers.shape, ",")));
    add({reinterpret_cast<const char*>(numbers.data.data()), 4 * numbers.data.size()});
  }
  return hash;
}

}  // namespace fnet
