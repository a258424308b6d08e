// A long text in windows.
#include <algorithm>

#include "core/error.h"
#include "fnet/tokenizer.h"

namespace fnet {
namespace {

/// Adds tokens [begin, end) of `from`.
void append(Encoding& to, const Encoding& from, std::size_t begin, std::size_t end) {
  const auto add = [&](auto& out, const auto& in) {
    if (in.empty()) return;
    const auto first = in.begin();
    out.insert(out.end(), first + static_cast<std::ptrdiff_t>(begin),
               first + static_cast<std::ptrdiff_t>(end));
  };
  add(to.input_ids, from.input_ids);
  add(to.token_type_ids, from.token_type_ids);
  add(to.offsets, from.offsets);
  add(to.word_ids, from.word_ids);
}

}  // namespace

std::vector<Encoding> windows_of(const Encoding& whole, std::size_t max_length,
                                 std::size_t stride) {
  const std::size_t tokens = whole.input_ids.size();
  const auto pair = std::ranges::find(whole.token_type_ids, 1);
  const bool paired = pair != whole.token_type_ids.end();
  const std::size_t special = paired ? 3 : 2, least = paired ? special + 2 : special + 1;
  require(max_length == 0 || max_length >= least, Kind::usage,
          "max_length: expected at least {} for windows{}, found {}", least,
          paired ? " of a pair" : "", max_length);
  if (max_length == 0 || tokens <= max_length) return {whole};

  // [CLS] text [SEP] pair [SEP], or [CLS] text [SEP], whose front is [CLS] alone.
  const std::size_t front =
      paired ? static_cast<std::size_t>(pair - whole.token_type_ids.begin()) : 1;
  const std::size_t kept = paired ? std::min(front - 2, (max_length - special) / 2) : 0;
  const std::size_t room = max_length - special - kept;
  const std::size_t step = room - std::min(stride, room / 2), last = tokens - 1;
  std::vector<Encoding> windows;
  for (std::size_t begin = front;; begin += step) {
    const std::size_t end = std::min(begin + room, last);
    Encoding& window = windows.emplace_back();
    append(window, whole, 0, 1 + kept);
    if (paired) append(window, whole, front - 1, front);
    append(window, whole, begin, end);
    if (!window.word_ids.empty()) {
      const std::int32_t before = whole.word_ids[begin - 1];
      for (std::size_t i = front; before >= 0 && i < window.word_ids.size(); ++i) {
        if (window.word_ids[i] != before) break;
        window.word_ids[i] = -1;
      }
    }
    append(window, whole, last, last + 1);
    window.ngrams = whole.ngrams;
    window.truncated = paired && kept < front - 2;
    if (end == last) return windows;
  }
}

}  // namespace fnet
