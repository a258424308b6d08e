#include "core/error.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/utf8.h"

namespace fnet {

int exit_code(Error::Kind kind) noexcept {
  switch (kind) {
    case Error::Kind::usage:
    case Error::Kind::input:
      return 2;
    case Error::Kind::system:
    case Error::Kind::internal:
      break;
  }
  return 1;
}

std::string printable(std::string_view text, std::size_t limit) {
  std::string out;
  const std::size_t end = whole_letters(text, limit);
  for (std::size_t i = 0; i < end;) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const std::size_t letter = decode_utf8(text.substr(i)).length;
    if (letter == 0 || byte < 0x20 || byte == 0x7f)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += text.substr(i, letter);
    i += std::max<std::size_t>(letter, 1);
  }
  if (text.size() > limit) out += "…";
  return out;
}

std::string field(std::string_view text) {
  return text.empty() ? "_" : printable(text, text.size());
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({replace, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace fnet
