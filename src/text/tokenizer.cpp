#include "fnet/tokenizer.h"

#include <algorithm>

#include "core/error.h"
#include "core/utf8.h"
#include "text/ngrams.h"
#include "text/segmenter.h"

namespace fnet {
namespace {

void check_text(std::string_view text, const char* place, std::size_t max_bytes) {
  require(text.size() <= max_bytes, Kind::input,
          "{}: expected at most {} bytes, found {}; cut it into shorter ones", place, max_bytes,
          text.size());
  const std::size_t bad = invalid_utf8(text);
  require(bad == std::string_view::npos, Kind::input, "{}: byte {}: expected UTF-8, found 0x{:02x}",
          place, bad, bad < text.size() ? static_cast<unsigned char>(text[bad]) : 0);
}

/// What of a text longer than the limit truncation can keep: the limit's bytes of it, whole
/// letters.
std::string_view within_limit(std::string_view text, const EncodeOptions& options) {
  if (text.size() <= options.max_bytes || options.max_length == 0 ||
      options.truncation == Truncation::error || options.truncation == Truncation::windows)
    return text;
  if (options.truncation != Truncation::left)
    return text.substr(0, whole_letters(text, options.max_bytes));
  std::size_t at = text.size() - options.max_bytes;
  while (at < text.size() && goes_on_letter(text[at])) ++at;
  return text.substr(at);
}

void keep_first(std::vector<Token>& tokens, std::size_t n) {
  tokens.resize(std::min(n, tokens.size()));
}

void keep_last(std::vector<Token>& tokens, std::size_t n) {
  if (n < tokens.size())
    tokens.erase(tokens.begin(), tokens.end() - static_cast<std::ptrdiff_t>(n));
}

// How many tokens of each are kept. Source: TruncationStrategy::LongestFirst of Hugging Face's
// tokenizers.
std::pair<std::size_t, std::size_t> longest_first(std::size_t a, std::size_t b, std::size_t room) {
  if (a + b <= room) return {a, b};
  const std::size_t shorter = std::min({a, b, room / 2});
  return a > b ? std::pair{room - shorter, shorter} : std::pair{shorter, room - shorter};
}

// Cuts a text's and its pair's tokens down to `room`; whether it had to.
bool truncate(std::vector<Token>& text, std::vector<Token>& pair, std::size_t room,
              const EncodeOptions& options) {
  const std::size_t a = text.size(), b = pair.size();
  if (a + b <= room) return false;
  switch (options.truncation) {
    case Truncation::longest_first: {
      const auto [keep_a, keep_b] = longest_first(a, b, room);
      keep_first(text, keep_a), keep_first(pair, keep_b);
      break;
    }
    case Truncation::right:
      keep_first(text, room), keep_first(pair, room - text.size());
      break;
    case Truncation::left:
      keep_last(pair, room), keep_last(text, room - pair.size());
      break;
    case Truncation::only_first:
      require(b < room, Kind::input,
              "text_pair: expected fewer than {} tokens, found {}; raise "
              "max_length or cut the pair too",
              room, b);
      keep_first(text, room - b);
      break;
    case Truncation::error:
    case Truncation::windows:
      fail(Kind::input,
           "text: expected at most {} tokens, found {}; raise max_length or choose a "
           "truncation",
           room, a + b);
  }
  return true;
}

/// The same for a text that is cut into windows afterwards.
EncodeOptions whole(EncodeOptions options) {
  require(options.add_special_tokens, Kind::usage,
          "truncation: expected special tokens around texts that are read in windows, found none");
  options.max_length = 0;
  return options;
}

std::shared_ptr<const Segmenter> segmenter_of(std::string_view model, const TokenizerConfig& config,
                                              const std::string& name) {
  switch (config.kind) {
    case TokenizerKind::sentencepiece:
      return sentencepiece_segmenter(model, config, name);
    case TokenizerKind::wordpiece:
      return wordpiece_segmenter(model, config, name);
    case TokenizerKind::dna:
      return dna_segmenter(config.kmer_size, config);
  }
  fail(Kind::internal, "no tokenizer of kind {}", static_cast<int>(config.kind));
}

}  // namespace

struct Tokenizer::Impl {
  std::string model;  // the file's bytes
  TokenizerConfig config;
  std::string name;
  std::shared_ptr<const Segmenter> segmenter;
  SpecialIds special;

  Impl(std::string bytes, const TokenizerConfig& the_config, std::string the_name)
      : model(std::move(bytes)),
        config(the_config),
        name(std::move(the_name)),
        segmenter(segmenter_of(model, config, name)) {
    const auto find = [&](std::string_view piece) { return segmenter->id(piece).value_or(-1); };
    special = {segmenter->unk(),       find("<s>"),
               find("</s>"),           find(config.pad_token),
               find(config.cls_token), find(config.sep_token),
               find(config.mask_token)};
  }

  std::size_t specials_around(bool pair) const {
    require(special.cls >= 0 && special.sep >= 0, Kind::input,
            "{}: expected the pieces '{}' and '{}', found no {}; name the model's own in "
            "tokenizer_config.json or encode without special tokens",
            name, config.cls_token, config.sep_token, special.cls < 0 ? "first" : "second");
    return pair ? 3 : 2;
  }

  std::size_t room(const EncodeOptions& options, bool pair) const {
    const std::size_t around = options.add_special_tokens ? specials_around(pair) : 0;
    if (options.max_length == 0) return ~std::size_t{0};
    require(options.max_length >= around, Kind::usage,
            "max_length: expected at least {} for the special tokens, found {}", around,
            options.max_length);
    return options.max_length - around;
  }

  static void put(Encoding& out, std::int32_t id, std::int32_t type, Span bytes) {
    out.input_ids.push_back(id);
    out.token_type_ids.push_back(type);
    out.offsets.push_back(bytes);
  }
};

Tokenizer Tokenizer::dna(std::int64_t k) {
  require(k > 0, Kind::usage, "kmer_size: expected 1 to 8, found {}", k);
  TokenizerConfig config;
  config.kind = TokenizerKind::dna;
  config.kmer_size = k;
  return parse({}, config, "dna");
}

const Tokenizer::Impl& Tokenizer::impl() const {
  require(impl_ != nullptr, Kind::usage,
          "tokenizer: expected one, found none: the model reads no "
          "tokens");
  return *impl_;
}

Tokenizer Tokenizer::parse(std::string model, const TokenizerConfig& config,
                           const std::string& name) {
  return Tokenizer(std::make_shared<const Impl>(std::move(model), config, name));
}

Encoding Tokenizer::encode(std::string_view text, std::optional<std::string_view> pair,
                           const EncodeOptions& options) const {
  const std::size_t room = impl().room(options, pair.has_value());
  struct Side {
    const char* place;
    std::string_view whole, part;
    std::vector<Token> tokens;
    std::size_t all;
  };
  const auto side = [&](const char* place, std::string_view whole) {
    const std::string_view part = within_limit(whole, options);
    check_text(part, place, options.max_bytes);
    std::vector<Token> tokens = impl().segmenter->segment(part);
    const std::size_t all = tokens.size();
    return Side{place, whole, part, std::move(tokens), all};
  };
  Side first = side("text", text), second = pair ? side("text_pair", *pair) : Side{};

  Encoding out;
  out.truncated = truncate(first.tokens, second.tokens, room, options);
  // Of a text that was read in part, what was not read must be beyond what is kept.
  for (const Side* s : {&first, &second}) {
    if (s->part.size() < s->whole.size() && s->tokens.size() == s->all)
      check_text(s->whole, s->place, options.max_bytes);
  }
  if (options.ngrams)
    out.ngrams = pair ? count_ngrams(first.part, second.part) : count_ngrams(first.part);
  const SpecialIds& special = impl().special;
  const bool around = options.add_special_tokens;
  if (around) Impl::put(out, special.cls, 0, {});
  for (const Token& token : first.tokens) Impl::put(out, token.id, 0, token.bytes);
  if (around) Impl::put(out, special.sep, 0, {});
  if (!pair) return out;
  for (const Token& token : second.tokens) Impl::put(out, token.id, 1, token.bytes);
  if (around) Impl::put(out, special.sep, 1, {});
  return out;
}

Encoding Tokenizer::encode_words(std::span<const std::string> words,
                                 const EncodeOptions& options) const {
  const std::size_t room = impl().room(options, false);
  std::vector<Token> tokens, none;
  std::vector<std::int32_t> word_ids;
  for (std::size_t i = 0; i < words.size(); ++i) {
    check_text(words[i], fmt::format("word {}", i).c_str(), options.max_bytes);
    std::vector<Token> pieces = impl().segmenter->segment(words[i]);
    if (pieces.empty()) pieces.push_back({impl().special.unk, {0, words[i].size()}});
    tokens.insert(tokens.end(), pieces.begin(), pieces.end());
    word_ids.resize(tokens.size(), static_cast<std::int32_t>(i));
  }
  Encoding out;
  out.truncated = truncate(tokens, none, room, options);
  if (options.truncation == Truncation::left)
    word_ids.erase(word_ids.begin(), word_ids.end() - static_cast<std::ptrdiff_t>(tokens.size()));
  word_ids.resize(tokens.size());

  if (options.add_special_tokens) Impl::put(out, impl().special.cls, 0, {});
  for (const Token& token : tokens) Impl::put(out, token.id, 0, token.bytes);
  if (options.add_special_tokens) {
    Impl::put(out, impl().special.sep, 0, {});
    word_ids.insert(word_ids.begin(), -1);
    word_ids.push_back(-1);
  }
  out.word_ids = std::move(word_ids);
  return out;
}

std::vector<Encoding> Tokenizer::encode_windows(std::string_view text,
                                                std::optional<std::string_view> pair,
                                                const EncodeOptions& options) const {
  if (options.truncation != Truncation::windows) return {encode(text, pair, options)};
  return windows_of(encode(text, pair, whole(options)), options.max_length, options.stride);
}

std::vector<Encoding> Tokenizer::encode_windows(std::span<const std::string> words,
                                                const EncodeOptions& options) const {
  if (options.truncation != Truncation::windows) return {encode_words(words, options)};
  return windows_of(encode_words(words, whole(options)), options.max_length, options.stride);
}

Tokenizer Tokenizer::with_max_length(std::int64_t tokens) const {
  if (tokens == impl().config.model_max_length) return *this;
  const auto changed = std::make_shared<Impl>(impl());
  changed->config.model_max_length = tokens;
  return Tokenizer(changed);
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special) const {
  std::string out;
  std::vector<int> run;  // ids between two special ones
  const auto join = [&](std::string_view part) {
    if (!out.empty() && !part.empty()) out += ' ';
    out += part;
  };
  for (const std::int32_t id : ids) {
    require(id >= 0 && id < vocab_size(), Kind::input, "ids: expected 0 to {}, found {}",
            vocab_size() - 1, id);
    const bool inside = impl().segmenter->writes(id);  // SentencePiece writes [MASK] in place
    if (!is_special(id) || (inside && !skip_special)) {
      run.push_back(id);
    } else if (!skip_special) {
      join(impl().segmenter->decode(run));
      join(piece(id));
      run.clear();
    }
  }
  join(impl().segmenter->decode(run));
  return out;
}

std::int32_t Tokenizer::vocab_size() const noexcept { return impl_ ? impl_->segmenter->size() : 0; }

const std::string& Tokenizer::piece(std::int32_t id) const {
  require(id >= 0 && id < vocab_size(), Kind::usage, "id: expected 0 to {}, found {}",
          vocab_size() - 1, id);
  return impl().segmenter->piece(id);
}

std::optional<std::int32_t> Tokenizer::id(std::string_view piece) const {
  return impl().segmenter->id(piece);
}

std::string Tokenizer::surface(std::int32_t id) const {
  piece(id);  // checks it
  return impl().segmenter->surface(id);
}

std::optional<std::int32_t> Tokenizer::id_of_surface(std::string_view surface) const {
  return impl().segmenter->id_of_surface(surface);
}

const SpecialIds& Tokenizer::special() const noexcept {
  static const SpecialIds none;
  return impl_ ? impl_->special : none;
}

bool Tokenizer::is_special(std::int32_t id) const noexcept {
  const SpecialIds& s = special();
  return id >= 0 && id < vocab_size() && id != s.unk &&
         (impl_->segmenter->is_control(id) || id == s.bos || id == s.eos || id == s.pad ||
          id == s.cls || id == s.sep || id == s.mask);
}

const TokenizerConfig& Tokenizer::config() const noexcept {
  static const TokenizerConfig none;
  return impl_ ? impl_->config : none;
}

const std::string& Tokenizer::model() const noexcept {
  static const std::string none;
  return impl_ ? impl_->model : none;
}

std::vector<Span> code_point_offsets(std::string_view text, std::span<const Span> bytes) {
  std::vector<std::size_t> before(text.size() + 1);  // code points that begin before byte i
  for (std::size_t i = 0; i < text.size(); ++i)
    before[i + 1] = before[i] + ((static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80);
  std::vector<Span> out(bytes.begin(), bytes.end());
  for (Span& span : out) {
    require(span.begin <= span.end && span.end <= text.size(), Kind::usage,
            "offsets: expected a range in {} bytes, found {} to {}", text.size(), span.begin,
            span.end);
    span = {before[span.begin], before[span.end]};
  }
  return out;
}

}  // namespace fnet
