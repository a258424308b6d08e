#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "train/step_seconds.h"

namespace fnet {

/// A masked language model and the steps it is timed in.
struct StepBenchOptions {
  std::string variant = "base";
  std::vector<std::string> set;   ///< key=value of the config, applied last
  std::string device = "cpu";     ///< as in FinetuneOptions
  std::string dtype = "float32";  ///< of the factors of products
  std::size_t batch = 4;          ///< texts a step
  std::size_t length = 512;       ///< tokens a text
  std::int64_t steps = 0;         ///< that are timed; 0: as many as fit in `seconds`, at least 3
  double seconds = 10;
  int threads = 0;         ///< 0: one for each core
  bool recompute = false;  ///< as FNetModule::set_recompute
};

/// What was found.
struct StepBenchReport {
  int threads = 0;
  std::vector<StepSeconds> steps;  ///< without the first, which fills caches and takes memory
  double operations = 0;  ///< multiply-adds, counted as two, of a step's products, both ways
  /// 1e9 of them a second at the most, measured right after the steps: as many cores may be slower
  /// at another time.
  double peak_gflops = 0;
  std::size_t peak_bytes = 0;  ///< the most memory that the process had at a time, on the device
};

/// Times whole steps of pretraining: the loop and the objective of `pretrain` on tokens that are
/// made up, 15 % of them masked. Throws: usage where an option makes no sense, input where the
/// config is not valid.
StepBenchReport measure_steps(const StepBenchOptions& options);

}  // namespace fnet
