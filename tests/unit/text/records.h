#pragma once

#include <string>
#include <vector>

#include "temporary.h"
#include "text/data.h"

namespace fnet {

/// All records of a file with these bytes.
inline std::vector<Record> read(const std::string& bytes, const std::string& name,
                                const ReadOptions& options = {}) {
  DataReader reader(bytes, name, options);
  std::vector<Record> out;
  for (Record record; reader.next(record);) out.push_back(record);
  return out;
}

/// What is said of such a file that cannot be read.
inline std::string message(const std::string& bytes, const std::string& name,
                           const ReadOptions& options = {}) {
  return message_of([&] { read(bytes, name, options); });
}

}  // namespace fnet
