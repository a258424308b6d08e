#include "tasks/data_check.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>
#include <string_view>
#include <unordered_map>

namespace fnet {
namespace {

constexpr std::size_t kShown = 3;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

/// The text of an example, by which it is compared with others.
std::string text_of(const Example& example) {
  if (!example.words.empty()) return fmt::format("{}", fmt::join(example.words, " "));
  std::vector<std::string_view> texts;
  for (const std::string& text : example.texts) texts.push_back(trimmed(text));
  return fmt::format("{}", fmt::join(texts, "\t"));
}

void note(DataCheck::Found& found, const Example& first, const Example& second,
          const std::string& text) {
  if (found.count++ < kShown) found.some.push_back({first.line, second.line, text});
}

}  // namespace

Spread::Spread(std::vector<std::size_t> counts) {
  if (counts.empty()) return;
  std::ranges::sort(counts);
  const auto at = [&](std::size_t percent) { return counts[(counts.size() - 1) * percent / 100]; };
  least = counts.front(), median = at(50), p95 = at(95), most = counts.back();
}

DataCheck check_data(std::span<const Example> train, std::span<const Example> dev) {
  DataCheck check;
  std::vector<std::size_t> bytes, words;
  std::unordered_map<std::string, const Example*> seen;
  for (const Example& example : train) {
    const std::string text = text_of(example);
    bytes.push_back(text.size());
    std::istringstream stream(text);
    words.emplace_back();
    for (std::string word; stream >> word;) ++words.back();
    if (words.back() == 0) check.empty.push_back(example.line);
    for (const std::string& label : example.truth) ++check.labels[label];
    check.units += example.truth.size();
    const auto [earlier, is_new] = seen.emplace(text, &example);
    if (is_new || words.back() == 0) continue;
    const bool same = earlier->second->truth == example.truth;
    note(same ? check.duplicates : check.conflicts, *earlier->second, example, text);
  }
  check.examples = train.size();
  check.bytes = Spread(bytes), check.words = Spread(words);

  std::map<std::string, std::size_t> dev_labels;
  for (const Example& example : dev) {
    const std::string text = text_of(example);
    const auto earlier = seen.find(text);
    if (earlier != seen.end()) note(check.shared, *earlier->second, example, text);
    for (const std::string& label : example.truth) ++dev_labels[label];
  }
  check.dev_examples = dev.size();
  if (dev.empty()) return check;
  for (const auto& [label, count] : dev_labels)
    if (!check.labels.contains(label)) check.dev_only.push_back(label);
  for (const auto& [label, count] : check.labels)
    if (!dev_labels.contains(label)) check.missing_in_dev.push_back(label);
  return check;
}

}  // namespace fnet
