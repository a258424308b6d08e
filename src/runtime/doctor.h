#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace fnet {

/// One thing that was looked at.
struct Finding {
  enum class Level {
    ok,     ///< as it should be
    note,   ///< worth knowing
    wrong,  ///< answers are not those of the model's owner, or there are none
  };
  Level level = Level::ok;
  std::string place;    ///< config, weights, tokenizer, lengths, golden, self-test
  std::string message;  ///< what was expected and found
  std::string advice;   ///< what to do; empty where nothing is
};

/// What a model directory is, and what of it disagrees.
struct Diagnosis {
  std::string family;  ///< a name of model/family.h, or empty where it is not known
  std::string owner;   ///< in words, and how that is known
  std::vector<Finding> findings;

  /// Whether nothing is wrong.
  bool healthy() const;
};

/// Looks at a model directory, or at a checkpoint that is not read here: config against its
/// family's numerics, weights against the config, tokenizer against both; then computes its golden
/// vectors again, or, without them, compares kernels with formulas. What is bad about the files is
/// a finding. Throws: system.
Diagnosis diagnose(const std::filesystem::path& path);

}  // namespace fnet
