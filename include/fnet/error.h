#pragma once

#include <stdexcept>
#include <string>

#include "fnet/api.h"

namespace fnet {

/// What the library throws; besides it only std::bad_alloc, and what torch throws in training.
///
/// A message reads `file: place: expected …, found …; what to do`, one line, no control characters.
class FNET_API Error : public std::runtime_error {
 public:
  /// Who is at fault, and so which exit code or HTTP status follows (see `exit_code`).
  enum class Kind {
    usage,     ///< a wrong call, flag or option
    input,     ///< a file, a text or a request is bad
    system,    ///< the disk, memory or another program failed
    internal,  ///< a bug of ours
  };

  Error(Kind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}

  Kind kind() const noexcept { return kind_; }

  /// The same error with `context: ` in front.
  Error within(const std::string& context) const { return {kind_, context + ": " + what()}; }

 private:
  Kind kind_;
};

/// Exit code of a program that ends with this error: usage and input 2, system and internal 1.
FNET_API int exit_code(Error::Kind kind) noexcept;

}  // namespace fnet
