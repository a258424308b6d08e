#include "train/teacher_texts.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/hash.h"

namespace fnet {
namespace {

// Stream of the orders; those below are the streams of the other sources.
constexpr std::uint64_t kOrderStream = (std::uint64_t{1} << 61) + (std::uint64_t{1} << 60);

}  // namespace

TeacherTexts::TeacherTexts(const std::vector<std::filesystem::path>& texts,
                           const std::vector<std::filesystem::path>& vectors, CorpusOptions corpus,
                           std::uint64_t room, bool asked, Tokenizer tokenizer,
                           const Corpus::Log& log)
    : room_(room), tokenizer_(std::move(tokenizer)) {
  require(vectors.empty() || vectors.size() == texts.size(), Kind::usage,
          "vectors: expected a file for each of the {} with texts, found {}", texts.size(),
          vectors.size());
  corpus.reading.documents = "line";
  corpus.reading.format = "text";
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::filesystem::path beside = texts[i];
    beside += ".npy";
    const std::filesystem::path& path = vectors.empty() ? beside : vectors[i];
    std::optional<VectorFile> file;
    // Before the texts: it is soon told what is wrong with it.
    if (!vectors.empty() || !asked) file.emplace(path);
    corpus.paths = {texts[i]};
    Corpus lines = Corpus::open(corpus, tokenizer_, log);
    if (file) {
      require(file->size() == lines.documents(), Kind::input,
              "{}: expected a vector for each of the {} texts of {} (lines that are not blank), "
              "found {}",
              path.string(), lines.documents(), texts[i].string(), file->size());
      const std::size_t expected = files_.empty() ? file->width() : width();
      require(file->width() == expected, Kind::input,
              "{}: expected vectors of {} numbers, as in the file before, found {}", path.string(),
              expected, file->width());
    }
    before_.push_back(before_.back() + lines.documents());
    files_.push_back({texts[i].string(), std::move(lines), std::move(file)});
  }
}

std::uint64_t TeacherTexts::tokens() const noexcept {
  std::uint64_t sum = 0;
  for (const File& file : files_) sum += file.corpus.tokens();
  return sum;
}

std::uint64_t TeacherTexts::fingerprint() const noexcept {
  std::uint64_t hash = fnv1a("");
  for (const File& file : files_) {
    const std::uint64_t own = file.vectors ? file.vectors->fingerprint() : 0;
    hash = fnv1a({reinterpret_cast<const char*>(&own), sizeof own}, hash);
  }
  return hash;
}

std::size_t TeacherTexts::file_of(std::uint64_t index) const {
  const auto after = std::ranges::upper_bound(before_, index);
  return static_cast<std::size_t>(after - before_.begin()) - 1;
}

Sample TeacherTexts::at(std::uint64_t index) const {
  const std::size_t number = file_of(index);
  const File& file = files_[number];
  const std::uint64_t row = index - before_[number], group = row / Corpus::kGroup;
  const std::vector<std::uint64_t> lengths = file.corpus.lengths(group);
  const auto place = static_cast<std::size_t>(row % Corpus::kGroup);
  const std::uint64_t begin = std::accumulate(
      lengths.begin(), lengths.begin() + static_cast<std::ptrdiff_t>(place), std::uint64_t{0});
  const Corpus::Piece piece = file.corpus.read(group, begin, std::min(room_, lengths[place]));
  const SpecialIds& special = tokenizer_.special();
  Encoding text;
  text.input_ids.push_back(special.cls);
  text.input_ids.insert(text.input_ids.end(), piece.ids.begin(), piece.ids.end());
  text.input_ids.push_back(special.sep);
  text.token_type_ids.assign(text.input_ids.size(), 0);
  Sample sample;
  sample.texts.push_back(std::move(text));
  sample.units.push_back(0);
  if (file.vectors) sample.values = file.vectors->at(row);
  return sample;
}

std::string TeacherTexts::place(std::uint64_t index) const {
  const std::size_t number = file_of(index);
  return fmt::format("{} text {}", files_[number].name, index - before_[number] + 1);
}

TeacherSource::TeacherSource(const TeacherTexts& texts, const Permutation& order,
                             std::uint64_t held, std::int64_t batch_size, std::int64_t eval_steps,
                             std::uint64_t seed)
    : texts_(texts),
      order_(order),
      held_(held),
      batch_size_(batch_size),
      eval_steps_(eval_steps),
      seed_(seed) {}

std::uint64_t TeacherSource::text_at(std::uint64_t position) const {
  const std::uint64_t count = texts_.size() - held_;
  const Permutation pass(count, seed_, kOrderStream | position / count);
  return order_(held_ + pass(position % count));
}

std::vector<Sample> TeacherSource::batch(std::int64_t step) {
  std::vector<Sample> batch;
  for (std::int64_t i = 0; i < batch_size_; ++i)
    batch.push_back(texts_.at(text_at(static_cast<std::uint64_t>(step * batch_size_ + i))));
  // Texts of one length share a transform.
  std::ranges::stable_sort(batch, {}, tokens_of);
  return batch;
}

std::string TeacherSource::place(std::int64_t step) {
  constexpr std::int64_t kShown = 8;
  std::vector<std::string> places;
  for (std::int64_t i = 0; i < std::min(batch_size_, kShown); ++i)
    places.push_back(texts_.place(text_at(static_cast<std::uint64_t>(step * batch_size_ + i))));
  return fmt::format("{}{}", fmt::join(places, ", "), batch_size_ > kShown ? ", …" : "");
}

}  // namespace fnet
