// The letters of DNA as tokens.
#include <algorithm>
#include <cctype>

#include "core/error.h"
#include "text/segmenter.h"

namespace fnet {
namespace {

constexpr std::string_view kBases = "ACGT";
/// IUPAC's letters for one of several bases, and for none.
constexpr std::string_view kSeveral = "NRYSWKMBDHVX-.";

/// A base in capitals, N for one of several; 0: no letter of DNA or RNA.
char base_of(char letter) {
  const char upper = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  if (upper == 'U') return 'T';
  if (kBases.find(upper) != kBases.npos) return upper;
  return kSeveral.find(upper) != kSeveral.npos ? 'N' : '\0';
}

class Dna final : public Segmenter {
 public:
  Dna(std::size_t k, const TokenizerConfig& config)
      : k_(k),
        pieces_{
            "<unk>",          "<s>", "</s>", config.pad_token, config.cls_token, config.sep_token,
            config.mask_token},
        first_(pieces_.size()) {
    for (std::size_t code = 0; code < std::size_t{1} << (2 * k); ++code) {
      std::string& piece = pieces_.emplace_back();
      for (std::size_t i = k; i-- > 0;) piece += kBases[code >> (2 * i) & 3];
    }
    if (k == 1) pieces_.emplace_back("N");
  }

  std::vector<Token> segment(std::string_view text) const override {
    const auto space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
    std::string bases;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (space(text[i])) continue;
      const char base = base_of(text[i]);
      require(base != 0, Kind::input,
              "text: byte {}: expected a letter of DNA (A, C, G, T, U, N or another of IUPAC's), "
              "found '{}'",
              i, printable(text.substr(i, 1)));
      bases += base;
      places.push_back(i);
    }
    std::vector<Token> tokens;
    for (std::size_t i = 0; i + k_ <= bases.size(); ++i) {
      const std::string_view letters = std::string_view(bases).substr(i, k_);
      tokens.push_back({id(letters).value_or(unk()), {places[i], places[i + k_ - 1] + 1}});
    }
    return tokens;
  }

  // Tokens overlap: each further one adds its last letter.
  std::string decode(const std::vector<int>& ids) const override {
    std::string text;
    for (const int id : ids) {
      const bool letters = static_cast<std::size_t>(id) >= first_;
      const std::string piece =
          letters ? pieces_[static_cast<std::size_t>(id)] : std::string(k_, 'N');
      text += text.empty() ? piece : piece.substr(k_ - 1);
    }
    return text;
  }

  std::int32_t size() const noexcept override { return static_cast<std::int32_t>(pieces_.size()); }
  const std::string& piece(std::int32_t id) const override {
    return pieces_[static_cast<std::size_t>(id)];
  }
  std::optional<std::int32_t> id(std::string_view piece) const override {
    if (piece.size() == k_) {
      std::size_t code = 0;
      for (const char letter : piece) code = code << 2 | kBases.find(letter);
      if (piece.find_first_not_of(kBases) == piece.npos)
        return static_cast<std::int32_t>(first_ + code);
    }
    const auto found = std::ranges::find(pieces_, piece);
    if (found == pieces_.end()) return {};
    return static_cast<std::int32_t>(found - pieces_.begin());
  }
  std::int32_t unk() const noexcept override { return 0; }
  bool is_control(std::int32_t id) const noexcept override {
    return id > 0 && static_cast<std::size_t>(id) < first_;
  }
  std::string surface(std::int32_t id) const override { return piece(id); }
  std::optional<std::int32_t> id_of_surface(std::string_view surface) const override {
    return id(surface);
  }

 private:
  std::size_t k_;
  std::vector<std::string> pieces_;
  std::size_t first_;  // piece of letters
};

}  // namespace

std::shared_ptr<const Segmenter> dna_segmenter(std::int64_t k, const TokenizerConfig& config) {
  require(k >= 1 && k <= 8, Kind::usage, "kmer_size: expected 1 to 8, found {}", k);
  return std::make_shared<const Dna>(static_cast<std::size_t>(k), config);
}

}  // namespace fnet
