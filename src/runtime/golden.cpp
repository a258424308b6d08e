#include "runtime/golden.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/error.h"
#include "core/file.h"
#include "core/json.h"

namespace fnet {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kMaxBytes = std::uint64_t{16} << 20;
constexpr std::size_t kMaxValues = 4'000'000;

/// A place in the file, for its messages.
struct Reader {
  std::string source, place;

  Reader at(const std::string& inner) const {
    return {source, place.empty() ? inner : place + "." + inner};
  }
  template <class T>
  T get(const Json& value) const {
    return json_cast<T>(value, source, place);
  }
  const Json& list(const Json& value) const {
    require(value.is_array() && !value.empty(), Kind::input, "{}: {}: expected a list, found {}",
            source, place, printable(value.dump(), 40));
    return value;
  }

  std::vector<std::int32_t> integers(const Json& value) const {
    std::vector<std::int32_t> numbers;
    for (const Json& item : list(value)) {
      const auto number = get<std::int64_t>(item);
      require(number >= 0 && number <= std::numeric_limits<std::int32_t>::max(), Kind::input,
              "{}: {}: expected numbers from 0, found {}", source, place, number);
      numbers.push_back(static_cast<std::int32_t>(number));
    }
    return numbers;
  }
  std::vector<float> numbers(const Json& value) const {
    std::vector<float> numbers;
    for (const Json& item : list(value)) numbers.push_back(static_cast<float>(get<double>(item)));
    return numbers;
  }
  Matrix matrix(const Json& value) const {
    std::vector<std::vector<float>> rows;
    for (const Json& row : list(value)) rows.push_back(numbers(row));
    Matrix result(rows.size(), rows.front().size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      require(rows[i].size() == result.cols, Kind::input,
              "{}: {}[{}]: expected {} numbers as in the first row, found {}", source, place, i,
              result.cols, rows[i].size());
      std::ranges::copy(rows[i], result.row(i).begin());
    }
    return result;
  }
};

GoldenCase read_case(const Json& json, const Reader& reader) {
  require(json.is_object() && json.contains("input_ids"), Kind::input,
          "{}: {}: expected an object with 'input_ids', found none", reader.source, reader.place);
  GoldenCase one;
  const auto with = [&](const char* key, auto&& use) {
    const auto found = json.find(key);
    if (found != json.end() && !found->is_null()) use(*found, reader.at(key));
  };
  one.input.input_ids = reader.at("input_ids").integers(json["input_ids"]);
  const std::size_t tokens = one.input.input_ids.size();
  one.input.token_type_ids.assign(tokens, 0);
  with("token_type_ids", [&](const Json& value, const Reader& at) {
    one.input.token_type_ids = at.integers(value);
    require(one.input.token_type_ids.size() == tokens, Kind::input,
            "{}: {}: expected {} numbers, as many as input_ids, found {}", at.source, at.place,
            tokens, one.input.token_type_ids.size());
  });
  with("text", [&](const Json& v, const Reader& at) { one.text = at.get<std::string>(v); });
  with("text_pair", [&](const Json& v, const Reader& at) { one.pair = at.get<std::string>(v); });
  one.rows.resize(tokens);
  std::iota(one.rows.begin(), one.rows.end(), 0);
  with("rows", [&](const Json& value, const Reader& at) {
    one.rows = at.integers(value);
    for (const std::int32_t row : one.rows) {
      require(static_cast<std::size_t>(row) < tokens, Kind::input,
              "{}: {}: expected rows 0 to {}, found {}", at.source, at.place, tokens - 1, row);
    }
  });
  with("last_hidden_state", [&](const Json& value, const Reader& at) {
    one.hidden = at.matrix(value);
    require(one.hidden.rows == one.rows.size(), Kind::input, "{}: {}: expected {} rows, found {}",
            at.source, at.place, one.rows.size(), one.hidden.rows);
  });
  with("pooler_output", [&](const Json& v, const Reader& at) { one.pooled = at.numbers(v); });
  with("logits", [&](const Json& v, const Reader& at) { one.logits = at.matrix(v); });
  require(one.hidden.rows + one.pooled.size() + one.logits.rows > 0, Kind::input,
          "{}: {}: expected last_hidden_state, pooler_output or logits, found none", reader.source,
          reader.place);
  return one;
}

/// Adds a case's difference to a result.
void compare(GoldenResult& result, std::span<const float> found, std::span<const float> expected,
             double tolerance) {
  require(found.size() == expected.size(), Kind::input,
          "{}: {}: expected {} numbers as this model gives, found {}", kGoldenFile, result.what,
          found.size(), expected.size());
  const Deviation deviation = deviation_of(found, expected);
  const double share = deviation.difference / std::max(deviation.size, 1.0);
  ++result.cases;
  if (!(share <= result.difference)) result.difference = share;  // NaN is kept too
  result.ok = result.difference <= tolerance;
}

}  // namespace

Deviation deviation_of(std::span<const float> found, std::span<const float> expected) {
  Deviation deviation;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double off = std::abs(double{found[i]} - double{expected[i]});
    if (!(off <= deviation.difference)) deviation.difference = off;
    deviation.size = std::max(deviation.size, std::abs(double{expected[i]}));
  }
  return deviation;
}

GoldenVectors read_golden(const std::filesystem::path& file) {
  const Json json = parse_json(read_file(file, kMaxBytes), file.native(),
                               {.max_values = kMaxValues, .max_bytes = kMaxBytes});
  const Reader reader{file.string(), ""};
  const auto need = [&](const char* key) -> const Json& {
    require(json.is_object() && json.contains(key), Kind::input, "{}: expected the key '{}'",
            reader.source, key);
    return json[key];
  };
  const auto format = reader.at("format").get<std::int64_t>(need("format"));
  require(format == 1, Kind::input, "{}: format: expected 1, found {}; a newer fnet reads it",
          reader.source, format);
  GoldenVectors golden;
  golden.family = reader.at("family").get<std::string>(need("family"));
  if (const auto source = json.find("source"); source != json.end() && source->is_object()) {
    for (const char* key : {"library", "version"}) {
      if (!source->contains(key)) continue;
      if (!golden.source.empty()) golden.source += ' ';
      golden.source += reader.at("source").at(key).get<std::string>((*source)[key]);
    }
  }
  golden.tolerance = reader.at("tolerance").get<double>(need("tolerance"));
  require(golden.tolerance > 0 && golden.tolerance < 1, Kind::input,
          "{}: tolerance: expected a number between 0 and 1, found {}", reader.source,
          golden.tolerance);
  const Json& cases = reader.at("cases").list(need("cases"));
  for (std::size_t i = 0; i < cases.size(); ++i) {
    golden.cases.push_back(read_case(cases[i], reader.at(fmt::format("cases[{}]", i))));
  }
  return golden;
}

std::vector<GoldenResult> check_golden(const Engine& engine, const GoldenVectors& golden) {
  GoldenResult hidden{"last_hidden_state"}, pooled{"pooler_output"}, logits{"logits"};
  for (const GoldenCase& one : golden.cases) {
    const std::span input(&one.input, 1);
    if (one.hidden.rows > 0) {
      const Matrix all = engine.forward(input).front();
      std::vector<float> rows;
      for (const std::int32_t row : one.rows) {
        const auto values = all.row(static_cast<std::size_t>(row));
        rows.insert(rows.end(), values.begin(), values.end());
      }
      compare(hidden, rows, one.hidden.data, golden.tolerance);
    }
    if (!one.pooled.empty())
      compare(pooled, engine.embed(input, "pooler").data, one.pooled, golden.tolerance);
    if (one.logits.rows > 0)
      compare(logits, engine.scores(input).front().data, one.logits.data, golden.tolerance);
  }
  std::vector<GoldenResult> results = {hidden, pooled, logits};
  std::erase_if(results, [](const GoldenResult& result) { return result.cases == 0; });
  return results;
}

std::vector<std::size_t> other_ids(const Tokenizer& tokenizer, const GoldenVectors& golden) {
  std::vector<std::size_t> cases;
  for (std::size_t i = 0; i < golden.cases.size(); ++i) {
    const GoldenCase& one = golden.cases[i];
    if (one.text.empty()) continue;
    const Encoding made =
        one.pair ? tokenizer.encode(one.text, *one.pair, {}) : tokenizer.encode(one.text, {}, {});
    if (made.input_ids != one.input.input_ids || made.token_type_ids != one.input.token_type_ids)
      cases.push_back(i + 1);
  }
  return cases;
}

}  // namespace fnet
