#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>

namespace fnet {

// The forms of the tables that tools/make_unicode_tables.py writes.

/// Every `step`-th character of [first, last]: the i-th becomes target + i * growth.
struct Run {
  char32_t first, last;
  std::uint32_t step;
  char32_t target;
  std::uint32_t growth;
};

/// A character that becomes `length` others, from `at` in the table's text.
struct Expansion {
  char32_t from;
  std::uint32_t at, length;
};

struct Range {
  char32_t first, last;
};

/// The last entry that begins at or before c, or nullptr.
template <class Entry, std::size_t N>
const Entry* find(const Entry (&table)[N], char32_t Entry::* key, char32_t c) {
  const auto after = std::upper_bound(std::begin(table), std::end(table), c,
                                      [&](char32_t x, const Entry& e) { return x < e.*key; });
  return after == std::begin(table) ? nullptr : &*std::prev(after);
}

/// The range that c is in, or nullptr.
template <class Entry, std::size_t N>
const Entry* range_of(const Entry (&ranges)[N], char32_t c) {
  const Entry* range = find(ranges, &Entry::first, c);
  return range != nullptr && c <= range->last ? range : nullptr;
}

template <std::size_t N>
bool contains(const Range (&ranges)[N], char32_t c) {
  return range_of(ranges, c) != nullptr;
}

/// Appends what a run makes of c, if there is one. Runs that skip every other character may
/// interleave, so the search goes back over those.
template <std::size_t R>
bool map(const Run (&runs)[R], char32_t c, std::u32string& out) {
  const Run* run = find(runs, &Run::first, c);
  for (int back = 0; run != nullptr && back < 4; ++back, run = run == runs ? nullptr : run - 1) {
    if (c > run->last || (c - run->first) % run->step != 0) continue;
    out.push_back(run->target + (c - run->first) / run->step * run->growth);
    return true;
  }
  return false;
}

/// Appends what c expands to, if it does.
template <std::size_t E>
bool expand(const Expansion (&expansions)[E], const char32_t* text, char32_t c,
            std::u32string& out) {
  const Expansion* expansion = find(expansions, &Expansion::from, c);
  if (expansion == nullptr || expansion->from != c) return false;
  out.append(text + expansion->at, expansion->length);
  return true;
}

/// Appends what a table makes of c: c itself where it has no row.
template <std::size_t R, std::size_t E>
void map(const Run (&runs)[R], const Expansion (&expansions)[E], const char32_t* text, char32_t c,
         std::u32string& out) {
  if (!map(runs, c, out) && !expand(expansions, text, c, out)) out += c;
}

}  // namespace fnet
