#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fnet/config.h"
#include "fnet/tokenizer.h"
#include "model/input_rows.h"

// The golden files of tests/golden/model, which tools/make_goldens.py writes: what implementations
// that are not ours answer, and how far torch's float32 is from the float64 answer.
namespace fnet::golden {

/// The weight that tools/formula_weights.py gives for this name and shape, to the bit; see there.
inline std::vector<float> formula_weight(std::string_view name,
                                         std::span<const std::int64_t> shape) {
  if (name.starts_with("fnet.")) name.remove_prefix(5);
  if (name.ends_with(".std")) {
    std::vector<float> deviations(static_cast<std::size_t>(shape.front()));
    for (std::size_t i = 0; i < deviations.size(); ++i)
      deviations[i] = 1 + static_cast<float>(i % 5) / 4;
    return deviations;
  }
  std::uint64_t base = 0xCBF29CE484222325ULL;
  for (const char c : name) base = (base ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  std::size_t size = 1;
  for (const std::int64_t n : shape) size *= static_cast<std::size_t>(n);

  const bool norm = name.ends_with("LayerNorm.weight") || name.ends_with(".running_var");
  const bool eighth =
      norm || name.ends_with(".bias") || name.find("embeddings.weight") != name.npos;
  const int columns_bits = std::bit_width(static_cast<std::uint64_t>(shape.back()));
  const float scale = eighth ? 0.125F : std::ldexp(1.0F, -((columns_bits - 1) / 2));
  const float centre = norm ? 1.0F : 0.0F;

  std::vector<float> values(size);
  for (std::size_t i = 0; i < size; ++i) {
    std::uint64_t h = base + (i + 1) * 0x9E3779B97F4A7C15ULL;
    h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9ULL;
    h = (h ^ (h >> 27)) * 0x94D049BB133111EBULL;
    h ^= h >> 31;
    std::int32_t words = -131070;
    for (int shift = 0; shift < 64; shift += 16) words += static_cast<int>(h >> shift & 0xFFFF);
    values[i] = centre + static_cast<float>(words) * 0x1p-16F * scale;  // the product is exact
  }
  return values;
}

/// One output of the reference, all texts' rows packed end to end: a sample of it.
struct Output {
  std::size_t size = 0;            ///< elements of the whole output
  std::vector<std::size_t> index;  ///< which of them stand in `value`
  std::vector<double> value;       ///< float64 answers
  double torch_error = 0;  ///< ‖y − y64‖ / ‖y64‖ of torch's float32, on the sample or on the
                           ///< whole output, whichever is larger

  /// The same of ours. A wrong size or a value that is not a number is infinitely wrong.
  double error(std::span<const float> ours) const {
    if (ours.size() != size) return HUGE_VAL;
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < index.size(); ++i) {
      difference += std::pow(static_cast<double>(ours[index[i]]) - value[i], 2);
      norm += value[i] * value[i];
    }
    return std::isfinite(difference) ? std::sqrt(difference / norm) : HUGE_VAL;
  }
};

/// A batch of texts and what the reference answers, by name: `hidden`, `hidden state <i>` and its
/// `energy <i>` by frequency, `embed <pooling>`, or a task.
struct Case {
  std::vector<Encoding> texts;
  std::map<std::string, Output> outputs;
};

struct Golden {
  Config config;
  std::vector<std::string> labels;  ///< for a head
  std::vector<Case> cases;
};

inline Golden load(const std::filesystem::path& path) {
  const auto json = nlohmann::json::parse(std::ifstream(path));
  Golden golden;
  golden.config = Config::from_json(json.at("config").dump(), path.string());
  for (int i = 0; i < json.at("labels"); ++i) golden.labels.push_back("LABEL_" + std::to_string(i));
  for (const auto& stored : json.at("cases")) {
    Case& made = golden.cases.emplace_back();
    if (stored.contains("arrays")) {  // in sixteenths
      for (const auto& array : stored.at("arrays")) {
        Array numbers(array.at("shape"), array.at("values"));
        for (float& value : numbers.data) value /= 16;
        made.texts.push_back(encode_array(numbers, {.numbers = golden.config.input_shape()}));
      }
    }
    const auto ids = stored.value("input_ids", std::vector<std::int32_t>());
    const auto types = stored.value("token_type_ids", std::string());
    std::size_t begin = 0;
    for (const std::size_t length : stored.at("lengths")) {
      if (ids.empty()) break;
      Encoding& text = made.texts.emplace_back();
      for (std::size_t i = begin; i < begin + length; ++i) {
        text.input_ids.push_back(ids.at(i));
        text.token_type_ids.push_back(types.at(i) - '0');
      }
      begin += length;
    }
    for (const auto& [name, output] : stored.at("outputs").items()) {
      made.outputs[name] = {output.at("size"), output.at("index"), output.at("value"),
                            std::max(output.at("torch_error").get<double>(),
                                     output.at("torch_error_sample").get<double>())};
    }
  }
  return golden;
}

/// Names of the golden files, without `.json`: parameters of a test.
inline std::vector<std::string> names() {
  std::vector<std::string> result;
  for (const auto& entry :
       std::filesystem::directory_iterator(FNET_SOURCE_DIR "/tests/golden/model")) {
    result.push_back(entry.path().stem().string());
  }
  std::ranges::sort(result);
  return result;
}

inline Golden named(const std::string& name) {
  return load(FNET_SOURCE_DIR "/tests/golden/model/" + name + ".json");
}

/// Judges the answers to a golden file: our error to float64 may be at most twice torch's own.
///
/// Both sum the same float32 products in some order, so both are draws of the same rounding noise,
/// of about ε·√depth; a formula that loses one bit more than torch's is outside. Two draws agree
/// well within a factor of 2 where many rows went into them. Where an output is one row a text, a
/// single case is too few: it is judged over all cases of the file together, and a row-wise output
/// of few rows against torch's error there if that is the larger.
class Judge {
 public:
  explicit Judge(const Golden& golden) {
    for (const Case& c : golden.cases) {
      for (const auto& [name, output] : c.outputs) torch_[name].add(output, output.torch_error);
    }
  }

  void add(const std::string& name, const Case& c, std::span<const float> answer) {
    const Output& output = c.outputs.at(name);
    const double error = output.error(answer);
    ours_[name].add(output, error);
    if (name != "hidden" && name != "token-classification") return;
    EXPECT_LE(error, 2 * std::max(output.torch_error, torch_[name].error()))
        << name << " of " << c.texts.size() << " texts, the first of " << c.texts[0].size()
        << " tokens";
  }

  /// To be called when every case has been added.
  void finish() const {
    EXPECT_EQ(ours_.size(), torch_.size()) << "outputs were left out";
    for (const auto& [name, total] : ours_) {
      const double torch = torch_.at(name).error();
      EXPECT_LE(total.error(), 2 * torch) << name << " over all cases";
      testing::Test::RecordProperty("error_over_torchs " + name,
                                    std::to_string(total.error() / torch));
    }
  }

 private:
  struct Total {
    double error_squares = 0, squares = 0;

    void add(const Output& output, double error) {
      double norm = 0;
      for (const double v : output.value) norm += v * v;
      error_squares += error * error * norm;
      squares += norm;
    }
    double error() const { return std::sqrt(error_squares / squares); }
  };
  std::map<std::string, Total> torch_, ours_;
};

}  // namespace fnet::golden
