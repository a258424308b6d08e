#pragma once

#include <string>

#include "core/file.h"
#include "fnet/finetune.h"
#include "temporary.h"

namespace fnet {

/// Texts whose label stands in one of many words.
struct Words {
  TemporaryDirectory directory;
  FinetuneOptions options;

  Words() {
    options.train = directory.make("train.tsv", texts(0, 200));
    options.dev = directory.make("dev.tsv", texts(200, 60));
    options.out = directory.path() / "model";
    options.set = {"hidden_size=16", "intermediate_size=16", "num_hidden_layers=1"};
    options.epochs = 1;
    options.threads = 1;
  }

  static std::string texts(int begin, int count) {
    std::string file = "text\tlabel\n";
    for (int i = begin; i < begin + count; ++i) {
      const bool odd = i % 2 != 0;
      file += "word" + std::to_string(i % 7) + (odd ? " sour" : " sweet") +
              std::to_string(i * 7 % 10) + " end" + std::to_string(i % 3) +
              (odd ? "\tneg\n" : "\tpos\n");
    }
    return file;
  }

  std::string bytes(const char* name) const { return read_file(options.out / name, 1 << 24); }
};

}  // namespace fnet
