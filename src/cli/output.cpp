#include "cli/output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/error.h"

namespace fnet::cli {
namespace {

// SIGPIPE ends the program before this, unless our parent has it ignored.
void check(bool ok) {
  if (ok) return;
  if (errno == EPIPE) throw OutputClosed();
  fail(Kind::system, "standard output: expected to be written, found: {}", std::strerror(errno));
}

}  // namespace

void print(std::string_view text) {
  check(std::fwrite(text.data(), 1, text.size(), stdout) == text.size());
}

void flush() { check(std::fflush(stdout) == 0); }

}  // namespace fnet::cli
