#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/file.h"

namespace fnet {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 16;
constexpr std::string_view kGzip = "\x1f\x8b";
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

}  // namespace

struct LineReader::State {
  std::string name;
  std::size_t max_line_bytes = 0;
  int descriptor = -1;  // -1: the bytes are in `memory`
  std::string memory;   // what is left of them begins at `at`
  std::size_t at = 0;
  std::uint64_t line_number = 0;

  std::array<char, kChunk> raw;    // as read from the file; used for gzip only
  std::array<char, kChunk> chunk;  // decompressed
  std::string_view rest;           // what of `chunk` no line has taken yet
  std::string carry;               // start of a line that crosses chunks
  bool ended = false, skipping = false;
  bool after_return = false;  // the line before ended with `\r`, so a `\n` belongs to it
  bool cuts = false;
  std::size_t cut = 0;

  z_stream gzip{};
  bool is_gzip = false, in_member = false;

  ~State() {
    if (is_gzip) inflateEnd(&gzip);
    if (descriptor > STDIN_FILENO) close(descriptor);
  }

  std::size_t read_raw(char* out, std::size_t capacity) {
    if (descriptor < 0) {
      const std::size_t count = memory.copy(out, capacity, at);
      at += count;
      return count;
    }
    for (;;) {
      const ssize_t count = ::read(descriptor, out, capacity);
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno == EISDIR) fail(Kind::input, "{}: expected a file, found a directory", name);
      require(errno == EINTR, Kind::system, "{}: cannot read: {}", name,
              std::generic_category().message(errno));
    }
  }

  /// Tells gzip from plain text by the first bytes, which a pipe may give one by one. Waits for no
  /// more of them than it needs: somebody may be typing.
  void start() {
    std::size_t count = 0;
    while (count < kByteOrderMark.size()) {
      const std::string_view found(chunk.data(), count);
      if (!kGzip.starts_with(found) && !kByteOrderMark.starts_with(found)) break;
      const std::size_t more = read_raw(chunk.data() + count, kChunk - count);
      if (more == 0) break;
      count += more;
    }
    rest = {chunk.data(), count};
    if (rest.starts_with(kGzip)) {
      std::memcpy(raw.data(), chunk.data(), count);
      gzip.next_in = reinterpret_cast<Bytef*>(raw.data());
      gzip.avail_in = static_cast<uInt>(count);
      require(inflateInit2(&gzip, 15 + 16) == Z_OK, Kind::system, "{}: cannot start zlib", name);
      is_gzip = in_member = true;
      rest = {};
      // Enough for the byte order mark, which a small first block could split.
      fill();
    }
    if (rest.starts_with(kByteOrderMark)) rest.remove_prefix(kByteOrderMark.size());
  }

  /// The next bytes into `chunk`; leaves `rest` empty and sets `ended` at the end.
  void fill() {
    std::size_t count = is_gzip ? 0 : read_raw(chunk.data(), kChunk);
    if (is_gzip) count = inflate_chunk();
    rest = {chunk.data(), count};
    ended = count == 0;
  }

  /// Decompresses until `chunk` is full or the file ends. A gzip file may have several members.
  std::size_t inflate_chunk() {
    gzip.next_out = reinterpret_cast<Bytef*>(chunk.data());
    gzip.avail_out = kChunk;
    while (gzip.avail_out > 0) {
      if (gzip.avail_in == 0) {
        gzip.next_in = reinterpret_cast<Bytef*>(raw.data());
        gzip.avail_in = static_cast<uInt>(read_raw(raw.data(), kChunk));
        if (gzip.avail_in == 0) {
          require(
              !in_member, Kind::input,
              "{}: line {}: expected more gzip data, found the end of the file: it was cut short",
              name, line_number + 1);
          break;
        }
      }
      if (!in_member) {
        require(inflateReset(&gzip) == Z_OK, Kind::internal, "{}: cannot reset zlib", name);
        in_member = true;
      }
      const int status = inflate(&gzip, Z_NO_FLUSH);
      if (status == Z_STREAM_END) in_member = false;
      require(status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR, Kind::input,
              "{}: line {}: damaged gzip data: {}", name, line_number + 1,
              gzip.msg != nullptr ? gzip.msg : "unknown");
    }
    return kChunk - gzip.avail_out;
  }

  /// Where the line ends that `text` begins with: at `\n` or `\r`; npos where that is further on.
  static std::size_t line_end(std::string_view text) {
    const std::size_t feed = text.find('\n');
    return std::min(feed, text.substr(0, feed).find('\r'));
  }

  /// Takes the line end at `end` of `rest`, where there is one, and what stands before it.
  void take(std::size_t end) {
    const bool found = end != std::string_view::npos;
    after_return = found && rest[end] == '\r';
    rest = found ? rest.substr(end + 1) : std::string_view{};
  }

  /// Makes `rest` what comes next: more bytes where it is empty, without the `\n` of a `\r\n`. That
  /// is looked for no sooner than the next line is asked for: somebody may be typing.
  void refill() {
    do {
      if (rest.empty() && !ended) fill();
      if (after_return && rest.starts_with('\n')) rest.remove_prefix(1);
      after_return = false;
    } while (rest.empty() && !ended);
  }

  /// Drops the rest of a line that was too long.
  void skip_line() {
    while (skipping && !ended) {
      const std::size_t end = line_end(rest);
      skipping = end == std::string_view::npos;
      take(end);
      if (skipping) fill();
    }
    skipping = false;
  }

  bool next(std::string_view& line) {
    skip_line();
    carry.clear();
    for (;;) {
      refill();
      if (rest.empty() && carry.empty()) return false;
      const std::size_t end = line_end(rest);
      const bool complete = end != std::string_view::npos || ended;
      const std::string_view part = rest.substr(0, end);
      const std::size_t room = max_line_bytes - carry.size();
      if (complete && carry.empty()) {
        line = part.substr(0, room);
      } else {
        carry += part.substr(0, room);
        line = carry;
      }
      take(end);
      if (part.size() > room) {
        skipping = !complete;
        ++line_number;
        require(cuts, Kind::input, "{}: line {}: expected at most {} bytes, found more", name,
                line_number, max_line_bytes);
        ++cut;
        return true;
      }
      if (complete) break;
    }
    ++line_number;
    return true;
  }
};

LineReader::LineReader(const std::filesystem::path& path, std::size_t max_line_bytes)
    : state_(std::make_unique<State>()) {
  state_->max_line_bytes = max_line_bytes;
  const bool standard = path == "-";
  state_->name = standard ? "standard input" : printable(path.native());
  state_->descriptor = standard ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (state_->descriptor < 0) fail_errno(path.native(), "open");
  state_->start();
}

LineReader::LineReader(std::string bytes, std::string name, std::size_t max_line_bytes)
    : state_(std::make_unique<State>()) {
  state_->max_line_bytes = max_line_bytes;
  state_->name = std::move(name);
  state_->memory = std::move(bytes);
  state_->start();
}

std::size_t LineReader::read(std::span<char> out) {
  std::size_t count = 0;
  while (count < out.size()) {
    if (state_->rest.empty() && !state_->ended) state_->fill();
    if (state_->rest.empty()) break;
    const std::size_t part = state_->rest.copy(out.data() + count, out.size() - count);
    state_->rest.remove_prefix(part);
    count += part;
  }
  return count;
}

LineReader::LineReader(LineReader&&) noexcept = default;
LineReader& LineReader::operator=(LineReader&&) noexcept = default;
LineReader::~LineReader() = default;

bool LineReader::next(std::string_view& line) { return state_->next(line); }
std::uint64_t LineReader::line_number() const noexcept { return state_->line_number; }
void LineReader::cut_long_lines() noexcept { state_->cuts = true; }
std::size_t LineReader::cut() const noexcept { return state_->cut; }
const std::string& LineReader::name() const noexcept { return state_->name; }

}  // namespace fnet
