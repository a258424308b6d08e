#include "tasks/answer_metrics.h"

#include <algorithm>
#include <map>
#include <vector>

#include "core/utf8.h"
#include "text/normalize.h"

namespace fnet {
namespace {

bool is_ascii_punctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
         (c >= '{' && c <= '~');
}

bool is_article(std::string_view word) { return word == "a" || word == "an" || word == "the"; }

/// Articles become a space; an article is a whole run of word characters.
std::string without_articles(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size()) {
      const CodePoint next = decode_utf8(text.substr(end));
      if (next.length == 0 || !is_word(next.value)) break;
      end += next.length;
    }
    if (end == at) {
      const std::size_t length = std::max<std::size_t>(1, decode_utf8(text.substr(at)).length);
      out += text.substr(at, length);
      at += length;
      continue;
    }
    const std::string_view word = text.substr(at, end - at);
    out += is_article(word) ? std::string_view(" ") : word;
    at = end;
  }
  return out;
}

std::vector<std::string> words_of(const std::string& normalized) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < normalized.size();) {
    const std::size_t end = std::min(normalized.find(' ', at), normalized.size());
    words.push_back(normalized.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

double word_f1(const std::vector<std::string>& answer, const std::vector<std::string>& truth) {
  if (answer.empty() || truth.empty()) return answer.empty() && truth.empty() ? 1 : 0;
  std::map<std::string, std::size_t> left;
  for (const std::string& word : truth) ++left[word];
  std::size_t common = 0;
  for (const std::string& word : answer) {
    const auto found = left.find(word);
    if (found != left.end() && found->second > 0) --found->second, ++common;
  }
  if (common == 0) return 0;
  const double same = static_cast<double>(common);
  const double precision = same / static_cast<double>(answer.size());
  const double recall = same / static_cast<double>(truth.size());
  return 2 * precision * recall / (precision + recall);
}

}  // namespace

std::string normalize_answer(std::string_view text) {
  std::string lower = lower_case(AlignedText(text)).text;
  std::erase_if(lower, is_ascii_punctuation);
  return strip_and_collapse(AlignedText(without_articles(lower))).text;
}

AnswerScore score_answer(std::string_view answer, std::span<const std::string> truths) {
  const std::string own = normalize_answer(answer);
  const std::vector<std::string> own_words = words_of(own);
  AnswerScore best;
  bool any = false;
  const auto compare = [&](const std::string& truth) {
    best.exact_match = std::max(best.exact_match, own == truth ? 1.0 : 0.0);
    best.f1 = std::max(best.f1, word_f1(own_words, words_of(truth)));
    any = true;
  };
  for (const std::string& truth : truths) {
    if (const std::string normalized = normalize_answer(truth); !normalized.empty())
      compare(normalized);
  }
  if (!any) compare("");
  return best;
}

}  // namespace fnet
