#include "train/run_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/file.h"

namespace fnet {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

template <class Int>
void little_endian(std::string& out, Int value) {
  for (std::size_t i = 0; i < sizeof value; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

// The few of protobuf's wire types that an event needs.
void varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}
void field(std::string& out, std::uint32_t number, std::uint32_t type) {
  varint(out, number << 3 | type);
}
void field_bytes(std::string& out, std::uint32_t number, std::string_view bytes) {
  field(out, number, 2);
  varint(out, bytes.size());
  out += bytes;
}
void field_double(std::string& out, std::uint32_t number, double value) {
  field(out, number, 1);
  little_endian(out, std::bit_cast<std::uint64_t>(value));
}
void field_float(std::string& out, std::uint32_t number, float value) {
  field(out, number, 5);
  little_endian(out, std::bit_cast<std::uint32_t>(value));
}

std::uint32_t masked_crc(std::string_view bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return (crc >> 15 | crc << 17) + 0xA282EAD8U;
}

std::string framed(std::string_view event) {
  std::string frame;
  little_endian(frame, static_cast<std::uint64_t>(event.size()));
  little_endian(frame, masked_crc(frame));
  frame += event;
  little_endian(frame, masked_crc(event));
  return frame;
}

constexpr const char* kLines = "log.jsonl";

/// Makes a file of `size` bytes of those that it has, or an empty one, and then these.
void append(const std::filesystem::path& path, std::uint64_t size, std::string_view bytes) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0) fail_errno(path.native(), "open");
  bool done = ftruncate(file, static_cast<off_t>(size)) == 0;
  for (auto at = static_cast<off_t>(size); done && !bytes.empty();) {
    const ssize_t count = pwrite(file, bytes.data(), bytes.size(), at);
    if (count < 0 && errno == EINTR) continue;
    done = count >= 0;
    if (done) bytes.remove_prefix(static_cast<std::size_t>(count)), at += count;
  }
  const int code = errno;
  // What is written in part is no line: the next try begins where this one did.
  if (!done) static_cast<void>(ftruncate(file, static_cast<off_t>(size)));
  close(file);
  errno = code;
  if (!done) fail_errno(path.native(), "write");
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> rows{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t row = i;
      for (int bit = 0; bit < 8; ++bit) row = row & 1 ? row >> 1 ^ 0x82F63B78U : row >> 1;
      rows[i] = row;
    }
    return rows;
  }();
  std::uint32_t crc = ~0U;
  for (const char c : bytes) crc = crc >> 8 ^ table[(crc ^ static_cast<unsigned char>(c)) & 0xFF];
  return ~crc;
}

std::string first_event(double time) {
  std::string event;
  field_double(event, 1, time);
  field_bytes(event, 3, "brain.Event:2");
  return framed(event);
}

std::string scalar_event(std::string_view tag, std::int64_t step, double value, double time) {
  std::string item;  // Summary.Value
  field_bytes(item, 1, tag);
  field_float(item, 2, static_cast<float>(value));
  std::string summary;
  field_bytes(summary, 1, item);
  std::string event;
  field_double(event, 1, time);
  field(event, 2, 0);
  varint(event, static_cast<std::uint64_t>(step));
  field_bytes(event, 5, summary);
  return framed(event);
}

RunLog::RunLog(const std::filesystem::path& directory)
    : directory_(directory),
      events_(fmt::format("events.out.tfevents.{}.{}.fnet", static_cast<std::int64_t>(now()),
                          getpid())),
      waiting_({{kLines, ""}, {events_, first_event(now())}}) {
  flush();
}

RunLog::RunLog(const std::filesystem::path& directory,
               const std::map<std::string, std::uint64_t>& files)
    : directory_(directory), sizes_(files) {
  for (const auto& [name, size] : files) {
    if (name != kLines) events_ = name;
    waiting_[name] = "";
  }
  flush();
}

void RunLog::write(std::string_view kind, std::int64_t step,
                   const std::vector<std::pair<std::string, double>>& values) {
  const double time = now();
  nlohmann::ordered_json line;
  std::string events;
  line["event"] = kind;
  line["time"] = std::round(time * 1000) / 1000;
  line["step"] = step;
  for (const auto& [name, value] : values) {
    line[name] = value;
    events += scalar_event(fmt::format("{}/{}", kind, name), step, value, time);
  }
  waiting_[kLines] += line.dump() + '\n';
  waiting_[events_] += events;
  try {
    flush();
  } catch (const Error& error) {
    fault_ = error.what();
  }
}

void RunLog::flush() {
  while (!waiting_.empty()) {
    const auto& [name, bytes] = *waiting_.begin();
    append(directory_ / name, sizes_[name], bytes);
    sizes_[name] += bytes.size();
    waiting_.erase(waiting_.begin());
  }
  fault_.clear();
}

}  // namespace fnet
