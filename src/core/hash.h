#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace fnet {

/// FNV-1a, 64 bits; to hash several pieces, pass the hash of those before. Not against adversaries.
constexpr std::uint64_t fnv1a(std::string_view bytes,
                              std::uint64_t before = 14695981039346656037ULL) {
  for (const char byte : bytes) {
    before = (before ^ static_cast<unsigned char>(byte)) * 1099511628211ULL;
  }
  return before;
}

/// SHA-256 of a file, as `sha256sum` prints it. Throws: as InputFile. Source: FIPS 180-4.
std::string sha256_of_file(const std::filesystem::path& path);

/// SHA-256 of bytes, in hexadecimal.
std::string sha256(std::string_view bytes);

}  // namespace fnet
