#pragma once

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/error.h"

namespace fnet {

/// The bytes that the fuzzer gave, as text.
inline std::string_view input_text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Calls a reader that may refuse its input with an input error and with nothing else.
template <class F>
void may_refuse(F&& reader) {
  try {
    reader();
  } catch (const Error& error) {
    if (error.kind() != Error::Kind::input) abort();
  }
}

/// A file of these bytes, in memory, for readers that want a path; rewritten by each call.
inline const std::string& input_file(std::string_view bytes) {
  static const int descriptor = memfd_create("input", 0);
  static const std::string path = fmt::format("/proc/self/fd/{}", descriptor);
  if (descriptor < 0 || ftruncate(descriptor, 0) != 0 ||
      pwrite(descriptor, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    abort();
  }
  return path;
}

}  // namespace fnet
