#include <fcntl.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/common_flags.h"
#include "cli/output.h"
#include "cli/stream.h"
#include "core/error.h"
#include "model/kinds.h"

namespace fnet::cli {
namespace {

struct Flags {
  ModelFlags model;
  InputFlags input;
  std::string pooling, format = "jsonl";
  bool normalize = false;
};

std::string jsonl(const Example& example, std::span<const float> vector) {
  std::string line = fmt::format("{{\"line\":{},\"embedding\":[", example.line);
  for (std::size_t i = 0; i < vector.size(); ++i) {
    fmt::format_to(std::back_inserter(line), "{}{}", i == 0 ? "" : ",", vector[i]);
  }
  return line + "]}\n";
}

/// NumPy's format, version 1.0. Its header tells the number of rows, which is known last: the rows
/// wait in a temporary file (in $TMPDIR, else /tmp) that has no name any more.
class NpyWriter {
 public:
  NpyWriter() {
    const char* folder = std::getenv("TMPDIR");  // NOLINT: no other thread changes it
    path_ = std::string(folder != nullptr && *folder != 0 ? folder : "/tmp") + "/fnet-XXXXXX";
    const int descriptor = mkostemp(path_.data(), O_CLOEXEC);
    check(descriptor >= 0, "made");
    unlink(path_.c_str());
    rows_.reset(fdopen(descriptor, "w+b"));
    check(rows_ != nullptr, "opened");
  }

  void add(const Matrix& rows) {
    static_assert(std::endian::native == std::endian::little);
    check(std::fwrite(rows.data.data(), sizeof(float), rows.data.size(), rows_.get()) ==
              rows.data.size(),
          "written");
    count_ += rows.rows;
    width_ = rows.cols;
  }

  /// Prints header and rows.
  void finish(std::size_t width) {
    check(std::fflush(rows_.get()) == 0, "written");
    if (count_ == 0) width_ = width;
    std::string header = fmt::format(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", count_, width_);
    header.resize((10 + header.size() + 1 + 63) / 64 * 64 - 11, ' ');
    header += '\n';
    const auto length = static_cast<std::uint16_t>(header.size());
    print(std::string("\x93NUMPY\x01\0", 8) + static_cast<char>(length & 0xff) +
          static_cast<char>(length >> 8) + header);
    std::rewind(rows_.get());
    std::vector<char> buffer(1 << 20);
    while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), rows_.get())) {
      print({buffer.data(), n});
    }
    check(std::ferror(rows_.get()) == 0, "read");
    flush();
  }

 private:
  void check(bool ok, std::string_view done) const {
    require(ok, Kind::system, "{}: expected a temporary file to be {}, found: {}", path_, done,
            std::strerror(errno));
  }

  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::string path_;
  std::unique_ptr<std::FILE, Close> rows_;
  std::size_t count_ = 0, width_ = 0;
};

void run(const Flags& flags) {
  const Engine engine = flags.model.load();
  const bool npy = flags.format == "npy";
  std::optional<NpyWriter> writer;
  if (npy) writer.emplace();
  const Reading reading = read_texts(flags.input.columns, "embeddings");
  flags.input.for_each_batch(engine, reading, [&](std::span<const Example> batch) {
    std::vector<TextInput> texts;
    for (const Example& example : batch) {
      texts.emplace_back(example.texts[0]);
      if (example.texts.size() > 1) texts.back().pair = example.texts[1];
    }
    const Matrix vectors = engine.embed(texts, flags.pooling, flags.normalize);
    if (npy) return writer->add(vectors);
    for (std::size_t i = 0; i < batch.size(); ++i) print(jsonl(batch[i], vectors.row(i)));
    flush();
  });
  if (npy) writer->finish(static_cast<std::size_t>(engine.config().hidden_size));
}

}  // namespace

Action declare_embed(FlagSet& set) {
  const auto flags = std::make_shared<Flags>();
  flags->model.declare(set);
  set.add("FILE", &flags->input.path, "texts to embed; -: standard input, one a line");
  set.add("--pooling", &flags->pooling, "which vector stands for a text; else the model's own",
          {.words = names_of(pooling_kinds())});
  set.add("--normalize", &flags->normalize, "divide each vector by its length");
  set.add("--format", &flags->format, "one JSON object a line, or one NumPy array",
          {.words = {"jsonl", "npy"}});
  flags->input.declare(set);
  return [flags] { run(*flags); };
}

}  // namespace fnet::cli
