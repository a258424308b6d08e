#include "fnet/engine.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <string>
#include <vector>

#include "golden.h"
#include "runtime/inspect.h"

namespace fnet {
namespace {

std::vector<float> packed(const std::vector<Matrix>& texts) {
  std::vector<float> all;
  for (const Matrix& text : texts) all.insert(all.end(), text.data.begin(), text.data.end());
  return all;
}

Engine engine_for(const golden::Golden& golden, const std::string& task,
                  const EngineOptions& options) {
  Config config = golden.config;
  config.task = task;
  if (config.has_head()) {
    config.labels = golden.labels;
  } else {
    config.labels.clear(), config.head_options.clear();
  }
  return {config, golden::formula_weight, options};
}

bool is_state(const std::string& output) {
  return output.starts_with("hidden state ") || output.starts_with("energy ");
}

std::vector<float> answer(const Engine& engine, const std::string& output,
                          const std::vector<Encoding>& texts) {
  if (output == "hidden") return packed(engine.forward(texts));
  if (is_state(output)) {
    const std::size_t layer = std::stoul(output.substr(output.rfind(' ') + 1));
    std::vector<float> all;
    for (const auto& states : engine.hidden_states(texts)) {
      const Matrix& state = states.at(layer);
      if (output.starts_with("energy")) {
        for (const double e : energy_by_frequency(state.data, state.cols))
          all.push_back(static_cast<float>(e));
      } else {
        all.insert(all.end(), state.data.begin(), state.data.end());
      }
    }
    return all;
  }
  if (output.starts_with("embed ")) {
    return engine.embed(texts, output.substr(std::string("embed ").size())).data;
  }
  return packed(engine.scores(texts));
}

/// Every output of every case of a golden file whose hidden state has at most `most` values, by an
/// engine with these options.
void check(const std::string& file, const EngineOptions& options, std::size_t most) {
  golden::Golden golden = golden::named(file);
  std::erase_if(golden.cases, [&](const auto& c) { return c.outputs.at("hidden").size > most; });
  golden::Judge judge(golden);
  std::set<std::string> tasks = {"encoder"};
  for (const auto& [name, output] : golden.cases.at(0).outputs) {
    if (name != "hidden" && !name.starts_with("embed ") && !is_state(name)) tasks.insert(name);
  }
  for (const std::string& task : tasks) {
    const Engine engine = engine_for(golden, task, options);
    for (const golden::Case& c : golden.cases) {
      for (const auto& [name, output] : c.outputs) {
        const bool of_encoder = name == "hidden" || name.starts_with("embed ") || is_state(name);
        if ((of_encoder ? "encoder" : name) == task)
          judge.add(name, c, answer(engine, name, c.texts));
      }
    }
  }
  judge.finish();
}

class Parity : public testing::TestWithParam<std::string> {};

constexpr std::size_t kShort = 64 * 130;
#ifdef FNET_EMULATED  // hundreds of times as slow
constexpr std::size_t kLongest = kShort;
#else
constexpr std::size_t kLongest = std::numeric_limits<std::size_t>::max();
#endif

TEST_P(Parity, engine_is_as_near_to_float64_as_torch) {
  check(GetParam(), {.threads = 2}, kLongest);
}

// The formulas' transform is a sum over all pairs: short texts only.
TEST_P(Parity, formulas_are_as_near_to_float64_as_torch) {
  check(GetParam(), {.threads = 2, .formulas = true}, kShort);
}

INSTANTIATE_TEST_SUITE_P(Golden, Parity, testing::ValuesIn(golden::names()),
                         [](const auto& file) { return file.param; });

}  // namespace
}  // namespace fnet
