#pragma once

#include <string_view>

namespace fnet::cli {

/// Adds to standard output's buffer. Throws: system where it cannot be written.
void print(std::string_view text);

/// Writes out the buffer. Throws: system.
void flush();

/// Whoever reads our standard output has gone: the program ends quietly.
struct OutputClosed {};

}  // namespace fnet::cli
