#include "text/vocabulary_map.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace fnet {
namespace {

/// The id of `from` with the role that `id` has in `to`, -1 where there is none.
std::int32_t same_role(const SpecialIds& from, const SpecialIds& to, std::int32_t id) {
  for (const auto role : {&SpecialIds::unk, &SpecialIds::bos, &SpecialIds::eos, &SpecialIds::pad,
                          &SpecialIds::cls, &SpecialIds::sep, &SpecialIds::mask}) {
    if (to.*role == id) return from.*role;
  }
  return -1;
}

/// The ids that `from` splits a piece into that stands so in a text, without those that stand for
/// nothing.
std::vector<std::int32_t> split(const Tokenizer& from, std::string_view surface) {
  EncodeOptions plain;
  plain.add_special_tokens = false;
  std::vector<std::int32_t> ids = from.encode(surface, {}, plain).input_ids;
  if (!ids.empty() && !surface.starts_with(' ')) {
    // The tokenizer put a word's start in front: what stands inside a word is wanted.
    const std::string first = from.surface(ids.front());
    if (first == " ") {
      ids.erase(ids.begin());
    } else if (first.starts_with(' ')) {
      if (const auto inner = from.id_of_surface(first.substr(1))) ids.front() = *inner;
    }
  }
  std::erase_if(ids, [&](std::int32_t id) { return id == from.special().unk; });
  return ids;
}

}  // namespace

bool VocabularyMap::same() const {
  for (std::size_t id = 0; id < sources.size(); ++id) {
    if (sources[id] != std::vector{static_cast<std::int32_t>(id)}) return false;
  }
  return true;
}

VocabularyMap map_vocabulary(const Tokenizer& from, const Tokenizer& to) {
  VocabularyMap map;
  map.sources.resize(static_cast<std::size_t>(to.vocab_size()));
  for (std::int32_t id = 0; id < to.vocab_size(); ++id) {
    auto& sources = map.sources[static_cast<std::size_t>(id)];
    const std::string surface = to.surface(id);
    std::int32_t twin = same_role(from.special(), to.special(), id);
    if (twin < 0) twin = from.id_of_surface(surface).value_or(-1);
    if (twin >= 0) {
      sources = {twin};
      ++map.kept;
    } else if (!to.is_special(id)) {
      sources = split(from, surface);
      map.composed += !sources.empty();
    }
  }
  return map;
}

}  // namespace fnet
