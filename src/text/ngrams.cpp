#include "text/ngrams.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/hash.h"
#include "core/utf8.h"
#include "text/normalize.h"

namespace fnet {
namespace {

/// First and last of the characters that are words by themselves: marks and symbols, and the
/// letters of scripts that put no space between words.
constexpr std::pair<char32_t, char32_t> kAlone[] = {
    {0x21, 0x2F},     {0x3A, 0x40},       {0x5B, 0x60},       {0x7B, 0x7E},     {0xA1, 0xA9},
    {0xAB, 0xB4},     {0xB6, 0xB9},       {0xBB, 0xBF},       {0xD7, 0xD7},     {0xF7, 0xF7},
    {0x55A, 0x55F},   {0x589, 0x58A},     {0x5BE, 0x5BE},     {0x5C0, 0x5C0},   {0x5C3, 0x5C3},
    {0x5F3, 0x5F4},   {0x60C, 0x60D},     {0x61B, 0x61F},     {0x66A, 0x66D},   {0x6D4, 0x6D4},
    {0x964, 0x965},   {0xE00, 0xEFF},     {0x1000, 0x109F},   {0x1780, 0x17FF}, {0x2010, 0x2027},
    {0x2030, 0x205E}, {0x20A0, 0x20CF},   {0x2190, 0x2BFF},   {0x3001, 0x30FF}, {0x3400, 0x4DBF},
    {0x4E00, 0x9FFF}, {0xF900, 0xFAFF},   {0xFF01, 0xFF0F},   {0xFF1A, 0xFF20}, {0xFF3B, 0xFF40},
    {0xFF5B, 0xFF65}, {0x1F000, 0x1FAFF}, {0x20000, 0x3FFFF},
};

bool is_alone(char32_t c) {
  const auto* range =
      std::ranges::lower_bound(kAlone, c, {}, [](const auto& r) { return r.second; });
  return range != std::end(kAlone) && range->first <= c;
}

bool is_between(char32_t c) { return c < 0x20 || (c >= 0x7F && c < 0xA0) || is_space(c); }

/// Calls use(word) for each word of a text in lower case.
void for_each_word(std::string_view text, auto&& use) {
  std::size_t begin = 0, at = 0;
  const auto end_word = [&] {
    if (at > begin) use(text.substr(begin, at - begin));
  };
  while (at < text.size()) {
    const CodePoint c = decode_utf8(text.substr(at));
    const bool alone = is_alone(c.value);
    if (!alone && !is_between(c.value)) {
      at += c.length;
      continue;
    }
    end_word();
    if (alone) use(text.substr(at, c.length));
    begin = at += c.length;
  }
  end_word();
}

/// What stands before a key's word, by where in a pair of texts it is; no word has such characters.
constexpr std::string_view kOfPair = "\x01", kOfBoth = "\x02", kOfFirstAlone = "\x03",
                           kOfPairAlone = "\x04";
/// What stands before the share of words that a pair has in common: of all, of the first text's
/// and of the second's.
constexpr std::string_view kShares[] = {"\x05", "\x06", "\x07"};
constexpr double kShareSteps = 10;

std::uint32_t key_of(std::uint64_t hash) {
  return static_cast<std::uint32_t>(hash ^ hash >> 24 ^ hash >> 48) % NgramTable::kKeys;
}

using Words = std::vector<std::string_view>;

/// The words of a text in lower case.
Words words_of(std::string_view lower) {
  Words words;
  for_each_word(lower, [&](std::string_view word) { words.push_back(word); });
  return words;
}

/// Adds the keys of words and of neighbouring pairs of them.
void add_keys(const Words& words, std::string_view before, std::vector<std::uint32_t>& keys) {
  const std::uint64_t start = fnv1a(before);
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) keys.push_back(key_of(fnv1a(words[i], fnv1a(" ", last))));
    last = fnv1a(words[i], start);
    keys.push_back(key_of(last));
  }
}

/// Each word once, in order.
void sort_unique(Words& words) {
  std::ranges::sort(words);
  words.erase(std::unique(words.begin(), words.end()), words.end());
}

/// Adds the keys of what two texts have in common and what not. `a`, `b`: sorted words.
void add_overlap(const Words& a, const Words& b, std::vector<std::uint32_t>& keys) {
  Words both, first, second;
  std::ranges::set_intersection(a, b, std::back_inserter(both));
  std::ranges::set_difference(a, b, std::back_inserter(first));
  std::ranges::set_difference(b, a, std::back_inserter(second));
  const auto add = [&](const Words& words, std::string_view before) {
    for (const std::string_view word : words) keys.push_back(key_of(fnv1a(word, fnv1a(before))));
  };
  add(both, kOfBoth), add(first, kOfFirstAlone), add(second, kOfPairAlone);
  const std::size_t of[] = {both.size() + first.size() + second.size(), a.size(), b.size()};
  for (std::size_t i = 0; i < std::size(of); ++i) {
    const double share =
        static_cast<double>(both.size()) / static_cast<double>(std::max<std::size_t>(of[i], 1));
    const char step = static_cast<char>('a' + std::lround(share * kShareSteps));
    keys.push_back(key_of(fnv1a({&step, 1}, fnv1a(kShares[i]))));
  }
}

/// Calls use(key, how often) for each of the sorted keys.
void for_each_run(std::span<const std::uint32_t> sorted, auto&& use) {
  for (std::size_t i = 0; i < sorted.size();) {
    std::size_t end = i;
    while (end < sorted.size() && sorted[end] == sorted[i]) ++end;
    use(sorted[i], static_cast<std::uint32_t>(end - i));
    i = end;
  }
}

}  // namespace

std::vector<NgramCount> count_ngrams(std::string_view text, std::optional<std::string_view> pair) {
  const auto lower = [](std::string_view t) { return lower_case(AlignedText(t)).text; };
  std::vector<std::uint32_t> keys;
  const std::string first = lower(text);
  Words words = words_of(first);
  add_keys(words, "", keys);
  if (pair) {
    const std::string second = lower(*pair);
    Words others = words_of(second);
    add_keys(others, kOfPair, keys);
    sort_unique(words), sort_unique(others);
    add_overlap(words, others, keys);
  }
  std::ranges::sort(keys);
  std::vector<NgramCount> counts;
  for_each_run(keys,
               [&](std::uint32_t key, std::uint32_t count) { counts.push_back({key, count}); });
  return counts;
}

NgramTable::NgramTable(std::span<const float> keys, std::span<const float> idf)
    : keys_(keys.begin(), keys.end()), idf_(idf.begin(), idf.end()) {
  require(keys_.size() == idf_.size(), Kind::input,
          "wide head: expected a weight for each of {} keys, found {}", keys_.size(), idf_.size());
  const bool whole = std::ranges::all_of(keys_, [](float key) {
    return key >= 0 && key < static_cast<float>(kKeys) && std::trunc(key) == key;
  });
  require(whole && std::ranges::is_sorted(keys_), Kind::input,
          "wide.keys: expected ascending whole numbers below {}, found others; the file is damaged "
          "or was rounded by another program",
          kKeys);
}

NgramTable::NgramTable(std::span<const std::vector<NgramCount>> texts, std::size_t most) {
  std::vector<std::uint32_t> all;
  for (const auto& text : texts) {
    for (const NgramCount& ngram : text) all.push_back(ngram.key);
  }
  std::ranges::sort(all);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> found;  // how many texts, key
  for_each_run(all, [&](std::uint32_t key, std::uint32_t count) {
    if (count >= 2) found.emplace_back(count, key);
  });
  if (found.size() > most) {
    std::ranges::stable_sort(found, std::ranges::greater(), [](const auto& f) { return f.first; });
    found.resize(most);
    std::ranges::sort(found, {}, [](const auto& f) { return f.second; });
  }
  const auto count = static_cast<double>(texts.size());
  for (const auto& [df, key] : found) {
    keys_.push_back(static_cast<float>(key));
    idf_.push_back(static_cast<float>(std::log((1 + count) / (1.0 + df)) + 1));
  }
}

void NgramTable::add(std::span<const NgramCount> text, Bags& bags) const {
  const std::size_t begin = bags.values.size();
  double squares = 0;
  auto at = keys_.begin();
  for (const NgramCount& ngram : text) {
    const auto key = static_cast<float>(ngram.key);
    at = std::lower_bound(at, keys_.end(), key);
    if (at == keys_.end()) break;
    if (*at != key) continue;
    const auto row = static_cast<std::size_t>(at - keys_.begin());
    const double value =
        (1 + std::log(static_cast<double>(ngram.count))) * static_cast<double>(idf_[row]);
    bags.ids.push_back(static_cast<std::int32_t>(row));
    bags.values.push_back(static_cast<float>(value));
    squares += value * value;
  }
  const auto scale = static_cast<float>(squares > 0 ? 1 / std::sqrt(squares) : 0);
  for (float& value : std::span(bags.values).subspan(begin)) value *= scale;
  bags.offsets.push_back(static_cast<std::int64_t>(bags.ids.size()));
}

}  // namespace fnet
