#include "cli/npy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "cli/output.h"
#include "core/error.h"
#include "core/file.h"

namespace fnet::cli {
namespace {

static_assert(std::endian::native == std::endian::little);

std::string header(std::string_view type, const std::string& shape) {
  std::string text =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}", type, shape);
  text.resize((10 + text.size() + 1 + 63) / 64 * 64 - 11, ' ');
  text += '\n';
  const auto length = static_cast<std::uint16_t>(text.size());
  return std::string("\x93NUMPY\x01\0", 8) + static_cast<char>(length & 0xff) +
         static_cast<char>(length >> 8) + text;
}

}  // namespace

NpyWriter::NpyWriter() {
  const char* folder = std::getenv("TMPDIR");  // NOLINT: no other thread changes it
  path_ = std::string(folder != nullptr && *folder != 0 ? folder : "/tmp") + "/fnet-XXXXXX";
  const int descriptor = mkostemp(path_.data(), O_CLOEXEC);
  check(descriptor >= 0, "made");
  unlink(path_.c_str());
  rows_.reset(fdopen(descriptor, "w+b"));
  check(rows_ != nullptr, "opened");
}

void NpyWriter::add(const Matrix& rows) {
  check(std::fwrite(rows.data.data(), sizeof(float), rows.data.size(), rows_.get()) ==
            rows.data.size(),
        "written");
  count_ += rows.rows;
  width_ = rows.cols;
}

void NpyWriter::finish(std::size_t width) {
  check(std::fflush(rows_.get()) == 0, "written");
  print(header("<f4", fmt::format("({}, {})", count_, count_ == 0 ? width : width_)));
  std::rewind(rows_.get());
  std::vector<char> buffer(1 << 20);
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), rows_.get())) {
    print({buffer.data(), n});
  }
  check(std::ferror(rows_.get()) == 0, "read");
  flush();
}

void NpyWriter::check(bool ok, std::string_view done) const {
  require(ok, Kind::system, "{}: expected a temporary file to be {}, found: {}", path_, done,
          std::strerror(errno));
}

void write_npy(const std::filesystem::path& path, std::span<const std::int64_t> numbers) {
  std::string bytes = header("<i8", fmt::format("({},)", numbers.size()));
  bytes.append(reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes());
  write_file(path, bytes);
}

}  // namespace fnet::cli
