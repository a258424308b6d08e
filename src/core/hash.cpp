#include "core/hash.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "core/file.h"

namespace fnet {
namespace {

constexpr std::size_t kBlock = 64;

/// The first 32 bits of the fractions of the roots of the first 64 primes.
template <class Root>
std::array<std::uint32_t, 64> fractions(Root root) {
  std::array<std::uint32_t, 64> out{};
  std::size_t found = 0;
  for (unsigned n = 2; found < out.size(); ++n) {
    bool prime = true;
    for (unsigned d = 2; d * d <= n && prime; ++d) prime = n % d != 0;
    if (!prime) continue;
    const long double r = root(static_cast<long double>(n));
    out[found++] = static_cast<std::uint32_t>((r - std::floor(r)) * 4294967296.0L);
  }
  return out;
}

class Sha256 {
 public:
  void add(std::string_view bytes) {
    size_ += bytes.size();
    while (!bytes.empty()) {
      const std::size_t some = std::min(kBlock - filled_, bytes.size());
      bytes.copy(buffer_.data() + filled_, some);
      filled_ += some;
      bytes.remove_prefix(some);
      if (filled_ == kBlock) mix(), filled_ = 0;
    }
  }

  std::string finish() {
    const std::uint64_t bits = size_ * 8;
    add({"\x80", 1});
    while (filled_ != kBlock - 8) add({"\0", 1});
    std::string length;
    for (int shift = 56; shift >= 0; shift -= 8) length += static_cast<char>(bits >> shift & 0xFFU);
    add(length);
    std::string out;
    for (const std::uint32_t word : state_) out += fmt::format("{:08x}", word);
    return out;
  }

 private:
  void mix() {
    static const std::array<std::uint32_t, 64> kRounds =
        fractions([](long double n) { return std::cbrt(n); });
    std::array<std::uint32_t, 64> w{};
    for (std::size_t i = 0; i < 16; ++i) {
      for (std::size_t k = 0; k < 4; ++k)
        w[i] = w[i] << 8 | static_cast<unsigned char>(buffer_[4 * i + k]);
    }
    for (std::size_t i = 16; i < 64; ++i) {
      const std::uint32_t a = w[i - 15], b = w[i - 2];
      w[i] = w[i - 16] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ a >> 3) + w[i - 7] +
             (std::rotr(b, 17) ^ std::rotr(b, 19) ^ b >> 10);
    }
    auto [a, b, c, d, e, f, g, h] = state_;
    for (std::size_t i = 0; i < 64; ++i) {
      const std::uint32_t one = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) +
                                ((e & f) ^ (~e & g)) + kRounds[i] + w[i];
      const std::uint32_t two =
          (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g, g = f, f = e, e = d + one, d = c, c = b, b = a, a = one + two;
    }
    const std::array<std::uint32_t, 8> now = {a, b, c, d, e, f, g, h};
    for (std::size_t i = 0; i < 8; ++i) state_[i] += now[i];
  }

  static std::array<std::uint32_t, 8> start() {
    const auto all = fractions([](long double n) { return std::sqrt(n); });
    std::array<std::uint32_t, 8> out{};
    std::copy_n(all.begin(), 8, out.begin());
    return out;
  }

  std::array<std::uint32_t, 8> state_ = start();
  std::array<char, kBlock> buffer_{};
  std::size_t filled_ = 0;
  std::uint64_t size_ = 0;
};

}  // namespace

std::string sha256(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.finish();
}

std::string sha256_of_file(const std::filesystem::path& path) {
  const InputFile file = InputFile::open(path);
  Sha256 hash;
  std::vector<std::byte> buffer(1 << 20);
  for (std::uint64_t at = 0; at < file.size();) {
    const std::size_t some =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), file.size() - at));
    file.read(at, std::span(buffer).first(some));
    hash.add({reinterpret_cast<const char*>(buffer.data()), some});
    at += some;
  }
  return hash.finish();
}

}  // namespace fnet
